/**
 * Token buckets: a rate limit with a burst, for one client or for each of many addresses. They run
 * on the machine's monotonic milliseconds, so that a wall clock that jumps or stands still neither
 * gives nor takes a token.
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

  /** Takes one token, if there is one. */
  take(nowMs: number): boolean {
    const { perSecond, burst } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + (Math.max(0, nowMs - this.#atMs) / 1_000) * perSecond);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

/**
 * The least recently used address is forgotten first, and starts again with a full bucket: an
 * attacker with this many has that anyway.
 */
const ADDRESSES_MAX = 10_000;

/** One bucket per address. */
export class AddressLimiter {
  readonly #rate: Rate;
  readonly #bucketByAddress = new Map<string, TokenBucket>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Takes one token of the address, if there is one. */
  take(address: string, nowMs: number): boolean {
    const network = networkOf(address);
    const bucket = this.#bucketByAddress.get(network) ?? new TokenBucket(this.#rate, nowMs);
    // Set again, so that the map's order is that of the last use.
    this.#bucketByAddress.delete(network);
    this.#bucketByAddress.set(network, bucket);
    if (this.#bucketByAddress.size > ADDRESSES_MAX) {
      const [oldest = network] = this.#bucketByAddress.keys();
      this.#bucketByAddress.delete(oldest);
    }
    return bucket.take(nowMs);
  }
}

/** What is limited together: an IPv4 address, or the /64 that one subscriber of IPv6 has. */
function networkOf(address: string): string {
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice('::ffff:'.length);
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
