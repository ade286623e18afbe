/**
 * A world of two nodes in one thread and in virtual time, each with its own disk, clock and life, joined by a bus that carries bytes.
 * Nodes are real (`openNode`); a crash takes everything that is not on the disk.
 */
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { shardId } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import { createPrng, type Prng } from '#shared/prng.ts';
import type { Rules } from '#shared/rules.ts';
import { nodeName, type ShardId } from '#shared/units.ts';
import { InlineBackend } from '#server/journal/persister/backend-inline.ts';
import { openPersister } from '#server/journal/persister/open-persister.ts';
import type { LoadedShard } from '#server/journal/persister/persister.ts';
import { MemoryDisk } from '#server/journal/disk/memory.ts';
import { marketFeatures } from '#server/market/market.ts';
import type { BookLine, Book } from '#server/market/testing/books.ts';
import { opening, TEST_REGIONS, testRules } from '#server/market/testing/market-bench.ts';
import { PLACES } from '#server/market/places.ts';
import type { ReportedEvent } from '#server/platform/platform.ts';
import { defineShard, type ShardDefinition } from '#server/shard/definition.ts';
import type { Reply } from '#server/shard/message.ts';
import { command, rowsByEntity } from '#server/shard/testing/shard-driver.ts';
import { Scheduler } from '#server/sim/scheduler.ts';
import { SimulatedBus } from '#server/sim/simulated-bus.ts';
import { virtualMachine } from '#server/sim/virtual-platform.ts';
import { openNode, type GavelNode } from '#server/node.ts';
import { cellOf } from '#shared/cell.ts';

/** The names of the nodes. */
export type NodeOfTwo = 'one' | 'two';
/** How long a disk takes for a commit. */
export const COMMIT_MS = 20;

/** A question that was asked; the reply is there once it has come. */
export interface Asked {
  reply?: Reply;
}

interface Life {
  isOver: boolean;
  wallOffsetMs: number;
  readonly onThrow: (error: unknown) => void;
  readonly onReport: (event: ReportedEvent) => void;
}

interface Computer {
  readonly disk: MemoryDisk;
  readonly wallOffsetMs: number;
  life: Life | undefined;
  node: GavelNode | undefined;
}

/** What differs from one world to another. */
export interface TwoNodesOptions {
  readonly seed?: string;
  readonly rules?: Rules;
  /** How far the clock of each node is off. */
  readonly wallOffsetsMs?: Readonly<Record<NodeOfTwo, number>>;
  readonly memoryBudgetBytes?: number;
}

/** Owned by one test. */
export class TwoNodes {
  readonly scheduler = new Scheduler();
  readonly bus: SimulatedBus;
  readonly reported: ReportedEvent[] = [];
  /** What a node threw where it must not. */
  readonly broken: unknown[] = [];
  readonly #prng: Prng;
  readonly #options: TwoNodesOptions;
  readonly #definition: ShardDefinition;
  readonly #computers: Readonly<Record<NodeOfTwo, Computer>>;

