import { describe, expect, it } from '@jest/globals';
import type { RowId } from '#shared/units.ts';
import fc from 'fast-check';
import type { RawChangeSet } from '../change-set.ts';
import { PlainRecordReader } from './plain-reader.ts';
import { RecordWriter } from './writer.ts';
import { RecordCursor } from './cursor.ts';
import { assetClass } from '../ledger.ts';
import { CodecError } from './format.ts';
import { picker, SampleShard, DEFINITION } from '#server/journal/testing/sample.ts';
import { PLACES } from '#server/market/places.ts';

function records(seed: number, turns: number): Buffer {
  const pick = picker(seed);
  const shards = [new SampleShard(1, pick), new SampleShard(2, pick)];
  const writer = new RecordWriter(DEFINITION);
  for (let turn = 0; turn < turns; turn++) writer.changeSet((shards[pick(2)] ?? new SampleShard(3, pick)).turn(1_000 + turn));
  return Buffer.from(writer.take().buffer);
}

/** The record as the cursor sees it, through every one of its calls. */
function walked(
  cursor: RecordCursor,
  bytes: Buffer,
  offset: number,
): { readonly changes: RawChangeSet; readonly assets: readonly string[] } {
  cursor.key(bytes, offset);
  const header = cursor.header();
  cursor.open(bytes, offset);
  const places: { table: string; id: RowId; columnsStart: number }[] = [];
  while (cursor.nextPut()) places.push({ table: cursor.table, id: cursor.id, columnsStart: cursor.columnsStart });
  const removes = [];
  while (cursor.nextRemove()) removes.push({ table: cursor.table, id: cursor.id });
  const starts: number[] = [];
  const assets: string[] = [];
  while (cursor.nextEntry()) {
    starts.push(cursor.entryStart);
    // Only the postings of every other entry: the rest must be passed over.
    if (starts.length % 2 === 1) while (cursor.nextPosting()) assets.push(`${PLACES[cursor.placeNumber]} ${cursor.assetClass()}`);
  }
  expect([cursor.version, cursor.wakeAt, cursor.ledgerSeq, cursor.nextId]).toEqual([
    header.version,
    header.wakeAt,
    header.ledgerSeq,
    header.nextId,
  ]);
  const puts = places.map(({ table, id, columnsStart }) => ({ table, id, values: cursor.columns(bytes, table, columnsStart) }));
  return { changes: { ...header, puts, removes, ledger: starts.map((start) => cursor.entry(bytes, start)) }, assets };
}

describe('the record cursor', () => {
  it('sees in a record what the reader sees', () => {
    const cursor = new RecordCursor(DEFINITION);
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const bytes = records(seed, 30);
        const reader = new PlainRecordReader(bytes, DEFINITION);
        while (!reader.done) {
          const { offset } = reader;
          const expected = reader.changeSet();
          expect(cursor.changeSet(bytes, offset)).toEqual(expected);
          expect(cursor.offset).toBe(reader.offset);
          const { changes, assets } = walked(cursor, bytes, offset);
          expect(changes).toEqual(expected);
          const odd = expected.ledger.filter((_, index) => index % 2 === 0);
          expect(assets).toEqual(odd.flatMap(({ postings }) => postings.map(({ place, asset }) => `${place} ${assetClass(asset)}`)));
          expect(cursor.end).toBeGreaterThan(offset);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('reads a put from its own bytes', () => {
    const cursor = new RecordCursor(DEFINITION);
    const bytes = records(7, 1);
    const expected = new PlainRecordReader(bytes, DEFINITION).changeSet().puts;
    cursor.open(bytes, 0);
    const copies: Buffer[] = [];
    while (cursor.nextPut()) copies.push(Buffer.concat([Buffer.from('xyz'), bytes.subarray(cursor.putStart, cursor.putEnd)]));
    expect(copies.map((copy) => cursor.put(copy, 3))).toEqual(expected);
  });

  it('throws a CodecError on a record that is cut short or changed', () => {
    const cursor = new RecordCursor(DEFINITION);
    fc.assert(
      fc.property(fc.integer(), fc.nat(), fc.nat(255), fc.boolean(), (seed, place, value, isCut) => {
        const bytes = records(seed, 1);
        const at = place % bytes.length;
        const bad = isCut ? bytes.subarray(0, at) : bytes;
        if (!isCut) bad[at] = value;
        try {
          walked(cursor, bad, 0);
          expect(isCut).toBe(false);
        } catch (error) {
          if (isCut) expect(error).toBeInstanceOf(CodecError);
        }
      }),
    );
  });
});
