/**
 * The state of the `player` room: one player's own view of one shard, as Colyseus replicates it to the client.
 *
 * The edge owns it and changes it only by durable change sets, in their order. Maps are keyed by what the player
 * names in a command: item id, commodity, listing id, order row, entry row. Their order says nothing; entries carry
 * their own instants. Amounts are whole coins and instants epoch milliseconds, all sent as `number`, which keeps
 * every safe integer.
 */
import { schema, t, type SchemaType } from '@colyseus/schema';

/** One rolled property of an item. */
export const AffixState = schema({ id: t.string(), value: t.number() }, 'AffixState');

/** One item: `Item` of the vocabulary. */
export const ItemState = schema(
  {
    id: t.string(),
    baseId: t.string(),
    itemClass: t.string(),
    name: t.string(),
    rarity: t.string(),
    level: t.number(),
    affixes: t.array(AffixState),
    dps: t.number().optional(),
    armor: t.number().optional(),
  },
  'ItemState',
);

/** One own listing: an item, or a quantity of a commodity. */
export const ListingState = schema(
  {
    id: t.string(),
    item: t.ref(ItemState).optional(),
    commodity: t.string().optional(),
    quantity: t.number().optional(),
    startBid: t.number().optional(),
    currentBid: t.number().optional(),
    buyout: t.number().optional(),
    unitPrice: t.number().optional(),
    startsAt: t.number(),
    endsAt: t.number(),
    mine: t.boolean(),
  },
  'ListingState',
);

/** One own bid, with the maximum that is held for it. */
export const BidState = schema(
  {
    listingId: t.string(),
    item: t.ref(ItemState),
    maxBid: t.number(),
    currentBid: t.number(),
    winning: t.boolean(),
    endsAt: t.number(),
  },
  'BidState',
);

/** One own standing buy order: of a commodity, or of items that meet criteria (as JSON). */
export const OrderState = schema(
  {
    id: t.number(),
    commodity: t.string().optional(),
    criteria: t.string().optional(),
    quantity: t.number(),
    filled: t.number(),
    unitPriceMax: t.number(),
    expiresAt: t.number(),
  },
  'OrderState',
);

/** One line of what a sale cost; `rate` in basis points, where the line is a share. */
export const FeeLineState = schema({ name: t.string(), rate: t.number().optional(), gold: t.number() }, 'FeeLineState');

/** One entry of the completed tab. */
export const CompletedState = schema(
  {
    id: t.number(),
    kind: t.string(),
    item: t.ref(ItemState).optional(),
    commodity: t.string().optional(),
    quantity: t.number().optional(),
    gold: t.number().optional(),
    fees: t.array(FeeLineState),
    tx: t.string().optional(),
    at: t.number(),
  },
  'CompletedState',
);

/** The whole room: `gold` can be spent, `held` is promised to bids, orders and trades under way. */
export const PlayerState = schema(
  {
    name: t.string(),
    region: t.string(),
    mode: t.string(),
    frozen: t.boolean(),
    serverTime: t.number(),
    gold: t.number(),
    held: t.number(),
    stash: t.map(ItemState),
    commodities: t.map('number'),
    listings: t.map(ListingState),
    bids: t.map(BidState),
    orders: t.map(OrderState),
    completed: t.map(CompletedState),
  },
  'PlayerState',
);

/** An instance of `AffixState`. */
export type AffixState = SchemaType<typeof AffixState>;
/** An instance of `ItemState`. */
export type ItemState = SchemaType<typeof ItemState>;
/** An instance of `ListingState`. */
export type ListingState = SchemaType<typeof ListingState>;
/** An instance of `BidState`. */
export type BidState = SchemaType<typeof BidState>;
/** An instance of `OrderState`. */
export type OrderState = SchemaType<typeof OrderState>;
/** An instance of `FeeLineState`. */
export type FeeLineState = SchemaType<typeof FeeLineState>;
/** An instance of `CompletedState`. */
export type CompletedState = SchemaType<typeof CompletedState>;
/** An instance of `PlayerState`. */
export type PlayerState = SchemaType<typeof PlayerState>;
