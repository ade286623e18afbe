/**
 * The main-thread half of the persister: plans commits, folds and image passes. It never touches a
 * disk and never waits.
 *
 * 1. `imaged` <= `folded` <= `durable` <= `appended`: what is dropped is in images and in
 *    `node.db`. Anything else is a fault.
 * 2. `durable` moves only when a commit is confirmed; listeners hear of it after it has moved.
 * 3. After the first fault nothing is confirmed, sent or begun any more.
 */
import type { CellEpoch } from '#shared/cell.ts';
import { limits } from '#shared/limits.ts';
import { NO_POSITION, type Instant, type Position, type ShardId } from '#shared/units.ts';
import type { Machine } from '#server/platform/platform.ts';
import { within } from '#server/platform/within.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import type { RecordFormat } from '#server/shard/record/format.ts';
import type { Backend, Opened } from './backend.ts';
import { GroupCommit } from './group-commit.ts';
import { unpackRows } from '../fold/projected-row.ts';
import { PacedJob, type Pace } from './paced-job.ts';
import {
  DataDirectoryError,
  ShardFault,
  type LoadedShard,
  type NodeQueries,
  type Persister,
  type PersisterDefinition,
  type PersisterStats,
  type Query,
  type RecoveryReport,
} from './persister.ts';
import { CellEpochs } from '../disk/cell-epochs.ts';
import { JournalError, StoreLockedError } from '../disk/storage.ts';

/** What the persister needs of the machine: it is open before the node has a time of its own. */
export type PersisterMachine = Pick<Machine, 'readings' | 'timers' | 'report'>;

/** When folds and image passes begin: as `limits` says, but for tests that cannot wait. */
export type PersisterPace = Pick<
  { readonly [Name in keyof typeof limits]: number },
  'foldChunkBytes' | 'foldIntervalMs' | 'imagePassBytes' | 'imagePassIntervalMs'
>;

/**
 * Opens the data, recovers what a crash left, and folds what is pending. Rejects with
 * `DataDirectoryError`: nothing is changed then but the layout of the databases.
 */
export async function openPersister(
  machine: PersisterMachine,
  definition: PersisterDefinition,
  backend: Backend,
  pace: PersisterPace = limits,
): Promise<Persister> {
  const startedAt = machine.readings.monotonicMs();
  const opened = await backend.open(definition).catch((error: unknown) => {
    throw error instanceof JournalError ? new DataDirectoryError(error.message, { cause: error }) : error;
  });
  return new NodePersister(machine, backend, pace, definition, opened, Math.round(machine.readings.monotonicMs() - startedAt));
}

type Phase =
  | { readonly kind: 'open' }
  | { readonly kind: 'closing' }
  | { readonly kind: 'faulty'; readonly fault: Error }
  | { readonly kind: 'closed' };

/**
 * A hint after each of these keeps the thread that loads shards close behind, at next to no cost.
 */
const HINT_BYTES = 1024 * 1024;

class NodePersister implements Persister {
  readonly recovered: RecoveryReport;
  readonly #machine: PersisterMachine;
  readonly #epochs: CellEpochs;
  readonly #backend: Backend;
  readonly #format: RecordFormat;
  readonly #commits: GroupCommit;
  readonly #folds: PacedJob;
  readonly #passes: PacedJob;
  readonly #durableListeners: ((durable: Position) => void)[] = [];
  readonly #faultListeners: ((fault: Error) => void)[] = [];
  readonly #waiters: (() => void)[] = [];
  readonly #idlers: (() => void)[] = [];
  #phase: Phase = { kind: 'open' };
  #closing: Promise<void> | undefined;
  #folded: Position;
  #imaged: Position;
  #backlogBytes: number;
  #setAsideBytes: number;
  #unfoldedBytes = 0;
  #unhintedBytes = 0;

  #commitCount = 0;
  #committedBytes = 0;
  #imagesWritten = 0;

