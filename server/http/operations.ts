/**
 * Every operation that Gavel serves over HTTP, as data. The route that serves an operation, its
 * part of `/openapi.json`, and the copy of that in docs/reference are all made from one row, so
 * none can say something that the others do not.
 */
import { z } from 'zod';
import { limits } from '#shared/limits.ts';
import { refusalSchema, renewalAnswerSchema, renewalRequestSchema, sessionAnswerSchema, sessionRequestSchema } from '#shared/protocol.ts';
import { chargeAnswerSchema, chargeSchema, grantAnswerSchema, grantSchema, type ServiceRight } from '#shared/protocol/service.ts';
import type { RefusalName } from '#shared/refusals.ts';
import { modeSchema, operationIdSchema, regionSchema, textSchema } from '#shared/schemas.ts';

/** One operation. */
export interface Operation {
  readonly method: 'get' | 'post';
  /** As OpenAPI writes it: a part in braces is a parameter, described in `parameters`. */
  readonly path: string;
  readonly summary: string;
  readonly parameters?: Readonly<Record<string, z.ZodType<string>>>;
  /** The parameters after the `?`; all of them are required, and others are refused. */
  readonly query?: Readonly<Record<string, z.ZodType<string>>>;
  /** What a service key must have; without it anybody may ask. */
  readonly right?: ServiceRight;
  /** More than `limits.httpBodyBytesMax`. */
  readonly bodyBytesMax?: number;
  /** The JSON body; an operation without one reads none. */
  readonly body?: z.ZodType;
  /** What each status that is no refusal is answered with. */
  readonly answers: Readonly<Record<number, z.ZodType>>;
  /** Beside `internal`, and `bad-request` where there is a body. */
  readonly refusals: readonly RefusalName[];
}

const anyObject = z.record(z.string(), z.unknown());

/** One of it, or a list; each of a list is answered in its place, with its `op` where that could be read. */
function oneOrMany<Asked extends z.ZodType, Answered extends z.ZodType>(asked: Asked, answered: Answered) {
  const op = operationIdSchema.exactOptional();
  const each = z.union([z.strictObject({ op, answer: answered }), z.strictObject({ op, refusal: refusalSchema })]);
  return {
    body: z.union([asked, z.array(asked).max(limits.serviceRequestsMax)]),
    bodyBytesMax: limits.serviceBodyBytesMax,
    answers: { 200: z.union([answered, z.array(each)]) },
  };
}

/** What any change to a player may be refused for. */
const SERVICE_REFUSALS = ['unauthorized', 'op-reused', 'op-done', 'busy', 'unavailable'] as const satisfies readonly RefusalName[];

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
  grant: {
    method: 'post',
    path: '/api/grants',
    summary:
      'Gives gold and goods to players: one grant, or a list of up to 1,000. Each is done once, whatever becomes of the others, however often it is sent with its `op`. A player who has never come is made. Items that find no slot in the stash wait in the completed tab.',
    right: 'grant',
    ...oneOrMany(grantSchema, grantAnswerSchema),
    refusals: [...SERVICE_REFUSALS, 'item-exists', 'gold-overflow', 'stash-full', 'shard-full'],
  },
  charge: {
    method: 'post',
    path: '/api/charges',
    summary:
      'Takes gold and goods from players: one charge, or a list of up to 1,000. All of a charge is taken, or nothing; what is held, listed or not claimed yet is not taken. Each is done once, whatever becomes of the others, however often it is sent with its `op`.',
    right: 'charge',
    ...oneOrMany(chargeSchema, chargeAnswerSchema),
    refusals: [...SERVICE_REFUSALS, 'no-such-player', 'not-enough-gold', 'no-such-item', 'not-enough-goods'],
  },
  showPlayer: {
    method: 'get',
    path: '/api/players/{player}',
    summary:
      'Shows how a player durably stands in one market, as its room does, with every entry of the completed tab. Changes nothing. Ids of listings and trades are those that the player sees.',
    parameters: { player: textSchema(limits.studioIdLengthMax) },
    query: { region: regionSchema, mode: modeSchema },
    right: 'read',
    answers: { 200: anyObject },
    refusals: ['unauthorized', 'no-such-player', 'busy', 'unavailable'],
  },
  describe: {
    method: 'get',
    path: '/openapi.json',
    summary: 'This description.',
    answers: { 200: anyObject },
    refusals: [],
  },
} as const satisfies Readonly<Record<string, Operation>>;
