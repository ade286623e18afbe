/** Rows of the model as their entities type them. */
import type { Item } from '#shared/item.ts';
import type { AnyRow, Attributes, Entity, RowOf } from '#server/shard/entity.ts';
import { completed } from '#server/market/completed/completed.ts';
import { commodity, item } from '#server/market/goods/stash.ts';
import { wallet } from '#server/market/goods/wallet.ts';
import { listing } from '#server/market/listing/listing.ts';
import type { Asset, Place } from '#server/shard/change-set.ts';

/** The row as its entity types it, or `undefined` for a row of another entity. */
export function rowAs<A extends Attributes>(entity: Entity<A>, name: string, row: AnyRow | undefined): RowOf<A> | undefined {
  return row === undefined || entity.name !== name ? undefined : (row as RowOf<A>);
}

/** What a row says is where: so much of an asset at a place. */
export interface Holding {
  readonly place: Place;
  readonly asset: Asset;
  readonly amount: number;
}

/** The holdings of one row. The gold of a completed entry is counted by the wallet, which is checked against the entries. */
export function holdingsOf(entity: string, row: AnyRow): readonly Holding[] {
  const purse = rowAs(wallet, entity, row);
  if (purse !== undefined) {
    return [
      { place: 'wallet', asset: 'gold', amount: purse.gold },
      { place: 'hold', asset: 'gold', amount: purse.held },
      { place: 'completed', asset: 'gold', amount: purse.unclaimed },
    ];
  }
  const stack = rowAs(commodity, entity, row);
  if (stack !== undefined) return [{ place: 'stash', asset: `commodity:${stack.commodity}`, amount: stack.quantity }];
  const owned = rowAs(item, entity, row);
  if (owned !== undefined) return one('stash', owned.item.value);
  const offered = rowAs(listing, entity, row);
  if (offered !== undefined) return one('listed', offered.item.value);
  const entry = rowAs(completed, entity, row);
  if (entry === undefined) return [];
  const goods = entry.item === null ? [] : one('completed', entry.item.value);
  if (entry.commodity === null || entry.quantity === null) return goods;
  return [...goods, { place: 'completed', asset: `commodity:${entry.commodity}`, amount: entry.quantity }];
}

function one(place: Place, { id }: Item): readonly Holding[] {
  return [{ place, asset: `item:${id}`, amount: 1 }];
}

/** A value as an object whose fields may be looked at. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
