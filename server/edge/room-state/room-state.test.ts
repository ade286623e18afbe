/**
 * What is written here against what the library itself writes: clients of both have the same after any changes, and so has one that came in
 * between.
 */
import { Decoder, Encoder, type Schema } from '@colyseus/schema';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Item } from '#shared/item.ts';
import { AffixState, ItemState } from '#shared/item-state.ts';
import { CompletedState, FeeLineState } from '#shared/protocol/completed.ts';
import { PlayerState } from '#shared/state.ts';
import { itemId } from '#shared/units.ts';
import { RoomState } from './room-state.ts';

Encoder.BUFFER_SIZE = 64 * 1_024;

const START = { name: 'Ada', region: 'europe', mode: 'softcore', frozen: false, serverTime: 0, gold: 0, held: 0 };

/** A client, with the library's decoder. */
class Reader {
  readonly state = new PlayerState();
  readonly #decoder = new Decoder<Schema>(this.state);

  read(bytes: Uint8Array | undefined): void {
    if (bytes !== undefined) this.#decoder.decode(bytes, { offset: 1 });
  }
}

/** The same state kept by the library. */
class Twin {
  readonly state = new PlayerState(START);
  readonly #encoder = new Encoder(this.state);

  whole(): Uint8Array {
    return this.#encoder.encodeAll({ offset: 1 });
  }

  patch(): Uint8Array {
    const bytes = this.#encoder.encode({ offset: 1 });
    this.#encoder.discardChanges();
    return bytes;
  }
}

const text = fc.string({ unit: 'binary', maxLength: 40 });
const amount = fc.oneof(fc.nat(300), fc.integer({ min: -5, max: 2 ** 53 - 1 }), fc.integer({ min: 0, max: 2 ** 33 }));
const key = fc.constantFrom('a', 'b', 'c', 'd', 'ключ', '\u{1f600}');
const item: fc.Arbitrary<Item> = fc.record(
  {
    id: fc.constantFrom('i1', 'i2', 'i3').map(itemId),
    baseId: text,
    itemClass: text,
    name: text,
    rarity: fc.constantFrom('magic', 'rare', 'legendary'),
    level: fc.integer({ min: 1, max: 70 }),
    affixes: fc.array(fc.record({ id: text, value: amount }), { maxLength: 12 }),
    dps: amount,
    armor: amount,
  },
  { requiredKeys: ['id', 'baseId', 'itemClass', 'name', 'rarity', 'level', 'affixes'] },
);
const entry = fc.record(
  {
    item,
    gold: amount,
    fees: fc.array(fc.record({ name: text, rate: amount, gold: amount }, { requiredKeys: ['name', 'gold'] }), { maxLength: 3 }),
  },
  { requiredKeys: ['fees'] },
);

type Change = (state: RoomState['fields'], twin: PlayerState) => void;

const itemOf = (of: Item): ItemState => new ItemState({ ...of, affixes: of.affixes.map((affix) => new AffixState(affix)) });
const change: fc.Arbitrary<Change> = fc.oneof(
  fc
    .record({ gold: amount, held: amount, frozen: fc.boolean(), name: text }, { requiredKeys: [] })
    .map((values): Change => (state, twin) => {
      Object.assign(state, values);
      Object.assign(twin, values);
    }),
  fc.tuple(key, item).map(([at, put]): Change => (state, twin) => {
    state.stash.set(at, put);
    twin.stash.set(at, itemOf(put));
  }),
  fc.tuple(key, amount).map(([at, count]): Change => (state, twin) => {
    state.commodities.set(at, count);
    twin.commodities.set(at, count);
  }),
  fc.tuple(key, entry).map(([at, { item: goods, fees, ...rest }]): Change => (state, twin) => {
    const plain = { id: 7, kind: 'sold', at: 5, ...rest };
    state.completed.set(at, { ...plain, fees, ...(goods === undefined ? {} : { item: goods }) });
    twin.completed.set(
      at,
      new CompletedState({
        ...plain,
        fees: fees.map((fee) => new FeeLineState(fee)),
        ...(goods === undefined ? {} : { item: itemOf(goods) }),
      }),
    );
  }),
  fc.tuple(fc.constantFrom('stash', 'commodities', 'completed'), key).map(([map, at]): Change => (state, twin) => {
    state[map].delete(at);
    twin[map].delete(at);
  }),
);

describe('the state of a room', () => {
  it('is read by the library as what it wrote itself, by who was there from the start and by who came in between', () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 12 }), fc.nat(12), (batches, arrival) => {
        const [state, twin] = [new RoomState(START), new Twin()];
        const [first, late, other] = [new Reader(), new Reader(), new Reader()];
        first.read(state.whole());
        state.forgetChanges();
        other.read(twin.whole());
        twin.patch();
        for (const [number, batch] of batches.entries()) {
          if (number === arrival) late.read(state.whole());
          for (const each of batch) each(state.fields, twin.state);
          const patch = state.patch();
          first.read(patch);
          if (number >= arrival) late.read(patch);
          other.read(twin.patch());
          expect(first.state.toJSON()).toEqual(other.state.toJSON());
        }
        if (arrival < batches.length) expect(late.state.toJSON()).toEqual(first.state.toJSON());
        expect(state.patch()).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it('says nothing of what came and went between two patches', () => {
    const state = new RoomState(START);
    state.forgetChanges();
    state.fields.commodities.set('ore', 5);
    state.fields.commodities.delete('ore');
    const reader = new Reader();
    reader.read(state.whole());
    reader.read(state.patch());
    expect(reader.state.commodities.size).toBe(0);
  });

  it('is of any size', () => {
    const state = new RoomState(START);
    for (let index = 0; index < 3_000; index++) state.fields.commodities.set(`${'long name of a commodity '.repeat(4)}${index}`, index);
    const reader = new Reader();
    reader.read(state.whole());
    expect(reader.state.commodities.size).toBe(3_000);
  });
});
