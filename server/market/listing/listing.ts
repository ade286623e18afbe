/** The rows of listings, and their upgrade. */
import type { Item } from '#shared/item.ts';
import { goldRulesOf, type Rules } from '#shared/rules.ts';
import { defineEntity, goldAmount, integer, json, timestamp, type Row } from '#server/shard/entity.ts';
import { upgrader, type Upgrader } from '#server/shard/powerup.ts';
import { isItem } from '../goods/stash.ts';

/**
 * A listing as the first release kept it, without its fee. Nothing but an upgrade reads such rows.
 */
export const listingV1 = defineEntity('listing', {
  version: 1,
  attributes: {
    item: json<Item>({ holds: isItem }),
    buyout: goldAmount(),
    postedAt: timestamp(),
    startsAt: timestamp(),
    cancelUntil: timestamp(),
    endsAt: timestamp({ alarm: 'expire-listing' }),
  },
});

/**
 * An item for sale at a fixed price, from `startsAt` until `endsAt`. It keeps every number of the
 * rules under which it was posted that still matters later, so that what the seller was shown is
 * what happens, whatever the rules have become.
 */
export const listing = defineEntity('listing', {
  version: 2,
  attributes: { ...listingV1.attributes, saleFeeBasisPoints: integer({ min: 0, max: 10_000 }) },
});

/** An item for sale, as a row. */
export type ListingRow = Row<typeof listing>;

/**
 * A listing of the first release does not know its fee. It takes the rate of the rules that are
 * in force when it is upgraded: that is what a sale in the release before would have taken at that
 * moment, and from then on it keeps it.
 */
export function keepFee(rules: Rules): Upgrader {
  return upgrader(listingV1, listing, (row) => {
    const { saleFeeBasisPoints } = goldRulesOf(rules, row.item.value.itemClass);
    return { ...row, saleFeeBasisPoints };
  });
}
