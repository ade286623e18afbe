/**
 * The scan for shards that are not in memory and whose alarm is due; those in memory have their own timers.
 *
 * 1. A scan asks for a bounded number of pages and wakes a bounded number of shards, however many are due.
 * 2. Whatever is due has its turn: a scan goes on where the one before ended, and begins anew at the end. Those that cannot be woken, of a
 *    region that is not served for instance, stay due, and are not in the way of the others.
 */
import type { Instant, ShardId } from '#shared/units.ts';
import type { DueShard, NodeQueries } from '#server/journal/persister/persister.ts';

/** How often the node asks for shards on disk whose alarm is due. */
export const ALARM_SCAN_MS = 500;

/** How many shards one scan wakes at most. */
export const ALARM_SCAN_SHARDS = 512;

/** How many due shards are asked for at once: most of those that are woken are due still when the next scan comes. */
export const ALARM_SCAN_PAGE = 1_024;

/** How many pages one scan asks for at most: the thread that folds reads them, and folds nothing meanwhile. */
export const ALARM_SCAN_PAGES = 16;

/** See the head of this file. */
export class AlarmScan {
  readonly #due: NodeQueries['due'];
  readonly #wake: (shard: ShardId) => boolean;
  /** The last one that was looked at; `undefined` at the beginning. */
  #after: DueShard | undefined;

  /** `wake` has a shard loaded for its alarm, and tells whether it did. */
  constructor(due: NodeQueries['due'], wake: (shard: ShardId) => boolean) {
    this.#due = due;
    this.#wake = wake;
  }

  /** Wakes what is due by `now`, one part of it. Rejects as `due` does; the next run tries the same part. */
  async run(now: Instant): Promise<void> {
    let woken = 0;
    for (let page = 0; page < ALARM_SCAN_PAGES; page++) {
      const due = await this.#due(now, ALARM_SCAN_PAGE, this.#after);
      for (const each of due) {
        this.#after = each;
        if (this.#wake(each.shard) && ++woken === ALARM_SCAN_SHARDS) return;
      }
      if (due.length < ALARM_SCAN_PAGE) {
        this.#after = undefined;
        return;
      }
    }
  }
}
