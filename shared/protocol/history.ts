/** The player's own ledger. */
import { z } from 'zod';
import {
  catalogWordSchema,
  cursorSchema,
  goldChangeSchema,
  goldSchema,
  instantSchema,
  integerSchema,
  itemIdSchema,
  textSchema,
  transactionTextSchema,
  type Parsed,
} from '../schemas.ts';
import type { ProtocolPart } from './part.ts';

/**
 * One line of a player's ledger: a change of gold (`gold`, signed) or of goods (`item` or
 * `commodity`, with a signed `quantity`) in one `account` of the shard, with its cause. Lines of
 * one `seq` are one movement. `balance`, on lines of gold, is the account's gold after the
 * movement; it is absent where the ledger is older than the balance of that account.
 */
export const ledgerLineSchema = z.strictObject({
  seq: integerSchema(1, Number.MAX_SAFE_INTEGER),
  at: instantSchema,
  cause: textSchema(40),
  account: textSchema(40),
  gold: goldChangeSchema.exactOptional(),
  item: itemIdSchema.exactOptional(),
  commodity: catalogWordSchema.exactOptional(),
  quantity: goldChangeSchema.exactOptional(),
  tx: transactionTextSchema.exactOptional(),
  balance: goldSchema.exactOptional(),
});

/** One line of a player's ledger. */
export type LedgerLine = Parsed<typeof ledgerLineSchema>;

/** What the ledger adds to the protocol. */
export const historyPart = {
  shapes: { ledgerLineSchema },
  commands: {
    history: {
      summary: "Reads the player's own ledger, newest first.",
      changes: false,
      cost: 3,
      request: z.strictObject({ cursor: cursorSchema.exactOptional() }),
      answer: z.strictObject({ lines: z.array(ledgerLineSchema), cursor: cursorSchema.exactOptional() }),
    },
  },
} as const satisfies ProtocolPart;
