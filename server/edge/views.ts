/** Rows of a shard as the room's state and the protocol show them. */
import { listingId } from '#shared/address.ts';
import type { Item } from '#shared/item.ts';
import type { CompletedEntry } from '#shared/protocol.ts';
import { AffixState, CompletedState, FeeLineState, ItemState, ListingState } from '#shared/state.ts';
import type { ShardId } from '#shared/units.ts';
import { quantity } from '#shared/units.ts';
import type { Attributes, Entity, RowOf } from '#server/shard/entity.ts';
import type { AnyRow } from '#server/shard/row.ts';
import type { CompletedRow, ListingRow } from '#server/market/entities.ts';

/** The row as its entity types it. */
export function rowOf<A extends Attributes>(_entity: Entity<A>, row: AnyRow): RowOf<A> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The engine has made and checked the row by this very entity, whose name selected it.
  return row as RowOf<A>;
}

/** An item in the state. */
export function itemState(item: Item): ItemState {
  return new ItemState({ ...item, affixes: item.affixes.map((affix) => new AffixState(affix)) });
}

/** An own listing in the state. */
export function listingState({ id, item, buyout, startsAt, endsAt }: ListingRow, shard: ShardId): ListingState {
  return new ListingState({ id: listingId(id, shard), item: itemState(item.value), buyout, startsAt, endsAt, mine: true });
}

/** A completed entry in the protocol's shape. */
export function completedEntry({ id, entry, item, commodity, quantity: count, gold, fees, tx, at }: CompletedRow): CompletedEntry {
  return {
    id,
    kind: entry,
    ...(item === null ? {} : { item: item.value }),
    ...(commodity === null ? {} : { commodity }),
    ...(count === null ? {} : { quantity: quantity(count) }),
    ...(gold === null ? {} : { gold }),
    fees: fees.value,
    ...(tx === null ? {} : { tx }),
    at,
  };
}

/** A completed entry in the state. */
export function completedState(row: CompletedRow): CompletedState {
  const { item, fees, ...entry } = completedEntry(row);
  return new CompletedState({
    ...entry,
    ...(item === undefined ? {} : { item: itemState(item) }),
    fees: fees.map((line) => new FeeLineState(line)),
  });
}
