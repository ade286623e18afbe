/** Listings: an item for sale at a fixed price. */
import { schema, t, type SchemaType } from '@colyseus/schema';
import { z } from 'zod';
import {
  durationSchema,
  feeLineSchema,
  goldSchema,
  instantSchema,
  itemIdSchema,
  listingIdSchema,
  operationIdSchema,
  type Parsed,
} from '../schemas.ts';
import type { SealedId } from '../units.ts';
import { goodsShape, goodsState } from './goods.ts';
import type { ProtocolPart } from './part.ts';

/**
 * A listing as clients see it: one item, or a quantity of one commodity. `mine` tells the seller's
 * own.
 */
export const listingSchema = z.strictObject({
  id: listingIdSchema,
  ...goodsShape,
  startBid: goldSchema.exactOptional(),
  currentBid: goldSchema.exactOptional(),
  buyout: goldSchema.exactOptional(),
  unitPrice: goldSchema.exactOptional(),
  startsAt: instantSchema,
  endsAt: instantSchema,
  mine: z.boolean(),
});

/** A listing as clients see it. */
export type Listing = Parsed<typeof listingSchema>;

/** One own listing: an item, or a quantity of a commodity. */
export const ListingState = schema(
  {
    /** What `cancel` and `buyout` take as `listingId`. */
    id: t.string<SealedId>(),
    ...goodsState,
    /** The first bid that is asked for, in coins. Never there: there are no bids yet. */
    startBid: t.float64().optional(),
    /** The highest bid, in coins. Never there: there are no bids yet. */
    currentBid: t.float64().optional(),
    /** What it costs to buy it at once, in coins. */
    buyout: t.float64().optional(),
    /** Coins for one piece of a commodity. Never there: commodities are not traded yet. */
    unitPrice: t.float64().optional(),
    /** When it can be bought from, in epoch milliseconds. */
    startsAt: t.float64(),
    /** When it ends unsold, in epoch milliseconds. */
    endsAt: t.float64(),
    /** Whether the player sells it: true here. */
    mine: t.boolean(),
  },
  'ListingState',
);

/** An instance of `ListingState`. */
export type ListingState = SchemaType<typeof ListingState>;

const op = operationIdSchema;

/** What listings add to the protocol. */
export const listingPart = {
  shapes: { listingSchema },
  causes: ['sell', 'cancelled', 'expired', 'buyout', 'sale', 'purchase', 'release'],
  commands: {
    listing: {
      summary: 'Shows one listing in full, as its owner knows it now.',
      changes: false,
      cost: 1,
      request: z.strictObject({ listingId: listingIdSchema }),
      answer: z.strictObject({ listing: listingSchema }),
    },
    sell: {
      summary:
        'Puts an item of the stash up for sale. A sale costs the `fees` of the answer, whatever the rules become. `startBid` is refused until auctions with bids exist.',
      changes: true,
      cost: 2,
      request: z
        .strictObject({
          op,
          itemId: itemIdSchema,
          startBid: goldSchema.exactOptional(),
          buyout: goldSchema.exactOptional(),
          durationMs: durationSchema.exactOptional(),
        })
        .refine((sell) => sell.buyout !== undefined || sell.startBid !== undefined, 'must have a buyout or a startBid'),
      answer: z.strictObject({ listingId: listingIdSchema, endsAt: instantSchema, fees: z.array(feeLineSchema) }),
    },
    buyout: {
      summary: 'Buys a listing at once, for at most the price that the player saw. The item waits in the completed tab.',
      changes: true,
      cost: 4,
      request: z.strictObject({ op, listingId: listingIdSchema, price: goldSchema }),
      answer: z.strictObject({ itemId: itemIdSchema, paid: goldSchema }),
    },
    cancel: {
      summary: 'Takes back an own listing within its cancel window. What comes back waits in the completed tab.',
      changes: true,
      cost: 2,
      request: z.strictObject({ op, listingId: listingIdSchema }),
      answer: z.strictObject({ ...goodsShape, gold: goldSchema.exactOptional() }),
    },
  },
  state: {
    /** The own listings, by listing id. */
    listings: t.map(ListingState),
  },
} as const satisfies ProtocolPart;
