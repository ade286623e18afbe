/**
 * The workload: clients that trade at random, over all players and through all nodes, and behave as
 * clients do: they buy what is gone, name a wrong price, run into each other, give up and ask again
 * with the same op. A player sees what real ones do: the room that the presenter makes of its
 * durable rows, and what is durably for sale.
 */
import { listingId, parseListingId } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import type { Prng } from '#shared/prng.ts';
import { isChangingCommand, parseCommand } from '#shared/protocol.ts';
import type { Rules } from '#shared/rules.ts';
import type { PlainState } from '#shared/state.ts';
import { operationId, sealedId, type ShardId, type ShardVersion } from '#shared/units.ts';
import { Presenter } from '#server/edge/presenter.ts';
import { player } from '#server/market/account/opening.ts';
import type { Opening } from '#server/market/account/opening.ts';
import type { Sight, Step } from '#server/market/feature.ts';
import type { Command, Reply } from '#server/shard/message.ts';
import type { Asked } from './answer-book.ts';
import type { Scene } from './simulated-world.ts';
import { recordOf } from './json-values.ts';
import { chargeWish, grantWish, type ServiceWish } from './service-work.ts';

/** A player who may come later, with gold and goods: others may have wanted to buy from it before. */
export interface Latecomer {
  readonly shard: ShardId;
  readonly opening: Opening;
}

/** What clients need of the simulation. */
export interface WorkloadScene extends Scene {
  readonly rules: Rules;
  /** Shards that are created late, or never, and what they are created with. At least one. */
  readonly latecomers: readonly Latecomer[];
  /** How long a client thinks between two commands at most. */
  readonly thinkUsMax: number;
  /** The share of commands that go to any node, in place of the owner of the shard. */
  readonly detourShare: number;
}

/** One of the things that a client may do; `undefined` if there is nothing to do it with. */
interface Idea {
  readonly weight: number;
  readonly ask: (prng: Prng, who: ShardId) => Asked | undefined;
}

const PATIENCE_US = { min: 400_000, max: 12_000_000 } as const;
/** How often a client asks again before it gives up for good. */
const ASKS_MAX = 12;

export class Workload {
  readonly #scene: WorkloadScene;
  readonly #ideas: readonly Idea[];
  readonly #roomByShard = new Map<ShardId, { readonly version: ShardVersion; readonly state: PlainState }>();
  #busy = 0;
  #operations = 0;

