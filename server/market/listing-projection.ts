/** Listing rows as the listing index knows them: from live change sets and from the mirrored rows of the node's database. */
import { listingId, marketOf } from '#shared/address.ts';
import type { IndexedListing } from '#shared/search.ts';
import { playerId, type ShardId } from '#shared/units.ts';
import type { ChangeSet, RawPut } from '#server/shard/change-set.ts';
import { rowFromRaw } from '#server/shard/record/reader.ts';
import type { ShardDefinition } from '#server/shard/definition.ts';
import { upgradedRow } from '#server/shard/upgrade-row.ts';
import type { AnyRow } from '#server/shard/entity.ts';
import { listing, type ListingRow } from './entities.ts';

/** The entity that the index is fed from. */
export const INDEXED_ENTITY = listing.name;

/** What became of a listing in a turn: the position of the turn, the version of the shard after it, and no row if it was removed. */
interface ListingChange {
  readonly position: number;
  readonly shard: ShardId;
  readonly version: number;
  readonly id: number;
  readonly row: ListingRow | undefined;
}

/** The listings among the rows of a shard. */
export function listingsOf(rows: (entity: string) => readonly AnyRow[]): readonly ListingRow[] {
  return rows(INDEXED_ENTITY).map(asListing);
}

/** Tells what a change set, at its position in the journal, means for listings. */
export function tellListings(position: number, { shard, version, puts, removes }: ChangeSet, take: (change: ListingChange) => void): void {
  for (const { entity, row } of puts) if (entity === listing) take({ position, shard, version, id: row.id, row: asListing(row) });
  for (const { table, id } of removes) if (table === listing.schema.table) take({ position, shard, version, id, row: undefined });
}

/** A row of the node's database, and the shard whose row it is, as of that version. */
export type MirroredRow = RawPut & { readonly shard: ShardId; readonly version: number };

/** What mirrored rows are as listings. */
export interface MirroredListings {
  readonly listings: readonly IndexedListing[];
  /** What was wrong with the others, each naming its row. */
  readonly faults: readonly Error[];
}

/**
 * Mirrored rows, of whatever version: their shards may not have been loaded since an upgrade. One that is none is left out and told: an
 * image that somebody has edited can bring it, and must not cost the others; but it may also be that this program cannot read its own.
 */
export function listingsOfMirrored(definition: ShardDefinition, rows: readonly MirroredRow[]): MirroredListings {
  const listings: IndexedListing[] = [];
  const faults: Error[] = [];
  for (const row of rows) {
    try {
      listings.push(listingOfMirrored(definition, row));
    } catch (error) {
      faults.push(new Error(`the row ${row.id} of ${row.table} of ${row.shard} is no listing`, { cause: error }));
    }
  }
  return { listings, faults };
}

function listingOfMirrored(definition: ShardDefinition, put: MirroredRow): IndexedListing {
  const schema = definition.schemas.get(put.table);
  if (schema?.name !== listing.name) throw new Error(`${put.table} is no table of listings that this program knows`);
  const { row } = upgradedRow(definition, put.table, rowFromRaw(schema, put));
  const indexed = indexedListing(put.shard, put.version, asListing(row));
  listing.rowFunctions.check(row);
  if (typeof indexed.item.name !== 'string' || !Array.isArray(indexed.item.affixes)) throw new Error('its item is none');
  return indexed;
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
