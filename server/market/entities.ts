/**
 * The rows of the auction house. Goods are whole wherever they are: an item is in exactly one row of one table (T8), in the stash,
 * in a listing, or in the completed tab.
 */
import { COMPLETED_KINDS, feeLineSchema, type FeeLine } from '#shared/protocol.ts';
import type { Item } from '#shared/item.ts';
import { limits } from '#shared/limits.ts';
import { itemSchema } from '#shared/schemas.ts';
import { QUANTITY_MAX } from '#shared/units.ts';
import {
  boolean,
  defineEntity,
  gold,
  integer,
  json,
  nullable,
  oneOf,
  text,
  timestamp,
  withDefault,
  type Row,
} from '#server/shard/entity.ts';

const isItem = (inside: unknown): boolean => itemSchema.safeParse(inside).success;
const isFees = (inside: unknown): boolean => Array.isArray(inside) && inside.every((line) => feeLineSchema.safeParse(line).success);

/** Who the shard belongs to. One row. */
export const player = defineEntity('player', {
  version: 1,
  attributes: { name: text({ maxLength: 64 }), createdAt: timestamp(), frozen: withDefault(boolean(), false) },
});

/**
 * The player's gold. One row. `gold` can be spent; `held` is promised to trades under way; `unclaimed` waits in the completed tab.
 * Together they never pass 2^53 - 1.
 */
export const wallet = defineEntity('wallet', { version: 1, attributes: { gold: gold(), held: gold(), unclaimed: gold() } });

/** An item in the stash. */
export const item = defineEntity('item', {
  version: 1,
  attributes: { itemId: text({ maxLength: 64, indexed: 'unique' }), item: json<Item>({ holds: isItem }) },
});

/** A stack of a commodity, outside of the stash's slots. */
export const commodity = defineEntity('commodity', {
  version: 1,
  attributes: { commodity: text({ maxLength: 64, indexed: 'unique' }), quantity: integer({ min: 1, max: Number.MAX_SAFE_INTEGER }) },
});

/** A listing as the first release kept it, without its fee. Nothing but an upgrade reads such rows. */
export const listingV1 = defineEntity('listing', {
  version: 1,
  attributes: {
    item: json<Item>({ holds: isItem }),
    buyout: gold(),
    postedAt: timestamp(),
    startsAt: timestamp(),
    cancelUntil: timestamp(),
    endsAt: timestamp({ alarm: 'expire-listing' }),
  },
});

/**
 * An item for sale at a fixed price, from `startsAt` until `endsAt`. It keeps every number of the rules under which it was posted that
 * still matters later, so that what the seller was shown is what happens, whatever the rules have become.
 */
export const listing = defineEntity('listing', {
  version: 2,
  attributes: { ...listingV1.attributes, saleFeeBasisPoints: integer({ min: 0, max: 10_000 }) },
});

/** An entry of the completed tab: goods or gold to claim, and what became of a listing or a purchase. */
export const completed = defineEntity('completed', {
  version: 1,
  attributes: {
    entry: oneOf(COMPLETED_KINDS),
    item: nullable(json<Item>({ holds: isItem })),
    commodity: nullable(text({ maxLength: 64 })),
    quantity: nullable(integer({ min: 1, max: QUANTITY_MAX })),
    gold: nullable(gold()),
    fees: json<readonly FeeLine[]>({ holds: isFees }),
    tx: nullable(text({ maxLength: limits.transactionTextLengthMax })),
    at: timestamp(),
  },
});

/** The player's gold, as a row. */
export type Wallet = Row<typeof wallet>;
/** An item for sale, as a row. */
export type ListingRow = Row<typeof listing>;
/** An entry of the completed tab, as a row. */
export type CompletedRow = Row<typeof completed>;
