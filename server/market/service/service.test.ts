/** Grants and charges: what they move, every refusal in its order, and each done once. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createPrng } from '#shared/prng.ts';
import { GOLD_MAX, QUANTITY_MAX } from '#shared/units.ts';
import type { Handled } from '#server/shard/message.ts';
import type { ShardNetwork } from '#server/trade/testing/shard-network.ts';
import { player as playerEntity } from '../account/opening.ts';
import { completed } from '../completed/completed.ts';
import { commodity, item } from '../goods/stash.ts';
import { wallet } from '../goods/wallet.ts';
import { ADA, BOB, buy, faultsOf, list, market, newOp } from '../testing/dealings.ts';
import { marketNetwork, testItem, testRules } from '../testing/market-bench.ts';

const STACK = 'star-iron';

const serve = (net: ShardNetwork, kind: 'grant' | 'charge', body: object, op = newOp()): Handled =>
  net.command(ADA, kind, { reason: 'a test', ...body }, op, 'service').handled;

/** What the player has at hand, and what waits. */
const at = (net: ShardNetwork) => ({
  gold: net.driver(ADA).rows(wallet)[0]?.gold,
  stash: net
    .driver(ADA)
    .rows(item)
    .map(({ itemId }) => itemId),
  stacks: Object.fromEntries(
    net
      .driver(ADA)
      .rows(commodity)
      .map((row) => [row.commodity, row.quantity]),
  ),
  completed: net
    .driver(ADA)
    .rows(completed)
    .map(({ entry, item: goods }) => [entry, goods?.value.id]),
});

const { id: _id, ...anItem } = testItem('any');

describe('a grant', () => {
  it('gives gold, items and commodities, and makes the player who has never come', () => {
    const net = marketNetwork(createPrng('grant'), [ADA]);
    const body = { gold: 70, items: [testItem('axe')], commodities: [{ commodity: STACK, quantity: 4 }] };
    expect(serve(net, 'grant', body)).toEqual({ kind: 'answer', value: { by: 'service', gold: 70, stash: ['axe'], completed: [] } });
    expect(at(net)).toEqual({ gold: 70, stash: ['axe'], stacks: { [STACK]: 4 }, completed: [] });
    expect(net.driver(ADA).rows(playerEntity)).toMatchObject([{ name: 'ada', frozen: false }]);
    expect(net.lines.map(({ entry }) => entry.cause)).toEqual(['granted']);
    expect(faultsOf(net)).toEqual([]);
  });

  it('is done once, and answered the same, after a reload too', () => {
    const net = market();
    const body = { gold: 5, items: [anItem] };
    const first = serve(net, 'grant', body, 'loot-1');
    net.driver(ADA).reload();
    expect(serve(net, 'grant', body, 'loot-1')).toEqual(first);
    expect(serve(net, 'grant', { ...body, gold: 6 }, 'loot-1')).toMatchObject({ name: 'op-reused' });
    expect(net.driver(ADA).rows(wallet)).toMatchObject([{ gold: 1_005 }]);
    expect(net.driver(ADA).rows(item)).toHaveLength(4);
  });

  it('makes an id for each item that has none, of which no two are equal', () => {
    const net = market(testRules(), { items: 0 });
    for (let time = 0; time < 3; time++) serve(net, 'grant', { items: [anItem, anItem] });
    const ids = at(net).stash;
    expect(new Set(ids).size).toBe(6);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{21}$/);
  });

  it('puts into the completed tab what finds no slot', () => {
    const net = market(testRules({ stashSlots: 4 }));
    expect(serve(net, 'grant', { items: ['x', 'y', 'z'].map((id) => testItem(id)) })).toMatchObject({
      value: { stash: ['x'], completed: ['y', 'z'] },
    });
    expect(at(net).completed).toEqual([
      ['granted', 'y'],
      ['granted', 'z'],
    ]);
    expect(faultsOf(net)).toEqual([]);
  });

  it('refuses an item that the player has, wherever it is', () => {
    const net = market(testRules(), { gold: 5_000 });
    list(net, ADA, 'ada-0', 100);
    buy(net, ADA, list(net, BOB, 'bob-0', 100), 100);
    for (const id of ['ada-0', 'ada-1', 'bob-0'])
      expect(serve(net, 'grant', { gold: 1, items: [testItem('new'), testItem(id)] })).toMatchObject({
        name: 'item-exists',
        details: { itemId: id },
      });
    expect(at(net).stash).not.toContain('new');
  });

  it.each([
    [{ items: [testItem('x', { baseId: 'no-such-base' })] }, 'items[0]: there is no base item no-such-base'],
    [{ items: [testItem('y'), testItem('x', { itemClass: 'helm' })] }, 'items[1]: sword-4 is of the class sword, not helm'],
    [{ items: [testItem('x', { level: 999 })] }, 'items[0]: no item has a level above 70'],
    [{ items: [testItem('x', { affixes: [{ id: 'nothing', value: 1 }] })] }, 'items[0]: there is no affix nothing'],
    [
      {
        items: [
          testItem('x', {
            affixes: [
              { id: 'might', value: 1 },
              { id: 'might', value: 2 },
            ],
          }),
        ],
      },
      'items[0]: the affix might is on it twice',
    ],
    [{ commodities: [{ commodity: 'nothing', quantity: 1 }] }, 'commodities[0]: there is no commodity nothing'],
  ])('refuses what the catalogue does not know: %#', (body, fault) => {
    const net = market();
    const before = at(net);
    expect(serve(net, 'grant', { gold: 1, ...body })).toMatchObject({ name: 'bad-request', details: { fault } });
    expect(at(net)).toEqual(before);
  });

  it('refuses more than there can be, and gives the last coin', () => {
    const net = market(testRules(), { gold: 10 });
    expect(serve(net, 'grant', { gold: GOLD_MAX - 9 })).toMatchObject({ name: 'gold-overflow' });
    expect(serve(net, 'grant', { gold: GOLD_MAX - 10 })).toMatchObject({ value: { gold: GOLD_MAX } });
    const start = { gold: 0, items: [], commodities: [{ commodity: STACK, quantity: Number.MAX_SAFE_INTEGER }] };
    const other = marketNetwork(createPrng('full'), [ADA]);
    other.command(ADA, 'open', { name: 'ada', start }, undefined, 'service');
    expect(serve(other, 'grant', { commodities: [{ commodity: STACK, quantity: QUANTITY_MAX }] })).toMatchObject({ name: 'stash-full' });
  });

  it('reaches a player who is frozen', () => {
    const net = market();
    net.command(ADA, 'freeze', { frozen: true }, newOp(), 'staff');
    expect(serve(net, 'grant', { gold: 1 })).toMatchObject({ kind: 'answer' });
    expect(serve(net, 'charge', { gold: 1 })).toMatchObject({ kind: 'answer' });
  });
});

