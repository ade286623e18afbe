/**
 * The rooms of this node, by shard: one per shard, however many join at once.
 *
 * 1. A shard has at most one room; its place is taken before the room is created, and freed when
 *    the room is disposed of.
 * 2. Only `seat` creates rooms: no route of Colyseus' own matchmaking does.
 */
import { matchMaker } from '@colyseus/core';
import type { Platform } from '#server/platform/platform.ts';
import type { PlayerId, ShardId } from '#shared/units.ts';

/** The name of the room, in Colyseus' terms. */
export const PLAYER_ROOM = 'player';

/** What `client.consumeSeatReservation` of the SDK takes. */
export type Seat = Awaited<ReturnType<typeof matchMaker.reserveSeatFor>>;

type Listing = Awaited<ReturnType<typeof matchMaker.createRoom>>;

/**
 * A room may be on its way out when it is found: a new one takes its place as soon as it is gone.
 */
const ATTEMPTS = 5;
const PAUSE_MS = 20;

/** One per process: so is Colyseus' matchmaker. */
export class RoomDirectory {
  readonly #platform: Pick<Platform, 'timers'>;
  readonly #roomByShard = new Map<ShardId, Promise<Listing>>();
  readonly #ownerByShard = new Map<ShardId, object>();

  constructor(platform: Pick<Platform, 'timers'>) {
    this.#platform = platform;
  }

  /** How many shards have a room. */
  get size(): number {
    return this.#roomByShard.size;
  }

  /**
   * A seat for the player in the shard's room, which is created if there is none; `undefined` if it
   * is full. The room learns of the player by the seat, to which the client cannot write. Rejects
   * if the room cannot be created.
   */
  async seat(shard: ShardId, player: PlayerId): Promise<Seat | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const listing = await this.#room(shard);
      try {
        if (matchMaker.getLocalRoomById(listing.roomId) !== undefined) return await matchMaker.reserveSeatFor(listing, {}, { player });
      } catch {
        // Full, or just being disposed of: the next attempt finds out.
      }
      await new Promise<void>((resolve) => this.#platform.timers.after(PAUSE_MS, resolve));
    }
    return undefined;
  }

  /** Called by a room that is being created: whether it is the one room of its shard. */
  claim(shard: ShardId, room: object): boolean {
    if (this.#ownerByShard.has(shard)) return false;
    this.#ownerByShard.set(shard, room);
    return true;
  }

  /** Called by a room that is gone. Does nothing for a room that never was the shard's. */
  release(shard: ShardId, room: object): void {
    if (this.#ownerByShard.get(shard) !== room) return;
    this.#ownerByShard.delete(shard);
    this.#roomByShard.delete(shard);
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
