/**
 * A directed scenario: a world of two nodes in perfect weather, where nothing happens but what the test asks for. The buyer lives on the
 * first node, the seller on the second, so that every message of a trade crosses the bus.
 */
import { shardId } from '#shared/address.ts';
import type { Item } from '#shared/item.ts';
import { createPrng } from '#shared/prng.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { durationMs, gold, itemId, operationId, type ShardId } from '#shared/units.ts';
import { completed } from '#server/market/completed/completed.ts';
import { item } from '#server/market/goods/stash.ts';
import { wallet } from '#server/market/goods/wallet.ts';
import { listing } from '#server/market/listing/listing.ts';
import type { Opening } from '#server/market/account/opening.ts';
import type { ReportedEvent } from '#server/platform/platform.ts';
import type { Command, Reply } from '#server/shard/message.ts';
import { decision, hold } from '#server/trade/entities.ts';
import type { Seams } from '../seams.ts';
import type { BusPacket } from '../simulated-bus.ts';
import { REGION, type SimulatedNode } from '../simulated-node.ts';
import { SimulatedWorld } from '../simulated-world.ts';
import { recordOf } from '../json-values.ts';

/** What is special about a scenario. */
export interface ScenarioOptions {
  readonly seams?: Seams;
  readonly memoryBudgetBytes?: number;
  /** How far the wall clocks of the lives are off, in the order of their starts. */
  readonly wallOffsetMs?: () => number;
  readonly isExpected?: (event: ReportedEvent) => boolean;
}

/** What a packet carries: a message between shards by its kind, a command, or a reply. */
export function packetKind({ bytes }: BusPacket): string {
  const packet = recordOf(JSON.parse(new TextDecoder().decode(bytes)));
  const message = recordOf(recordOf(packet['envelope'])['message']);
  if (packet['kind'] === 'reply') return 'reply';
  return message['issuer'] === undefined ? String(message['kind']) : 'command';
}

const START_GOLD = gold(10_000);
const ITEMS = 12;
const PATIENCE_US = 30_000_000;
/** How many names are tried to find one that lives on a certain node. */
const NAMES_MAX = 100;

export class Scenario {
  readonly world: SimulatedWorld;
  readonly buyer: ShardId;
  readonly seller: ShardId;
  #operations = 0;

  private constructor(options: ScenarioOptions) {
    const { seams = {}, memoryBudgetBytes = 100_000_000, wallOffsetMs = () => 0, isExpected = () => false } = options;
    const rules = {
      ...RULES_PROFILES.dev,
      durationMinMs: durationMs(1_000),
      listingsPerPlayerMax: 1_000,
      completedShown: 200,
      stashSlots: 1_000,
    };
    this.world = new SimulatedWorld({
      prng: createPrng('scenario'),
      rules,
      nodes: 2,
      natureOf: () => ({
        memoryBudgetBytes,
        delays: { commitMs: () => 1, stepMs: () => 0.2 },
        persisterHaste: 20,
        wallOffsetMs,
      }),
      seams,
      isExpected,
    });
    this.buyer = this.player('buyer', 0);
    this.seller = this.player('seller', 1);
  }

  /** A world in which the buyer and the seller have 10,000 gold and 12 items each. */
  static async begin(options: ScenarioOptions = {}): Promise<Scenario> {
    const scenario = new Scenario(options);
    await scenario.world.startAll();
    await scenario.open(scenario.buyer);
    await scenario.open(scenario.seller);
    return scenario;
  }

  /** A player whose shard is on that node. */
  player(name: string, node: number): ShardId {
    for (let index = 0; index < NAMES_MAX; index++) {
      const shard = shardId(`${name}${index}`, REGION, 'softcore');
      if (this.world.ownerOf(shard) === this.world.nodes[node]) return shard;
    }
    throw new Error(`nobody called ${name} lives on node ${node}`);
  }