  constructor(
    machine: PersisterMachine,
    backend: Backend,
    pace: PersisterPace,
    definition: PersisterDefinition,
    opened: Opened,
    durationMs: number,
  ) {
    const { position, dropped, lease, bytes, setAsideBytes, remarks } = opened;
    this.#machine = machine;
    this.#epochs = new CellEpochs(definition);
    this.#backend = backend;
    this.#format = definition;
    this.#folded = position;
    this.#imaged = dropped;
    this.#backlogBytes = bytes;
    this.#setAsideBytes = setAsideBytes;
    this.recovered = { position, lease, pendingRecords: position - dropped, durationMs, remarks };
    const { timers } = machine;
    const fail = (error: unknown): void => this.#fail(error);
    this.#commits = new GroupCommit(timers, definition, position, {
      commit: (batch) => backend.commit(batch),
      confirmed: (size) => this.#confirmed(size),
      failed: fail,
    });
    const ended = (): void => this.#maintain();
    const foldPace: Pace = { backlog: pace.foldChunkBytes, intervalMs: pace.foldIntervalMs };
    const passPace: Pace = { backlog: pace.imagePassBytes, intervalMs: pace.imagePassIntervalMs };
    this.#folds = new PacedJob(timers, foldPace, () => this.#fold().catch(fail), ended);
    this.#passes = new PacedJob(timers, passPace, () => this.#pass().catch(fail), ended);
    backend.onFault(fail);
    // What a crash left is slow to load, shard by shard: into images with it.
    if (dropped < position) this.#passes.start();
  }

  // As of what is folded already: the alarm scan asks twice a second, and must not have a fold made
  // each time. All others are as of what is durable when they are asked.
  readonly due: NodeQueries['due'] = (...asked) => this.#ask('due', asked, NO_POSITION);
  readonly history: NodeQueries['history'] = (...asked) => this.#ask('history', asked, this.durable);
  readonly transaction: NodeQueries['transaction'] = (...asked) => this.#ask('transaction', asked, this.durable);
  readonly totals: NodeQueries['totals'] = () => this.#ask('totals', [], this.durable);
  readonly projection: NodeQueries['projection'] = (...asked) =>
    this.#answered(
      this.#backend
        .query('projection', asked, this.durable)
        .then(({ position, rows }) => ({ position, rows: unpackRows(rows, this.#format) })),
    );

  isPresent(cell: CellEpoch): boolean {
    return this.#epochs.isPresent(cell);
  }

  get appended(): Position {
    return this.#commits.appended;
  }

  get durable(): Position {
    return this.#commits.durable;
  }

  get isFull(): boolean {
    const { unsentBytes } = this.#commits;
    const bytes = this.#backlogBytes + this.#setAsideBytes + unsentBytes;
    return bytes > limits.journalBacklogBytesMax || unsentBytes > limits.journalUnsentBytesMax;
  }

  append(changes: ChangeSet, partner?: ChangeSet): Position {
    if (this.#phase.kind === 'closing' || this.#phase.kind === 'closed') throw new Error('the persister takes no more turns');
    return this.#commits.append(changes, partner);
  }

  extendLease(until: Instant): Promise<void> {
    return this.#backend.extendLease(until).catch((error: unknown) => {
      this.#fail(error);
      throw error;
    });
  }

  onDurable(listener: (durable: Position) => void): void {
    this.#durableListeners.push(listener);
  }

  onFault(listener: (fault: Error) => void): void {
    this.#faultListeners.push(listener);
    if (this.#phase.kind === 'faulty') listener(this.#phase.fault);
  }

  whenReady(): Promise<void> {
    return this.isFull ? new Promise((resolve) => this.#waiters.push(resolve)) : Promise.resolve();
  }

  load(shard: ShardId): Promise<LoadedShard> {
    return this.#answered(this.#backend.load(shard, this.durable));
  }

  stats(): Promise<PersisterStats> {
    return Promise.resolve({
      commits: this.#commitCount,
      committedBytes: this.#committedBytes,
      backlogBytes: this.#backlogBytes,
      setAsideBytes: this.#setAsideBytes,
      backlogRecords: this.durable - this.#imaged,
      imagesWritten: this.#imagesWritten,
      foldedPosition: this.#folded,
      imagedPosition: this.#imaged,
    });
  }

  close(deadlineMs: number): Promise<void> {
    return (this.#closing ??= this.#close(deadlineMs));
  }

  async #close(deadlineMs: number): Promise<void> {
    if (this.#phase.kind === 'open') {
      this.#phase = { kind: 'closing' };
      for (const job of [this.#folds, this.#passes]) job.rest();
      this.#commits.send();
      await within(this.#machine.timers, deadlineMs, this.#drain());
    }
    this.#phase = { kind: 'closed' };
    this.#commits.stop();
    await this.#backend.close();
  }

  /**
   * An answer of the backend. A rejection is a fault of the node, unless it is the fault of one
   * shard, or another program has the database locked for now.
   */
  #answered<T>(answer: Promise<T>): Promise<T> {
    return answer.catch((error: unknown) => {
      if (!(error instanceof ShardFault || error instanceof StoreLockedError)) this.#fail(error);
      throw error;
    });
  }

  readonly #ask: Query = (...question) => this.#answered(this.#backend.query(...question));

  get #isRunning(): boolean {
    return this.#phase.kind === 'open' || this.#phase.kind === 'closing';
  }

  #confirmed(bytes: number): void {
    this.#commitCount++;
    this.#committedBytes += bytes;
    this.#backlogBytes += bytes;
    this.#unfoldedBytes += bytes;
    this.#unhintedBytes += bytes;
    const { durable } = this;
    for (const listener of this.#durableListeners) listener(durable);
    this.#commits.send();
    this.#wakeWaiters();
    if (this.#unhintedBytes >= HINT_BYTES) {
      this.#unhintedBytes = 0;
      this.#backend.hintDurable(durable);
    }
    this.#maintain();
  }

  /** Begins a fold or a pass if it is time for one, or sees to it that it will be. */
  #maintain(): void {
    if (this.#phase.kind !== 'open') return this.#wakeIdlers();
    this.#folds.poke(this.#unfoldedBytes, this.#folded < this.durable);
    this.#passes.poke(this.#backlogBytes, this.#imaged < this.#folded);
  }

  /** Folds what is durable now, chunk by chunk. */
  async #fold(): Promise<void> {
    const through = this.durable;
    this.#unfoldedBytes = 0;
    try {
      while (this.#isRunning && this.#folded < through) {
        this.#folded = await this.#backend.fold(through);
        this.#assertOrder();
      }
    } catch (error) {
      if (!(error instanceof StoreLockedError)) throw error;
      // Nothing that was promised depends on it; what piles up meanwhile is bounded by the backlog.
      const message = `${error.message}: trades go on, histories fail until it lets go; find the program and close it`;
      this.#machine.report({ level: 'alert', message });
    }
  }

  /** Writes the images of the oldest records that are folded, and drops these. */
  async #pass(): Promise<void> {
    if (!this.#isRunning || this.#folded <= this.#imaged) return;
    const { imaged, imagesWritten, droppedBytes, setAsideBytes, faults } = await this.#backend.pass(this.#folded);
    this.#imaged = imaged;
    this.#imagesWritten += imagesWritten;
    this.#backlogBytes -= droppedBytes;
    this.#setAsideBytes = setAsideBytes;
    this.#assertOrder();
    for (const message of faults) this.#machine.report({ level: 'alert', message });
    if (this.#isRunning) this.#wakeWaiters();
  }

  /** Throws if what the backend says of its progress cannot be. */
  #assertOrder(): void {
    const [imaged, folded, { durable, appended }] = [this.#imaged, this.#folded, this];
    if (imaged <= folded && folded <= durable && durable <= appended) return;
    throw new Error(`of ${appended} turns ${durable} are durable, ${folded} folded and ${imaged} in images: that cannot be`);
  }

  /** Commits, folds and writes images until nothing is left, or the persister no longer runs. */
  async #drain(): Promise<void> {
    while (this.#isRunning && this.#imaged < this.appended) {
      if (this.durable === this.appended) {
        if (this.#folded < this.durable) this.#folds.start();
        else this.#passes.start();
      }
      await new Promise<void>((resolve) => this.#idlers.push(resolve));
    }
  }

  #fail(error: unknown): void {
    if (!this.#isRunning) return;
    const fault = error instanceof Error ? error : new Error(String(error));
    this.#phase = { kind: 'faulty', fault };
    this.#commits.stop();
    for (const job of [this.#folds, this.#passes]) job.rest();
    this.#wakeIdlers();
    for (const listener of this.#faultListeners) listener(fault);
  }

  #wakeWaiters(): void {
    if (this.#waiters.length === 0 || this.isFull) return;
    for (const wake of this.#waiters.splice(0)) wake();
  }

  #wakeIdlers(): void {
    for (const wake of this.#idlers.splice(0)) wake();
  }
}
