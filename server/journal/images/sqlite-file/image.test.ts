import { describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { rowId, shardVersion } from '#shared/units.ts';
import fc from 'fast-check';
import type { RawChangeSet, RawPut, RawValue } from '#server/shard/change-set.ts';
import { bytes as bytesAttribute, defineEntity, integer, nullable, text } from '#server/shard/entity.ts';
import { decodeImage, encodeImage, isUntouched, nextRows, parseImage } from './image.ts';
import { applyChanges } from '../merge.ts';
import { decodeRecord, encodeRecord, readVarint, varintLength, writeVarint } from './record.ts';
import { readImage, readWithSqlite } from '../image-bytes.ts';
import { asRaw, picker, SampleShard, SCHEMA_BY_TABLE, DEFINITION, writeImage } from '../../testing/sample.ts';

const wide = Array.from({ length: 12 }, (_, index) =>
  defineEntity(`wide${'abcdefghijkl'.charAt(index)}`, {
    version: index + 1,
    attributes: { whole: nullable(integer()), label: nullable(text()), data: nullable(bytesAttribute()) },
  }),
);
const SCHEMAS = new Map([...SCHEMA_BY_TABLE, ...wide.map(({ schema }) => [schema.table, schema] as const)]);
const FORMAT = { schemas: SCHEMAS, places: DEFINITION.places };
const MAX = Number.MAX_SAFE_INTEGER;
const edges = [0, 1, 2, 127, 128, 32_767, 32_768, 2 ** 23 - 1, 2 ** 23, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 47 - 1, 2 ** 47, MAX];
const whole = fc.oneof(fc.constantFrom(...edges, ...edges.map((edge) => 0 - edge - 1)), fc.maxSafeInteger()).filter(Number.isSafeInteger);
const label = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.integer({ min: 0, max: 6_000 }).map((length) => 'x'.repeat(length)),
);
const value: fc.Arbitrary<RawValue> = fc.oneof(
  whole.map((one) => one + 0),
  label,
  fc.uint8Array({ maxLength: 1_200 }),
  fc.constant(null),
);
const put: fc.Arbitrary<RawPut> = fc
  .record({
    table: fc.constantFrom(...wide.map(({ schema }) => schema.table)),
    id: fc.oneof(fc.integer({ min: 1, max: 400 }), fc.constantFrom(2 ** 32, MAX)).map(rowId),
    whole: fc.option(whole.map((one) => one + 0)),
    label: fc.option(label),
    data: fc.option(fc.uint8Array({ maxLength: 1_200 })),
  })
  .map(({ table, id, whole: one, label: two, data }) => ({ table, id, values: [one, two, data] }));

const sample = asRaw(new SampleShard(1, picker(1)).turn(1_000));

function changesOf(puts: readonly RawPut[], version = 1): RawChangeSet {
  return { ...sample, version: shardVersion(version), puts, removes: [] };
}

function integrity(bytes: Buffer): unknown {
  const database = new Database(bytes);
  try {
    return database.pragma('integrity_check', { simple: true });
  } finally {
    database.close();
  }
}

