import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { shardId } from '#shared/address.ts';
import { transactionId } from '#server/trade/transaction.ts';
import { epoch } from '#shared/cell.ts';
import { gold, instant, rowId, shardVersion } from '#shared/units.ts';
import { rowFromRaw, type ChangeSet, type ShardHeader } from '../change-set.ts';
import { PlainRecordReader } from './plain-reader.ts';
import { Json } from '../json.ts';
import { RecordWriter } from './writer.ts';
import { boolean, bytes, defineEntity, goldAmount, integer, json, nullable, oneOf, reference, text, timestamp } from '../entity.ts';
import type { LedgerEntry, Posting } from '../ledger.ts';
import { CodecError, placeOfNumber } from './format.ts';
import { PLACES } from '#server/market/places.ts';

const everything = defineEntity('everything', {
  version: 3,
  attributes: {
    whole: integer(),
    words: text({ maxLength: 1_000 }),
    coins: goldAmount(),
    isOn: boolean(),
    at: timestamp(),
    data: bytes(),
    other: reference(),
    kind: oneOf(['a', 'bb', 'ccc']),
    list: json<object>(),
    maybeWhole: nullable(integer()),
    maybeWords: nullable(text()),
    maybeData: nullable(bytes()),
    maybeList: nullable(json()),
    maybeOn: nullable(boolean()),
  },
});
const FORMAT = { schemas: new Map([[everything.schema.table, everything.schema]]), places: PLACES };

const MAX = Number.MAX_SAFE_INTEGER;
const edges = [0, 1, 63, 64, 127, 128, 16_383, 16_384, 2 ** 30 - 1, 2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 49, 2 ** 52, MAX - 1, MAX];
const count = fc.oneof(fc.constantFrom(...edges), fc.maxSafeNat());
const signed = fc.oneof(fc.constantFrom(...edges.map((edge) => 0 - edge)), count, fc.maxSafeInteger()).map((value) => value + 0);
const words = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 100 }),
  fc.constantFrom('', 'x'.repeat(48), 'x'.repeat(49), '東京 🗡', 'é'.repeat(48), `${'x'.repeat(47)}é`),
);
const plainBytes = fc.uint8Array({ maxLength: 40 });
const jsonValue = fc
  .oneof(fc.array(words, { maxLength: 3 }), fc.dictionary(fc.string({ maxLength: 8 }), signed, { maxKeys: 3, noNullPrototype: true }))
  .map((value) => Json.serialized<object>(value));

const ids = count.map((number) => rowId(Math.max(1, number)));
const row = fc.record({
  id: ids,
  whole: signed,
  words,
  coins: count,
  isOn: fc.boolean(),
  at: count,
  data: plainBytes,
  other: count,
  kind: fc.constantFrom('a', 'bb', 'ccc'),
  list: jsonValue,
  maybeWhole: fc.option(signed),
  maybeWords: fc.option(words),
  maybeData: fc.option(plainBytes),
  maybeList: fc.option(jsonValue),
  maybeOn: fc.option(fc.boolean()),
});
const entry: fc.Arbitrary<LedgerEntry> = fc.record({
  seq: count,
  at: count.map(instant),
  cause: words,
  tx: fc.option(count.map((seq) => transactionId({ holder: shardId('ada', 'europe', 'softcore'), generation: 1, seq }))),
  balance: count.map(gold),
  postings: fc.array(
    fc.record(
      {
        place: fc.constantFrom(...PLACES),
        asset: fc.oneof(
          fc.constant('gold' as const),
          words.map((id) => `item:${id}` as const),
        ),
        amount: signed,
        balance: count.map(gold),
      },
      { requiredKeys: ['place', 'asset', 'amount'], noNullPrototype: true },
    ),
    { maxLength: 4 },
  ),
});
const header: fc.Arbitrary<ShardHeader> = fc.record({
  shard: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/).map((player) => shardId(player, 'europe', 'hardcore')),
  version: count.map(shardVersion),
  cell: count,
  epoch: count.map((number) => epoch(Math.max(1, number))),
  now: count.map(instant),
  nextId: ids,
  generation: count,
  seq: count,
  ledgerSeq: count,
  wakeAt: count.map(instant),
});
const changeSet: fc.Arbitrary<ChangeSet> = fc
  .record({
    header,
    rows: fc.array(row, { maxLength: 4 }),
    removes: fc.array(fc.record({ table: fc.constant(everything.schema.table), id: ids }), { maxLength: 3 }),
    ledger: fc.array(entry, { maxLength: 3 }),
  })
  .map(({ header: counters, rows, removes, ledger }) => ({
    ...counters,
    puts: rows.map((one) => ({ entity: everything, row: one })),
    removes,
    ledger,
  }));

function encode(...all: readonly ChangeSet[]): Uint8Array {
  const writer = new RecordWriter(FORMAT, 16);
  for (const changes of all) writer.changeSet(changes);
  return writer.take();
}

/** What must come back: the same, with rows as they are kept. */
function decoded(bytes_: Uint8Array) {
  const raw = new PlainRecordReader(bytes_, FORMAT).changeSet();
  const rows = raw.puts.map((put) => {
    const { data, maybeData, ...rest } = rowFromRaw(everything.schema, put);
    return {
      ...rest,
      data: data instanceof Uint8Array ? [...data] : data,
      maybeData: maybeData instanceof Uint8Array ? [...maybeData] : maybeData,
    };
  });
  return { ...raw, puts: rows };
}