  /** The node that a shard lives on. */
  nodeOf(shard: ShardId): SimulatedNode {
    return this.world.ownerOf(shard);
  }

  /** Creates a shard with gold and items. */
  async open(shard: ShardId): Promise<void> {
    const name = shard.slice(0, shard.indexOf('@'));
    const items = Array.from({ length: ITEMS }, (_, index) => sword(`${name}-${index}`));
    const body: Opening = { name, start: { gold: START_GOLD, items, commodities: [] } };
    await this.tell(shard, { kind: 'open', issuer: 'service', body });
  }

  /** A command of a player's client, with an op of its own unless given. Nothing has happened yet when this returns. */
  command(kind: string, body: unknown, op = `op-${++this.#operations}`): Command {
    return { kind, issuer: 'client', op: operationId(op), body };
  }

  /** Sends a command; the promise settles as the world runs. */
  send(shard: ShardId, command: Command, entry: SimulatedNode = this.nodeOf(shard)): Promise<Reply> {
    this.world.book.asks({ shard, command });
    return entry.accept({ to: shard, message: command, creates: command.kind === 'open' }).then((reply) => {
      this.world.book.told({ shard, command }, reply);
      return reply;
    });
  }

  /** Sends a command and runs the world until it is answered; `undefined` if it is not, in half a minute. */
  async tell(shard: ShardId, command: Command, entry?: SimulatedNode): Promise<Reply | undefined> {
    let reply: Reply | undefined;
    void this.send(shard, command, entry).then((told) => (reply = told));
    await this.world.until(() => reply !== undefined, PATIENCE_US);
    return reply;
  }

  /** Has the seller offer one of its items, and gives the listing's id. */
  async list(index = 0, price = 1_000, durationOfMs = 3_600_000): Promise<string> {
    const name = this.seller.slice(0, this.seller.indexOf('@'));
    const reply = await this.tell(
      this.seller,
      this.command('sell', { itemId: `${name}-${index}`, buyout: price, durationMs: durationOfMs }),
    );
    const named = reply?.kind === 'answer' ? recordOf(reply.value)['listingId'] : undefined;
    if (typeof named !== 'string') throw new Error(`the item ${index} was not listed: ${JSON.stringify(reply)}`);
    return named;
  }

  /** The command to buy a listing. */
  buyout(listingId: string, price = 1_000, op?: string): Command {
    return this.command('buyout', { listingId, price }, op);
  }

  /** Lets the world run for so long. */
  async run(ms: number): Promise<void> {
    await this.world.until(() => false, ms * 1_000);
  }

  /** What a shard durably has. */
  of(shard: ShardId): {
    gold: number;
    held: number;
    unclaimed: number;
    items: number;
    listings: number;
    completed: number;
    holds: number;
    decisions: number;
  } {
    const { model } = this.world;
    const purse = model.rows(shard, wallet)[0];
    return {
      gold: purse?.gold ?? 0,
      held: purse?.held ?? 0,
      unclaimed: purse?.unclaimed ?? 0,
      items: model.rows(shard, item).length,
      listings: model.rows(shard, listing).length,
      completed: model.rows(shard, completed).length,
      holds: model.rows(shard, hold).length,
      decisions: model.rows(shard, decision).length,
    };
  }

  /** Heals everything, lets all be settled, and checks everything twice: as it stands, and after both nodes were started anew. */
  async end(): Promise<readonly string[]> {
    const { world } = this;
    world.bus.rule(() => ({ kind: 'pass' }));
    world.heal();
    await world.startAll();
    await world.settle();
    await world.check('live');
    for (const node of world.nodes) node.crash();
    await world.startAll();
    await world.settle();
    await world.check('recovered');
    return world.referee.violations.map(({ checker, detail }) => `${checker}: ${detail}`);
  }
}

function sword(id: string): Item {
  return { id: itemId(id), baseId: 'sword-1', itemClass: 'sword', name: 'Plain Sword', rarity: 'common', level: 1, affixes: [] };
}
