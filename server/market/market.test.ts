/** Every refusal of every command of the market in its order of precedence, exact numbers, and the times of both profiles. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { listingId } from '#shared/address.ts';
import { createPrng } from '#shared/prng.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { FIRST_ROW_ID, gold, GOLD_MAX, instant, rowId, type ShardId } from '#shared/units.ts';
import { Json } from '#server/shard/json.ts';
import { hold } from '#server/trade/entities.ts';
import type { Offer } from '#server/trade/messages.ts';
import type { Handled } from '#server/shard/message.ts';
import type { ShardNetwork } from '#server/trade/testing/shard-network.ts';
import { player as playerEntity } from './account/opening.ts';
import { completed } from './completed/completed.ts';
import { commodity, item } from './goods/stash.ts';
import { wallet } from './goods/wallet.ts';
import { listing } from './listing/listing.ts';
import { ADA, BOB, buy, faultsOf, HOUR, list, market, newOp, open, sell } from './testing/dealings.ts';
import { catalogueWithBound, marketNetwork, nameOf, player, testItem, testMarket, testRules } from './testing/market-bench.ts';

const walletOf = (net: ShardNetwork, shard: ShardId) => {
  const [row] = net.driver(shard).rows(wallet);
  return row === undefined ? undefined : { gold: row.gold, held: row.held, unclaimed: row.unclaimed };
};
const entriesOf = (net: ShardNetwork, shard: ShardId) =>
  net
    .driver(shard)
    .rows(completed)
    .map(({ entry, item: goods, gold: amount }) => [entry, goods?.value.id ?? amount]);

describe('open', () => {
  it('creates the shard with its start goods, once', () => {
    const net = marketNetwork(createPrng('open'), [ADA]);
    expect(open(net, ADA, { gold: 500, items: 2, commodities: [{ commodity: 'iron', quantity: 7 }] })).toMatchObject({
      value: { created: true },
    });
    expect(open(net, ADA, { gold: 500, items: 2 })).toMatchObject({ value: { created: false } });
    expect(walletOf(net, ADA)).toEqual({ gold: 500, held: 0, unclaimed: 0 });
    expect(
      net
        .driver(ADA)
        .rows(item)
        .map(({ itemId }) => itemId),
    ).toEqual(['ada-0', 'ada-1']);
    expect(net.driver(ADA).rows(commodity)).toMatchObject([{ commodity: 'iron', quantity: 7 }]);
    expect(faultsOf(net)).toEqual([]);
  });

  it('takes a new name from a player who was here before', () => {
    const net = market();
    net.command(ADA, 'open', { name: 'Ada the Second' }, undefined, 'service');
    expect(net.driver(ADA).rows(playerEntity)).toMatchObject([{ name: 'Ada the Second', frozen: false }]);
  });

  it('takes all the gold that there can be, and refuses one coin more', () => {
    const net = marketNetwork(createPrng('open'), [ADA, BOB]);
    expect(nameOf(open(net, ADA, { gold: GOLD_MAX }) as never)).toBe('answer');
    const tooMuch = { name: 'bob', start: { gold: GOLD_MAX + 1, items: [], commodities: [] } };
    expect(net.command(BOB, 'open', tooMuch, undefined, 'service').handled).toMatchObject({ name: 'gold-overflow' });
    expect(net.driver(BOB).shard.header.version).toBe(0);
  });

  it('puts an item into the world only once', () => {
    const net = marketNetwork(createPrng('open'), [ADA]);
    const twice = { name: 'ada', start: { gold: gold(0), items: [testItem('x'), testItem('x')], commodities: [] } };
    expect(net.command(ADA, 'open', twice, undefined, 'service').failed?.message).toContain('item.itemId is already x');
    expect(net.driver(ADA).shard.header.version).toBe(0);
  });
});

describe('sell', () => {
  it('moves the item from the stash into a listing, and shows the fees before', () => {
    const net = market();
    const handled = sell(net, ADA, { itemId: 'ada-0', buyout: 1_000, durationMs: HOUR });
    expect(handled).toMatchObject({ value: { endsAt: net.now + HOUR, fees: [{ name: 'sale', rate: 1_500, gold: 150 }] } });
    expect(net.driver(ADA).rows(item)).toHaveLength(2);
    expect(net.driver(ADA).rows(listing)).toMatchObject([
      { item: { value: { id: 'ada-0' } }, buyout: 1_000, startsAt: net.now, endsAt: net.now + HOUR },
    ]);
    expect(faultsOf(net)).toEqual([]);
  });

  /** Each row is wrong in its own way and in every way below it: what is told is the first. */
  it('refuses in its order of precedence', () => {
    const rules = testRules({ listingsPerPlayerMax: 1, completedShown: 1, gold: { priceMin: 10, priceMax: 99 }, durationMaxMs: HOUR });
    const net = market(rules);
    const isWrongIn = { itemId: 'nobody-has-it', buyout: 5, durationMs: HOUR + 1 };
    const told = [sell(net, ADA, { ...isWrongIn, itemId: 'ada-1', buyout: 50 }), sell(net, ADA, { ...isWrongIn, itemId: 'ada-1' })];
    net.driver(ADA).reload(testMarket({ rules, catalogue: catalogueWithBound('sword-4') }));
    told.push(sell(net, ADA, { ...isWrongIn, itemId: 'ada-1' }), sell(net, ADA, isWrongIn));
    net.driver(ADA).reload(testMarket({ rules }));
    list(net, ADA, 'ada-0', 50);
    told.push(sell(net, ADA, isWrongIn));
    net.command(ADA, 'cancel', { listingId: listingId(net.driver(ADA).rows(listing)[0]?.id ?? FIRST_ROW_ID, ADA) }, newOp());
    told.push(sell(net, ADA, isWrongIn));
    told.push(sell(net, ADA, { ...isWrongIn, startBid: 3 }), sell(net, ADA, { itemId: 'ada-1' }));
    net.command(ADA, 'freeze', { frozen: true }, newOp(), 'staff');
    told.push(sell(net, ADA, { ...isWrongIn, startBid: 3 }));
    expect(told.map((handled) => nameOf(handled as never))).toEqual([
      'duration-not-allowed',
      'price-out-of-range',
      'item-not-tradable',
      'no-such-item',
      'listing-limit',
      'completed-full',
      'bad-request',
      'bad-request',
      'frozen',
    ]);
  });

  it('holds to the bounds of price and duration exactly', () => {
    const net = market(
      testRules({ gold: { priceMin: 10, priceMax: 99 }, durationMinMs: 1_000, durationMaxMs: HOUR, durationDefaultMs: 2_000 }),
      { items: 9 },
    );
    const tried: readonly (readonly [number, number, string])[] = [
      [9, 1_000, 'price-out-of-range'],
      [10, 1_000, 'answer'],
      [99, HOUR, 'answer'],
      [100, HOUR, 'price-out-of-range'],
      [50, 999, 'duration-not-allowed'],
      [50, HOUR + 1, 'duration-not-allowed'],
    ];
    for (const [index, [buyout, durationMs, told]] of tried.entries()) {
      expect(nameOf(sell(net, ADA, { itemId: `ada-${index}`, buyout, durationMs }) as never)).toBe(told);
    }
  });

  it('takes the eleventh only when one of the ten is gone', () => {
    const net = market(testRules(), { items: 12 });
    const ids = Array.from({ length: 10 }, (_, index) => list(net, ADA, `ada-${index}`, 100));
    expect(sell(net, ADA, { itemId: 'ada-10', buyout: 100 })).toMatchObject({ name: 'listing-limit', details: { max: 10 } });
    buy(net, BOB, ids[3] ?? '', 100);
    expect(nameOf(sell(net, ADA, { itemId: 'ada-10', buyout: 100 }) as never)).toBe('answer');
  });

  it('cannot list one item twice (T8)', () => {
    const net = market();
    list(net, ADA, 'ada-0', 100);
    expect(sell(net, ADA, { itemId: 'ada-0', buyout: 100 })).toMatchObject({ name: 'no-such-item' });
  });

  it('is refused at 50 completed entries, and only that is', () => {
    const net = market(testRules({ stashSlots: 80, listingsPerPlayerMax: 60 }), { items: 60 });
    for (let index = 0; index < 50; index++) {
      const id = list(net, ADA, `ada-${index}`, 100);
      net.command(ADA, 'cancel', { listingId: id }, newOp());
    }
    expect(sell(net, ADA, { itemId: 'ada-50', buyout: 100 })).toMatchObject({ name: 'completed-full' });
    const other = list(net, BOB, 'bob-0', 100);
    expect(nameOf(buy(net, ADA, other, 100))).toBe('answer');
    expect(entriesOf(net, ADA)).toHaveLength(51);
    net.command(ADA, 'claim', { entryId: net.driver(ADA).rows(completed)[0]?.id }, newOp());
    expect(sell(net, ADA, { itemId: 'ada-50', buyout: 100 })).toMatchObject({ name: 'completed-full' });
    net.command(ADA, 'claim', { entryId: net.driver(ADA).rows(completed)[0]?.id }, newOp());
    expect(nameOf(sell(net, ADA, { itemId: 'ada-50', buyout: 100 }) as never)).toBe('answer');
  });
});