function expected(changes: ChangeSet) {
  const rows = changes.puts.map(({ row: one }) => {
    const { data, maybeData, ...rest } = one;
    return {
      ...rest,
      data: data instanceof Uint8Array ? [...data] : data,
      maybeData: maybeData instanceof Uint8Array ? [...maybeData] : maybeData,
    };
  });
  return { ...changes, puts: rows };
}

describe('the record codec', () => {
  it('gives back every change set as it was', () => {
    fc.assert(fc.property(changeSet, (changes) => expect(decoded(encode(changes))).toEqual(expected(changes))));
  });

  it('writes what it has read in the same bytes', () => {
    fc.assert(
      fc.property(changeSet, (changes) => {
        const bytes_ = encode(changes);
        const writer = new RecordWriter(FORMAT);
        expect(writer.raw(new PlainRecordReader(bytes_, FORMAT).changeSet())).toBe(bytes_.length);
        expect(Buffer.from(writer.take()).equals(bytes_)).toBe(true);
      }),
    );
  });

  it('gives bytes back as plain bytes, whatever they were read from', () => {
    fc.assert(
      fc.property(changeSet, (changes) => {
        const { puts } = new PlainRecordReader(encode(changes), FORMAT).changeSet();
        for (const value of puts.flatMap(({ values }) => values)) expect(value).not.toBeInstanceOf(Buffer);
      }),
    );
  });

  it('reads records one after the other, from wherever one starts', () => {
    fc.assert(
      fc.property(changeSet, changeSet, (first, second) => {
        const reader = new PlainRecordReader(encode(first, second), FORMAT);
        expect(reader.changeSet().version).toBe(first.version);
        const { offset } = reader;
        expect(reader.done).toBe(false);
        expect(reader.changeSet().version).toBe(second.version);
        expect(reader.done).toBe(true);
        expect(new PlainRecordReader(encode(first, second), FORMAT, offset).changeSet().shard).toBe(second.shard);
      }),
    );
  });

  it('throws a CodecError on a record that is cut short anywhere', () => {
    fc.assert(
      fc.property(changeSet, fc.nat(), (changes, cut) => {
        const bytes_ = encode(changes);
        const short = bytes_.slice(0, cut % bytes_.length);
        expect(() => new PlainRecordReader(short, FORMAT).changeSet()).toThrow(CodecError);
      }),
    );
  });

  it('throws a CodecError, or reads something, but nothing else, on bytes that were changed', () => {
    fc.assert(
      fc.property(changeSet, fc.nat(), fc.nat(255), (changes, place, value) => {
        const bytes_ = encode(changes);
        bytes_[place % bytes_.length] = value;
        try {
          new PlainRecordReader(bytes_, FORMAT).changeSet();
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError);
        }
      }),
    );
  });

  it('writes a posting without a balance as it always did, and a balance after its amount', () => {
    const [empty] = fc.sample(header, 1);
    if (empty === undefined) throw new Error('no sample');
    const hold = { place: 'hold', asset: 'gold', amount: -5 } as const;
    const lineOf = (posting: Posting): LedgerEntry => ({
      seq: 1,
      at: instant(2),
      cause: 'c',
      tx: null,
      balance: gold(7),
      postings: [posting],
    });
    const end = (posting: Posting): Buffer => Buffer.from(encode({ ...empty, puts: [], removes: [], ledger: [lineOf(posting)] }));
    const asEver = Buffer.from([0, 0, 1, 1, 2, 1, 99, 0, 7, 1, 2, 4, ...Buffer.from('gold'), 1, 5]);
    expect(end(hold).subarray(-asEver.length)).toEqual(asEver);
    const withBalance = Buffer.from([0, 0, 1, 1, 2, 1, 99, 0, 7, 1, 2 + 16, 4, ...Buffer.from('gold'), 1, 5, 172, 2]);
    expect(end({ ...hold, balance: gold(300) }).subarray(-withBalance.length)).toEqual(withBalance);
  });

  it('refuses to write a place that it does not have, and to read one', () => {
    const [empty] = fc.sample(header, 1);
    if (empty === undefined) throw new Error('no sample');
    const postings = [{ place: 'burned', asset: 'gold', amount: 1 }];
    const line = { seq: 1, at: instant(2), cause: 'c', tx: null, balance: gold(7), postings };
    const changes = { ...empty, puts: [], removes: [], ledger: [line] };
    const fewer = { ...FORMAT, places: PLACES.slice(0, -1) };
    const writer = new RecordWriter(fewer);
    expect(() => writer.changeSet(changes)).toThrow('names burned, which is no place');
    expect(writer.length).toBe(0);
    expect(() => new PlainRecordReader(encode(changes), fewer).changeSet()).toThrow('names no place');
  });

  it('takes no number for a place that is none, however large', () => {
    expect([0, 8, 16, 24].map((number) => placeOfNumber(PLACES, number))).toEqual(['wallet', 'burned', 'wallet', 'burned']);
    for (const number of [9, 25, 32, 48, 2 ** 32, 2 ** 32 + 16]) expect(() => placeOfNumber(PLACES, number)).toThrow(CodecError);
  });

  it('refuses a table that the program does not know', () => {
    const changes = fc.sample(
      changeSet.filter(({ puts }) => puts.length > 0),
      1,
    )[0];
    if (changes === undefined) throw new Error('no sample');
    expect(() => new PlainRecordReader(encode(changes), { ...FORMAT, schemas: new Map() }).changeSet()).toThrow(
      'does not know the table everything_v3',
    );
  });
});
