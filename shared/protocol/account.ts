/** The player and its shard: who it is, under which rules it trades, what happened to it. */
import { t } from '@colyseus/schema';
import { z } from 'zod';
import { rulesSchema } from '../rules.ts';
import { textSchema } from '../schemas.ts';
import { completedEntrySchema } from './completed.ts';
import { messageId, type ProtocolPart } from './part.ts';

/** What the account adds to the protocol. */
export const accountPart = {
  causes: ['start'],
  commands: {
    rules: {
      summary: 'Tells the fees, limits, durations and increments in force.',
      changes: false,
      cost: 1,
      request: z.strictObject({}),
      answer: rulesSchema,
    },
  },
  messages: {
    notice: {
      summary: 'Anything else that happened to the player: a new completed entry, or a word of a moderator.',
      payload: z.strictObject({ id: messageId, text: textSchema(200), entry: completedEntrySchema.exactOptional() }),
    },
  },
  state: {
    /** The player's name. */
    name: t.string(),
    /** The region of the market. */
    region: t.string(),
    /** `softcore` or `hardcore`. */
    mode: t.string(),
    /** Whether a moderator has stopped the player's trade. */
    frozen: t.boolean(),
    /** The market's time at the last change, in epoch milliseconds: what instants are compared with. */
    serverTime: t.float64(),
  },
} as const satisfies ProtocolPart;
