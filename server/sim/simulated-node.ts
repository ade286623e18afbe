/**
 * A simulated node: a disk that lasts, and one life after the other of the real node on it.
 *
 * 1. What a life keeps in memory ends with it: its timers never ring again, its promises never
 *    settle, its messages never leave.
 * 2. A life starts from what the disk has, and from nothing else.
 * 3. A life ends by a power cut, by a kill, or by itself: told to stop, or after a fault of its
 *    disk. What it wrote and did not sync is seen by the next life, unless the power fails before
 *    that, or later.
 * 4. Each life has a wall clock of its own; what it makes of it is the real node's business.
 */
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import type { Prng } from '#shared/prng.ts';
import { refusal } from '#shared/refusals.ts';
import type { Rules } from '#shared/rules.ts';
import { instant, type Instant, type Market, type NodeName } from '#shared/units.ts';
import type { Envelope } from '#server/routing/part.ts';
import { InlineBackend, type InlineDelays, type InlineStores } from '#server/journal/persister/backend-inline.ts';
import { openPersister } from '#server/journal/persister/open-persister.ts';
import { DataDirectoryError, type Persister } from '#server/journal/persister/persister.ts';
import { MemoryDisk } from '#server/journal/disk/memory.ts';
import { InjectedFailure } from '#server/journal/disk/memory-writes.ts';
import { ListingIndex } from '#server/listing-index/listing-index.ts';
import { localListingIndex } from '#server/listing-index/local.ts';
import { IndexAwayError, type ListingIndexService } from '#server/listing-index/service.ts';
import type { Machine, ReportedEvent } from '#server/platform/platform.ts';
import type { Bus } from '#server/routing/link.ts';
import type { ShardDefinition } from '#server/shard/definition.ts';
import type { Reply } from '#server/shard/message.ts';
import type { Powerup } from '#server/shard/powerup.ts';
import { NodeStartError, openNode, type GavelNode, type NodeOptions } from '#server/node.ts';
import type { CheckerPromise } from './checker.ts';
import type { Model } from './model.ts';
import { override } from './override.ts';
import type { Referee } from './referee.ts';
import type { Seams } from './seams.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedBus } from './simulated-bus.ts';
import type { Trace } from './trace.ts';
import { clockTime, virtualMachine, type Life } from './virtual-platform.ts';

/** The one region of every simulated world. */
export const REGION = 'europe';

/** A promise of every node. */
export const LIVELY: CheckerPromise = {
  name: 'nodes run',
  sentence: 'a node starts from whatever a crash has left, serves, and reports no error but those of its disk',
};
const NEVER_BACK: CheckerPromise = {
  name: 'time never runs back',
  sentence: 'what a node says of time in one life, it says in the next: its time begins no earlier than it ended',
};

/** What a connection to the index may make of a batch: it arrives, it is lost, its answer is lost, or the index comes back empty. */
export type IndexFate = 'taken' | 'lost' | 'answer-lost' | 'restart';

/** What one node is like. */
export interface NodeNature {
  readonly memoryBudgetBytes: number;
  /** How long the disk takes. */
  readonly delays: InlineDelays;
  /** Folds and image passes come so many times as often as in production. */
  readonly persisterHaste: number;
  /** How long a batch is on its way to the index; no time unless given. */
  readonly indexMs?: () => number;
  /** What becomes of the next batch; it is taken unless given. */
  readonly indexFate?: () => IndexFate;
  readonly wallOffsetMs: WallOffset;
  /** How trades within the node go in its next life; in units unless given. */
  readonly tradesBy?: () => NodeOptions['tradesBy'];
}

/**
 * How far the wall clock of the next life is off, in milliseconds. `lastOffsetMs` is that of the
 * last time that the node knows (its lease), `undefined` if it has never run: a start bears what is
 * up to `limits.clockBehindMaxMs` behind it, and `limits.clockAheadMaxMs` ahead.
 */
export type WallOffset = (lastOffsetMs: number | undefined) => number;

