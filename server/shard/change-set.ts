/**
 * A change set: everything that one turn changed, and nothing else. It is what the journal keeps, what images and
 * projections are folded from, what rooms and the index are fed with.
 */
import type { Epoch, Instant, RowId, ShardId, ShardVersion } from '#shared/units.ts';
import type { Entity } from './entity.ts';
import { Json } from './json.ts';
import type { LedgerEntry } from './ledger.ts';
import type { AnyRow, ColumnSchema, EntitySchema } from './row.ts';

/** The counters of a shard as they stand after a turn. */
export interface ShardHeader {
  readonly shard: ShardId;
  /** The number of this turn: 1 for the first, without gaps. */
  readonly version: ShardVersion;
  readonly cell: number;
  /** The epoch of the cell's ownership: 1 until cells move. */
  readonly epoch: Epoch;
  readonly now: Instant;
  /** The next row id. */
  readonly nextId: RowId;
  /** The generation of the transactions that this shard mints: 1 until it is restored. */
  readonly generation: number;
  /** The last transaction number minted in this generation. */
  readonly seq: number;
  /** The last ledger number given. */
  readonly ledgerSeq: number;
  /** The earliest alarm of any row, or 0 for none. */
  readonly wakeAt: Instant | 0;
}

/** One row written, as the engine made it. */
export interface Put {
  readonly entity: Entity;
  readonly row: AnyRow;
}

/** One row removed; the table names the entity and the version that the row was of. */
export interface Remove {
  readonly table: string;
  readonly id: RowId;
}

/** Everything that one turn changed. */
export interface ChangeSet<P = Put> extends ShardHeader {
  readonly puts: readonly P[];
  readonly removes: readonly Remove[];
  readonly ledger: readonly LedgerEntry[];
}

/** A column's value as SQLite and the journal keep it: booleans are 0 and 1, JSON is text. */
export type RawValue = number | string | Uint8Array | null;

/** One row as kept: its values in the order of the columns of its table. */
export interface RawPut {
  readonly table: string;
  readonly id: RowId;
  readonly values: readonly RawValue[];
}

/** A change set as kept. A whole shard image has the same shape: all rows, no removes, the newest ledger lines. */
export type RawChangeSet = ChangeSet<RawPut>;

/** A row object from its kept values, by the schema alone: of whatever version. A shard reads its present ones by compiled functions. */
export function rowFromRaw(schema: EntitySchema, put: RawPut): AnyRow {
  const row: Record<string, unknown> = {};
  schema.columns.forEach((column, index) => {
    row[column.name] = fromRaw(column, put.values[index] ?? null);
  });
  return { ...row, id: put.id };
}

function fromRaw(column: ColumnSchema, value: RawValue): unknown {
  if (value === null) return null;
  if (column.type === 'boolean') return value !== 0;
  if (column.type === 'json' && typeof value === 'string') return Json.fromText(value);
  return value;
}
