/**
 * Every operation that Gavel serves over HTTP, as data. The route that serves an operation, its
 * part of `/openapi.json`, and the copy of that in docs/reference are all made from one row, so
 * none can say something that the others do not.
 */
import { z } from 'zod';
import { renewalAnswerSchema, renewalRequestSchema, sessionAnswerSchema, sessionRequestSchema } from '#shared/protocol.ts';
import type { RefusalName } from '#shared/refusals.ts';

/** One operation. */
export interface Operation {
  readonly method: 'get' | 'post';
  /** As OpenAPI writes it: a part in braces is a parameter, described in `parameters`. */
  readonly path: string;
  readonly summary: string;
  readonly parameters?: Readonly<Record<string, z.ZodType<string>>>;
  /** The JSON body; an operation without one reads none. */
  readonly body?: z.ZodType;
  /** What each status that is no refusal is answered with. */
  readonly answers: Readonly<Record<number, z.ZodType>>;
  /** Beside `internal`, and `bad-request` where there is a body. */
  readonly refusals: readonly RefusalName[];
}

const anyObject = z.record(z.string(), z.unknown());

/** The table, by what each operation does. */
export const OPERATIONS = {
  openSession: {
    method: 'post',
    path: '/session',
    summary: 'Opens a session: a seat in the room of a shard, and a token to come back with.',
    body: sessionRequestSchema,
    answers: { 200: sessionAnswerSchema },
    refusals: ['unauthorized', 'rate-limited', 'busy', 'unavailable', 'shard-full'],
  },
  renewToken: {
    method: 'post',
    path: '/session/renew',
    summary: 'Takes a token while it is good and gives one whose time starts now, without a seat. A token of the studio is taken as well.',
    body: renewalRequestSchema,
    answers: { 200: renewalAnswerSchema },
    refusals: ['unauthorized', 'rate-limited', 'unavailable'],
  },
  // The one route of Colyseus' own matchmaking: the SDK's way back to a seat that is still kept.
  reconnect: {
    method: 'post',
    path: '/matchmake/reconnect/{roomId}',
    summary: 'Takes back the seat of a connection that dropped, as the Colyseus SDK does it.',
    parameters: { roomId: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/) },
    body: z.strictObject({ reconnectionToken: z.string().max(64) }),
    answers: { 200: anyObject },
    refusals: ['unauthorized', 'rate-limited', 'unavailable'],
  },
  isLive: {
    method: 'get',
    path: '/livez',
    summary: 'Whether the process answers.',
    answers: { 200: z.strictObject({ live: z.literal(true) }) },
    refusals: [],
  },
  isReady: {
    method: 'get',
    path: '/readyz',
    summary: 'Whether the node can serve: it is not stopping, and its disk keeps up.',
    answers: { 200: z.strictObject({ ready: z.literal(true) }), 503: z.strictObject({ ready: z.literal(false) }) },
    refusals: [],
  },
  describe: {
    method: 'get',
    path: '/openapi.json',
    summary: 'This description.',
    answers: { 200: anyObject },
    refusals: [],
  },
} as const satisfies Readonly<Record<string, Operation>>;
