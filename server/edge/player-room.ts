/**
 * The `player` room: all connections of one player to one shard.
 *
 * 1. Its state is written by the presenter alone, from durable news; a patch goes out with each of
 *    them, before the answer to the command that caused it.
 * 2. Who sits in it was verified by the session that reserved the seat; `onJoin` checks that it is
 *    this shard's player.
 * 3. It holds nothing that would be missed: a room that is lost is made again from a snapshot.
 */
import { ErrorCode, Room, ServerError, type Client, type MessageContext } from '@colyseus/core';
import { z } from 'zod';
import { parseShardId, shardId } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import { COMMAND_TYPES, type CommandType } from '#shared/protocol.ts';
import { refusal } from '#shared/refusals.ts';
import type { PlayerId, ShardId } from '#shared/units.ts';
import type { ShardNews } from '#server/cell/active-shard.ts';
import { publicRefusal } from '#server/http/public-refusal.ts';
import type { Account } from './budgets/accounts.ts';
import { CLOSE_CODES } from '#shared/close-codes.ts';
import { dispatch } from './dispatch.ts';
import { Presenter } from './presenter.ts';
import { RoomSerializer, type RoomState } from './room-state/room-state.ts';
import type { SeatedRoom } from './room-directory.ts';
import type { EdgeServices } from './services.ts';

/**
 * The longest interval that a timer takes: patches go out by hand, and an idle room costs nothing.
 */
const NEVER_MS = 2 ** 31 - 1;
/**
 * What the WebSocket protocol itself closes for: its rules broken, data of a wrong kind, or more
 * than fits (RFC 6455).
 */
const WEBSOCKET_FAULTS: readonly number[] = [1002, 1003, 1007, 1009];
/** Who was closed for a reason of ours comes back by a session of its own, if at all. */
const NOT_RECONNECTABLE: ReadonlySet<number> = new Set([...Object.values(CLOSE_CODES), ...WEBSOCKET_FAULTS]);

/** What Colyseus keeps of a room for its matchmaking. */
const listingSchema = z.looseObject({ clients: z.number() });
const optionsSchema = z.looseObject({ shard: z.string() });
const holderSchema = z.looseObject({ player: z.string() });

interface Place {
  readonly shard: ShardId;
  readonly player: PlayerId;
  readonly presenter: Presenter;
  readonly listener: (news: ShardNews) => void;
}

/** A connection, with the account that it spends from. */
type PlayerClient = Client<{ userData: Account }>;

/** Colyseus makes the instances: see `playerRoomClass`. */
class PlayerRoom extends Room<{ state: RoomState; client: PlayerClient }> implements SeatedRoom {
  override patchRate = NEVER_MS;
  override maxClients = limits.connectionsPerPlayerMax;
  readonly #services: EdgeServices;
  #place: Place | undefined;

  constructor(services: EdgeServices) {
    super();
    this.#services = services;
  }

  override async onCreate(options: unknown): Promise<void> {
    const { backend, directory, ids } = this.#services;
    const { shard: text } = optionsSchema.parse(options);
    const address = parseShardId(text);
    if (address === undefined) throw new Error(`${text} is no shard`);
    const shard = shardId(address.player, address.region, address.mode);
    const place: Place = {
      shard,
      player: address.player,
      presenter: new Presenter(backend.features, shard, backend.rules, ids.seal),
      listener: (news) => this.#hear(place, news),
    };
    if (!backend.owns(shard)) throw new Error(`${shard} lives on another node`);
    if (!directory.claim(shard, address.player, this)) throw new Error(`${shard} has a room already`);
    this.#place = place;
    for (const type of COMMAND_TYPES)
      this.onMessage(type, (client, payload: unknown, context): unknown => this.#answer(place, client, type, payload, context));
    const subscribed = await backend.subscribe(shard, place.listener);
    if (subscribed.kind === 'refusal') throw new Error(`${shard} cannot be shown: ${subscribed.message}`);
    this.state = place.presenter.state;
  }

  /** Colyseus calls it with one of its own for each state. */
  override setSerializer(): void {
    if (this.#place !== undefined) super.setSerializer(new RoomSerializer(this.#place.presenter.state));
  }

  get seats(): number {
    return listingSchema.parse(this['_listing']).clients;
  }

  override onJoin(client: PlayerClient, _options: unknown, auth: unknown): void {
    const holder = holderSchema.safeParse(auth);
    if (!holder.success || holder.data.player !== this.#place?.player) throw new ServerError(ErrorCode.AUTH_FAILED, 'not your room');
    const account = this.#services.accountBySocket.get(client.ref);
    if (account === undefined) throw new ServerError(ErrorCode.AUTH_FAILED, 'not by our door');
    client.userData = account;
    this.state.fields.serverTime = this.#services.platform.clock.now();
  }

  /**
   * Whose seat it is. Colyseus' own would close the connection that has the token now, for whoever shows it: here the new one
   * waits until the old one has dropped, and is destroyed if that does not happen in time.
   */
  override checkReconnectionToken(reconnectionToken: string): string {
    const connected = this.clients.find((client) => client.reconnectionToken === reconnectionToken);
    return connected?.sessionId ?? super.checkReconnectionToken(reconnectionToken);
  }

  override onDrop(client: PlayerClient, code?: number): void {
    if (code !== undefined && NOT_RECONNECTABLE.has(code)) return;
    // The seat is kept for a while; that nobody came back for it is no failure.
    Promise.resolve(this.allowReconnection(client, limits.reconnectionMs / 1_000)).catch(() => undefined);
  }

  override onDispose(): void {
    const place = this.#place;
    if (place === undefined) return;
    this.#services.backend.unsubscribe(place.shard, place.listener);
    this.#services.directory.release(place.shard, this);
  }

  #hear(place: Place, news: ShardNews): void {
    try {
      const messages = place.presenter.apply(news);
      if (news.kind === 'snapshot') return;
      this.broadcastPatch();
      for (const message of messages) this.broadcast(message.type, this.#services.ids.shownMessage(message));
    } catch (error) {
      this.#services.platform.report({ level: 'error', message: `the room of ${place.shard} lost its place in the changes`, error });
      this.#services.backend.unsubscribe(place.shard, place.listener);
      this.#services.platform.timers.defer(() => void this.#end());
    }
  }

  async #end(): Promise<void> {
    try {
      await this.disconnect(CLOSE_CODES.stateLost);
    } catch {
      // Colyseus lets no room go that is still being created: it has nobody in it, and goes by
      // itself.
    }
  }

  async #answer(
    { player, shard }: Place,
    client: PlayerClient,
    type: CommandType,
    payload: unknown,
    context: MessageContext,
  ): Promise<unknown> {
    const { userData: account } = client;
    if (account === undefined) return context.reject(publicRefusal(refusal('unauthorized')));
    const reply = await dispatch(this.#services, { player, shard, account }, type, payload);
    return reply.kind === 'answer' ? context.resolve(reply.value) : context.reject(publicRefusal(reply));
  }
}

/** The class that Colyseus makes rooms of, with the services of this node in it. */
export function playerRoomClass(services: EdgeServices): new () => PlayerRoom {
  return class extends PlayerRoom {
    constructor() {
      super(services);
    }
  };
}