/** What a simulated node is made of and told by. */
export interface NodeSetup extends NodeNature {
  readonly name: NodeName;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly prng: Prng;
  readonly bus: SimulatedBus;
  readonly definition: ShardDefinition;
  /** Hears of what becomes durable of the node's journal. */
  readonly model: Model;
  readonly referee: Referee;
  readonly onReport: (node: NodeName, event: ReportedEvent) => void;
  /** What shards are made of under these rules, without the core's own. */
  readonly powerupsOf: (rules: Rules) => readonly Powerup[];
  /** The rules of the next life. */
  readonly nextRules: () => Rules;
  readonly ownerOf: (market: Market, cell: number) => NodeName;
  readonly seams: Seams;
}

/** How far a life has come. */
type LifeState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'serving'; readonly node: GavelNode }
  /** `isFollowed`: the next life begins when this one has ended. */
  | { readonly kind: 'stopping'; readonly node: GavelNode; readonly isFollowed: boolean }
  | { readonly kind: 'over' };

interface Running extends Life {
  state: LifeState;
  wallOffsetMs: number;
  /** Hears what came of a start that must be refused. */
  readonly onTried: ((what: Tried) => void) | undefined;
  /** While the disk is stalled: what waits for the end of the stall. */
  stalled: (() => void)[] | undefined;
  index: ListingIndex;
}

function nodeOf(life: Running | undefined): GavelNode | undefined {
  return life?.state.kind === 'serving' || life?.state.kind === 'stopping' ? life.state.node : undefined;
}

/** What came of a start that must be refused: refused, served all the same, or it ended before. */
export type Tried = 'refused' | 'served' | 'interrupted';

/** How long a node may take to stop. */
const STOP_MS = 2_000;
/** How long a node stays down after its disk failed. */
export const RESTART_US = 400_000;

export class SimulatedNode {
  readonly name: NodeName;
  readonly disk: MemoryDisk;
  readonly #setup: NodeSetup;
  #life: Running | undefined;
  #lives = 0;
  #crashes = 0;
  /** The latest time that the lives before have told, or might have. */
  #latest = instant(0);
  /** The rules of each life that served, with the time from which on it did. */
  readonly #rules: { readonly from: Instant; readonly rules: Rules }[] = [];

  constructor(setup: NodeSetup) {
    this.#setup = setup;
    this.name = setup.name;
    this.disk = new MemoryDisk(setup.definition);
    setup.seams.disk?.(this.disk);
  }

