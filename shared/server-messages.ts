/**
 * What the server says unasked in the `player` room. Each message carries an id and is also in the completed tab or the
 * state, so that a lost message loses nothing, and one that comes twice can be told.
 */
import { z } from 'zod';
import { completedEntrySchema } from './protocol.ts';
import { textSchema, type Parsed } from './schemas.ts';

const id = textSchema(80);

/** Every message by its type. */
export const serverMessages = {
  sold: {
    summary: 'A listing was bought: its gold, less the fees, waits in the completed tab.',
    payload: z.strictObject({ id, entry: completedEntrySchema }),
  },
  expired: {
    summary: 'A listing ended without a buyer: its item waits in the completed tab.',
    payload: z.strictObject({ id, entry: completedEntrySchema }),
  },
  notice: {
    summary: 'Anything else that happened to the player: a new completed entry, or a word of a moderator.',
    payload: z.strictObject({ id, text: textSchema(200), entry: completedEntrySchema.exactOptional() }),
  },
} as const;

/** The type of a message from the server. */
export type ServerMessageType = keyof typeof serverMessages;
/** What a message from the server carries. */
export type ServerMessagePayload<Type extends ServerMessageType> = Parsed<(typeof serverMessages)[Type]['payload']>;
/** A message with its type. */
export type ServerMessage = {
  [Type in ServerMessageType]: { readonly type: Type; readonly payload: ServerMessagePayload<Type> };
}[ServerMessageType];
