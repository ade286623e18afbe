/**
 * Back-off for shards that cannot be loaded. Each failed attempt doubles the pause before the node
 * tries the shard by itself; messages from outside try it at any time.
 *
 * 1. A shard is in here from its first failed load to its first that succeeds, unless there are too
 *    many.
 * 2. The order is that of the last attempt, so that whichever has waited longest is tried next and
 *    none is passed over.
 */
import { limits } from '#shared/limits.ts';
import type { ShardId, ShardVersion } from '#shared/units.ts';
import type { Platform } from '#server/platform/platform.ts';
import type { AnyRow } from '#server/shard/row.ts';

/** Hears which shards can be loaded: the feed of the index hides the listings of the others. */
export interface LoadListener {
  /**
   * A shard could not be loaded; told at each attempt, as what it leads to may fail and is tried
   * again with the next one.
   */
  readonly onUnloadable: (shard: ShardId) => void;
  /**
   * Such a shard is there again, or known to have never been there, as of that durable version: its
   * rows, as this program reads them.
   */
  readonly onLoadable: (shard: ShardId, version: ShardVersion, rows: (entity: string) => readonly AnyRow[]) => void;
}

/** Shards that are remembered at most; more than that is a disk that is gone. */
const REMEMBERED_MAX = 100_000;

/** Remembers failed loads. One per node. */
export class LoadBackoff {
  readonly #readings: Pick<Platform['readings'], 'monotonicMs'>;
  readonly #listener: LoadListener;
  /** By the time of the last attempt. */
  readonly #failedByShard = new Map<ShardId, { readonly attempts: number; readonly tryAgainAtMs: number }>();

  constructor(readings: Pick<Platform['readings'], 'monotonicMs'>, listener: LoadListener) {
    this.#readings = readings;
    this.#listener = listener;
  }

  /** How many shards could not be loaded when last asked for. */
  get size(): number {
    return this.#failedByShard.size;
  }

  /** Whether the node should try to load the shard by itself. */
  mayTry(shard: ShardId): boolean {
    const failed = this.#failedByShard.get(shard);
    return failed === undefined || failed.tryAgainAtMs <= this.#readings.monotonicMs();
  }

  /** Notes a failed load. */
  failed(shard: ShardId): void {
    const attempts = (this.#failedByShard.get(shard)?.attempts ?? 0) + 1;
    if (attempts === 1 && this.#failedByShard.size >= REMEMBERED_MAX) return;
    const pauseMs = Math.min(limits.retryMaxMs, limits.retryFirstMs * limits.retryFactor ** attempts);
    this.#failedByShard.delete(shard); // To the end of the order.
    this.#failedByShard.set(shard, { attempts, tryAgainAtMs: this.#readings.monotonicMs() + pauseMs });
    this.#listener.onUnloadable(shard);
  }

  /** Notes a load that succeeded: the shard as of that version, with these rows. */
  succeeded(shard: ShardId, version: ShardVersion, rows: (entity: string) => readonly AnyRow[]): void {
    if (this.#failedByShard.size > 0 && this.#failedByShard.delete(shard)) this.#listener.onLoadable(shard, version, rows);
  }

  /**
   * Whether the operator should hear of the last failure: of the first one, then ever more rarely.
   */
  isToReport(shard: ShardId): boolean {
    const attempts = this.#failedByShard.get(shard)?.attempts ?? 0;
    return (attempts & (attempts - 1)) === 0;
  }

  /** Whether the last load of the shard failed. */
  isUnloadable(shard: ShardId): boolean {
    return this.#failedByShard.size > 0 && this.#failedByShard.has(shard);
  }

  /** Shards whose pause is over, at most that many, in order. */
  toTry(limit: number): readonly ShardId[] {
    const nowMs = this.#readings.monotonicMs();
    const due = this.#failedByShard.entries().filter(([, { tryAgainAtMs }]) => tryAgainAtMs <= nowMs);
    return Array.from(due.take(limit), ([shard]) => shard);
  }
}