describe('the fee', () => {
  it.each([
    [1, 0],
    [6, 0],
    [7, 1],
    [99, 14],
    [100, 15],
    [101, 15],
    [2 ** 31, 322_122_547],
    [2 ** 32, 644_245_094],
    [6_000_000_000, 900_000_000],
    [100_000_000_000, 15_000_000_000],
  ])('of a sale at %d is %d: 15 %%, rounded down, and is burned', (price, fee) => {
    const net = marketNetwork(createPrng('fee'), [ADA, BOB], testRules());
    open(net, ADA, { gold: 0 });
    open(net, BOB, { gold: price });
    expect(nameOf(buy(net, BOB, list(net, ADA, 'ada-0', price), price))).toBe('answer');
    expect(net.driver(ADA).rows(completed)).toMatchObject([
      { entry: 'sold', gold: price - fee, fees: Json.of([{ name: 'sale', rate: 1_500, gold: fee }]) },
    ]);
    expect(walletOf(net, ADA)).toEqual({ gold: 0, held: 0, unclaimed: price - fee });
    expect(walletOf(net, BOB)).toEqual({ gold: 0, held: 0, unclaimed: 0 });
    expect(faultsOf(net)).toEqual([]);
  });

  it('is nothing for what does not sell', () => {
    const net = market();
    list(net, ADA, 'ada-0', 1_000);
    net.wait(HOUR);
    expect(walletOf(net, ADA)).toEqual({ gold: 1_000, held: 0, unclaimed: 0 });
    expect(net.driver(ADA).rows(completed)).toMatchObject([{ entry: 'expired', fees: Json.of([]) }]);
  });

  it('may differ by item class', () => {
    const net = market(testRules({ gold: { byItemClass: { sword: { saleFeeBasisPoints: 0 } } } }));
    buy(net, BOB, list(net, ADA, 'ada-0', 1_000), 1_000);
    expect(net.driver(ADA).rows(completed)).toMatchObject([{ gold: 1_000, fees: Json.of([]) }]);
  });
});

