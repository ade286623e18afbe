/** The completed tab: what became of listings and purchases, with goods and gold to claim. */
import { schema, t, type SchemaType } from '@colyseus/schema';
import { z } from 'zod';
import { REFUSAL_NAMES } from '../refusals.ts';
import {
  catalogWordSchema,
  feeLineSchema,
  goldSchema,
  instantSchema,
  itemIdSchema,
  operationIdSchema,
  quantitySchema,
  rowIdSchema,
  transactionTextSchema,
  type Parsed,
} from '../schemas.ts';
import type { SealedId } from '../units.ts';
import { goodsShape, goodsState } from './goods.ts';
import { messageId, type ProtocolPart } from './part.ts';

/** Why an entry is in the completed tab. */
export const COMPLETED_KINDS = ['sold', 'bought', 'expired', 'cancelled', 'outbid', 'returned', 'granted'] as const;

/**
 * An entry of the completed tab: goods and gold that wait to be claimed. `tx` is there if a trade
 * caused it.
 */
export const completedEntrySchema = z.strictObject({
  id: rowIdSchema,
  kind: z.enum(COMPLETED_KINDS),
  ...goodsShape,
  gold: goldSchema.exactOptional(),
  fees: z.array(feeLineSchema),
  tx: transactionTextSchema.exactOptional(),
  at: instantSchema,
});

/** An entry of the completed tab. */
export type CompletedEntry = Parsed<typeof completedEntrySchema>;

/** One line of what a sale cost; `rate` in basis points, where the line is a share. */
export const FeeLineState = schema(
  {
    /** What it is for, such as `sale`. */
    name: t.string(),
    /** The share of the price, in basis points, where the line is a share. */
    rate: t.uint16().optional(),
    /** What it costs, in coins. */
    gold: t.float64(),
  },
  'FeeLineState',
);

/** One entry of the completed tab. */
export const CompletedState = schema(
  {
    /** What `claim` takes as `entryId`. */
    id: t.float64(),
    /** `sold`, `bought`, `expired`, `cancelled`, `outbid` or `returned`. */
    kind: t.string(),
    ...goodsState,
    /** Coins to claim. */
    gold: t.float64().optional(),
    /** What the sale has cost, already taken from `gold`. */
    fees: t.array(FeeLineState),
    /** The trade that caused it, where one did. */
    tx: t.string<SealedId>().optional(),
    /** When it came, in epoch milliseconds. */
    at: t.float64(),
  },
  'CompletedState',
);

/** An instance of `CompletedState`. */
export type CompletedState = SchemaType<typeof CompletedState>;

const op = operationIdSchema;
const newEntry = z.strictObject({ id: messageId, entry: completedEntrySchema });

/** What the completed tab adds to the protocol. */
export const completedPart = {
  shapes: { completedEntrySchema },
  causes: ['claim'],
  commands: {
    claim: {
      summary:
        'Moves one completed entry, or as many as fit, to stash and wallet. One that found nothing to move is not remembered by its `op`.',
      changes: true,
      cost: 4,
      request: z
        .strictObject({ op, entryId: rowIdSchema.exactOptional(), all: z.literal(true).exactOptional() })
        .refine((claim) => (claim.entryId === undefined) !== (claim.all === undefined), 'must have either entryId or all'),
      answer: z.strictObject({
        claimed: z.array(rowIdSchema),
        gold: goldSchema,
        items: z.array(itemIdSchema),
        commodities: z.array(z.strictObject({ commodity: catalogWordSchema, quantity: quantitySchema })),
        left: z.array(z.strictObject({ entryId: rowIdSchema, reason: z.enum(REFUSAL_NAMES) })),
      }),
    },
  },
  messages: {
    sold: { summary: 'A listing was bought: its gold, less the fees, waits in the completed tab.', payload: newEntry },
    expired: { summary: 'A listing ended without a buyer: its item waits in the completed tab.', payload: newEntry },
  },
  state: {
    /** The completed tab, by entry id: what waits to be claimed. */
    completed: t.map(CompletedState),
  },
} as const satisfies ProtocolPart;
