import { describe, expect, it } from '@jest/globals';
import type { DrillCommand, Said } from './asked.ts';
import { Books, type Holdings } from './books.ts';

const SELL: DrillCommand = { type: 'sell', op: '1', body: { itemId: 'axe', buyout: 100 } };
const POSTED: Said = { kind: 'posted', listingId: 'L', fee: 15 };
const BUY: DrillCommand = { type: 'buyout', op: '2', body: { listingId: 'L', price: 100 } };
const BOUGHT: Said = { kind: 'bought', itemId: 'axe', paid: 100 };
const CANCEL: DrillCommand = { type: 'cancel', op: '3', body: { listingId: 'L' } };
const RETURNED: Said = { kind: 'returned', itemId: 'axe' };
const CLAIM: DrillCommand = { type: 'claim', op: '4', body: { all: true } };

function holdings(has: Partial<Holdings> = {}): Holdings {
  return { gold: 1_000, held: 0, unclaimed: 0, stash: [], listingById: new Map(), completed: [], ...has };
}

/** Ada has an axe, Bob nothing; both have 1,000 gold. */
function books(): Books {
  const opened = new Books();
  opened.open('ada', { gold: 1_000, stash: ['axe'] });
  opened.open('bob', { gold: 1_000, stash: [] });
  return opened;
}

function faults(of: Books, ada: Partial<Holdings>, bob: Partial<Holdings>): readonly string[] {
  return of.faults(
    new Map([
      ['ada', holdings(ada)],
      ['bob', holdings(bob)],
    ]),
  );
}

describe('the books of the drill', () => {
  it('hold at the start', () => {
    expect(faults(books(), { stash: ['axe'] }, {})).toEqual([]);
  });

  it('hold after a sale and its claims, in whatever order the answers were heard', () => {
    const answers: readonly (readonly [string, DrillCommand, Said])[] = [
      ['ada', SELL, POSTED],
      ['bob', BUY, BOUGHT],
      ['bob', CLAIM, { kind: 'claimed', entries: 1, gold: 0, items: ['axe'] }],
      ['ada', CLAIM, { kind: 'claimed', entries: 1, gold: 85, items: [] }],
    ];
    for (const order of [answers, answers.toReversed()]) {
      const kept = books();
      for (const [player, asked, said] of order) kept.note(player, asked, said);
      expect(faults(kept, { gold: 1_085 }, { gold: 900, stash: ['axe'] })).toEqual([]);
    }
  });

  it('hold while goods and gold wait to be claimed', () => {
    const kept = books();
    kept.note('ada', SELL, POSTED);
    expect(faults(kept, { listingById: new Map([['L', { itemId: 'axe', price: 100 }]]) }, {})).toEqual([]);
    kept.note('bob', BUY, BOUGHT);
    expect(faults(kept, { unclaimed: 85 }, { gold: 900, completed: ['axe'] })).toEqual([]);
  });

  it('see a sale that is not there any more', () => {
    const kept = books();
    kept.note('ada', SELL, POSTED);
    kept.note('bob', BUY, BOUGHT);
    const found = faults(kept, { listingById: new Map([['L', { itemId: 'axe', price: 100 }]]) }, {});
    expect(found).toContain('bob has 1000 gold, and 900 by what it was told');
    expect(found).toContain('the completed tab of bob: lacks axe');
    expect(found).toContain('the listings of ada: must not have L (axe for 100)');
  });

  it('see an item that is in two places, and one that is nowhere', () => {
    expect(faults(books(), { stash: ['axe'] }, { completed: ['axe'] })).toContain('all items together: must not have axe');
    expect(faults(books(), {}, {})).toContain('all items together: lacks axe');
  });

  it('see gold that was made, lost, or is still held', () => {
    expect(faults(books(), { stash: ['axe'], gold: 1_001 }, {})).toContain('2001 gold and 0 of fees are not the 2000 of the start');
    expect(faults(books(), { stash: ['axe'], gold: 900, held: 100 }, {})).toContain('ada still has 100 gold held');
  });

  it('see a listing that ended twice, or was never posted', () => {
    const twice = books();
    twice.note('ada', SELL, POSTED);
    twice.note('bob', BUY, BOUGHT);
    twice.note('ada', CANCEL, RETURNED);
    expect(faults(twice, {}, {})).toContain('the listing L was sold, and then cancelled');

    const never = books();
    never.note('bob', BUY, BOUGHT);
    expect(faults(never, {}, {})).toContain('the listing L ended, and nobody was told that it was posted');
  });

  it('see a price that is not the one of the listing', () => {
    const kept = books();
    kept.note('ada', SELL, POSTED);
    kept.note('bob', BUY, { kind: 'bought', itemId: 'axe', paid: 99 });
    expect(faults(kept, {}, {})).toContain('bob paid 99 for L, which cost 100');
  });
});
