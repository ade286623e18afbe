/** One session: `POST /session`, then the seat in the `player` room; and the renewal of its token. */
import { Client } from '@colyseus/sdk';
import { z } from 'zod';
import type { Mode } from '#shared/address.ts';
import { refusalSchema, renewalAnswerSchema, sessionAnswerSchema } from '#shared/protocol.ts';
import { PlayerState } from '#shared/state.ts';
import { ProtocolError, RefusedError } from './errors.ts';
import { within } from './wait.ts';

/** Who comes: a guest of a development world, or a player with the studio's token. */
export type Credentials = { readonly guest: string } | { readonly token: string };

/** Where to. */
export interface Destination {
  /** Such as `http://127.0.0.1:2567`, or `https://play.example.org/auctions` behind a proxy. */
  readonly url: string;
  readonly region: string;
  readonly mode: Mode;
}

/** A room of the SDK, with the player's state. */
export type JoinedRoom = Awaited<ReturnType<typeof takeSeat>>;

/** A room that was joined, with its first state there. */
export interface Session {
  readonly room: JoinedRoom;
  readonly player: string;
  readonly shard: string;
  /** Good for the next session, for a while. */
  readonly token: string;
}

const seatSchema = z.looseObject({ name: z.string(), roomId: z.string(), sessionId: z.string(), processId: z.string() });

/** Opens a session. Rejects with `RefusedError` if the server says no, with another error if it cannot be reached in time. */
export async function openSession(destination: Destination, credentials: Credentials, timeoutMs: number): Promise<Session> {
  const { url, region, mode } = destination;
  const body = await askOverHttp(url, '/session', { ...credentials, region, mode }, timeoutMs);
  const { seat, ...answer } = decode(sessionAnswerSchema, body);
  const seating = takeSeat(url, decode(seatSchema, seat));
  try {
    const room = await within(seating, timeoutMs);
    // The way back is a fresh session, which also survives a restart of the server.
    room.reconnection.enabled = false;
    room.onMessage('*', () => undefined);
    await firstState(room, timeoutMs);
    return { room, ...answer };
  } catch (error) {
    // A connection that comes too late would keep its place among those of this player.
    seating.then(({ connection }) => connection.close()).catch(() => undefined);
    throw error;
  }
}

/** The next token after one that is still good. Rejects as `openSession` does. */
export async function renewedToken(url: string, token: string, timeoutMs: number): Promise<string> {
  return decode(renewalAnswerSchema, await askOverHttp(url, '/session/renew', { token }, timeoutMs)).token;
}

/** What a schema of the protocol makes of a value; throws `ProtocolError` if it is something else. */
export function decode<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new ProtocolError('the server sent what is not of the protocol', { cause: parsed.error });
  return parsed.data;
}

async function askOverHttp(url: string, path: string, value: object, timeoutMs: number): Promise<unknown> {
  const response = await fetch(url.replace(/\/+$/, '') + path, {
    method: 'POST',
    // After a silence the connections that were kept are as silent. (Browsers decide this for themselves, and leave the header out.)
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify(value),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const body: unknown = await response.json();
  if (!response.ok) throw refusedBy(body, response.status);
  return body;
}

/** The error that an answer with a refusal stands for. */
function refusedBy(body: unknown, status: number): Error {
  const refusal = refusalSchema.safeParse(body);
  return refusal.success ? new RefusedError(refusal.data) : new ProtocolError(`the server answered ${status} without a refusal`);
}

function takeSeat(url: string, seat: z.output<typeof seatSchema>) {
  return new Client(url).consumeSeatReservation<PlayerState>(seat, PlayerState);
}

function firstState(room: JoinedRoom, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the state of the room did not come')), timeoutMs);
    room.onStateChange.once(() => {
      clearTimeout(timer);
      resolve();
    });
    room.onLeave.once((code) => {
      clearTimeout(timer);
      reject(new Error(`the room closed with ${code} before its state came`));
    });
  });
}