describe('buyout', () => {
  it('gives the item to the buyer and the price, less the fee, to the seller', () => {
    const net = market();
    expect(buy(net, BOB, list(net, ADA, 'ada-0', 400), 400)).toMatchObject({ kind: 'answer', value: { itemId: 'ada-0', paid: 400 } });
    expect(entriesOf(net, BOB)).toEqual([['bought', 'ada-0']]);
    expect(entriesOf(net, ADA)).toEqual([['sold', 340]]);
    net.settle();
    expect(faultsOf(net)).toEqual([]);
  });

  it('never takes more than the listing costs, whatever the buyer would have paid', () => {
    const net = market();
    expect(buy(net, BOB, list(net, ADA, 'ada-0', 400), 900)).toMatchObject({ value: { paid: 400 } });
    expect(walletOf(net, BOB)).toEqual({ gold: 600, held: 0, unclaimed: 0 });
    net.settle();
    expect(faultsOf(net)).toEqual([]);
  });

  it('refuses at the buyer in its order of precedence', () => {
    const net = market();
    const own = list(net, BOB, 'bob-0', 5_000);
    const told = ['nonsense', `7.x@mars.softcore`, `7.ada@europe.hardcore`, `7.ada@asia.softcore`, own, list(net, ADA, 'ada-0', 5_000)].map(
      (id) => nameOf(buy(net, BOB, id, 5_000)),
    );
    expect(told).toEqual(['listing-gone', 'listing-gone', 'listing-gone', 'listing-gone', 'own-listing', 'not-enough-gold']);
    net.command(BOB, 'freeze', { frozen: true }, newOp(), 'staff');
    expect(nameOf(buy(net, BOB, 'nonsense', 1))).toBe('frozen');
    expect(net.driver(BOB).rows(hold)).toEqual([]);
    expect(faultsOf(net)).toEqual([]);
  });

  it('is aborted at the seller in its order of precedence, and all gold comes back', () => {
    const net = marketNetwork(createPrng('abort'), [ADA, BOB], testRules({ startDelayMs: 60_000 }));
    open(net, ADA, { gold: GOLD_MAX });
    open(net, BOB);
    const id = list(net, ADA, 'ada-0', 500, { durationMs: HOUR });
    const told: string[] = [];
    net.wait(59_999);
    told.push(nameOf(buy(net, BOB, id, 499)));
    net.wait(1);
    told.push(nameOf(buy(net, BOB, id, 499)), nameOf(buy(net, BOB, id, 500)), nameOf(buy(net, BOB, listingId(rowId(999), ADA), 500)));
    net.command(ADA, 'freeze', { frozen: true }, newOp(), 'staff');
    told.push(nameOf(buy(net, BOB, id, 499)));
    net.command(ADA, 'freeze', { frozen: false }, newOp(), 'staff');
    net.wait(HOUR);
    told.push(nameOf(buy(net, BOB, id, 500)));
    expect(told).toEqual(['listing-not-started', 'price-changed', 'seller-gold-overflow', 'listing-gone', 'listing-gone', 'listing-gone']);
    expect(walletOf(net, BOB)).toEqual({ gold: 1_000, held: 0, unclaimed: 0 });
    net.settle();
    expect(faultsOf(net)).toEqual([]);
  });

  it('goes to one of many buyers, and the others get everything back', () => {
    const buyers = Array.from({ length: 8 }, (_, index) => player(`buyer${index}`));
    const net = marketNetwork(createPrng('race'), [ADA, ...buyers]);
    for (const shard of [ADA, ...buyers]) open(net, shard);
    const id = list(net, ADA, 'ada-0', 700);
    for (const shard of buyers) net.command(shard, 'buyout', { listingId: id, price: 700 }, 'buy');
    net.settle();
    const told = buyers.map((shard) => nameOf(net.replyTo(shard, 'buy')));
    expect(told.toSorted()).toEqual(['answer', ...Array.from({ length: 7 }, () => 'listing-gone')]);
    expect(buyers.map((shard) => walletOf(net, shard)?.gold).toSorted()).toEqual(
      [300, ...Array.from({ length: 7 }, () => 1_000)].toSorted(),
    );
    expect(faultsOf(net)).toEqual([]);
  });

  it('is told the seller’s word also if the listing ends while the offer is under way', () => {
    const net = market();
    const id = list(net, ADA, 'ada-0', 400);
    net.command(BOB, 'buyout', { listingId: id, price: 400 }, 'buy');
    net.command(ADA, 'cancel', { listingId: id }, newOp());
    net.settle();
    expect(nameOf(net.replyTo(BOB, 'buy'))).toBe('listing-gone');
    expect(entriesOf(net, ADA)).toEqual([['cancelled', 'ada-0']]);
    expect(faultsOf(net)).toEqual([]);
  });

  it.each([
    [HOUR - 1, { kind: 'committed' }],
    [HOUR, { kind: 'aborted', reason: 'listing-gone' }],
  ])('of a listing for an hour is decided by the clock, whether its alarm has rung or not: after %d ms', (afterMs, verdict) => {
    const net = market();
    const id = list(net, ADA, 'ada-0', 400, { durationMs: HOUR });
    net.command(BOB, 'buyout', { listingId: id, price: 400 }, 'buy');
    const [letter] = net.intercept();
    const offer = { ...(JSON.parse(letter?.text ?? '') as Offer), offerUntil: instant(net.now + 2 * HOUR) };
    const seller = net.driver(ADA);
    seller.wait(afterMs);
    expect(seller.send(offer).emitted).toMatchObject([{ message: { verdict } }]);
  });

  it('across regions is possible only where the market is the world, and never across modes', () => {
    const asian = 'ada@asia.softcore' as ShardId;
    const hard = 'ada@europe.hardcore' as ShardId;
    const told = (['region', 'world'] as const).map((marketScope) => {
      const net = marketNetwork(createPrng('scope'), [BOB, asian, hard], testRules({ marketScope }));
      for (const shard of [BOB, asian, hard]) open(net, shard);
      return [asian, hard].map((seller) => nameOf(buy(net, BOB, list(net, seller, 'ada-0', 100), 100)));
    });
    expect(told).toEqual([
      ['listing-gone', 'listing-gone'],
      ['answer', 'listing-gone'],
    ]);
  });
});

