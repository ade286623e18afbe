/**
 * The protocol: what clients send and what they are answered, in zod schemas from which types,
 * the reference pages and every check at the edge are made. Each feature declares its part in
 * `protocol/`; the tables here are all parts together.
 *
 * Answers are data for clients: amounts are whole coins, instants are milliseconds since the epoch.
 */
import { z } from 'zod';
import { limits } from './limits.ts';
import { composed } from './protocol/part.ts';
import { PROTOCOL_PARTS } from './protocol/parts.ts';
import { refusal, REFUSAL_NAMES, type Refusal } from './refusals.ts';
import { faultOf, integerSchema, modeSchema, playerIdSchema, regionSchema, textSchema, type Parsed } from './schemas.ts';

/** A refusal as clients receive it. */
export const refusalSchema = z.strictObject({
  code: integerSchema(1, 9_999),
  name: z.enum(REFUSAL_NAMES),
  message: z.string(),
  retryable: z.boolean(),
  details: z.record(z.string(), z.unknown()).exactOptional(),
});

/**
 * Every command of the `player` room. `changes` tells those that change something; they carry an
 * `op`.
 */
export const commands = composed(PROTOCOL_PARTS, 'commands');

/**
 * What the server says unasked in the `player` room. Each message carries an id and is also in
 * the completed tab or the state, so that a lost message loses nothing, and one that comes twice
 * can be told.
 */
export const serverMessages = composed(PROTOCOL_PARTS, 'messages');

/**
 * `POST /session`: who comes, by a guest name (development only) or a token of the studio, and
 * where to.
 */
export const sessionRequestSchema = z
  .strictObject({
    guest: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,58}$/, 'must be 1 to 58 of A-Z a-z 0-9 _ -')
      .exactOptional(),
    token: textSchema(limits.tokenLengthMax).exactOptional(),
    region: regionSchema,
    mode: modeSchema.default('softcore'),
  })
  .refine((session) => (session.guest === undefined) !== (session.token === undefined), 'must have either guest or token');

/**
 * The answer of `POST /session`: `token` resumes, `seat` is what the Colyseus SDK consumes as it
 * is.
 */
export const sessionAnswerSchema = z.strictObject({
  token: textSchema(limits.tokenLengthMax),
  player: playerIdSchema,
  shard: textSchema(128),
  seat: z.record(z.string(), z.unknown()),
});

/**
 * `POST /session/renew`: a token of a session, or one of the studio.
 */
export const renewalRequestSchema = z.strictObject({ token: textSchema(limits.tokenLengthMax) });

/** The answer of `POST /session/renew`: a token to resume with, whose time starts now. */
export const renewalAnswerSchema = z.strictObject({ token: textSchema(limits.tokenLengthMax) });

/** The name of a command. */
export type CommandType = keyof typeof commands;
/** What a command carries, as the server sees it after the edge. */
export type CommandRequest<Type extends CommandType> = Parsed<(typeof commands)[Type]['request']>;
/** What a command is answered when it succeeds. */
export type CommandAnswer<Type extends CommandType> = Parsed<(typeof commands)[Type]['answer']>;
/** A command that changes something. */
export type ChangingCommandType = { [Type in CommandType]: (typeof commands)[Type]['changes'] extends true ? Type : never }[CommandType];
/** A command that changes nothing. */
export type ReadingCommandType = Exclude<CommandType, ChangingCommandType>;
/** What a command carries besides its `op`. */
export type CommandBody<Type extends CommandType> = Omit<CommandRequest<Type>, 'op'>;
/** What a command carries besides its `op`, as a client writes it: not parsed yet. */
export type CommandInput<Type extends CommandType> = Omit<z.input<(typeof commands)[Type]['request']>, 'op'>;
/** A command as a client has sent it, with its request, tagged by its type. */
export type ClientCommand = {
  [Type in CommandType]: { readonly kind: 'command'; readonly type: Type; readonly request: CommandRequest<Type> };
}[CommandType];
/**
 * Why gold or goods move, as a line of the ledger says it. Ledgers of other releases may have other
 * causes.
 */
export type Cause = CausesOf<(typeof PROTOCOL_PARTS)[number]>[number];
type CausesOf<Part> = Part extends { readonly causes: infer Causes extends readonly string[] } ? Causes : never;
/** The type of a message from the server. */
export type ServerMessageType = keyof typeof serverMessages;
/** What a message from the server carries. */
export type ServerMessagePayload<Type extends ServerMessageType> = Parsed<(typeof serverMessages)[Type]['payload']>;
/** A message with its type. */
export type ServerMessage = {
  [Type in ServerMessageType]: { readonly type: Type; readonly payload: ServerMessagePayload<Type> };
}[ServerMessageType];
/** What opens a session. */
export type SessionRequest = Parsed<typeof sessionRequestSchema>;
/** What a session is answered. */
export type SessionAnswer = Parsed<typeof sessionAnswerSchema>;

/** Every command's name, in the order of the table. */
export const COMMAND_TYPES: readonly CommandType[] = Object.keys(commands).filter(isCommandType);

/** The type of every message from the server. */
export const SERVER_MESSAGE_TYPES: readonly ServerMessageType[] = Object.keys(serverMessages).filter(isServerMessageType);

function isServerMessageType(text: string): text is ServerMessageType {
  return Object.hasOwn(serverMessages, text);
}

/** Whether a text from outside is the name of a command. */
export function isCommandType(text: string): text is CommandType {
  return Object.hasOwn(commands, text);
}

/** Whether a command changes something. */
export function isChangingCommand(type: CommandType): type is ChangingCommandType {
  return commands[type].changes;
}

/**
 * A message from outside as a command, or the refusal `bad-request` whose `details.fault` names
 * what is wrong. Never throws.
 */
export function parseCommand(type: string, payload: unknown): ClientCommand | Refusal {
  if (!isCommandType(type)) return refusal('bad-request', { fault: 'unknown command' });
  const parsed = commands[type].request.safeParse(payload);
  if (!parsed.success) return refusal('bad-request', { fault: faultOf(parsed.error) });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- this type's own schema made the request; TypeScript cannot relate the two
  return { kind: 'command', type, request: parsed.data } as ClientCommand;
}
