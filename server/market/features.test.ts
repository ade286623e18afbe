/** What the features say of themselves: complete, and no name twice. */
import { describe, expect, it } from '@jest/globals';
import { listingId, parseListingId } from '#shared/address.ts';
import { createPrng } from '#shared/prng.ts';
import { COMMAND_TYPES, parseCommand } from '#shared/protocol.ts';
import { ItemState } from '#shared/item-state.ts';
import { CompletedState } from '#shared/protocol/completed.ts';
import { ListingState } from '#shared/protocol/listing.ts';
import { PROTOCOL_PARTS } from '#shared/protocol/parts.ts';
import { composed, type ProtocolPart } from '#shared/protocol/part.ts';
import { PlayerState } from '#shared/state.ts';
import { rowId, sealedId } from '#shared/units.ts';
import { defineShard } from '#server/shard/definition.ts';
import { answer } from '#server/shard/message.ts';
import { readTableOf } from './market.ts';
import { foldIntoMap, type Sight } from './feature.ts';
import { commodity } from './goods/stash.ts';
import { indexedRowsOf } from './indexed-rows.ts';
import { player, testItem, testMarket, testRules } from './testing/market-bench.ts';

const features = testMarket();
const parts: readonly ProtocolPart[] = PROTOCOL_PARTS;
const read = () => answer({});

describe('the features of the market', () => {
  it('carry out every command of the protocol, each once', () => {
    const { reads, handlers } = { reads: readTableOf(features), handlers: defineShard(features).handlers };
    for (const type of COMMAND_TYPES) expect(Object.hasOwn(reads, type) || handlers.has(type)).toBe(true);
  });

  it.each([
    ['nobody', 'sell', features.map((feature) => ({ ...feature, handlers: {} })), 'sell is of 0 features'],
    ['nobody', 'rules', features.map((feature) => ({ ...feature, reads: {} })), 'rules is of 0 features'],
    ['two', 'rules', [...features, { name: 'other', entities: [], reads: { rules: read } }], 'rules is of 2 features: openings, other'],
    ['two', 'sell', [...features, { name: 'other', entities: [], handlers: { sell: read } }], 'sell is of 2 features: stall, other'],
  ])('do not start if %s carries out %s', (_who, _what, wrong, problem) => {
    expect(() => readTableOf(wrong)).toThrow(problem);
  });

  it('give the listing index the rows of exactly one entity', () => {
    expect(indexedRowsOf(features).entity.name).toBe('listing');
    expect(() => indexedRowsOf([...features, ...features])).toThrow('the rows of one entity');
    expect(() => indexedRowsOf([])).toThrow('the rows of one entity');
  });

  it('name no kind of trade twice', () => {
    const kinds = features.flatMap(({ trades = {} }) => Object.keys(trades));
    expect(new Set(kinds).size).toBe(kinds.length);
  });
});

describe('the parts of the protocol', () => {
  it.each(['shapes', 'commands', 'messages', 'state'] as const)('name nothing twice among their %s', (table) => {
    const count = parts.reduce((sum, part) => sum + Object.keys(part[table] ?? {}).length, 0);
    expect(Object.keys(composed(parts, table))).toHaveLength(count);
  });

  it('keep the fields of the state where clients of every release look for them', () => {
    const fields = ['name', 'region', 'mode', 'frozen', 'serverTime', 'gold', 'held', 'stash', 'commodities', 'listings', 'bids', 'orders'];
    expect(Object.keys(composed(PROTOCOL_PARTS, 'state'))).toEqual([...fields, 'completed']);
  });
});

describe('a fold into a map', () => {
  it('shows rows under their keys, forgets them, and is not told of the end of a row that it has never seen', () => {
    const map = new Map<string, number>();
    const { put, remove, clear } = foldIntoMap(commodity, map, (row) => [row.commodity, row.quantity]);
    const [ore, dye] = [
      { id: rowId(1), commodity: 'ore', quantity: 5 },
      { id: rowId(2), commodity: 'dye', quantity: 7 },
    ];
    for (const row of [ore, dye, { ...ore, quantity: 6 }]) put(row);
    expect([...map]).toEqual([
      ['ore', 6],
      ['dye', 7],
    ]);
    remove?.(ore.id);
    expect([...map]).toEqual([['dye', 7]]);
    clear?.();
    expect(map.size).toBe(0);
    expect(() => remove?.(dye.id)).toThrow('row 2 of commodity was removed but never seen');
  });
});

describe('a step of a player', () => {
  const steps = features.flatMap(({ steps: own = [] }) => own);
  const ADA = player('ada');
  const listings = [1, 2, 3].map((row) => ({
    id: listingId(rowId(row), row === 3 ? ADA : player('bob')),
    buyout: 100,
    startsAt: 1,
    endsAt: 2,
  }));
  const state = new PlayerState();
  const item = new ItemState({ ...testItem('sword'), affixes: [] });
  state.stash.set('sword', item);
  const own = sealedId(listingId(rowId(3), ADA));
  state.listings.set(own, new ListingState({ id: own, item, buyout: 100, startsAt: 1, endsAt: 2, mine: true }));
  state.completed.set('7', new CompletedState({ id: 7, kind: 'sold', gold: 5, fees: [], at: 1 }));
  const rich: Sight = {
    shard: ADA,
    state,
    listings,
    others: [player('bob'), player('cid')],
    rules: testRules(),
    ids: { parse: parseListingId, idOf: listingId },
  };
  const poor: Sight = { ...rich, state: new PlayerState(), listings: [], others: [] };

  it.each(steps.map((step) => [step.name, step] as const))(
    '%s is a command that the edge takes, whatever the player has',
    (_name, step) => {
      const prng = createPrng(step.name);
      let wishes = 0;
      for (const sight of Array.from({ length: 400 }, (_, index) => (index % 2 === 0 ? rich : poor))) {
        const wish = step.wish(sight, prng);
        if (wish === undefined) continue;
        wishes++;
        expect(parseCommand(wish.type, { ...wish.body, op: 'op' })).toMatchObject({ kind: 'command', type: wish.type });
      }
      expect(wishes).toBeGreaterThan(20);
    },
  );
});
