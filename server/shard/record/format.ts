/**
 * The record format of the journal: one change set, or one whole image, in bytes. All that reads or
 * writes records is in this folder: `writer.ts`, and `cursor.ts`, which makes no objects for folds and
 * image passes. Tests hold both against a plain twin, `plain-reader.ts`.
 *
 * ```text
 * record   = length header puts removes ledger         length: u32, little-endian, of what follows it
 * header   = shard:text version cell epoch now nextId generation seq ledgerSeq wakeAt      all counts
 * puts     = n:count, n times: table:text id:count, then each column of the table's schema
 * column   = (0 | 1 value) if nullable, else value                          0 for null; both are counts
 * value    = signed (integer, gold, timestamp, reference; boolean as 0 or 1)
 *          | text (text, enum, json) | bytes
 * removes  = n:count, n times: table:text id:count
 * ledger   = n:count, n times: seq:count at:count cause:text tx:text balance:count, m:count, m postings
 * posting  = place:count asset:text amount:signed                        tx: the empty text for none
 *          | (place + 16):count asset:text amount:signed balance:count
 *
 * count    = a whole number from 0 to 2^53 - 1 in base 128, least digit first, 128 added to all but the last
 * signed   = (2 v):count                   for 0 <= v < 2^52, but not for 2^30, whose double is the mark below
 *          | 1:count |v|:count             for v < 0
 *          | 2^31:count v:count            for the others
 * text     = its length in UTF-8:count, its bytes
 * bytes    = their number:count, they themselves
 * ```
 *
 * A row names its table, entity and version in one. So a record can be read for ever, with the schema
 * of that version, which stays in the code as long as an upgrader starts from it.
 */
import type { EntitySchema, Schemas } from '../row.ts';

/** What has to be known to read records: the tables, and the places of the ledger in the order of their numbers. */
export interface RecordFormat {
  readonly schemas: Schemas;
  readonly places: readonly string[];
}

/** Bytes that are not a record of a known version. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

/** The length at the start of a record, in bytes. */
export const LENGTH_BYTES = 4;
/** From here on the double of a whole number is not exact. */
export const DOUBLED_MAX = 2 ** 52;
/** Says that the magnitude of a number below zero follows. */
export const NEGATIVE_MARK = 1;
/** Says that a number follows as it is. */
export const LARGE_MARK = 2 ** 31;
/**
 * What is added to a place's number if a balance follows the posting's amount. So at most 16
 * places.
 */
export const BALANCE_FOLLOWS = 16;

/** The place that a posting's number names; throws `CodecError` if there is none. */
export function placeOfNumber(places: readonly string[], number: number): string {
  const place = places[placeNumberOf(number)];
  if (place === undefined) throw new CodecError('a posting names no place');
  return place;
}

/** A posting's number without what it says of a balance: that of its place. */
export function placeNumberOf(number: number): number {
  return hasBalance(number) ? number - BALANCE_FOLLOWS : number;
}

/** Whether a posting's number says that a balance follows its amount. */
export function hasBalance(number: number): boolean {
  return (number & BALANCE_FOLLOWS) !== 0;
}

/** The same bytes as a `Buffer`. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The schema of a table; throws `CodecError` for one that this program does not know. */
export function schemaOf(schemas: Schemas, table: string): EntitySchema {
  const schema = schemas.get(table);
  if (schema === undefined) throw unknownTable(table);
  return schema;
}

/** What is thrown at a table that this program does not know. */
export function unknownTable(table: string): CodecError {
  return new CodecError(`this program does not know the table ${table}: the data are of a newer version`);
}
