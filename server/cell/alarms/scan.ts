/**
 * The scan for alarms of shards that are on disk; those in memory have timers (`timers.ts` tells
 * why there are two ways).
 *
 * 1. A scan asks for a bounded number of pages and wakes a bounded number of shards, however many
 *    are due.
 * 2. Each scan goes on where the one before ended, and begins anew at the end. Shards that cannot
 *    be woken, of a cell that is not here for instance, stay due and are not in the way of the
 *    others.
 * 3. A shard that could not be loaded is tried again when its back-off is over, whether or not it
 *    has an alarm: its listings are hidden, so no message may ever ask for it.
 */
import type { Instant, ShardId } from '#shared/units.ts';
import type { DueShard, Persister } from '#server/journal/persister/persister.ts';
import type { Cancel, Platform } from '#server/platform/platform.ts';
import type { LoadBackoff } from '../load-backoff.ts';

/** How often the node asks for shards on disk whose alarm is due. */
export const ALARM_SCAN_MS = 500;

/** How many shards one scan wakes at most. */
export const ALARM_SCAN_SHARDS = 512;

/**
 * How many due shards are asked for at once: most of those that are woken are due still when the
 * next scan comes.
 */
export const ALARM_SCAN_PAGE = 1_024;

/**
 * How many pages one scan asks for at most: the thread that folds reads them, and folds nothing
 * meanwhile.
 */
export const ALARM_SCAN_PAGES = 16;

/** Unloadable shards that one scan tries at most: 1,920 in a minute. */
export const ALARM_SCAN_UNLOADABLE = 16;

/** What a scan needs from its surroundings. */
export interface AlarmScanOptions {
  readonly platform: Pick<Platform, 'clock' | 'timers' | 'report'>;
  readonly due: Persister['due'];
  readonly backoff: Pick<LoadBackoff, 'mayTry' | 'toTry'>;
  /** The cell of a shard, if it is open on this node. */
  readonly cellOf: (shard: ShardId) => { isHere(shard: ShardId): boolean; wakeShard(shard: ShardId): void } | undefined;
}

/** Wakes shards that are on disk. One per node. */
export class AlarmScan {
  readonly #options: AlarmScanOptions;
  /** The last shard that was looked at; `undefined` at the beginning. */
  #after: DueShard | undefined;
  #isStarted = false;
  #cancelNext: Cancel | undefined;

  constructor(options: AlarmScanOptions) {
    this.#options = options;
  }

  /** Scans every `ALARM_SCAN_MS` from now on. */
  start(): void {
    this.#isStarted = true;
    this.#scheduleNext();
  }

  /** Wakes no shard any more. */
  stop(): void {
    this.#isStarted = false;
    this.#cancelNext?.();
  }

  /**
   * Wakes a part of what is due by `now`. Rejects as `due` does; the next run tries the same part.
   */
  async run(now: Instant): Promise<void> {
    let woken = 0;
    for (let page = 0; page < ALARM_SCAN_PAGES; page++) {
      const due = this.#isStarted ? await this.#options.due(now, ALARM_SCAN_PAGE, this.#after) : [];
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

  #scheduleNext(): void {
    this.#cancelNext = this.#options.platform.timers.after(ALARM_SCAN_MS, () => void this.#scan());
  }

  async #scan(): Promise<void> {
    const { platform, backoff } = this.#options;
    try {
      await this.run(platform.clock.now());
      for (const shard of backoff.toTry(ALARM_SCAN_UNLOADABLE)) this.#wake(shard);
    } catch (error) {
      platform.report({ level: 'error', message: 'alarms could not be looked up', error });
    }
    if (this.#isStarted) this.#scheduleNext();
  }

  /** Wakes a shard that is on the disk of an own cell and worth a try. */
  #wake(shard: ShardId): boolean {
    const cell = this.#isStarted ? this.#options.cellOf(shard) : undefined;
    if (cell === undefined || cell.isHere(shard) || !this.#options.backoff.mayTry(shard)) return false;
    cell.wakeShard(shard);
    return true;
  }
}