describe('a shard image', () => {
  it('is to SQLite what it is to us, whatever is in it', () => {
    fc.assert(
      fc.property(fc.array(put, { maxLength: 150 }), (puts) => {
        const expected = applyChanges(undefined, changesOf(puts));
        const bytes = encodeImage(nextRows(undefined, changesOf(puts), SCHEMAS), SCHEMAS, 'here');
        expect(integrity(bytes)).toBe('ok');
        expect(readWithSqlite(bytes, FORMAT).image).toEqual(expected);
        expect(isUntouched(bytes)).toBe(true);
        expect(decodeImage(parseImage(bytes), SCHEMAS)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('grows from image to image as the slow way says', () => {
    const step = fc.record({ puts: fc.array(put, { maxLength: 40 }), removeShare: fc.integer({ min: 0, max: 3 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
        let bytes: Buffer | undefined;
        let expected: RawChangeSet | undefined;
        steps.forEach(({ puts, removeShare }, index) => {
          const removes = (expected?.puts ?? []).filter(({ id }) => id % 4 < removeShare).map(({ table, id }) => ({ table, id }));
          const kept = puts.filter((one) => !removes.some(({ table, id }) => table === one.table && id === one.id));
          const entry = sample.ledger[0];
          const ledger = entry === undefined ? [] : Array.from({ length: 30 }, (_, line) => ({ ...entry, seq: index * 30 + line + 1 }));
          const changes = { ...changesOf(kept, index + 1), removes, ledger };
          bytes = encodeImage(nextRows(bytes === undefined ? undefined : parseImage(bytes), changes, SCHEMAS), SCHEMAS, 'here');
          expected = applyChanges(expected, changes);
          expect(integrity(bytes)).toBe('ok');
          expect(decodeImage(parseImage(bytes), SCHEMAS)).toEqual(expected);
          expect(readWithSqlite(bytes, FORMAT).image).toEqual(expected);
        });
      }),
      { numRuns: 30 },
    );
  });

  it('can be as large as a shard can be', () => {
    const puts = Array.from({ length: 7_000 }, (_, index) => ({
      table: 'widea_v1',
      id: rowId(index + 1),
      values: [index, 'y'.repeat(150), null],
    }));
    const bytes = encodeImage(nextRows(undefined, changesOf(puts), SCHEMAS), SCHEMAS, 'here');
    expect(bytes.length).toBeGreaterThan(2 ** 20);
    expect(integrity(bytes)).toBe('ok');
    expect(readWithSqlite(bytes, FORMAT).image.puts).toHaveLength(7_000);
    expect(decodeImage(parseImage(bytes), SCHEMAS).puts).toHaveLength(7_000);
  });

  it('is told to be damaged if a single bit of it has changed', () => {
    const bytes = writeImage(sample, SCHEMAS, 'here');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 7 }), (place, bit) => {
        const bad = Buffer.from(bytes);
        bad[place] = (bad[place] ?? 0) ^ (1 << bit);
        // The mark of the writer may say that somebody else wrote it: then SQLite reads it.
        const isMark = place >= 96 && place < 100;
        if (isMark) expect(isUntouched(bad)).toBe(false);
        else expect(() => isUntouched(bad)).toThrow(/damaged|no database|not a file of Gavel|newer than this program/);
      }),
    );
    expect(() => isUntouched(bytes.subarray(0, bytes.length - 1))).toThrow('damaged');
    expect(() => isUntouched(Buffer.alloc(0))).toThrow('no database');
  });

  it('that somebody has changed with SQLite is read by SQLite', () => {
    const bytes = encodeImage(nextRows(undefined, sample, SCHEMAS), SCHEMAS, 'here');
    const database = new Database(bytes);
    database.exec('UPDATE purse_v1 SET gold = 77; ALTER TABLE purse_v1 ADD COLUMN remark TEXT; VACUUM');
    const changed = database.serialize();
    database.close();
    expect(isUntouched(changed)).toBe(false);
    const { image: read } = readImage(changed, FORMAT);
    expect(read.puts.find(({ table }) => table === 'purse_v1')?.values[0]).toBe(77);
    const next = encodeImage(nextRows(nextRows(undefined, read, SCHEMAS), changesOf([], 2), SCHEMAS), SCHEMAS, 'here');
    expect(decodeImage(parseImage(next), SCHEMAS).puts).toEqual(read.puts);
  });

  it('of a newer program is refused', () => {
    const bytes = encodeImage(
      nextRows(undefined, changesOf([{ table: 'widea_v1', id: rowId(1), values: [1, null, null] }]), SCHEMAS),
      SCHEMAS,
      'here',
    );
    expect(() => decodeImage(parseImage(bytes), SCHEMA_BY_TABLE)).toThrow('the table widea_v1, which this program does not know');
    expect(() => readWithSqlite(bytes, DEFINITION)).toThrow('the table widea_v1, which this program does not know');
    bytes.writeUInt32BE(3, 60);
    expect(() => isUntouched(bytes)).toThrow('its image is of format 3, which is newer than this program');
  });
});

describe('records of SQLite', () => {
  it('come back as they were', () => {
    fc.assert(fc.property(fc.array(value, { maxLength: 80 }), (values) => expect(decodeRecord(encodeRecord(values))).toEqual(values)));
  });

  it('have numbers of variable length that come back as they were', () => {
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(...edges), fc.maxSafeNat()), (number) => {
        const bytes = Buffer.alloc(10);
        expect(writeVarint(bytes, 0, number)).toBe(varintLength(number));
        const cursor = { at: 0 };
        expect(readVarint(bytes, cursor)).toBe(number);
        expect(cursor.at).toBe(varintLength(number));
      }),
    );
  });
});