describe('a charge', () => {
  it('takes gold, items and commodities out of the world', () => {
    const net = market();
    serve(net, 'grant', { commodities: [{ commodity: STACK, quantity: 9 }] });
    const body = { gold: 400, items: ['ada-1'], commodities: [{ commodity: STACK, quantity: 9 }] };
    const first = serve(net, 'charge', body, 'repair-1');
    expect(first).toEqual({ kind: 'answer', value: { by: 'service', gold: 600 } });
    expect(serve(net, 'charge', body, 'repair-1')).toEqual(first);
    expect(at(net)).toEqual({ gold: 600, stash: ['ada-0', 'ada-2'], stacks: {}, completed: [] });
    expect(faultsOf(net)).toEqual([]);
  });

  it.each([
    [{ gold: 1_001, items: ['ada-0'] }, 'not-enough-gold'],
    [{ gold: 1, items: ['ada-0', 'nobody'] }, 'no-such-item'],
    [{ gold: 1, items: ['ada-0'], commodities: [{ commodity: STACK, quantity: 1 }] }, 'not-enough-goods'],
  ])('takes all or nothing: %#', (body, name) => {
    const net = market();
    const before = at(net);
    expect(serve(net, 'charge', body)).toMatchObject({ name });
    expect(at(net)).toEqual(before);
  });

  it('takes nothing that is held, listed or not claimed yet', () => {
    const net = market();
    const bought = list(net, BOB, 'bob-0', 100);
    list(net, ADA, 'ada-0', 100);
    net.command(ADA, 'buyout', { listingId: bought, price: 300 }, newOp());
    expect(net.driver(ADA).rows(wallet)).toMatchObject([{ gold: 700, held: 300 }]);
    expect(serve(net, 'charge', { gold: 701 })).toMatchObject({ name: 'not-enough-gold', details: { gold: 700 } });
    expect(serve(net, 'charge', { items: ['ada-0'] })).toMatchObject({ name: 'no-such-item' });
    net.settle();
    expect(serve(net, 'charge', { items: ['bob-0'] })).toMatchObject({ name: 'no-such-item' });
    expect(faultsOf(net)).toEqual([]);
  });
});

describe('players and staff', () => {
  it.each(['client', 'staff'] as const)('can neither grant nor charge as %s', (issuer) => {
    const net = market();
    for (const kind of ['grant', 'charge'])
      expect(net.command(ADA, kind, { gold: 1, reason: 'mine' }, newOp(), issuer).handled).toMatchObject({ name: 'unauthorized' });
  });
});

it('whatever is granted and charged, the books are right', () => {
  const amounts = fc.record({ gold: fc.nat(400), items: fc.nat(3), stack: fc.nat(5), isGrant: fc.boolean(), isRepeated: fc.boolean() });
  fc.assert(
    fc.property(fc.array(amounts, { maxLength: 30 }), (steps) => {
      const net = market(testRules({ stashSlots: 6 }));
      for (const { gold, items, stack, isGrant, isRepeated } of steps) {
        const commodities = stack === 0 ? [] : [{ commodity: STACK, quantity: stack }];
        const goods = isGrant ? Array.from({ length: items }, () => anItem) : at(net).stash.slice(0, items);
        const [op, kind] = [newOp(), isGrant ? 'grant' : 'charge'] as const;
        const first = serve(net, kind, { gold, items: goods, commodities }, op);
        if (isRepeated && first.kind === 'answer') expect(serve(net, kind, { gold, items: goods, commodities }, op)).toEqual(first);
      }
      expect(faultsOf(net)).toEqual([]);
    }),
    { numRuns: 60 },
  );
});
