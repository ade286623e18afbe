/**
 * Rows on their way to the listing index: from live change sets and from the mirrored rows of the
 * node's database.
 */
import type { IndexedListing } from '#shared/search.ts';
import type { Position, ShardId, ShardVersion } from '#shared/units.ts';
import type { ListingChange } from '#server/listing-index/pending-changes.ts';
import { rowFromRaw, type ChangeSet, type RawPut } from '#server/shard/change-set.ts';
import { upgradedRow, type ShardDefinition } from '#server/shard/definition.ts';
import type { AnyRow } from '#server/shard/row.ts';
import type { Feature, IndexedRows } from './feature.ts';

/** The rows that the listing index gets; throws `Error` unless exactly one feature has some. */
export function indexedRowsOf(features: readonly Feature[]): IndexedRows {
  const [rows, ...more] = features.flatMap(({ indexed = [] }) => indexed);
  if (rows === undefined || more.length > 0) throw new Error('the listing index takes the rows of one entity');
  return rows;
}

/** Tells what a change set, at its position in the journal, means for the index. */
export function tellIndexedRows(
  { entity: indexed }: IndexedRows,
  position: Position,
  changes: ChangeSet,
  take: (change: ListingChange<AnyRow>) => void,
): void {
  const { shard, version, puts, removes } = changes;
  for (const { entity, row } of puts) if (entity === indexed) take({ position, shard, version, id: row.id, row });
  for (const { table, id } of removes) if (table === indexed.schema.table) take({ position, shard, version, id, row: undefined });
}

/** A row of the node's database, and the shard whose row it is, as of that version. */
export type MirroredRow = RawPut & { readonly shard: ShardId; readonly version: ShardVersion };

/**
 * Mirrored rows as listings, of whatever version: their shards may not have been loaded since an upgrade. A row that
 * cannot be read as a listing is skipped, and told in the end: an edited image can cause it, and so can a bug here.
 * Each is read when its turn comes: a market has a million, and the node other things to do.
 */
export function* listingsOfMirrored(
  indexed: IndexedRows,
  definition: ShardDefinition,
  rows: Iterable<MirroredRow>,
  onFaults: (faults: readonly Error[]) => void,
): Generator<IndexedListing, void> {
  const faults: Error[] = [];
  for (const row of rows) {
    try {
      yield listingOfMirrored(indexed, definition, row);
    } catch (error) {
      faults.push(new Error(`the row ${row.id} of ${row.table} of ${row.shard} is no listing`, { cause: error }));
    }
  }
  if (faults.length > 0) onFaults(faults);
}

function listingOfMirrored({ entity, indexed }: IndexedRows, definition: ShardDefinition, put: MirroredRow): IndexedListing {
  const schema = definition.schemas.get(put.table);
  if (schema?.name !== entity.name) throw new Error(`${put.table} is no table of listings that this program knows`);
  const { row } = upgradedRow(definition, put.table, rowFromRaw(schema, put));
  const found = indexed(put.shard, put.version, row);
  entity.rowFunctions.check(row);
  if (typeof found.item.name !== 'string' || !Array.isArray(found.item.affixes)) throw new Error('its item is none');
  return found;
}
