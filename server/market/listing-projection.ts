/** Listing rows as the listing index knows them: from live change sets and from the mirrored rows of the node's database. */
import { listingId, marketOf } from '#shared/address.ts';
import type { IndexedListing } from '#shared/search.ts';
import { playerId, type ShardId } from '#shared/units.ts';
import type { ChangeSet, RawPut } from '#server/shard/change-set.ts';
import { rowFromRaw, type Schemas } from '#server/shard/codec.ts';
import type { AnyRow } from '#server/shard/entity.ts';
import { listing, type ListingRow } from './entities.ts';

/** The entity that the index is fed from. */
export const INDEXED_ENTITY = listing.name;

/** Who is told what became of single listings. */
export interface ListingSink {
  put(position: number, shard: ShardId, version: number, row: ListingRow): void;
  remove(position: number, shard: ShardId, version: number, id: number): void;
}

/** The listings among the rows of a shard. */
export function listingsOf(rows: (entity: string) => readonly AnyRow[]): readonly ListingRow[] {
  return rows(INDEXED_ENTITY).map(asListing);
}

/** Tells what a change set, at its position in the journal, means for listings. */
export function tellListings(position: number, { shard, version, puts, removes }: ChangeSet, sink: ListingSink): void {
  for (const { entity, row } of puts) if (entity === listing) sink.put(position, shard, version, asListing(row));
  for (const { table, id } of removes) if (table === listing.schema.table) sink.remove(position, shard, version, id);
}

/** A mirrored row, or `undefined` for one of an older version, which its shard's upgrade will bring anew. */
export function listingOfMirrored(
  schemas: Schemas,
  put: RawPut & { readonly shard: ShardId; readonly version: number },
): IndexedListing | undefined {
  const schema = schemas.get(put.table);
  if (schema === undefined || put.table !== listing.schema.table) return undefined;
  return indexedListing(put.shard, put.version, asListing(rowFromRaw(schema, put)));
}

/** What the index knows of a listing of a shard of that version. */
export function indexedListing(shard: ShardId, version: number, row: ListingRow): IndexedListing {
  const { id, item, buyout, startsAt, endsAt } = row;
  const seller = playerId(shard.slice(0, shard.indexOf('@')));
  return { id: listingId(id, shard), shard, seller, market: marketOf(shard), item: item.value, buyout, startsAt, endsAt, version };
}

function asListing(row: AnyRow): ListingRow {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The row was made by the listing entity, or read by its schema.
  return row as ListingRow;
}
