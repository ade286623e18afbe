/** Every operation that Gavel serves over HTTP. The routes, `/openapi.json` and its copy in docs/reference are made from this table. */
import { z } from 'zod';
import { sessionAnswerSchema, sessionRequestSchema } from '#shared/protocol.ts';
import type { Operation } from './operation.ts';

const seatSchema = z.record(z.string(), z.unknown());

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
  // The one route of Colyseus' own matchmaking: the SDK's way back to a seat that is still kept.
  reconnect: {
    method: 'post',
    path: '/matchmake/reconnect/{roomId}',
    summary: 'Takes back the seat of a connection that dropped, as the Colyseus SDK does it.',
    parameters: { roomId: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/) },
    body: z.strictObject({ reconnectionToken: z.string().max(64) }),
    answers: { 200: seatSchema },
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
    answers: { 200: z.record(z.string(), z.unknown()) },
    refusals: [],
  },
} as const satisfies Readonly<Record<string, Operation>>;
