/**
 * Who pays for what comes in: the player, over all of its connections in any region, and the address that it comes from.
 *
 * 1. A command is charged before it is looked at, by the cost that the protocol declares; what it costs more, when it is done.
 * 2. Nobody is refused who has a token left: whoever took more than there was waits until the debt is paid.
 * 3. A connection has no rate of its own: eight of them are no more than one.
 */
import { limits } from '#shared/limits.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import type { PlayerId } from '#shared/units.ts';
import { networkOf } from '#server/http/client-address.ts';
import { RecentlyUsed, TokenBucket, type Rate } from '#server/platform/token-bucket.ts';
import type { Readings } from '#server/platform/platform.ts';
import { Lane } from './lane.ts';

const PLAYER_RATE: Rate = { perSecond: limits.playerTokensPerSecond, burst: limits.playerTokensBurst };
/**
 * Frames that are not served (refusals for haste, pings), ten times what a player may send at once: beyond them it is no haste but an
 * attack.
 */
const STRIKE_RATE: Rate = { perSecond: limits.playerTokensPerSecond, burst: limits.playerTokensBurst * 10 };
/** Players and addresses that are remembered: more than a node has connections. */
const PLAYERS_MAX = limits.connectionsMax * 2;
const ADDRESSES_MAX = 10_000;

interface PlayerBudget {
  readonly tokens: TokenBucket;
  readonly strikes: TokenBucket;
  readonly lane: Lane;
}

interface AddressBudget {
  readonly tokens: TokenBucket;
  readonly lane: Lane;
}

/** One player at one address. Many connections may share it. */
export class Account {
  readonly #player: PlayerBudget;
  readonly #address: AddressBudget;
  readonly #readings: Readings;

  constructor(player: PlayerBudget, address: AddressBudget, readings: Readings) {
    this.#player = player;
    this.#address = address;
    this.#readings = readings;
  }

  /** Takes the cost, or says what was wanted, and how long to wait. */
  charge(cost: number): Refusal | undefined {
    const now = this.#readings.monotonicMs();
    const waitMs = Math.max(this.#player.tokens.waitMs(now), this.#address.tokens.waitMs(now));
    if (waitMs > 0) return refusal('rate-limited', { cost, retryAfterMs: Math.ceil(waitMs) });
    this.owe(cost);
    return undefined;
  }

  /** Takes what something has cost beyond its charge. */
  owe(cost: number): void {
    this.#player.tokens.owe(cost);
    this.#address.tokens.owe(cost);
  }

  /** Counts a frame that is not served, and says whether it was one too many. */
  strike(): boolean {
    return !this.#player.strikes.take(this.#readings.monotonicMs());
  }

  /**
   * Runs what only one of a player may be under way of, and a few of an address, after those that came before. Refuses if too many wait,
   * or if those before it have left the address in debt: what players of one address ask for in one instant is known by its cost only
   * when the first of them are done.
   */
  async inLane<Value>(cost: number, run: () => Value | Promise<Value>): Promise<Value | Refusal> {
    const leave = await this.#player.lane.enter();
    // How long those before it take, nobody knows; a second is what a client can make use of.
    if (leave === undefined) return refusal('rate-limited', { cost, retryAfterMs: LANE_RETRY_MS });
    try {
      return await this.#inLaneOfAddress(cost, run);
    } finally {
      leave();
    }
  }

  async #inLaneOfAddress<Value>(cost: number, run: () => Value | Promise<Value>): Promise<Value | Refusal> {
    const { lane, tokens } = this.#address;
    const leave = await lane.enter();
    if (leave === undefined) return refusal('rate-limited', { cost, retryAfterMs: LANE_RETRY_MS });
    try {
      const waitMs = tokens.waitMs(this.#readings.monotonicMs());
      return waitMs > 0 ? refusal('rate-limited', { cost, retryAfterMs: Math.ceil(waitMs) }) : await run();
    } finally {
      leave();
    }
  }
}

const LANE_RETRY_MS = 1_000;

/** The accounts of one edge. */
export class Accounts {
  readonly #readings: Readings;
  readonly #players: RecentlyUsed<PlayerBudget>;
  readonly #addresses: RecentlyUsed<AddressBudget>;

  constructor(readings: Readings, addressRate: Rate) {
    const bucket = (rate: Rate): TokenBucket => new TokenBucket(rate, readings.monotonicMs());
    this.#readings = readings;
    this.#players = new RecentlyUsed(PLAYERS_MAX, () => ({
      tokens: bucket(PLAYER_RATE),
      strikes: bucket(STRIKE_RATE),
      lane: new Lane(1, limits.searchesWaitingMax),
    }));
    this.#addresses = new RecentlyUsed(ADDRESSES_MAX, () => ({
      tokens: bucket(addressRate),
      lane: new Lane(limits.searchesPerAddressMax, limits.connectionsPerAddressMax),
    }));
  }

  /** Takes a token of the address for a connection, or for a request whoever makes it. */
  chargeAddress(address: string): Refusal | undefined {
    const { tokens } = this.#addresses.of(networkOf(address));
    const now = this.#readings.monotonicMs();
    return tokens.take(now) ? undefined : refusal('rate-limited', { cost: 1, retryAfterMs: Math.ceil(tokens.waitMs(now)) });
  }

  /** The account of a player who comes from that address. */
  of(player: PlayerId, address: string): Account {
    return new Account(this.#players.of(player), this.#addresses.of(networkOf(address)), this.#readings);
  }
}
