/**
 * Who may open a session: each address has one budget for sessions that it opens, and one for tries in vain, so that junk
 * takes nothing from the players beside it until there is as much of it as there could be sessions.
 *
 * A try is counted when it comes, before its body is read, and given back if it was none in vain: a thousand that come at once are no
 * more than a thousand one after the other. Whoever is known by then waits for a turn: only a few sessions of all addresses together are
 * opened at a time, in the order in which they came, with pauses as long as the work. So however many come at once, they take half of
 * the node's time, and nobody's command waits for more than those few.
 */
import { limits } from '#shared/limits.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import { networkOf } from '#server/http/client-address.ts';
import { RecentlyUsed, TokenBucket, type Rate } from '#server/platform/token-bucket.ts';
import type { Platform } from '#server/platform/platform.ts';
import { Lane } from './lane.ts';

const ADDRESSES_MAX = 10_000;
/** One is at work while the other waits for the disk. */
const AT_ONCE = 2;
/** The longest pause after a session: one that took longer has waited for the disk, and left the thread to others. */
const PAUSE_MAX_MS = 20;

interface Door {
  readonly sessions: TokenBucket;
  readonly tries: TokenBucket;
}

export class Admissions {
  readonly #platform: Pick<Platform, 'readings' | 'timers'>;
  readonly #doors: RecentlyUsed<Door>;
  readonly #lane = new Lane(AT_ONCE, limits.sessionsWaitingMax);

  constructor(platform: Pick<Platform, 'readings' | 'timers'>, rate: Rate) {
    this.#platform = platform;
    const bucket = (): TokenBucket => new TokenBucket(rate, this.#nowMs);
    this.#doors = new RecentlyUsed(ADDRESSES_MAX, () => ({ sessions: bucket(), tries: bucket() }));
  }

  /** Counts a try, or refuses it. */
  admit(address: string): Refusal | undefined {
    const now = this.#nowMs;
    const { sessions, tries } = this.#doors.of(networkOf(address));
    const waitMs = Math.max(sessions.waitMs(now), tries.waitMs(now));
    if (waitMs > 0) return refusal('rate-limited', { cost: 1, retryAfterMs: Math.ceil(waitMs) });
    tries.owe(1);
    return undefined;
  }

  /** Runs a try. What it does not find to be junk counts as so many sessions instead of a try in vain. */
  async counted<Outcome extends object>(
    address: string,
    sessionCost: number,
    run: () => Promise<Outcome>,
    isJunk: (outcome: Outcome) => boolean,
  ): Promise<Outcome> {
    const outcome = await run();
    if (isJunk(outcome)) return outcome;
    const { sessions, tries } = this.#doors.of(networkOf(address));
    tries.owe(-1);
    sessions.owe(sessionCost);
    return outcome;
  }

  /** Runs what opens a session when it is its turn, for somebody who is known: who has to be asked for first holds up nobody. */
  async inTurn<Opened>(run: () => Promise<Opened>): Promise<Opened | Refusal> {
    const leave = await this.#lane.enter();
    if (leave === undefined) return refusal('busy', { reason: 'too many players come at once' });
    const startedMs = this.#nowMs;
    try {
      return await run();
    } finally {
      this.#platform.timers.after(Math.min(this.#nowMs - startedMs, PAUSE_MAX_MS), leave);
    }
  }

  get #nowMs(): number {
    return this.#platform.readings.monotonicMs();
  }
}