describe('a seller with almost all the gold that there can be', () => {
  it.each([
    [15, 'answer'],
    [14, 'seller-gold-overflow'],
  ])('and room for %d more: a sale that brings 15 coins ends with %s', (room, told) => {
    const net = marketNetwork(createPrng('overflow'), [ADA, BOB], testRules());
    open(net, ADA, { gold: GOLD_MAX - room });
    open(net, BOB);
    expect(nameOf(buy(net, BOB, list(net, ADA, 'ada-0', 17), 17))).toBe(told);
    net.settle();
    expect(faultsOf(net)).toEqual([]);
  });

  it('counts what is held and what is unclaimed', () => {
    const net = marketNetwork(createPrng('overflow'), [ADA, BOB], testRules());
    open(net, ADA, { gold: GOLD_MAX - 20 });
    open(net, BOB, { gold: 5_000 });
    net.command(ADA, 'buyout', { listingId: list(net, BOB, 'bob-0', 4_000), price: 4_000 }, newOp());
    net.intercept();
    expect(nameOf(buy(net, BOB, list(net, ADA, 'ada-0', 17), 17))).toBe('answer');
    expect(nameOf(buy(net, BOB, list(net, ADA, 'ada-1', 17), 17))).toBe('seller-gold-overflow');
    net.settle();
    expect(faultsOf(net)).toEqual([]);
  });
});

