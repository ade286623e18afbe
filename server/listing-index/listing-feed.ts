/**
 * The feed of one node into the listing index: live changes, in batches, each starting where the one before ended; and a snapshot
 * whenever the index asks for one.
 *
 * 1. Changes come in the order of the journal, and only durable ones.
 * 2. After a snapshot at some position only later changes follow: none is lost between the two, and none counts twice.
 */
import type { Instant } from '#shared/units.ts';
import type { Platform } from '#server/platform/platform.ts';
import type { FeedBatch, FeedChange, ListingIndex } from './listing-index.ts';

/** All rows of the node as of one durable position. */
export interface FeedSnapshot {
  readonly position: number;
  readonly changes: readonly FeedChange[];
}

/** What a feed needs. */
export interface ListingFeedOptions {
  readonly index: ListingIndex;
  readonly node: string;
  /** Random per start of the node. */
  readonly incarnation: string;
  readonly platform: Pick<Platform, 'clock' | 'timers' | 'report'>;
  readonly snapshot: () => Promise<FeedSnapshot>;
}

interface Pushed {
  readonly position: number;
  readonly changes: readonly FeedChange[];
}

/** Rows of a snapshot that are applied at once: each part holds up the node for a few milliseconds. */
const SNAPSHOT_PART_ROWS = 500;
/** How long a failed snapshot waits before it is tried again. */
const SNAPSHOT_RETRY_MS = 1_000;

/** See the head of this file. */
export class ListingFeed {
  readonly #options: ListingFeedOptions;
  #pushed: Pushed[] = [];
  #pushedSince: Instant | undefined;
  #fed = 0;
  #isFlushing = false;
  #isStopped = false;

  constructor(options: ListingFeedOptions) {
    this.#options = options;
  }

  /** How long the oldest change has waited that the index does not know yet, in milliseconds. */
  get lagMs(): number {
    return this.#pushedSince === undefined ? 0 : Math.max(0, this.#options.platform.clock.now() - this.#pushedSince);
  }

  /** Gives the index everything that there is; resolves when it has it. */
  async start(): Promise<void> {
    this.#isFlushing = true;
    await this.#snapshot();
    this.#isFlushing = false;
    this.#flush();
  }

  /** Takes the changes of one durable turn. */
  push(position: number, changes: readonly FeedChange[]): void {
    if (changes.length === 0 || this.#isStopped) return;
    this.#pushed.push({ position, changes });
    this.#pushedSince ??= this.#options.platform.clock.now();
    if (this.#isFlushing || this.#pushed.length > 1) return;
    this.#options.platform.timers.defer(() => this.#flush());
  }

  /** Feeds no more. */
  stop(): void {
    this.#isStopped = true;
    this.#pushed = [];
  }

  #flush(): void {
    if (this.#isFlushing || this.#isStopped) return;
    const last = this.#pushed.at(-1);
    if (last === undefined) return;
    const changes = this.#pushed.flatMap((pushed) => pushed.changes);
    if (this.#apply({ from: this.#fed, to: last.position, changes })) {
      this.#pushed = [];
      this.#pushedSince = undefined;
      return;
    }
    this.#isFlushing = true;
    void this.#snapshot().then(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  async #snapshot(): Promise<void> {
    while (!this.#isStopped) {
      try {
        const { position, changes } = await this.#options.snapshot();
        if (await this.#applySnapshot(position, changes)) {
          this.#pushed = this.#pushed.filter((pushed) => pushed.position > position);
          if (this.#pushed.length === 0) this.#pushedSince = undefined;
          return;
        }
      } catch (error) {
        this.#options.platform.report({ level: 'error', message: 'the listing index could not be given a snapshot', error });
      }
      await this.#pause(SNAPSHOT_RETRY_MS);
    }
  }

  async #applySnapshot(position: number, changes: readonly FeedChange[]): Promise<boolean> {
    if (!this.#apply({ from: position, to: position, snapshot: true, changes: changes.slice(0, SNAPSHOT_PART_ROWS) })) return false;
    for (let start = SNAPSHOT_PART_ROWS; start < changes.length; start += SNAPSHOT_PART_ROWS) {
      await this.#pause(0);
      if (!this.#apply({ from: position, to: position, changes: changes.slice(start, start + SNAPSHOT_PART_ROWS) })) return false;
    }
    return true;
  }

  #apply(batch: Omit<FeedBatch, 'node' | 'incarnation'>): boolean {
    const { index, node, incarnation } = this.#options;
    const answer = index.apply({ node, incarnation, ...batch });
    if (answer.kind === 'snapshot-needed') return false;
    this.#fed = answer.to;
    return true;
  }

  #pause(ms: number): Promise<void> {
    const { timers } = this.#options.platform;
    return new Promise((resolve) => {
      if (ms === 0) timers.defer(resolve);
      else timers.after(ms, resolve);
    });
  }
}
