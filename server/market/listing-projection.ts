/** Listing rows as the listing index knows them: from live change sets and from the mirrored rows of the node's database. */
import { listingId, marketOf, parseShardId } from '#shared/address.ts';
import type { IndexedListing } from '#shared/search.ts';
import type { ListingId, ShardId } from '#shared/units.ts';
import type { ChangeSet, RawPut } from '#server/shard/change-set.ts';
import { rowFromRaw, type Schemas } from '#server/shard/codec.ts';
import type { AnyRow } from '#server/shard/entity.ts';
import { listing, type ListingRow } from './entities.ts';

/** The entity that the index is fed from. */
export const INDEXED_ENTITY = listing.name;

/** What became of one listing. */
export type ListingChange =
  { readonly kind: 'put'; readonly row: IndexedListing } | { readonly kind: 'remove'; readonly id: ListingId; readonly version: number };

/** What a change set means for the index. */
export function listingChanges({ shard, version, puts, removes }: ChangeSet): readonly ListingChange[] {
  const changes: ListingChange[] = [];
  for (const { entity, row } of puts) if (entity === listing) changes.push({ kind: 'put', row: indexed(shard, version, row) });
  for (const { table, id } of removes) {
    if (table === listing.schema.table) changes.push({ kind: 'remove', id: listingId(id, shard), version });
  }
  return changes;
}

/** A mirrored row, or `undefined` for one of an older version, which its shard's upgrade will bring anew. */
export function listingOfMirrored(
  schemas: Schemas,
  put: RawPut & { readonly shard: ShardId; readonly version: number },
): IndexedListing | undefined {
  const schema = schemas.get(put.table);
  return schema === undefined || put.table !== listing.schema.table ? undefined : indexed(put.shard, put.version, rowFromRaw(schema, put));
}

function indexed(shard: ShardId, version: number, row: AnyRow): IndexedListing {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The row was made by the listing entity, or read by its schema.
  const { id, item, buyout, startsAt, endsAt } = row as ListingRow;
  const seller = parseShardId(shard)?.player;
  if (seller === undefined) throw new Error(`${shard} is no shard`);
  return { id: listingId(id, shard), shard, seller, market: marketOf(shard), item, buyout, startsAt, endsAt, version };
}