  private constructor(options: TwoNodesOptions) {
    const { seed = 'two nodes', rules = testRules(), wallOffsetsMs = { one: 0, two: 0 } } = options;
    this.#options = options;
    this.#prng = createPrng(seed);
    this.bus = new SimulatedBus(this.scheduler, this.#prng.fork('bus'));
    this.#definition = defineShard(marketFeatures({ rules, regions: TEST_REGIONS, catalogue: BUILT_IN_CATALOGUE }), { places: PLACES });
    const computer = (wallOffsetMs: number): Computer => ({
      disk: new MemoryDisk(this.#definition),
      wallOffsetMs,
      life: undefined,
      node: undefined,
    });
    this.#computers = { one: computer(wallOffsetsMs.one), two: computer(wallOffsetsMs.two) };
  }

  /** Two nodes that serve. They have been up for a while: a node takes no commands of others right after its start. */
  static async open(options: TwoNodesOptions = {}): Promise<TwoNodes> {
    const world = new TwoNodes(options);
    await world.start('one');
    await world.start('two');
    await world.run(limits.clockPeerDifferenceMaxMs * 2);
    return world;
  }

  /** The disk of a node. */
  disk(name: NodeOfTwo): MemoryDisk {
    return this.#computers[name].disk;
  }

  /** Whether the node serves. */
  isUp(name: NodeOfTwo): boolean {
    return this.#computers[name].node !== undefined;
  }

  /** Starts a node from its disk. */
  async start(name: NodeOfTwo): Promise<void> {
    const computer = this.#computers[name];
    const life: Life = {
      isOver: false,
      wallOffsetMs: computer.wallOffsetMs,
      onThrow: (error) => this.broken.push(error),
      onReport: (event) => this.reported.push(event),
    };
    computer.life = life;
    const machine = virtualMachine(this.scheduler, this.#prng.fork(`${name} ${this.scheduler.nowUs}`), life);
    const { rules = testRules(), memoryBudgetBytes = 1e9 } = this.#options;
    void openNode({
      machine,
      isClockTrusted: false,
      rules,
      catalogue: BUILT_IN_CATALOGUE,
      regions: TEST_REGIONS,
      world: 'test',
      node: nodeName(name),
      ownerOf: (_market, cell) => nodeName(ownerOfCell(cell)),
      bus: this.bus.port(nodeName(name), life),
      memoryBudgetBytes,
      onFault: () => this.kill(name),
      openPersister: (definition) =>
        openPersister(
          machine,
          definition,
          new InlineBackend(machine.timers, computer.disk, { commitMs: () => COMMIT_MS, stepMs: () => 1 }),
        ),
    }).then((node) => {
      if (!life.isOver) computer.node = node;
    }, life.onThrow);
    await this.scheduler.runUntil(() => computer.node !== undefined, this.scheduler.nowUs + 60_000_000);
  }

  /** The power of a node fails. */
  kill(name: NodeOfTwo): void {
    const computer = this.#computers[name];
    if (computer.life === undefined) return;
    computer.life.isOver = true;
    computer.life = undefined;
    computer.node = undefined;
    computer.disk.cutPower(() => this.#prng.chance(0.5));
  }

  /** Lets so much virtual time pass. */
  async run(ms: number): Promise<void> {
    await this.scheduler.runUntil(() => false, this.scheduler.nowUs + ms * 1_000);
  }

  /** Lets virtual time pass until the condition holds; throws if it does not within a minute. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    if (!(await this.scheduler.runUntil(isSo, this.scheduler.nowUs + 60_000_000))) throw new Error(`it did not happen: ${what}`);
  }

  /** Asks a node, the shard's own unless another is named. A node that is down answers nothing. */
  ask(shard: ShardId, kind: string, body: unknown, op?: string, at: NodeOfTwo = ownerOf(shard), creates = false): Asked {
    const asked: Asked = {};
    const message = command(kind, body, op, kind === 'open' ? 'service' : 'client');
    this.#computers[at].node?.world.accept({ to: shard, message, creates }).then(
      (reply) => (asked.reply = reply),
      (error: unknown) => this.broken.push(error),
    );
    return asked;
  }

  /** Creates players and waits until they are durable. */
  async create(shards: readonly ShardId[], start: Parameters<typeof opening>[1] = {}): Promise<void> {
    for (const shard of shards) this.ask(shard, 'open', opening(shard.split('@')[0] ?? '', start), undefined, undefined, true);
    await this.run(1_000);
  }

  /** The durable shard, read back from the disk of its node. */
  async load(shard: ShardId): Promise<LoadedShard> {
    const { node } = this.#computers[ownerOf(shard)];
    if (node === undefined) throw new Error(`the node of ${shard} is down`);
    const loading = node.persister.load(shard);
    await this.run(10);
    return loading;
  }

  /** The durable rows of a shard, by entity. */
  async rows(shard: ShardId): Promise<Book['rows']> {
    const loaded = await this.load(shard);
    if (loaded.kind === 'absent') return () => [];
    const rows = rowsByEntity(loaded.shard, this.#definition.schemas);
    return (entity) => rows.get(entity) ?? [];
  }

  /** Books and ledger lines of these shards, as they are durable: for the double-entry twin. */
  async books(shards: readonly ShardId[]): Promise<{ readonly books: readonly Book[]; readonly lines: readonly BookLine[] }> {
    const books: Book[] = [];
    const lines: BookLine[] = [];
    for (const shard of shards) {
      books.push({ shard, rows: await this.rows(shard) });
      const { node } = this.#computers[ownerOf(shard)];
      const history = node?.persister.history(shard, Number.MAX_SAFE_INTEGER, 1_000_000) ?? Promise.resolve([]);
      await this.run(10);
      for (const entry of (await history).toReversed()) lines.push({ shard, entry });
    }
    return { books, lines };
  }
}

/** The node that owns a shard. */
export function ownerOf(shard: ShardId): NodeOfTwo {
  return ownerOfCell(cellOf(shard, limits.cellsPerRegion));
}

/** A player whose shard is on that node. */
export function playerOn(node: NodeOfTwo, name: string): ShardId {
  for (let attempt = 0; ; attempt++) {
    const shard = shardId(`${name}${attempt === 0 ? '' : attempt}`, 'europe', 'softcore');
    if (ownerOf(shard) === node) return shard;
  }
}

function ownerOfCell(cell: number): NodeOfTwo {
  return cell % 2 === 0 ? 'one' : 'two';
}
