/**
 * Colyseus' WebSocket transport behind a door of ours. An upgrade is refused over HTTP, before there is a
 * WebSocket, unless it
 *
 * 1. comes from a page that may use the server, or from no page,
 * 2. names a room of this node, as `/process/room?sessionId=seat` does: whatever else a path may name, such as a member of
 *    JavaScript's objects, is no room,
 * 3. comes from an address that has not too many already, and pays: behind a trusted proxy, whose own connections cost nothing, here.
 *
 * Then the socket is under guard, on the account of the room's player, before Colyseus knows of it. Whether it has a seat
 * there, Colyseus decides.
 */
import { matchMaker, Room } from '@colyseus/core';
import { WebSocketTransport } from '@colyseus/ws-transport';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { limits } from '#shared/limits.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import type { PlayerId } from '#shared/units.ts';
import type { TrustedProxies } from '#server/http/client-address.ts';
import { OpenByAddress, refuseUpgrade } from '#server/http/connections.ts';
import { isOriginAllowed, type OriginRules } from '#server/http/origins.ts';
import type { Platform } from '#server/platform/platform.ts';
import type { Account, Accounts } from './budgets/accounts.ts';
import type { RoomDirectory } from './room-directory.ts';
import { guardSocket, type GuardedSocket } from './socket-guard.ts';

/** What the transport is made with. */
interface TransportParts {
  readonly platform: Platform;
  readonly origins: OriginRules;
  readonly proxies: TrustedProxies;
  readonly accounts: Accounts;
  readonly directory: RoomDirectory;
  readonly connectionsPerAddressMax?: number;
  /** Where rooms find the account of a socket. */
  readonly accountBySocket: WeakMap<object, Account>;
}

/** As the SDK asks: a process, a room, and a seat. */
const ROOM_PATH = /^\/[\w-]{1,64}\/([\w-]{1,64})\?(?:[^#]*&)?sessionId=[\w-]{1,64}(?:&|$)/;

/** Of the package `ws`; its types do not know all of them yet. */
const WS_OPTIONS = { maxPayload: limits.payloadBytesMax, perMessageDeflate: false, closeTimeout: limits.closeMs };

export class GuardedTransport extends WebSocketTransport {
  readonly #parts: TransportParts;
  readonly #open: OpenByAddress;

  constructor(server: Server, parts: TransportParts) {
    super({ server, ...WS_OPTIONS });
    this.#parts = parts;
    this.#open = new OpenByAddress(parts.connectionsPerAddressMax ?? limits.connectionsPerAddressMax);
  }

  /** Called once, by the constructor above it. */
  protected override listenForUpgrade(server: Server): void {
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Ends with all of its sockets: those that have not answered their good-bye by now do not get another one. */
  override shutdown(): void {
    super.shutdown();
    for (const client of this.wss.clients) client.terminate();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { proxies, accounts, accountBySocket, platform } = this.#parts;
    const player = this.#playerOf(request);
    if (typeof player !== 'string') return refuseUpgrade(socket, player);
    const address = proxies.clientOf(request);
    const isByProxy = proxies.has(request.socket.remoteAddress ?? '');
    const refused = isByProxy ? accounts.chargeAddress(address) : undefined;
    if (refused !== undefined) return refuseUpgrade(socket, refused);
    const release = this.#open.open(address);
    if (release === undefined) return refuseUpgrade(socket, refusal('busy', { reason: 'too many connections of this address' }));
    socket.once('close', release);
    this.wss.handleUpgrade(request, socket, head, (client) => {
      const account = accounts.of(player, address);
      const guarded: GuardedSocket = client;
      accountBySocket.set(client, account);
      guardSocket(guarded, account, platform);
      this.wss.emit('connection', client, request);
    });
  }

  #playerOf({ headers, url = '' }: IncomingMessage): PlayerId | Refusal {
    const { origins, directory } = this.#parts;
    if (!isOriginAllowed(origins, headers.origin, headers.host)) return refusal('unauthorized', { reason: 'this origin is not allowed' });
    const roomId = ROOM_PATH.exec(url)?.[1] ?? '';
    const room: unknown = matchMaker.getLocalRoomById(roomId);
    const player = room instanceof Room ? directory.playerOf(room) : undefined;
    return player ?? refusal('not-found');
  }
}