  constructor(scene: WorkloadScene) {
    this.#scene = scene;
    this.#ideas = [
      ...scene.world.features.flatMap(({ steps = [] }) => steps.map((step) => this.#ideaOf(step))),
      { weight: 5, ask: (prng) => this.#look(prng) },
      { weight: 2, ask: (prng, who) => this.#freeze(prng, who) },
      { weight: 1, ask: (prng, who) => this.#open(prng, who) },
      { weight: 4, ask: (prng, who) => this.#grant(prng, who) },
      { weight: 3, ask: (prng, who) => this.#serve(who, chargeWish(prng, this.#room(who))) },
    ];
  }

  /** Clients that are in the middle of something. */
  get busy(): number {
    return this.#busy;
  }

  /** Sends so many clients to work, each with a generator of its own. What was begun when the phase ends is asked to its end. */
  start(clients: number): void {
    for (let index = 0; index < clients; index++) this.#client(this.#scene.prng.fork(`client ${index}`));
  }

  /** Asks again for operations that were answered before: the checkers see that the answer is the same. */
  async askAgain(asked: readonly Asked[]): Promise<void> {
    for (const again of asked) await this.#perform(this.#scene.prng, again);
  }

  /** Thaws everybody, so that the end is not decided by a moderator. */
  async thawAll(): Promise<void> {
    for (const shard of this.#players()) {
      if (this.#scene.world.model.rows(shard, player)[0]?.frozen !== true) continue;
      await this.#perform(this.#scene.prng, this.#staff(shard, false));
    }
  }

  /** A member of staff who does a lot about one player, so that operations are packed, and asks about some of the earliest again. */
  async moderate(): Promise<void> {
    const { prng, players } = this.#scene;
    const shard = prng.pick(players);
    const asked = Array.from({ length: MODERATIONS }, () => this.#staff(shard, false));
    await Promise.all(asked.map((each) => this.#perform(prng, each)));
    await this.askAgain(asked.slice(0, MODERATIONS_REPEATED));
  }

  #client(prng: Prng): void {
    const { world, phase, thinkUsMax } = this.#scene;
    let last: Asked | undefined;
    void world.scheduler.repeat(phase, prng, thinkUsMax, async () => {
      if (last !== undefined && prng.chance(REPEAT_SHARE)) {
        if (prng.chance(0.3) && world.book.hasHappened(last)) await this.#reuse(prng, last);
        else await this.#perform(prng, last);
        return;
      }
      const who = prng.pick(this.#players());
      const asked = prng.pickWeighted(this.#ideas, ({ weight }) => weight).ask(prng, who);
      if (asked === undefined) return;
      const isFinal = await this.#perform(prng, asked);
      last = isFinal && asked.command.op !== undefined ? asked : undefined;
    });
  }

  /** Asks until there is a final word, or the client has had enough. Returns whether there was one. */
  async #perform(prng: Prng, asked: Asked): Promise<boolean> {
    const { scheduler, book } = this.#scene.world;
    this.#busy++;
    let isFinal = false;
    for (let asks = 0; asks < ASKS_MAX && !isFinal; asks++) {
      if (asks > 0) await scheduler.pause(prng.integer(0, 2_000_000));
      book.asks(asked);
      const reply = await this.#ask(prng, asked);
      isFinal = reply !== undefined && book.told(asked, reply);
    }
    this.#busy--;
    return isFinal;
  }

  /** Names an op that was used before for another request. */
  async #reuse(prng: Prng, { shard, command }: Asked): Promise<void> {
    const asked: Asked = { shard, command: { ...command, body: { ...recordOf(command.body), itemId: 'another', listingId: 'another' } } };
    this.#busy++;
    const reply = await this.#ask(prng, asked);
    if (reply !== undefined) this.#scene.world.book.toldOfReuse(asked, reply);
    this.#busy--;
  }

  async #ask(prng: Prng, { shard, command }: Asked): Promise<Reply | undefined> {
    const { world, detourShare } = this.#scene;
    const { scheduler, trace } = world;
    const entry = prng.chance(detourShare) ? prng.pick(world.nodes) : world.ownerOf(shard);
    trace.add('asks', shard, command.kind, command.op, command.body, `at ${entry.name}`);
    const patience = scheduler.pause(prng.integer(PATIENCE_US.min, PATIENCE_US.max)).then(() => undefined);
    const reply = await Promise.race([entry.accept({ to: shard, message: command, creates: CREATING.has(command.kind) }), patience]);
    trace.add('told', shard, command.kind, command.op, reply?.kind === 'refusal' ? reply.name : (reply ?? 'nothing'));
    return reply;
  }

  #op(): Command['op'] & string {
    return operationId(`op-${++this.#operations}`);
  }

  /** Everybody who has come so far. */
  #players(): readonly ShardId[] {
    const { world, players, latecomers } = this.#scene;
    return [...players, ...latecomers.map(({ shard }) => shard).filter((shard) => world.model.shards.has(shard))];
  }

  /** A step of a feature, as a command of the player's client. */
  #ideaOf({ weight, wish }: Step): Idea {
    return {
      weight,
      ask: (prng, who) => {
        const wished = wish(this.#sight(who), prng);
        if (wished === undefined || !isChangingCommand(wished.type)) return undefined;
        const [op, kind] = [this.#op(), wished.type];
        const parsed = parseCommand(kind, { ...wished.body, op });
        // What the edge would refuse goes on as it is: the shard must refuse it by itself.
        const { op: _op, ...body } = recordOf(parsed.kind === 'command' ? parsed.request : wished.body);
        return { shard: who, command: { kind, issuer: 'client', op, body } };
      },
    };
  }

  #sight(shard: ShardId): Sight {
    const { world, rules, latecomers } = this.#scene;
    const others = latecomers.map((each) => each.shard);
    const ids = { parse: parseListingId, idOf: listingId };
    return { shard, state: this.#room(shard), listings: world.listings.live(), others, rules, ids };
  }

  /** The room of a player who has come; made anew when its shard has had a turn. */
  #room(id: ShardId): PlainState {
    const { world, rules } = this.#scene;
    const shard = world.model.shards.get(id);
    if (shard === undefined) throw new Error(`${id} has not come yet`);
    const { header, rowsByEntity } = shard;
    const known = this.#roomByShard.get(id);
    if (known?.version === header.version) return known.state;
    const presenter = new Presenter(world.features, id, rules, (_kind, readable) => sealedId(readable));
    presenter.apply({ kind: 'snapshot', header, rows: (entity) => [...(rowsByEntity.get(entity)?.values() ?? [])] });
    const state = presenter.state.fields;
    this.#roomByShard.set(id, { version: header.version, state });
    return state;
  }

  /** Now and then a player comes of whom others may have wanted to buy before. */
  #open(prng: Prng, who: ShardId): Asked {
    const known: Latecomer = { shard: who, opening: { name: who.slice(0, who.indexOf('@')) } };
    const { shard, opening } = prng.chance(0.1) ? prng.pick(this.#scene.latecomers) : known;
    return { shard, command: { kind: 'open', issuer: 'service', body: opening } };
  }

  /** Now and then the first that is heard of a player. */
  #grant(prng: Prng, who: ShardId): Asked {
    const shard = prng.chance(0.05) ? prng.pick(this.#scene.latecomers).shard : who;
    return this.#serve(shard, grantWish(prng, `granted-${this.#operations}`));
  }

  /** A game server does something to a player. */
  #serve(shard: ShardId, { kind, body }: ServiceWish): Asked {
    return { shard, command: { kind, issuer: 'service', op: this.#op(), by: 'game', body } };
  }

  /** Asks a seller for one of its listings. */
  #look(prng: Prng): Asked | undefined {
    const offers = this.#scene.world.listings.live();
    if (offers.length === 0) return undefined;
    const { id, shard } = prng.pick(offers);
    return { shard, command: { kind: 'listing', issuer: 'client', body: { listingId: id } } };
  }

  #freeze(prng: Prng, who: ShardId): Asked | undefined {
    const isFrozen = this.#scene.world.model.rows(who, player)[0]?.frozen === true;
    return isFrozen === prng.chance(0.8) ? this.#staff(who, !isFrozen) : undefined;
  }

  /** A member of staff freezes the player, or thaws it. */
  #staff(shard: ShardId, frozen: boolean): Asked {
    return { shard, command: { kind: 'freeze', issuer: 'staff', op: this.#op(), body: { frozen } } };
  }
}

/** Commands that make a shard where there is none. */
const CREATING: ReadonlySet<string> = new Set(['open', 'grant']);

/** The share of commands that repeat the one before, or reuse its op. */
const REPEAT_SHARE = 0.06;

/** More than keep their rows, by a pack and a half. */
const MODERATIONS = limits.operationsAnsweredMax + limits.operationsPerPack * 2.5;
const MODERATIONS_REPEATED = 10;