describe('cancel', () => {
  it('returns the item to the completed tab', () => {
    const net = market();
    const id = list(net, ADA, 'ada-0', 100);
    expect(net.command(ADA, 'cancel', { listingId: id }, newOp()).handled).toMatchObject({ value: { item: { id: 'ada-0' } } });
    expect(entriesOf(net, ADA)).toEqual([['cancelled', 'ada-0']]);
    expect(net.driver(ADA).rows(listing)).toEqual([]);
    expect(faultsOf(net)).toEqual([]);
  });

  it('is refused for what is not there, not one’s own, sold, or past its window', () => {
    const net = market(testRules({ cancelWindowMs: 60_000 }));
    const others = list(net, BOB, 'bob-0', 100);
    const sold = list(net, ADA, 'ada-0', 100);
    buy(net, BOB, sold, 100);
    const id = list(net, ADA, 'ada-1', 100);
    const cancel = (listed: string) => nameOf(net.command(ADA, 'cancel', { listingId: listed }, newOp()).handled as never);
    expect(['nonsense', others, sold, listingId(rowId(999), ADA)].map(cancel)).toEqual([
      'listing-gone',
      'listing-gone',
      'listing-gone',
      'listing-gone',
    ]);
    net.wait(60_001);
    expect(cancel(id)).toBe('cancel-window-over');
  });

  it('is taken at the last instant of the window', () => {
    const net = market(testRules({ cancelWindowMs: 60_000 }));
    const id = list(net, ADA, 'ada-0', 100);
    net.wait(60_000);
    expect(nameOf(net.command(ADA, 'cancel', { listingId: id }, newOp()).handled as never)).toBe('answer');
  });
});

