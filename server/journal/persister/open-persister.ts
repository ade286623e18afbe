/**
 * The main-thread half of the persister. It encodes, numbers, and plans; it never touches a disk and never waits.
 *
 * 1. Positions are given in the order of `append`, without gaps, and commits are sent in that order, one at a time.
 * 2. `durable` moves only when a commit is confirmed; listeners hear of it after it has moved.
 * 3. After the first fault nothing is confirmed, sent or begun any more.
 * 4. Images are only written of what is folded, so what is dropped is in both.
 */
import { limits } from '#shared/limits.ts';
import { instant, type Instant, type ShardId } from '#shared/units.ts';
import type { Cancel, Machine } from '#server/platform/platform.ts';
import type { ChangeSet, LedgerEntry } from '#server/shard/change-set.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import type { Backend, Opened } from './backend.ts';
import { sealed } from '../disk/checksums.ts';
import {
  DataDirectoryError,
  ShardFault,
  type DueShard,
  type LoadedShard,
  type Persister,
  type PersisterDefinition,
  type PersisterStats,
  type Position,
  type ProjectedRow,
  type ProjectionScope,
  type RecoveryReport,
  type Total,
} from './persister.ts';
import { JournalError, StoreLockedError, type Batch } from '../disk/storage.ts';

/** What the persister needs of the machine: it is open before the node has a time of its own. */
export type PersisterMachine = Pick<Machine, 'readings' | 'timers' | 'report'>;

/** When folds and image passes begin: as `limits` says, but for tests that cannot wait. */
export type PersisterPace = Pick<
  { readonly [Name in keyof typeof limits]: number },
  'foldChunkBytes' | 'foldIntervalMs' | 'imagePassBytes' | 'imagePassIntervalMs'
>;

/** Opens the data, recovers what a crash left, and folds what is pending. Rejects with `DataDirectoryError`: nothing is changed then but the layout of the databases. */
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
  return new NodePersister(machine, backend, pace, opened, Math.round(machine.readings.monotonicMs() - startedAt));
}

type Phase =
  | { readonly kind: 'open' }
  | { readonly kind: 'closing' }
  | { readonly kind: 'faulty'; readonly fault: Error }
  | { readonly kind: 'closed' };

/** A hint for every so many bytes keeps the thread that loads shards close behind, at next to no cost. */
const NOTICE_BYTES = 1024 * 1024;

class NodePersister implements Persister {
  readonly recovered: RecoveryReport;
  readonly #machine: PersisterMachine;
  readonly #backend: Backend;
  readonly #pace: PersisterPace;
  readonly #writer = new RecordWriter();
  readonly #sealed: Batch[] = [];
  readonly #durableListeners: ((durable: Position) => void)[] = [];
  readonly #faultListeners: ((fault: Error) => void)[] = [];
  readonly #timers = new Set<Cancel>();
  #waiters: (() => void)[] = [];
  #idlers: (() => void)[] = [];
  #phase: Phase = { kind: 'open' };

  #appended: Position;
  #durable: Position;
  #folded: Position;
  #imaged: Position;
  #openFirst: Position;
  #openNow: Instant | 0 = 0;
  #unsentBytes = 0;
  #backlogBytes: number;
  #setAsideBytes: number;
  #unfoldedBytes = 0;
  #unnoticedBytes = 0;
  #isSendDeferred = false;
  #isCommitting = false;
  #isFolding = false;
  #isPassing = false;
  #hasFoldTimer = false;
  #hasPassTimer = false;

  #commits = 0;
  #committedBytes = 0;
  #imagesWritten = 0;

