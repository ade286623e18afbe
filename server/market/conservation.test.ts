/** Random commands over three shards and a bad bus, checked by the double-entry twin; and the numbers of the dupe of May 2013. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createPrng } from '#shared/prng.ts';
import { listingId } from '#shared/address.ts';
import { FIRST_ROW_ID, gold, GOLD_MAX, multiplyGold, quantity, QUANTITY_MAX, rowId, type ShardId } from '#shared/units.ts';
import type { ShardNetwork } from '#server/trade/testing/shard-network.ts';
import { completed } from './completed/completed.ts';
import { commodity, item } from './goods/stash.ts';
import { wallet } from './goods/wallet.ts';
import { listing } from './listing/listing.ts';
import { balances, edgeOfWorld, faultsOfBooks } from './testing/books.ts';
import { faultsOf } from './testing/dealings.ts';
import { marketNetwork, nameOf, opening, player, testRules } from './testing/market-bench.ts';

const PLAYERS = ['ada', 'bob', 'cat'].map(player);
const [ADA, BOB] = PLAYERS as [ShardId, ShardId, ShardId];
const HOUR = 3_600_000;

describe('a market under random use', () => {
  const act = fc.record({
    kind: fc.constantFrom('sell', 'sell', 'buyout', 'buyout', 'buyout', 'cancel', 'claim', 'claim', 'freeze', 'repeat'),
    who: fc.nat({ max: 2 }),
    whom: fc.nat({ max: 2 }),
    which: fc.nat({ max: 9 }),
    price: fc.constantFrom(1, 7, 100, 101, 333, 2 ** 31, 2 ** 32 + 1, GOLD_MAX),
    overpays: fc.constantFrom(0, 0, 1, -1, 50),
    waitMs: fc.constantFrom(0, 0, 0, 300, 11_000, HOUR),
    deliveries: fc.nat({ max: 4 }),
    reloads: fc.constantFrom(true, false, false, false),
  });
  const story = fc.record({
    seed: fc.integer(),
    loss: fc.constantFrom(0, 0.2, 0.5),
    doubling: fc.constantFrom(0, 0.4),
    golds: fc.tuple(...PLAYERS.map(() => fc.constantFrom(0, 1_000, 2 ** 32 + 500, GOLD_MAX - 90, GOLD_MAX))),
    stashSlots: fc.constantFrom(4, 5, 70),
    acts: fc.array(act, { minLength: 5, maxLength: 60 }),
  });

  it('loses and makes nothing, puts every item in one place, and ends with nothing held', () => {
    fc.assert(
      fc.property(story, ({ seed, loss, doubling, golds, stashSlots, acts }) => {
        const rules = testRules({ stashSlots, completedShown: 6, listingsPerPlayerMax: 3, cancelWindowMs: 5_000 });
        const net = marketNetwork(createPrng(seed), PLAYERS, rules, { loss, doubling });
        for (const [index, shard] of PLAYERS.entries()) {
          const [name = ''] = shard.split('@');
          const start = { gold: golds[index] ?? 0, items: 4, commodities: [{ commodity: 'iron', quantity: 5 }] };
          net.command(shard, 'open', opening(name, start), undefined, 'service');
        }
        let last: Parameters<ShardNetwork['command']> | undefined;
        for (const [index, { kind, who, whom, which, price, overpays, waitMs, deliveries, reloads }] of acts.entries()) {
          const shard = PLAYERS[who] ?? ADA;
          const seller = PLAYERS[whom] ?? ADA;
          const op = `op${index}`;
          if (kind === 'sell') {
            const mine = net.driver(shard).rows(item);
            last = [
              shard,
              'sell',
              { itemId: mine[which % Math.max(1, mine.length)]?.itemId ?? 'none', buyout: price, durationMs: HOUR },
              op,
            ];
          } else if (kind === 'buyout' || kind === 'cancel') {
            const theirs = net.driver(kind === 'cancel' ? shard : seller).rows(listing);
            const row = theirs[which % Math.max(1, theirs.length)];
            const id = listingId(row?.id ?? rowId(4_000), kind === 'cancel' ? shard : seller);
            last = [
              shard,
              kind,
              { listingId: id, ...(kind === 'buyout' ? { price: Math.min(GOLD_MAX, Math.max(0, (row?.buyout ?? 5) + overpays)) } : {}) },
              op,
            ];
          } else if (kind === 'claim') {
            const entry = net.driver(shard).rows(completed)[which];
            last = [shard, 'claim', entry === undefined || which % 2 === 0 ? { all: true } : { entryId: entry.id }, op];
          } else if (kind === 'freeze') {
            net.command(shard, 'freeze', { frozen: which < 3 }, op, 'staff');
          }
          if (last !== undefined && kind !== 'freeze') net.command(...last);
          for (let delivery = 0; delivery < deliveries; delivery++) net.deliverOne();
          if (reloads) net.driver(shard).reload();
          net.wait(waitMs);
        }
        const onTheWay = faultsOf(net);
        net.settle();
        expect([...onTheWay, ...faultsOf(net)]).toEqual([]);
        for (const shard of PLAYERS) expect(net.driver(shard).rows(wallet)[0]?.held).toBe(0);
        const rest = PLAYERS.reduce((sum, shard) => {
          const row = net.driver(shard).rows(wallet)[0];
          return sum + BigInt(row?.gold ?? 0) + BigInt(row?.unclaimed ?? 0);
        }, 0n);
        const { minted, burned } = edgeOfWorld(net.lines);
        expect(rest).toBe(minted - burned);
      }),
      { numRuns: 120 },
    );
  });

  it('is checked by a twin that can tell: a coin too many, an item twice, a line that does not balance', () => {
    const net = marketNetwork(createPrng('twin'), [ADA], testRules());
    net.command(ADA, 'open', opening('ada', { gold: 10, items: 1 }), undefined, 'service');
    const driver = net.driver(ADA);
    const rows = (entity: string) => driver.shard.rows(entity);
    const [line] = net.lines;
    if (line === undefined) throw new Error('there is no line');
    const wrongGold = (entity: string) => (entity === 'wallet' ? [{ id: FIRST_ROW_ID, gold: 11, held: 0, unclaimed: 0 }] : rows(entity));
    const twice = (entity: string) => (entity === 'listing' ? rows('item') : rows(entity));
    const unbalanced = { ...line, entry: { ...line.entry, postings: line.entry.postings.slice(1) } };
    expect(faultsOfBooks([{ shard: ADA, rows }], net.lines, true)).toEqual([]);
    expect(faultsOfBooks([{ shard: ADA, rows: wrongGold }], net.lines, true)).toEqual([
      expect.stringContaining('has 11 of gold at wallet, and 10'),
    ]);
    expect(faultsOfBooks([{ shard: ADA, rows: twice }], net.lines, true)).toContain(
      'item ada-0 is at ada@europe.softcore stash and ada@europe.softcore listed',
    );
    const wrongBalance = { ...line, entry: { ...line.entry, balance: gold(9) } };
    expect(faultsOfBooks([{ shard: ADA, rows }], [wrongBalance], true)).toEqual([
      expect.stringContaining('tells a balance of 9 at wallet, where 10 is'),
    ]);
    expect(faultsOfBooks([{ shard: ADA, rows }], [unbalanced], false)).toEqual(
      expect.arrayContaining([expect.stringContaining('the world sums to')]),
    );
  });
});

describe('an operation that was refused', () => {
  it('and is asked again once nothing speaks against it, is done then, once', () => {
    const net = marketNetwork(createPrng('again'), [ADA, BOB], testRules());
    net.command(ADA, 'open', opening('ada', { items: 1 }), undefined, 'service');
    net.command(BOB, 'open', opening('bob', { gold: 500 }), undefined, 'service');
    net.command(ADA, 'sell', { itemId: 'ada-0', buyout: 100, durationMs: HOUR }, 'sell');
    const row = net.driver(ADA).rows(listing)[0]?.id ?? FIRST_ROW_ID;
    const buyout = [BOB, 'buyout', { listingId: listingId(row, ADA), price: 100 }, 'buy'] as const;
    net.command(BOB, 'freeze', { frozen: true }, 'freeze', 'staff');
    expect(net.command(...buyout).handled).toMatchObject({ kind: 'refusal', name: 'frozen' });
    net.command(BOB, 'freeze', { frozen: false }, 'thaw', 'staff');
    net.command(...buyout);
    net.settle();
    expect(net.replyTo(BOB, 'buy')).toMatchObject({ kind: 'answer', value: { itemId: 'ada-0', paid: 100 } });
    expect(net.command(...buyout).handled).toEqual(net.replyTo(BOB, 'buy'));
    expect(net.driver(BOB).rows(completed)).toHaveLength(1);
  });
});

describe('the numbers of the dupe', () => {
  const PRICES = [
    2 ** 31 - 1,
    2 ** 31,
    2 ** 31 + 1,
    1_705_032_704,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 32 + 1,
    6_000_000_000,
    100_000_000_000,
    2 ** 52,
    GOLD_MAX,
  ];

  function two(price: number, sellerGold = 0): ShardNetwork {
    const net = marketNetwork(createPrng('dupe'), [ADA, BOB], testRules());
    net.command(ADA, 'open', opening('ada', { gold: sellerGold }), undefined, 'service');
    net.command(BOB, 'open', opening('bob', { gold: price }), undefined, 'service');
    return net;
  }
  const goldOf = (net: ShardNetwork, shard: ShardId) => net.driver(shard).rows(wallet)[0];
  const sell = (net: ShardNetwork, price: number): string => {
    net.command(ADA, 'sell', { itemId: 'ada-0', buyout: price, durationMs: HOUR }, 'sell');
    return listingId(net.driver(ADA).rows(listing)[0]?.id ?? FIRST_ROW_ID, ADA);
  };

  it('an order of 600 at 10,000,000 each is 6,000,000,000, not 1,705,032,704', () => {
    expect(multiplyGold(gold(10_000_000), quantity(600))).toBe(6_000_000_000);
    expect(multiplyGold(gold(10_000_000), QUANTITY_MAX)).toBeUndefined();
    expect(multiplyGold(gold(2_097_152), QUANTITY_MAX)).toBe(9_007_199_252_643_840);
    expect(multiplyGold(gold(2_097_153), QUANTITY_MAX)).toBeUndefined();
  });

  it.each(PRICES)('at %d, an offer that is aborted gives back exactly what it took', (price) => {
    const net = two(price);
    const id = sell(net, price);
    net.command(ADA, 'cancel', { listingId: id }, 'cancel');
    net.command(BOB, 'buyout', { listingId: id, price }, 'buy');
    expect(goldOf(net, BOB)).toMatchObject({ gold: 0, held: price });
    net.driver(BOB).reload();
    net.settle();
    expect(nameOf(net.replyTo(BOB, 'buy'))).toBe('listing-gone');
    expect(goldOf(net, BOB)).toMatchObject({ gold: price, held: 0, unclaimed: 0 });
    expect(faultsOf(net)).toEqual([]);
  });

  it.each(PRICES)('at %d, an offer of too much gives back exactly the rest', (price) => {
    const net = two(price);
    const id = sell(net, Math.ceil(price / 3));
    net.command(BOB, 'buyout', { listingId: id, price }, 'buy');
    net.settle();
    expect(goldOf(net, BOB)).toMatchObject({ gold: price - Math.ceil(price / 3), held: 0 });
    expect(faultsOf(net)).toEqual([]);
  });

  it.each(PRICES)('at %d, a sale brings what the fee leaves, claimed to the coin', (price) => {
    const net = two(price);
    net.command(BOB, 'buyout', { listingId: sell(net, price), price }, 'buy');
    net.settle();
    net.command(ADA, 'claim', { all: true }, 'claim');
    const fee = Number((BigInt(price) * 15n) / 100n);
    expect(goldOf(net, ADA)).toMatchObject({ gold: price - fee, held: 0, unclaimed: 0 });
    expect(edgeOfWorld(net.lines)).toEqual({ minted: BigInt(price), burned: BigInt(fee) });
    expect(faultsOf(net)).toEqual([]);
  });

  it.each(PRICES)('at %d, cancelling and expiring give back the item and no gold', (price) => {
    for (const how of ['cancel', 'expire']) {
      const net = two(price, 5);
      const id = sell(net, price);
      if (how === 'cancel') net.command(ADA, 'cancel', { listingId: id }, 'cancel');
      else net.wait(HOUR);
      net.command(ADA, 'claim', { all: true }, 'claim');
      expect(goldOf(net, ADA)).toMatchObject({ gold: 5, held: 0, unclaimed: 0 });
      expect(
        net
          .driver(ADA)
          .rows(item)
          .map(({ itemId }) => itemId),
      ).toContain('ada-0');
      expect(faultsOf(net)).toEqual([]);
    }
  });

  it('a stack of 4,294,967,295 is that many, and a second one beside it is twice as many', () => {
    const net = marketNetwork(createPrng('stack'), [ADA], testRules());
    const stacks = [1, 2].map(() => ({ commodity: 'iron', quantity: QUANTITY_MAX }));
    net.command(ADA, 'open', opening('ada', { commodities: stacks }), undefined, 'service');
    expect(net.driver(ADA).rows(commodity)).toMatchObject([{ quantity: 8_589_934_590 }]);
    expect(balances(net.lines, ADA, 'stash').get('commodity:iron')).toBe(8_589_934_590);
  });
});