describe('listing', () => {
  it('is shown as its owner knows it, until it ends', () => {
    const net = market();
    const id = list(net, ADA, 'ada-0', 100, { durationMs: HOUR });
    const show = () => net.command(ADA, 'listing', { listingId: id }).handled;
    expect(show()).toMatchObject({ value: { listing: { id, item: { id: 'ada-0' }, buyout: 100, mine: false } } });
    net.wait(HOUR - 1);
    expect(nameOf(show() as never)).toBe('answer');
    net.wait(1);
    expect(nameOf(show() as never)).toBe('listing-gone');
    expect(nameOf(net.command(ADA, 'listing', { listingId: 'nonsense' }).handled as never)).toBe('listing-gone');
  });
});

describe('expiry', () => {
  it('ends a listing by its alarm, at its time, once', () => {
    const net = market();
    list(net, ADA, 'ada-0', 100, { durationMs: HOUR });
    net.wait(HOUR - 1);
    expect(net.driver(ADA).rows(listing)).toHaveLength(1);
    net.wait(1);
    net.wait(HOUR);
    expect(entriesOf(net, ADA)).toEqual([['expired', 'ada-0']]);
    expect(net.driver(ADA).shard.header.wakeAt).toBe(0);
    expect(faultsOf(net)).toEqual([]);
  });

  it('comes also when the shard was not there at the time', () => {
    const net = market();
    list(net, ADA, 'ada-0', 100, { durationMs: HOUR });
    net.driver(ADA).reload();
    expect(net.driver(ADA).shard.header.wakeAt).toBe(net.now + HOUR);
    net.wait(100 * HOUR);
    expect(entriesOf(net, ADA)).toEqual([['expired', 'ada-0']]);
  });
});

