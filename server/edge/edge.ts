/**
 * The edge of a node: HTTP and Colyseus on one port. The only part that strangers reach.
 *
 * Colyseus' own `Server` is not used: its routes reflect any origin with credentials, read bodies
 * without a bound and create rooms for anybody. What is left of it here is the matchmaker, the
 * WebSocket transport and the rooms. Both are one per process, and so is the edge.
 */
import { CloseCode, matchMaker, Room } from '@colyseus/core';
import { setLogger } from '@colyseus/core/Logger';
import { Encoder } from '@colyseus/schema';
import { refusal, type Refusal, type RefusalName } from '#shared/refusals.ts';
import { createHttpServer, withBody, type Admit, type HttpAnswer, type Route } from '#server/http/http-server.ts';
import { listen } from '#server/platform/listen.ts';
import { openApiDocument } from '#server/http/openapi.ts';
import { OPERATIONS } from '#server/http/operations.ts';
import { TokenBucket, type Rate } from '#server/platform/token-bucket.ts';
import type { Platform } from '#server/platform/platform.ts';
import { within } from '#server/platform/within.ts';
import { readTableOf } from '#server/market/market.ts';
import { Accounts } from './budgets/accounts.ts';
import { Admissions } from './budgets/admissions.ts';
import { GuardedTransport } from './guarded-transport.ts';
import { playerRoomClass } from './player-room.ts';
import { PLAYER_ROOM, RoomDirectory } from './room-directory.ts';
import type { EdgeOptions, EdgeServices } from './services.ts';
import { renewToken } from './renewal.ts';
import { openSession } from './sessions.ts';
import { packShownListings } from './shown-listings.ts';
import { Tokens } from './tokens.ts';

/** An edge that serves. */
export interface Edge {
  readonly port: number;
  /** Where clients go. */
  readonly url: string;
  /** Shards with a room: players who are here. */
  readonly rooms: number;
  /** Sends everybody away and stops listening; returns when all are gone, or after the deadline. */
  close(deadlineMs: number): Promise<void>;
}

/** Colyseus makes a serializer for each room, with two buffers of that size: it is not used, ours takes its place. */
const UNUSED_BUFFER_BYTES = 16;
/**
 * Colyseus' own words about clients that misbehave, at most so many: a log is no target for floods.
 */
const LOG_RATE: Rate = { perSecond: 0.2, burst: 20 };

/** What a try to open a session is refused with that was none of a player. */
const JUNK: ReadonlySet<RefusalName> = new Set(['unauthorized', 'bad-request']);

function isJunk(opened: object | Refusal): boolean {
  return 'name' in opened && JUNK.has(opened.name);
}