  /** The running node, or `undefined` while it is down or recovers. */
  get node(): GavelNode | undefined {
    return nodeOf(this.#life);
  }

  /** What the running node has fed its index with so far. */
  get index(): ListingIndex | undefined {
    return this.node === undefined ? undefined : this.#life?.index;
  }

  /** The time of the node; of its last life, while it is down. */
  get time(): Instant {
    return this.node?.platform.clock.now() ?? this.#latest;
  }

  /** The rules under which the node took its turns at that time. */
  rulesAt(time: Instant): Rules {
    const known = this.#rules.findLast(({ from }) => from <= time);
    if (known === undefined) throw new Error(`${this.name} served nobody at ${time}`);
    return known.rules;
  }

  /** Lives that have ended. */
  get crashes(): number {
    return this.#crashes;
  }

  /** Whether the process runs: it may still be recovering. */
  get isStarted(): boolean {
    return this.#life !== undefined;
  }

  /** Hands a message to the node; one that is down says `unavailable`. The promise never settles if the node dies first. */
  accept(envelope: Envelope): Promise<Reply> {
    const { node } = this;
    return node === undefined ? Promise.resolve(refusal('unavailable')) : node.world.accept(envelope);
  }

  /** Begins a life, unless there is one; after the present one, if that is about to end. */
  start(): void {
    const life = this.#life;
    if (life === undefined) this.#begin();
    else if (life.state.kind === 'stopping') life.state = { ...life.state, isFollowed: true };
  }

  /** A start that must be refused: the data are not what they should be. In the same event as its end, `onTried` hears of it. */
  try(onTried: (what: Tried) => void): void {
    if (this.#life !== undefined) throw new Error(`${this.name} runs`);
    this.#begin(onTried);
  }

  #begin(onTried?: (what: Tried) => void): void {
    const { onReport } = this.#setup;
    const life: Running = {
      state: { kind: 'starting' },
      get isOver() {
        return life.state.kind === 'over';
      },
      onTried,
      stalled: undefined,
      index: new ListingIndex(BUILT_IN_CATALOGUE.itemClasses),
      wallOffsetMs: this.#nextWallOffset(),
      onThrow: (error) => {
        this.#broke(error);
        this.#end(life, 'broke');
      },
      onReport: (event) => {
        if (!life.isOver) onReport(this.name, event);
      },
    };
    this.#life = life;
    this.#note('starts');
    const rules = this.#setup.nextRules();
    this.#open(life, rules).then(
      (node) => {
        if (life.isOver) return;
        if (onTried !== undefined) return this.#end(life, 'serves, and must not', 'served');
        life.state = { kind: 'serving', node };
        this.#rules.push({ from: node.platform.clock.now(), rules });
        if (this.time < this.#latest) this.#complain(NEVER_BACK, ` was at ${this.#latest}, and starts at ${this.time}`);
        this.#note('serves');
      },
      (error: unknown) => {
        if (!life.isOver) this.#failed(life, error);
      },
    );
  }

  /** The power fails. What was not durable may be gone, also what lives before this one have written. */
  crash(): void {
    if (this.#life !== undefined) this.#end(this.#life, 'loses power');
    this.disk.cutPower(() => this.#setup.prng.chance(0.5));
  }

  /** The process is killed. All that it wrote is still seen. */
  kill(): void {
    if (this.#life !== undefined) this.#end(this.#life, 'is killed');
  }

  /** The process is told to stop: it lets out what was done, closes its journal, and ends. */
  stop(): void {
    const life = this.#life;
    if (life?.state.kind === 'stopping') return;
    if (life?.state.kind !== 'serving') return this.kill();
    const { node } = life.state;
    life.state = { kind: 'stopping', node, isFollowed: false };
    this.#note('is told to stop');
    void node.close(STOP_MS).then(() => this.#end(life, 'stops'));
  }

  /** Somebody sets the wall clock of the life that serves: one that is still starting would refuse a clock that is too far behind. */
  setWall(offsetMs: number): void {
    if (this.#life !== undefined && this.node !== undefined) this.#life.wallOffsetMs = offsetMs;
  }

  /** For so long, or until the life ends, the disk says that it is behind, and no turn may start. */
  stall(forUs: number): void {
    const life = this.#life;
    if (life === undefined || life.stalled !== undefined) return;
    const waiting: (() => void)[] = [];
    life.stalled = waiting;
    this.#setup.scheduler.after(forUs, () => {
      life.stalled = undefined;
      if (!life.isOver) for (const wake of waiting) wake();
    });
  }

  #nextWallOffset(): number {
    const { scheduler, wallOffsetMs } = this.#setup;
    const { lease } = this.disk.journal.state;
    this.#lives++;
    return wallOffsetMs(lease === 0 ? undefined : lease - clockTime(scheduler.nowUs, 0));
  }

  #open(life: Running, rules: Rules): Promise<GavelNode> {
    const { scheduler, prng, bus, ownerOf, memoryBudgetBytes, seams } = this.#setup;
    const real = virtualMachine(scheduler, prng.fork(`life ${this.#lives}`), life);
    const machine = seams.machine?.(real) ?? real;
    const port: Bus = bus.port(this.name, life);
    const index = this.#reached(life, machine);
    return openNode({
      machine,
      isClockTrusted: false,
      rules,
      catalogue: BUILT_IN_CATALOGUE,
      regions: [REGION],
      world: 'simulated',
      node: this.name,
      ownerOf,
      bus: seams.bus?.(port) ?? port,
      tradesBy: this.#setup.tradesBy?.() ?? 'units',
      memoryBudgetBytes,
      index: seams.index?.(index, this.name) ?? index,
      onFault: (fault) => this.#failed(life, fault),
      openPersister: async (definition) => {
        const observed = this.#observed();
        const backend = new InlineBackend(machine.timers, seams.stores?.(observed) ?? observed, this.#setup.delays);
        const persister = await openPersister(hasty(machine, this.#setup.persisterHaste), definition, backend);
        const stalling = this.#stalling(persister, life);
        return seams.persister?.(stalling, this.name) ?? stalling;
      },
      powerups: this.#setup.powerupsOf(rules),
    });
  }

  /** The stores of the disk; the model hears of each batch when it is durable: also when the write then fails, or when a start settles it. */
  #observed(): InlineStores {
    const { disk, name } = this;
    const { journal, images, projections } = disk;
    const { model } = this.#setup;
    const telling = (write: () => void): void => {
      try {
        write();
      } finally {
        const told = model.position(name);
        for (const batch of told === disk.durable ? [] : journal.read(told, Number.POSITIVE_INFINITY)) {
          if (batch.last <= disk.durable) model.observe(name, { ...batch, records: new Uint8Array(batch.records) });
        }
      }
    };
    return {
      journal: override(journal, { commit: (batch) => telling(() => journal.commit(batch)) }),
      images,
      projections,
      settle: () => telling(() => disk.settle()),
      clearStaging: () => disk.clearStaging(),
    };
  }

  /** The index of a life, as it is reached over a connection that takes its time, and may be cut at any batch. */
  #reached(life: Running, { timers }: Machine): ListingIndexService {
    const { indexMs, indexFate } = this.#setup;
    let real = localListingIndex(life.index, timers);
    return {
      reachable: () => real.reachable(),
      lost: () => real.lost(),
      apply: async (batch) => {
        if (indexMs !== undefined) await new Promise<void>((resolve) => timers.after(indexMs(), resolve));
        const fate = indexFate?.() ?? 'taken';
        if (fate === 'taken') return real.apply(batch);
        this.#note(`loses the connection to the index (${fate})`);
        if (fate === 'answer-lost') await real.apply(batch);
        if (fate === 'restart') {
          life.index = new ListingIndex(BUILT_IN_CATALOGUE.itemClasses);
          real = localListingIndex(life.index, timers);
        }
        throw new IndexAwayError('the connection was cut');
      },
      search: (...asked) => real.search(...asked),
      stats: () => real.stats(),
    };
  }

  #stalling(real: Persister, life: Running): Persister {
    return override(real, {
      get isFull() {
        return life.stalled !== undefined || real.isFull;
      },
      whenReady: () => {
        const { stalled } = life;
        return stalled === undefined ? real.whenReady() : new Promise((resolve) => stalled.push(resolve));
      },
    });
  }

  #note(what: string): void {
    this.#setup.trace.add('node', this.name, what);
  }

  #complain(promise: CheckerPromise, detail: string): void {
    this.#setup.referee.complain(promise, `${this.name}${detail}`);
  }