describe('claim', () => {
  let net: ShardNetwork;
  beforeEach(() => {
    net = market(testRules({ stashSlots: 3 }), { items: 3 });
    buy(net, BOB, list(net, ADA, 'ada-0', 100), 100);
    list(net, ADA, 'ada-1', 100, { durationMs: HOUR });
    net.wait(HOUR);
    net.settle();
  });
  const claim = (shard: ShardId, body: object) => net.command(shard, 'claim', body, newOp()).handled;

  it('moves gold to the wallet and items to the stash, all at once', () => {
    const [sold, expired] = net.driver(ADA).rows(completed);
    expect(claim(ADA, { all: true })).toMatchObject({
      value: { claimed: [sold?.id, expired?.id], gold: 85, items: ['ada-1'], commodities: [], left: [] },
    });
    expect(walletOf(net, ADA)).toEqual({ gold: 1_085, held: 0, unclaimed: 0 });
    expect(
      net
        .driver(ADA)
        .rows(item)
        .map(({ itemId }) => itemId),
    ).toEqual(['ada-2', 'ada-1']);
    expect(faultsOf(net)).toEqual([]);
  });

  it('is not remembered by its op where it found nothing', () => {
    const op = newOp();
    const claimAgain = (): Handled => net.command(ADA, 'claim', { all: true }, op).handled;
    claim(ADA, { all: true });
    const nothing = { value: { claimed: [], gold: 0, items: [] } };
    expect([claimAgain(), claimAgain()]).toMatchObject([nothing, nothing]);
    buy(net, BOB, list(net, ADA, 'ada-2', 100), 100);
    const found = claimAgain();
    expect(found).toMatchObject({ value: { gold: 85 } });
    expect([claimAgain(), walletOf(net, ADA)?.gold]).toEqual([found, 1_170]);
  });

  it('or one entry only', () => {
    const [sold, expired] = net.driver(ADA).rows(completed);
    expect(claim(ADA, { entryId: sold?.id })).toMatchObject({ value: { claimed: [sold?.id], gold: 85, items: [] } });
    expect(
      net
        .driver(ADA)
        .rows(completed)
        .map(({ id }) => id),
    ).toEqual([expired?.id]);
    expect(claim(ADA, { entryId: sold?.id })).toMatchObject({ name: 'no-such-entry' });
    expect(claim(ADA, { entryId: 999 })).toMatchObject({ name: 'no-such-entry' });
    expect(faultsOf(net)).toEqual([]);
  });

  it('leaves what does not fit, says why, and takes the rest', () => {
    buy(net, BOB, list(net, ADA, 'ada-2', 100), 100);
    expect(net.driver(BOB).rows(item)).toHaveLength(3);
    const entries = net.driver(BOB).rows(completed);
    expect(claim(BOB, { all: true })).toMatchObject({
      value: { claimed: [], items: [], left: entries.map(({ id }) => ({ entryId: id, reason: 'stash-full' })) },
    });
    expect(claim(BOB, { entryId: entries[0]?.id })).toMatchObject({ name: 'stash-full' });
    list(net, BOB, 'bob-0', 100);
    expect(claim(BOB, { all: true })).toMatchObject({
      value: { items: ['ada-0'], left: [{ entryId: entries[1]?.id, reason: 'stash-full' }] },
    });
    expect(net.driver(BOB).rows(item)).toHaveLength(3);
    net.settle();
    expect(faultsOf(net)).toEqual([]);
  });

  it('takes gold although the stash is full', () => {
    buy(net, ADA, list(net, BOB, 'bob-0', 100), 100);
    claim(BOB, { all: true });
    expect(walletOf(net, BOB)?.unclaimed).toBe(0);
  });

  it('of nothing is an answer that says so', () => {
    claim(ADA, { all: true });
    expect(claim(ADA, { all: true })).toMatchObject({ value: { claimed: [], gold: 0, items: [], left: [] } });
  });

  it('takes at most 50 entries at once, the oldest first', () => {
    const many = marketNetwork(createPrng('many'), [ADA, BOB], testRules({ listingsPerPlayerMax: 60, completedShown: 200 }));
    open(many, ADA, { items: 60 });
    open(many, BOB);
    const listed = Array.from({ length: 60 }, (_, index) => list(many, ADA, `ada-${index}`, 10));
    for (const id of listed) buy(many, BOB, id, 10);
    const { handled } = many.command(ADA, 'claim', { all: true }, newOp());
    expect((handled as { readonly value: { readonly claimed: readonly number[] } }).value.claimed).toHaveLength(50);
    expect(many.driver(ADA).rows(completed)).toHaveLength(10);
    many.settle();
    expect(faultsOf(many)).toEqual([]);
  });
});