/** Starts to serve. Rejects if the port cannot be had. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { backend, platform, host } = options;
  Encoder.BUFFER_SIZE = UNUSED_BUFFER_BYTES;
  setLogger(quietLogger(platform));
  packShownListings();
  const services: EdgeServices = {
    ...options,
    directory: new RoomDirectory(platform, backend.regions),
    tokens: new Tokens(platform, options.jwtKeys, options.studioKeys),
    reads: readTableOf(backend.features),
    accounts: new Accounts(platform.readings, options.addressRate),
    admissions: new Admissions(platform, options.sessionRate),
    accountBySocket: new WeakMap(),
  };
  await startMatchMaker();
  matchMaker.defineRoomType(PLAYER_ROOM, playerRoomClass(services));

  const state = { isDraining: false };
  const server = createHttpServer(platform, options.origins, routesOf(services, state), {
    proxies: options.proxies,
    charge: (address) => services.accounts.chargeAddress(address),
  });
  const transport = new GuardedTransport(server, services);
  const { port, url } = await listen(server, host, options.port);
  return {
    port,
    url,
    get rooms() {
      return services.directory.size;
    },
    close: async (deadlineMs) => {
      state.isDraining = true;
      await within(platform.timers, deadlineMs, stopMatchMaker()).catch((error: unknown) =>
        platform.report({ level: 'warning', message: 'the rooms could not be closed in order', error }),
      );
      transport.shutdown();
      server.closeAllConnections();
    },
  };
}

function routesOf(services: EdgeServices, state: { readonly isDraining: boolean }): readonly Route[] {
  const { admissions } = services;
  const admit: Admit = ({ address }) =>
    state.isDraining ? refusal('unavailable', { reason: 'the server is stopping' }) : admissions.admit(address);
  const json = (value: unknown, status = 200): HttpAnswer => ({ kind: 'json', status, value });
  /** What `admit` has counted is a try in vain until it is here. */
  const admitted = async (address: string, sessionCost: number, open: () => Promise<object | Refusal>): Promise<HttpAnswer> => {
    const opened = await admissions.counted(address, sessionCost, open, isJunk);
    return 'kind' in opened ? opened : json(opened);
  };
  const handleSession = withBody(OPERATIONS.openSession.body, (body, _, { address }) =>
    admitted(address, 1, () => openSession(services, body, address)),
  );
  // It takes no seat, and pays for its request as any other does.
  const handleRenewal = withBody(OPERATIONS.renewToken.body, (body, _, { address }) =>
    admitted(address, 0, () => renewToken(services, body)),
  );
  const handleReadiness = (): HttpAnswer => {
    const ready = !state.isDraining && services.isReady();
    return json({ ready }, ready ? 200 : 503);
  };
  const handleReconnection = withBody(OPERATIONS.reconnect.body, (body, { roomId = '' }, { address }) =>
    admissions.counted<HttpAnswer>(address, 1, () => admissions.inTurn(() => reconnect(roomId, body)), isJunk),
  );
  const description = openApiDocument();
  return [
    { operation: OPERATIONS.openSession, admit, handle: handleSession },
    { operation: OPERATIONS.renewToken, admit, handle: handleRenewal },
    { operation: OPERATIONS.reconnect, admit, handle: handleReconnection },
    { operation: OPERATIONS.isLive, handle: () => json({ live: true }) },
    { operation: OPERATIONS.isReady, handle: handleReadiness },
    { operation: OPERATIONS.describe, handle: () => json(description) },
    ...(services.routes ?? []),
  ];
}

async function reconnect(roomId: string, body: { readonly reconnectionToken: string }): Promise<HttpAnswer> {
  try {
    // Colyseus would look for the room among all there are.
    if (!(matchMaker.getLocalRoomById(roomId) instanceof Room)) throw new Error('no such room');
    const seat: unknown = await matchMaker.controller.invokeMethod('reconnect', roomId, body);
    return { kind: 'json', value: seat };
  } catch {
    return refusal('unauthorized', { reason: 'no seat is kept for that token' });
  }
}

/** The matchmaker of this process, by itself: which node owns a shard is not its business. */
async function startMatchMaker(): Promise<void> {
  matchMaker.controller.exposedMethods = ['reconnect'];
  await matchMaker.setup(undefined, undefined, undefined, () => Promise.resolve(matchMaker.processId));
  await matchMaker.accept(true);
}

async function stopMatchMaker(): Promise<void> {
  await Promise.all(matchMaker.disconnectAll(CloseCode.SERVER_SHUTDOWN));
  await matchMaker.gracefullyShutdown();
  // Ends the timer of its statistics, which would keep the process for another second.
  matchMaker.stats.reset();
}

/** Where Colyseus may say what bothers it. */
function quietLogger(platform: Platform): Parameters<typeof setLogger>[0] {
  const bucket = new TokenBucket(LOG_RATE, platform.readings.monotonicMs());
  const quiet = (): void => undefined;
  const loud = (...words: readonly unknown[]): void => {
    if (!bucket.take(platform.readings.monotonicMs())) return;
    platform.report({ level: 'warning', message: `Colyseus: ${words.map(String).join(' ').slice(0, 500)}` });
  };
  return { debug: quiet, info: quiet, trace: quiet, warn: loud, error: loud };
}
