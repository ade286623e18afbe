/** SQLite's record format (2.1): one row of values, in bytes. Part of the image that `image.ts` describes. */
import type { RawValue } from '#server/shard/change-set.ts';

/** The size of a number as SQLite's variable-length integer (1.6). The number is whole, from 0 to 2^53. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) length++;
  return length;
}

/** Writes a variable-length integer and returns where it ends. */
export function writeVarint(bytes: Buffer, at: number, value: number): number {
  const end = at + varintLength(value);
  let rest = value;
  for (let index = end - 1; index >= at; index--) {
    bytes[index] = (rest % 128) | (index === end - 1 ? 0 : 128);
    rest = Math.floor(rest / 128);
  }
  return end;
}

/** A place in bytes that moves on as it is read. */
export interface Cursor {
  at: number;
}

/** Reads a variable-length integer of at most 53 bits. */
export function readVarint(bytes: Buffer, cursor: Cursor): number {
  let value = 0;
  for (;;) {
    const byte = bytes[cursor.at++] ?? 0;
    value = value * 128 + (byte & 127);
    if (byte < 128) return value;
  }
}

/** The record of these values. Numbers must be whole and safe. */
export function encodeRecord(values: readonly RawValue[]): Buffer {
  const types = values.map(serialType);
  let headerLength = 1;
  let bodyLength = 0;
  for (const type of types) {
    headerLength += varintLength(type);
    bodyLength += contentLength(type);
  }
  // The header's length counts itself; beyond 127 it takes two bytes.
  if (headerLength > 127) headerLength++;
  const record = Buffer.allocUnsafe(headerLength + bodyLength);
  let at = writeVarint(record, 0, headerLength);
  for (const type of types) at = writeVarint(record, at, type);
  values.forEach((value, index) => {
    at = writeContent(record, at, value, types[index] ?? 0);
  });
  return record;
}

/** The values of a record. Text and bytes are copies. */
export function decodeRecord(record: Buffer): RawValue[] {
  const cursor: Cursor = { at: 0 };
  const headerLength = readVarint(record, cursor);
  const values: RawValue[] = [];
  let at = headerLength;
  while (cursor.at < headerLength) {
    const type = readVarint(record, cursor);
    values.push(readContent(record, at, type));
    at += contentLength(type);
  }
  return values;
}

/** The serial type of a value (2.1, the table): the length of an integer, or the kind and length of a text or blob. */
function serialType(value: RawValue): number {
  if (value === null) return 0;
  if (typeof value === 'string') return 13 + 2 * Buffer.byteLength(value);
  if (typeof value !== 'number') return 12 + 2 * value.length;
  if (value === 0 || value === 1) return 8 + value;
  const size = value < 0 ? -(value + 1) : value;
  if (size < 2 ** 7) return 1;
  if (size < 2 ** 15) return 2;
  if (size < 2 ** 23) return 3;
  if (size < 2 ** 31) return 4;
  return size < 2 ** 47 ? 5 : 6;
}

/** The content sizes of the serial types 0 to 9; 8 and 9 are the numbers 0 and 1 (2.1). */
const NUMBER_LENGTHS = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0];

function contentLength(type: number): number {
  return type >= 12 ? (type - 12) >> 1 : (NUMBER_LENGTHS[type] ?? 0);
}

function writeContent(record: Buffer, at: number, value: RawValue, type: number): number {
  const length = contentLength(type);
  if (typeof value === 'string') record.write(value, at, length, 'utf8');
  else if (typeof value === 'number') writeNumber(record, at, value, length);
  else if (value !== null) record.set(value, at);
  return at + length;
}

function writeNumber(record: Buffer, at: number, value: number, length: number): void {
  if (length === 8) {
    record.writeInt32BE(Math.floor(value / 2 ** 32), at);
    record.writeUInt32BE(value - Math.floor(value / 2 ** 32) * 2 ** 32, at + 4);
  } else if (length > 0) record.writeIntBE(value, at, length);
}

function readContent(record: Buffer, at: number, type: number): RawValue {
  if (type === 0) return null;
  const length = contentLength(type);
  if (type >= 12) {
    const end = at + length;
    return type % 2 === 1 ? record.toString('utf8', at, end) : new Uint8Array(record.subarray(at, end));
  }
  if (type >= 8) return type - 8;
  return length === 8 ? record.readInt32BE(at) * 2 ** 32 + record.readUInt32BE(at + 4) : record.readIntBE(at, length);
}