  /** The node's code threw where it must not. */
  #broke(error: unknown): void {
    this.#complain(LIVELY, `: ${inWords(error)}`);
  }

  #failed(life: Running, error: unknown): void {
    if (life.isOver) return;
    if (life.onTried !== undefined && error instanceof DataDirectoryError) return this.#end(life, 'is refused', 'refused');
    if (!isOfDisk(error)) this.#broke(error);
    this.#end(life, `stops: ${error instanceof Error ? error.message : String(error)}`);
    if (life.onTried === undefined) this.#setup.scheduler.after(RESTART_US, () => this.start());
  }

  #end(life: Running, how: string, tried: Tried = 'interrupted'): void {
    const { state } = life;
    if (state.kind === 'over') return;
    this.#latest = this.time;
    life.state = { kind: 'over' };
    this.#life = undefined;
    this.#crashes++;
    this.#note(how);
    life.onTried?.(tried);
    if (state.kind === 'stopping' && state.isFollowed) this.#setup.scheduler.after(RESTART_US, () => this.start());
  }
}

/** An error, with where it comes from if it says so. */
export function inWords(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Whether it is the failure that the disk was told to have, or a start that says so. */
function isOfDisk(error: unknown): boolean {
  return error instanceof InjectedFailure || (error instanceof NodeStartError && error.cause instanceof InjectedFailure);
}

/** The machine of a persister in a hurry: its timers ring earlier, so that folds and passes come often in a short simulation. */
function hasty(machine: Machine, haste: number): Machine {
  return {
    ...machine,
    timers: { after: (ms, run) => machine.timers.after(ms / haste, run), defer: (run) => machine.timers.defer(run) },
  };
}