  constructor(machine: PersisterMachine, backend: Backend, pace: PersisterPace, opened: Opened, durationMs: number) {
    const { position, dropped, lease, bytes, setAsideBytes, remarks } = opened;
    this.#machine = machine;
    this.#backend = backend;
    this.#pace = pace;
    this.#appended = position;
    this.#durable = position;
    this.#folded = position;
    this.#imaged = dropped;
    this.#openFirst = position + 1;
    this.#backlogBytes = bytes;
    this.#setAsideBytes = setAsideBytes;
    this.recovered = { position, lease, pendingRecords: position - dropped, durationMs, remarks };
    backend.onFault((fault) => this.#fail(fault));
    // What a crash left is slow to load, shard by shard: into images with it.
    if (dropped < position) this.#pass();
  }

  get appended(): Position {
    return this.#appended;
  }

  get durable(): Position {
    return this.#durable;
  }

  get full(): boolean {
    const bytes = this.#backlogBytes + this.#setAsideBytes + this.#unsentBytes;
    return bytes > limits.journalBacklogBytesMax || this.#unsentBytes > limits.journalUnsentBytesMax;
  }

  append(changes: ChangeSet): Position {
    if (this.#phase.kind === 'closing' || this.#phase.kind === 'closed') throw new Error('the persister takes no more turns');
    this.#unsentBytes += this.#writer.changeSet(changes);
    if (changes.now > this.#openNow) this.#openNow = changes.now;
    this.#appended++;
    // The next record may be as large as a shard.
    if (this.#writer.length >= limits.commitBytesMax - limits.shardWithOthersBytesMax) this.#seal();
    if (!this.#isCommitting) this.#sendSoon();
    return this.#appended;
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
    return this.full ? new Promise((resolve) => this.#waiters.push(resolve)) : Promise.resolve();
  }

  load(shard: ShardId): Promise<LoadedShard> {
    return this.#asked(this.#backend.load(shard, this.#durable));
  }

  due(now: Instant, limit: number, after?: DueShard): Promise<readonly DueShard[]> {
    return this.#asked(this.#backend.due(now, limit, after));
  }

  history(shard: ShardId, before: number, limit: number): Promise<readonly LedgerEntry[]> {
    return this.#asked(this.#backend.history(shard, before, limit, this.#durable));
  }

  transaction(tx: string, shards: readonly ShardId[]): Promise<readonly { readonly shard: ShardId; readonly entry: LedgerEntry }[]> {
    return this.#asked(this.#backend.transaction(tx, shards, this.#durable));
  }

  projection(entity: string, scope?: ProjectionScope): Promise<{ readonly position: Position; readonly rows: readonly ProjectedRow[] }> {
    return this.#asked(this.#backend.projection(entity, this.#durable, scope));
  }

  totals(): Promise<{ readonly position: Position; readonly totals: readonly Total[] }> {
    return this.#asked(this.#backend.totals(this.#durable));
  }

  stats(): Promise<PersisterStats> {
    return Promise.resolve({
      commits: this.#commits,
      committedBytes: this.#committedBytes,
      backlogBytes: this.#backlogBytes,
      setAsideBytes: this.#setAsideBytes,
      backlogRecords: this.#durable - this.#imaged,
      imagesWritten: this.#imagesWritten,
      foldedPosition: this.#folded,
      imagedPosition: this.#imaged,
    });
  }

  async close(deadlineMs: number): Promise<void> {
    if (this.#phase.kind === 'closed') return;
    if (this.#phase.kind === 'open') {
      this.#phase = { kind: 'closing' };
      this.#stopTimers();
      this.#send();
      await this.#withDeadline(deadlineMs, this.#drain());
    }
    this.#phase = { kind: 'closed' };
    this.#stopTimers();
    await this.#backend.close();
  }

  get #isRunning(): boolean {
    return this.#phase.kind === 'open' || this.#phase.kind === 'closing';
  }

  /** What cannot be answered is a fault of the node, unless it is one of a single shard, or somebody else is in the way for now. */
  #asked<T>(answer: Promise<T>): Promise<T> {
    return answer.catch((error: unknown) => {
      if (!(error instanceof ShardFault || error instanceof StoreLockedError)) this.#fail(error);
      throw error;
    });
  }

  /** Closes the open batch: what is appended from now on goes into the next one. */
  #seal(): void {
    if (this.#writer.length === 0) return;
    const [first, last] = [this.#openFirst, this.#appended];
    this.#sealed.push(sealed({ first, last, now: instant(this.#openNow), records: this.#writer.take() }));
    this.#openFirst = this.#appended + 1;
    this.#openNow = 0;
  }

  /** At once if it is worth a commit of its own, else with whatever else is appended before the event loop comes round. */
  #sendSoon(): void {
    if (this.#sealed.length > 0 || this.#writer.length >= limits.commitEagerBytes) return this.#send();
    if (this.#isSendDeferred) return;
    this.#isSendDeferred = true;
    this.#machine.timers.defer(() => {
      this.#isSendDeferred = false;
      this.#send();
    });
  }

  /** Sends the next batch, unless one is under way. */
  #send(): void {
    if (this.#isCommitting || !this.#isRunning) return;
    if (this.#sealed.length === 0) this.#seal();
    const batch = this.#sealed.shift();
    if (batch === undefined) return;
    this.#isCommitting = true;
    const { last } = batch;
    const bytes = batch.records.length;
    this.#backend.commit(batch).then(
      () => this.#confirm(last, bytes),
      (error: unknown) => this.#fail(error),
    );
  }

  #confirm(last: Position, bytes: number): void {
    this.#isCommitting = false;
    if (!this.#isRunning) return;
    this.#durable = last;
    this.#commits++;
    this.#committedBytes += bytes;
    this.#unsentBytes -= bytes;
    this.#backlogBytes += bytes;
    this.#unfoldedBytes += bytes;
    this.#unnoticedBytes += bytes;
    for (const listener of this.#durableListeners) listener(last);
    this.#send();
    this.#wakeWaiters();
    if (this.#unnoticedBytes >= NOTICE_BYTES) {
      this.#unnoticedBytes = 0;
      this.#backend.noticed(last);
    }
    this.#maintain();
  }

  /** Begins a fold or a pass if it is time for one, and sets the timers for the next. */
  #maintain(): void {
    if (this.#phase.kind !== 'open') return this.#wakeIdlers();
    if (this.#unfoldedBytes >= this.#pace.foldChunkBytes) this.#fold();
    else if (this.#folded < this.#durable && !this.#hasFoldTimer) {
      this.#hasFoldTimer = true;
      this.#later(this.#pace.foldIntervalMs, () => {
        this.#hasFoldTimer = false;
        this.#fold();
      });
    }
    if (this.#backlogBytes >= this.#pace.imagePassBytes) this.#pass();
    else if (this.#imaged < this.#durable && !this.#hasPassTimer) {
      this.#hasPassTimer = true;
      this.#later(this.#pace.imagePassIntervalMs, () => {
        this.#hasPassTimer = false;
        this.#pass();
      });
    }
  }

  #fold(): void {
    if (this.#isFolding || !this.#isRunning || this.#folded >= this.#durable) return;
    this.#isFolding = true;
    this.#unfoldedBytes = 0;
    const through = this.#durable;
    this.#backend.fold(through).then(
      (folded) => {
        this.#isFolding = false;
        this.#folded = folded;
        if (folded < through) this.#fold();
        else if (this.#isRunning) this.#maintain();
      },
      (error: unknown) => {
        if (!(error instanceof StoreLockedError)) return this.#fail(error);
        // Nothing that was promised depends on it; what piles up meanwhile is bounded by the backlog.
        const message = `${error.message}: trades go on, histories fail until it lets go; find the program and close it`;
        this.#machine.report({ level: 'alert', message });
        this.#isFolding = false;
        if (this.#isRunning) this.#maintain();
      },
    );
  }

  #pass(): void {
    if (this.#isPassing || !this.#isRunning) return;
    if (this.#folded <= this.#imaged) return this.#fold();
    this.#isPassing = true;
    this.#backend.pass(this.#folded).then(
      ({ imaged, imagesWritten, droppedBytes, setAsideBytes, faults }) => {
        this.#isPassing = false;
        this.#imaged = imaged;
        this.#imagesWritten += imagesWritten;
        this.#backlogBytes -= droppedBytes;
        this.#setAsideBytes = setAsideBytes;
        for (const message of faults) this.#machine.report({ level: 'alert', message });
        if (!this.#isRunning) return;
        this.#wakeWaiters();
        this.#maintain();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** Commits, folds and writes images until nothing is left, or the persister no longer runs. */
  async #drain(): Promise<void> {
    while (this.#isRunning && this.#imaged < this.#appended) {
      if (this.#durable === this.#appended) {
        if (this.#folded < this.#durable) this.#fold();
        else this.#pass();
      }
      await new Promise<void>((resolve) => this.#idlers.push(resolve));
    }
  }

  async #withDeadline(deadlineMs: number, work: Promise<void>): Promise<void> {
    const timer: { cancel?: Cancel } = {};
    const deadline = new Promise<void>((resolve) => (timer.cancel = this.#machine.timers.after(deadlineMs, resolve)));
    await Promise.race([work, deadline]);
    timer.cancel?.();
  }

  #fail(error: unknown): void {
    if (!this.#isRunning) return;
    const fault = error instanceof Error ? error : new Error(String(error));
    this.#phase = { kind: 'faulty', fault };
    this.#stopTimers();
    this.#wakeIdlers();
    for (const listener of this.#faultListeners) listener(fault);
  }

  #wakeWaiters(): void {
    if (this.#waiters.length === 0 || this.full) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  #wakeIdlers(): void {
    const idlers = this.#idlers;
    this.#idlers = [];
    for (const wake of idlers) wake();
  }

  #later(ms: number, run: () => void): void {
    const cancel = this.#machine.timers.after(ms, () => {
      this.#timers.delete(cancel);
      run();
    });
    this.#timers.add(cancel);
  }

  #stopTimers(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }
}