describe('the profile diablo3', () => {
  const MINUTE = 60_000;
  const rich = { gold: 1_000_000, items: 12 };

  it('asks 100 to 100,000,000,000 for exactly 48 hours', () => {
    const net = market(RULES_PROFILES.diablo3, rich);
    const told = [
      { buyout: 99 },
      { buyout: 100 },
      { buyout: 100_000_000_000 },
      { buyout: 100_000_000_001 },
      { buyout: 100, durationMs: HOUR },
      { buyout: 100, durationMs: 48 * HOUR },
    ].map((body, index) => nameOf(sell(net, ADA, { itemId: `ada-${index}`, ...body }) as never));
    expect(told).toEqual(['price-out-of-range', 'answer', 'answer', 'price-out-of-range', 'duration-not-allowed', 'answer']);
  });

  it('lets a listing be cancelled in its first five minutes, and bought from then on', () => {
    const net = market(RULES_PROFILES.diablo3, rich);
    const [first, second] = [list(net, ADA, 'ada-0', 500), list(net, ADA, 'ada-1', 500)];
    net.wait(5 * MINUTE - 1);
    expect(nameOf(buy(net, BOB, first, 500))).toBe('listing-not-started');
    expect(nameOf(net.command(ADA, 'cancel', { listingId: second }, newOp()).handled as never)).toBe('answer');
    net.wait(2);
    expect(nameOf(net.command(ADA, 'cancel', { listingId: first }, newOp()).handled as never)).toBe('cancel-window-over');
    expect(nameOf(buy(net, BOB, first, 500))).toBe('answer');
  });

  it('lets it stand for 48 hours from its start', () => {
    const net = market(RULES_PROFILES.diablo3, rich);
    list(net, ADA, 'ada-0', 500);
    expect(net.driver(ADA).rows(listing)[0]?.endsAt).toBe(net.now + 5 * MINUTE + 48 * HOUR);
  });

  it('takes ten listings and no more', () => {
    const net = market(RULES_PROFILES.diablo3, rich);
    for (let index = 0; index < 10; index++) list(net, ADA, `ada-${index}`, 500);
    expect(sell(net, ADA, { itemId: 'ada-10', buyout: 500 })).toMatchObject({ name: 'listing-limit' });
  });
});

describe('freeze', () => {
  const freeze = (net: ShardNetwork, shard: ShardId, frozen: boolean) => net.command(shard, 'freeze', { frozen }, newOp(), 'staff').handled;

  it('refuses every command that changes something, and answers reads', () => {
    const net = market();
    const id = list(net, ADA, 'ada-0', 100);
    freeze(net, ADA, true);
    const told = [
      sell(net, ADA, { itemId: 'ada-1', buyout: 5 }),
      ...(['cancel', 'buyout', 'claim'] as const).map(
        (kind) => net.command(ADA, kind, { listingId: id, price: 5, all: true }, newOp()).handled,
      ),
    ];
    expect(told.map((handled) => nameOf(handled as never))).toEqual(['frozen', 'frozen', 'frozen', 'frozen']);
    expect(nameOf(net.command(ADA, 'listing', { listingId: id }).handled as never)).toBe('answer');
    freeze(net, ADA, false);
    expect(nameOf(sell(net, ADA, { itemId: 'ada-1', buyout: 5 }) as never)).toBe('answer');
  });

  it('makes new offers abort, while outcomes, settlements and alarms pass', () => {
    const net = market();
    const first = list(net, ADA, 'ada-0', 100, { durationMs: HOUR });
    const second = list(net, BOB, 'bob-0', 100);
    net.command(ADA, 'buyout', { listingId: second, price: 100 }, 'buy');
    freeze(net, ADA, true);
    expect(nameOf(buy(net, BOB, first, 100))).toBe('listing-gone');
    net.settle();
    expect(nameOf(net.replyTo(ADA, 'buy'))).toBe('answer');
    net.wait(HOUR);
    expect(entriesOf(net, ADA)).toEqual([
      ['bought', 'bob-0'],
      ['expired', 'ada-0'],
    ]);
    expect(faultsOf(net)).toEqual([]);
  });

  it('answers the repeat of an operation that was done before', () => {
    const net = market();
    const body = { itemId: 'ada-0', buyout: 100 };
    const first = net.command(ADA, 'sell', body, 'same').handled;
    freeze(net, ADA, true);
    expect(net.command(ADA, 'sell', body, 'same').handled).toEqual(first);
  });

  it('is for staff alone', () => {
    const net = market();
    for (const issuer of ['client', 'service'] as const) {
      expect(net.command(ADA, 'freeze', { frozen: true }, newOp(), issuer).handled).toMatchObject({ name: 'unauthorized' });
    }
  });
});
