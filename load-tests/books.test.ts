import { describe, expect, it } from '@jest/globals';
import { listingId, shardId } from '#shared/address.ts';
import type { ChangingCommandType, CommandAnswer, CommandInput } from '#shared/protocol.ts';
import { gold, instant, itemId, rowId } from '#shared/units.ts';
import { testItem } from '#server/market/testing/market-bench.ts';
import { Books, type Holdings } from './books.ts';

type Has = Readonly<Record<string, number>>;
type Note = (books: Books) => void;

const AXE = itemId('axe');
const LISTING = listingId(rowId(1), shardId('ada', 'europe', 'softcore'));
const LISTED = `axe listed as ${LISTING} for 100`;

function told<Type extends ChangingCommandType>(player: string, type: Type, body: CommandInput<Type>, answer: CommandAnswer<Type>): Note {
  return (books) => books.note(player, type, body, answer);
}

const POSTED = told(
  'ada',
  'sell',
  { itemId: AXE, buyout: 100 },
  { listingId: LISTING, endsAt: instant(1), fees: [{ name: 'sale', gold: gold(15) }] },
);
const bought = (paid: number): Note => told('bob', 'buyout', { listingId: LISTING, price: 100 }, { itemId: AXE, paid: gold(paid) });
const RETURNED = told('ada', 'cancel', { listingId: LISTING }, { item: testItem('axe') });
const claimed = (player: string, amount: number, items: readonly string[]): Note =>
  told(player, 'claim', { all: true }, { claimed: [], gold: gold(amount), items: items.map(itemId), commodities: [], left: [] });

/** Ada has an axe, Bob nothing; both have 1,000 gold. */
function booksAfter(...notes: readonly Note[]): Books {
  const books = new Books();
  books.open('ada', new Map(Object.entries({ 'gold in the wallet': 1_000, 'axe in the stash': 1 })));
  books.open('bob', new Map(Object.entries({ 'gold in the wallet': 1_000 })));
  for (const note of notes) note(books);
  return books;
}

function faults(of: Books, ada: Has, bob: Has = {}): readonly string[] {
  const holdings = (has: Has): Holdings => new Map(Object.entries({ 'gold in the wallet': 1_000, ...has }));
  return of.faults(
    new Map([
      ['ada', holdings(ada)],
      ['bob', holdings(bob)],
    ]),
  );
}

describe('the books of demo and drill', () => {
  it('hold at the start', () => {
    expect(faults(booksAfter(), { 'axe in the stash': 1 })).toEqual([]);
  });

  it('hold after a sale and its claims, in whatever order the answers were heard', () => {
    const answers = [POSTED, bought(100), claimed('bob', 0, ['axe']), claimed('ada', 85, [])];
    for (const order of [answers, answers.toReversed()]) {
      const books = booksAfter(...order);
      expect(faults(books, { 'gold in the wallet': 1_085 }, { 'gold in the wallet': 900, 'axe in the stash': 1 })).toEqual([]);
      expect([books.fees, books.startGold]).toEqual([15, 2_000]);
    }
  });

  it('hold after a listing that was taken back', () => {
    expect(faults(booksAfter(POSTED, RETURNED), { 'axe to claim': 1 })).toEqual([]);
    expect(faults(booksAfter(RETURNED, claimed('ada', 0, ['axe']), POSTED), { 'axe in the stash': 1 })).toEqual([]);
  });

  it('hold while goods and gold wait to be claimed', () => {
    expect(faults(booksAfter(POSTED), { [LISTED]: 1 })).toEqual([]);
    expect(faults(booksAfter(POSTED, bought(100)), { 'gold to claim': 85 }, { 'gold in the wallet': 900, 'axe to claim': 1 })).toEqual([]);
  });

  it('see a sale that is not there any more', () => {
    const found = faults(booksAfter(POSTED, bought(100)), { [LISTED]: 1 });
    expect(found).toContain('bob has 1000 gold in the wallet, and 900 by what it was told');
    expect(found).toContain('bob has 0 axe to claim, and 1 by what it was told');
    expect(found).toContain(`ada has 1 ${LISTED}, and 0 by what it was told`);
  });

  it('see an item that is in two places, and one that is nowhere', () => {
    const twice = faults(booksAfter(), { 'axe in the stash': 1 }, { 'axe to claim': 1 });
    expect(twice).toContain('all together have 2 axe, and 1 by the start and the fees');
    expect(faults(booksAfter(), {})).toContain('all together have 0 axe, and 1 by the start and the fees');
  });

  it('see gold that was made, lost, or is still held', () => {
    const start = { 'axe in the stash': 1 };
    expect(faults(booksAfter(), { ...start, 'gold in the wallet': 1_001 })).toContain(
      'all together have 2001 gold, and 2000 by the start and the fees',
    );
    const held = faults(booksAfter(), { ...start, 'gold in the wallet': 900, 'gold held': 100 });
    expect(held).toContain('ada has 100 gold held, and 0 by what it was told');
  });

  it('see a player who is gone', () => {
    expect(booksAfter().faults(new Map())).toEqual(expect.arrayContaining(['ada is gone', 'bob is gone']));
  });

  it('see a listing that ended twice, was posted twice, or never', () => {
    const where = `the listing ${LISTING}`;
    expect(faults(booksAfter(POSTED, bought(100), RETURNED), {})).toContain(`${where} was sold, and then cancelled`);
    expect(faults(booksAfter(POSTED, POSTED), {})).toContain(`${where} was posted twice`);
    expect(faults(booksAfter(bought(100)), {})).toContain(`${where} ended, and nobody was told that it was posted`);
  });

  it('see a price that is not the one of the listing, and another item', () => {
    expect(faults(booksAfter(POSTED, bought(99)), {})).toContain(`bob paid 99 for ${LISTING}, which cost 100`);
    const other = told('bob', 'buyout', { listingId: LISTING, price: 100 }, { itemId: itemId('bow'), paid: gold(100) });
    expect(faults(booksAfter(POSTED, other), {})).toContain(`bob was told of bow for ${LISTING} instead of axe`);
  });
});
