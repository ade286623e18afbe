/** One session: `POST /session`, then the seat in the `player` room. */
import { Client } from '@colyseus/sdk';
import { z } from 'zod';
import type { Mode } from '#shared/address.ts';
import { refusalSchema, sessionAnswerSchema } from '#shared/protocol.ts';
import { PlayerState } from '#shared/state.ts';
import { ProtocolError, RefusedError } from './errors.ts';
import { within } from './wait.ts';

/** Who comes: a guest of a development world, or a player with the studio's token. */
export type Credentials = { readonly guest: string } | { readonly token: string };

/** Where to. */
export interface Destination {
  /** Such as `http://127.0.0.1:2567`. */
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
  const response = await fetch(new URL('/session', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...credentials, region, mode }),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const body: unknown = await response.json();
  if (!response.ok) throw refusedBy(body, response.status);
  const { seat, ...answer } = decode(sessionAnswerSchema, body);
  const room = await within(takeSeat(url, decode(seatSchema, seat)), timeoutMs);
  // The way back is a fresh session, which also survives a restart of the server.
  room.reconnection.enabled = false;
  room.onMessage('*', () => undefined);
  await firstState(room, timeoutMs);
  return { room, ...answer };
}

/** What a schema of the protocol makes of a value; throws `ProtocolError` if it is something else. */
export function decode<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new ProtocolError('the server sent what is not of the protocol', { cause: parsed.error });
  return parsed.data;
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
