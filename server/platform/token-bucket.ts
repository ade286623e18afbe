/**
 * Token buckets: a rate limit with a burst, for one client or for each of many. They run on the machine's
 * monotonic milliseconds, so that a wall clock that jumps or stands still neither gives nor takes a
 * token.
 *
 * A bucket may go into debt: whoever has at least one token is served, whatever it costs, and waits
 * afterwards until the debt is paid. So what a request costs need not be known before it is served,
 * and one that is dearer than the burst is dear, not forbidden.
 */

/** What a bucket allows. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** One bucket, full at first. */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #atMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#atMs = nowMs;
  }

  /** How long until there is a token; 0 if there is one. */
  waitMs(nowMs: number): number {
    this.#fill(nowMs);
    return this.#tokens >= 1 ? 0 : ((1 - this.#tokens) / this.#rate.perSecond) * 1_000;
  }

  /** Takes so many tokens if there is at least one. */
  take(nowMs: number, cost = 1): boolean {
    if (this.waitMs(nowMs) > 0) return false;
    this.#tokens -= cost;
    return true;
  }

  /** Takes what something has cost in the end, whether or not it is there. A negative cost gives tokens back. */
  owe(cost: number): void {
    this.#tokens -= cost;
  }

  #fill(nowMs: number): void {
    const { perSecond, burst } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + (Math.max(0, nowMs - this.#atMs) / 1_000) * perSecond);
    this.#atMs = nowMs;
  }
}

/**
 * Something for each of many keys, made when it is asked for. The least recently used key is forgotten first, and starts again
 * with a full bucket: an attacker with so many has that anyway.
 */
export class RecentlyUsed<Value> {
  readonly #make: () => Value;
  readonly #keysMax: number;
  readonly #valueByKey = new Map<string, Value>();

  constructor(keysMax: number, make: () => Value) {
    this.#keysMax = keysMax;
    this.#make = make;
  }

  /** What belongs to the key. */
  of(key: string): Value {
    const value = this.#valueByKey.get(key) ?? this.#make();
    // Set again, so that the map's order is that of the last use.
    this.#valueByKey.delete(key);
    this.#valueByKey.set(key, value);
    if (this.#valueByKey.size > this.#keysMax) {
      const [oldest = key] = this.#valueByKey.keys();
      this.#valueByKey.delete(oldest);
    }
    return value;
  }
}
