/**
 * The rooms of this node, by shard: one per shard, however many join at once; and how many connections each player has in them.
 *
 * 1. A shard has at most one room; its place is taken before the room is created, and freed when
 *    the room is disposed of.
 * 2. Only `seat` creates rooms: no route of Colyseus' own matchmaking does.
 * 3. A player has at most `limits.connectionsPerPlayerMax` seats, taken, reserved or kept, in all rooms together.
 */
import { matchMaker } from '@colyseus/core';
import type { Platform } from '#server/platform/platform.ts';
import { MODES, shardId } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import type { PlayerId, ShardId } from '#shared/units.ts';

/** The name of the room, in Colyseus' terms. */
export const PLAYER_ROOM = 'player';

/** What `client.consumeSeatReservation` of the SDK takes. */
export type Seat = Awaited<ReturnType<typeof matchMaker.reserveSeatFor>>;

type Listing = Awaited<ReturnType<typeof matchMaker.createRoom>>;

/** A room, as the directory sees it. */
export interface SeatedRoom {
  /** Seats that are taken, reserved, or kept for who dropped. */
  readonly seats: number;
}

interface Owner {
  readonly room: SeatedRoom;
  readonly player: PlayerId;
}

/**
 * A room may be on its way out when it is found: a new one takes its place as soon as it is gone.
 */
const ATTEMPTS = 5;
const PAUSE_MS = 20;

/** One per process: so is Colyseus' matchmaker. */
export class RoomDirectory {
  readonly #platform: Pick<Platform, 'timers'>;
  readonly #regions: readonly string[];
  readonly #roomByShard = new Map<ShardId, Promise<Listing>>();
  readonly #ownerByShard = new Map<ShardId, Owner>();
  readonly #playerByRoom = new WeakMap<object, PlayerId>();
  /** Seats that are being reserved and are in no room's number yet. */
  readonly #reservingByPlayer = new Map<PlayerId, number>();

  constructor(platform: Pick<Platform, 'timers'>, regions: readonly string[]) {
    this.#platform = platform;
    this.#regions = regions;
  }

  /** How many shards have a room. */
  get size(): number {
    return this.#roomByShard.size;
  }

  /** Whose room it is; `undefined` if it is none of ours. */
  playerOf(room: object): PlayerId | undefined {
    return this.#playerByRoom.get(room);
  }

  /**
   * A seat for the player in the shard's room, which is created if there is none; `undefined` if the
   * player has too many. The room learns of the player by the seat, to which the client cannot write. Rejects
   * if the room cannot be created.
   */
  async seat(shard: ShardId, player: PlayerId): Promise<Seat | undefined> {
    const reserving = this.#reservingByPlayer.get(player) ?? 0;
    if (this.#seatsOf(player) + reserving >= limits.connectionsPerPlayerMax) return undefined;
    this.#reservingByPlayer.set(player, reserving + 1);
    try {
      return await this.#reserve(shard, player);
    } finally {
      const left = (this.#reservingByPlayer.get(player) ?? 1) - 1;
      if (left === 0) this.#reservingByPlayer.delete(player);
      else this.#reservingByPlayer.set(player, left);
    }
  }

  /** Called by a room that is being created: whether it is the one room of its shard. */
  claim(shard: ShardId, player: PlayerId, room: SeatedRoom): boolean {
    if (this.#ownerByShard.has(shard)) return false;
    this.#ownerByShard.set(shard, { room, player });
    this.#playerByRoom.set(room, player);
    return true;
  }

  /** Called by a room that is gone. Does nothing for a room that never was the shard's. */
  release(shard: ShardId, room: SeatedRoom): void {
    if (this.#ownerByShard.get(shard)?.room !== room) return;
    this.#ownerByShard.delete(shard);
    this.#roomByShard.delete(shard);
  }

  #seatsOf(player: PlayerId): number {
    const shards = this.#regions.flatMap((region) => MODES.map((mode) => shardId(player, region, mode)));
    return shards.reduce((seats, shard) => seats + (this.#ownerByShard.get(shard)?.room.seats ?? 0), 0);
  }

  async #reserve(shard: ShardId, player: PlayerId): Promise<Seat | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const listing = await this.#room(shard);
      try {
        if (matchMaker.getLocalRoomById(listing.roomId) !== undefined) return await matchMaker.reserveSeatFor(listing, {}, { player });
      } catch {
        // Just being disposed of: the next attempt finds out.
      }
      await new Promise<void>((resolve) => this.#platform.timers.after(PAUSE_MS, resolve));
    }
    return undefined;
  }

  #room(shard: ShardId): Promise<Listing> {
    const known = this.#roomByShard.get(shard);
    if (known !== undefined) return known;
    const created = matchMaker.createRoom(PLAYER_ROOM, { shard });
    this.#roomByShard.set(shard, created);
    created.catch(() => {
      if (this.#roomByShard.get(shard) === created) this.#roomByShard.delete(shard);
    });
    return created;
  }
}
