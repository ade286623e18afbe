/**
 * The backend of production: a data directory and three threads over it.
 *
 * 1. The journal, the images and `node.db` have one owning thread each; the others only read the
 *    journal.
 * 2. A thread that ends by itself is a fault, and everything asked of it fails with it.
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import { limits } from '#shared/limits.ts';
import type { Instant, Position, ShardId } from '#shared/units.ts';
import type { Machine } from '#server/platform/platform.ts';
import { within } from '#server/platform/within.ts';
import type { Schemas } from '#server/shard/row.ts';
import type { Backend, Opened } from '../persister/backend.ts';
import type { CommitApi } from '../commit/commit-worker.ts';
import type { FoldApi } from '../fold/fold-worker.ts';
import type { ImageApi } from '../images/image-worker.ts';
import { unpackShard } from '../images/packed-shard.ts';
import type { LoadedShard, PersisterDefinition, Query } from '../persister/persister.ts';
import type { PassResult } from '../images/image-pass.ts';
import type { Batch } from '../disk/storage.ts';
import type { LockPatience } from './worker-patience.ts';
import { PortCaller, type Serves } from './worker-port.ts';

type Phase = 'open' | 'closing' | 'dead';

interface Thread<A extends Serves<A>> {
  readonly worker: Worker;
  readonly caller: PortCaller<A>;
}

/** The backend over a data directory, which need not exist yet. */
export class ThreadBackend implements Backend {
  readonly #machine: Pick<Machine, 'random' | 'timers'>;
  readonly #directory: string;
  readonly #patience: LockPatience;
  readonly #commits: Thread<CommitApi>;
  readonly #images: Thread<ImageApi>;
  readonly #folds: Thread<FoldApi>;
  readonly #faultListeners: ((fault: Error) => void)[] = [];
  #schemas: Schemas = new Map();
  #phase: Phase = 'open';

  constructor(machine: Pick<Machine, 'random' | 'timers'>, directory: string, patience: LockPatience = limits) {
    this.#machine = machine;
    this.#directory = directory;
    // The numbers alone: they go to other threads.
    this.#patience = { journalLockedMs: patience.journalLockedMs, projectionsLockedMs: patience.projectionsLockedMs };
    this.#commits = this.#start(new Worker(new URL('../commit/commit-worker.ts', import.meta.url)));
    this.#images = this.#start(new Worker(new URL('../images/image-worker.ts', import.meta.url)));
    this.#folds = this.#start(new Worker(new URL('../fold/fold-worker.ts', import.meta.url)));
  }

  // `call` types the answer as that of any query; the thread answers the one of this name.
  readonly query: Query = (...question) => this.#folds.caller.call('query', question) as Promise<never>;

  async open(definition: PersisterDefinition): Promise<Opened> {
    try {
      this.#schemas = definition.schemas;
      const directory = this.#directory;
      const opened = await this.#commits.caller.call('open', [directory, definition, this.#machine.random.id(), this.#patience]);
      const { port1, port2 } = new MessageChannel();
      await this.#commits.caller.call('attach', [port1], [port1]);
      await Promise.all([
        this.#images.caller.call('open', [directory, definition, opened, port2], [port2]),
        this.#folds.caller.call('open', [directory, definition, opened, this.#patience]),
      ]);
      // The image worker has read every batch by now: the journal is known to be whole.
      const remarks = await this.#folds.caller.call('recover', [opened.position]);
      return { ...opened, remarks: [...opened.remarks, ...remarks] };
    } catch (error) {
      await this.close().catch(() => undefined);
      throw error;
    }
  }

  commit(batch: Batch): Promise<Position> {
    const { buffer } = batch.records;
    return this.#commits.caller.call('commit', [batch], buffer instanceof ArrayBuffer ? [buffer] : []);
  }

  extendLease(until: Instant): Promise<void> {
    return this.#commits.caller.call('extendLease', [until]);
  }

  hintDurable(through: Position): void {
    this.#images.caller.call('hintDurable', [through]).catch((error: unknown) => this.#fail(error));
  }

  async load(shard: ShardId, through: Position): Promise<LoadedShard> {
    const loaded = await this.#images.caller.call('load', [shard, through]);
    return loaded.kind === 'absent' ? loaded : { kind: loaded.kind, shard: unpackShard(loaded.shard, this.#schemas) };
  }

  fold(through: Position): Promise<Position> {
    return this.#folds.caller.call('fold', [through]);
  }

  pass(through: Position): Promise<PassResult> {
    return this.#images.caller.call('pass', [through]);
  }

  onFault(listener: (fault: Error) => void): void {
    this.#faultListeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.#phase === 'closing') return;
    this.#phase = 'closing';
    const { threadEndMs } = limits;
    // Readers first: the owner of the journal can then move its log into the database.
    await this.#inTime(threadEndMs, [this.#images.caller.call('close', []), this.#folds.caller.call('close', [])]);
    await this.#inTime(threadEndMs, [this.#commits.caller.call('close', [])]);
    const threads = [this.#images, this.#folds, this.#commits];
    const haveEnded = await this.#inTime(
      2 * threadEndMs,
      threads.map(({ worker }) => worker.terminate()),
    );
    if (!haveEnded) throw new Error('a thread of the persister hangs in the disk, and cannot be ended');
  }

  #start<A extends Serves<A>>(worker: Worker): Thread<A> {
    const caller = new PortCaller<A>(worker);
    worker.on('error', (error: unknown) => this.#fail(error));
    worker.on('exit', (code) => {
      const end = new Error(`a thread of the persister ended with code ${code}`);
      caller.die(end);
      this.#fail(end);
    });
    return { worker, caller };
  }

  /** Whether all that was done, or has failed, within that time. */
  async #inTime(ms: number, work: readonly Promise<unknown>[]): Promise<boolean> {
    return (await within(this.#machine.timers, ms, Promise.allSettled(work))) !== 'late';
  }

  #fail(error: unknown): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'dead';
    const fault = error instanceof Error ? error : new Error(String(error));
    for (const listener of this.#faultListeners) listener(fault);
  }
}
