/** Trades between two nodes, either of which may be killed at any moment; and commands that enter at the wrong one. */
import { describe, expect, it } from '@jest/globals';
import { limits } from '#shared/limits.ts';
import { listingId } from '#shared/address.ts';
import { createPrng } from '#shared/prng.ts';
import { refusal } from '#shared/refusals.ts';
import { nodeName, rowId, type ShardId } from '#shared/units.ts';
import { faultsOfBooks } from '#server/market/testing/books.ts';
import { nameOf } from '#server/market/testing/market-bench.ts';
import { outcomeOfPacket, packetKind } from './testing/packets.ts';
import { COMMIT_MS, playerOn, TwoNodes, type Asked } from './testing/two-nodes.ts';

const BUYER = playerOn('one', 'buyer');
const SELLER = playerOn('two', 'seller');
const BOTH: readonly ShardId[] = [BUYER, SELLER];

async function withListing(options: Parameters<typeof TwoNodes.open>[0] = {}): Promise<{ readonly world: TwoNodes; readonly id: string }> {
  const world = await TwoNodes.open(options);
  await world.create(BOTH);
  const name = SELLER.split('@')[0] ?? '';
  const sold = world.ask(SELLER, 'sell', { itemId: `${name}-0`, buyout: 400 }, 'sell');
  await world.run(200);
  if (sold.reply?.kind !== 'answer') throw new Error('not listed');
  return { world, id: (sold.reply.value as { readonly listingId: string }).listingId };
}

const buy = (world: TwoNodes, id: string, op = 'buy', at?: 'one' | 'two'): Asked =>
  world.ask(BUYER, 'buyout', { listingId: id, price: 500 }, op, at);

async function wallet(world: TwoNodes, shard: ShardId): Promise<object> {
  const { id: _id, ...parts } = (await world.rows(shard))('wallet')[0] ?? { id: 0 };
  return parts;
}

/** What must hold once nothing is under way: the books are right, and the trade ended as told. */
async function expectEnd(world: TwoNodes, how: 'sold' | 'unsold'): Promise<void> {
  await world.run(200_000);
  const { books, lines } = await world.books(BOTH);
  expect(faultsOfBooks(books, lines, true)).toEqual([]);
  expect(world.broken).toEqual([]);
  const rows = new Map(books.map((book) => [book.shard, book.rows]));
  expect(rows.get(BUYER)?.('hold')).toEqual([]);
  expect(
    rows
      .get(SELLER)?.('decision')
      .filter(({ state }) => state !== 'settled'),
  ).toEqual([]);
  expect(
    rows
      .get(BUYER)?.('completed')
      .map(({ entry }) => entry),
  ).toEqual(how === 'sold' ? ['bought'] : []);
  expect(await wallet(world, BUYER)).toEqual({ gold: how === 'sold' ? 600 : 1_000, held: 0, unclaimed: 0 });
  expect(await wallet(world, SELLER)).toEqual({ gold: 1_000, held: 0, unclaimed: how === 'sold' ? 340 : 0 });
}

describe('a trade between two nodes', () => {
  it('ends as on one node, and what was answered is durable on both sides', async () => {
    const { world, id } = await withListing();
    const asked = buy(world, id);
    await world.until('an answer', () => asked.reply !== undefined);
    world.kill('one');
    world.kill('two');
    await world.start('one');
    await world.start('two');
    expect(asked.reply).toMatchObject({ kind: 'answer', value: { paid: 400 } });
    await expectEnd(world, 'sold');
  });

  it('lets nothing leave a node before it is durable there: hold before offer, decision before outcome (T3)', async () => {
    const { world, id } = await withListing();
    const start = world.scheduler.nowUs;
    const sentAt: (readonly [string, number])[] = [];
    world.bus.rule((packet) => {
      sentAt.push([packetKind(packet), world.scheduler.nowUs - start]);
      return { kind: 'pass' };
    });
    const asked = buy(world, id);
    await world.until('an answer', () => asked.reply !== undefined);
    await world.run(200);
    const kinds = sentAt.map(([kind]) => kind);
    expect(kinds).toEqual(['offer', 'outcome', 'settled']);
    for (const [index, [, atUs]] of sentAt.entries()) expect(atUs).toBeGreaterThanOrEqual((index + 1) * COMMIT_MS * 1_000);
  });

  it('is the same when clocks are as far apart as they may be', async () => {
    const { world, id } = await withListing({ wallOffsetsMs: { one: -1_200, two: 1_200 } });
    buy(world, id);
    await expectEnd(world, 'sold');
  });

  it('ends once although every packet comes three times, in any order (T5, T8)', async () => {
    const { world, id } = await withListing();
    world.bus.weather({
      lossShare: 0,
      doubleShare: 1,
      delayUsMin: 10,
      delayUsMax: 3_000_000,
      strayShare: 0.3,
      strayDelayUsMax: 60_000_000,
    });
    buy(world, id);
    await expectEnd(world, 'sold');
  });

  it('ends although half of all packets are lost', async () => {
    for (const seed of ['a', 'b', 'c', 'd']) {
      const { world, id } = await withListing({ seed });
      world.bus.weather({ lossShare: 0.5, doubleShare: 0, delayUsMin: 10, delayUsMax: 10_000, strayShare: 0, strayDelayUsMax: 0 });
      buy(world, id);
      await world.run(100_000);
      const isSold = (await world.rows(BUYER))('completed').length === 1;
      await expectEnd(world, isSold ? 'sold' : 'unsold');
    }
  });
});

describe('a node that is killed', () => {
  it('before its hold is durable has promised nothing: no offer left, and the client was told nothing', async () => {
    const { world, id } = await withListing();
    let packets = 0;
    world.bus.rule(() => {
      packets++;
      return { kind: 'pass' };
    });
    const asked = buy(world, id);
    await world.run(COMMIT_MS / 2);
    world.kill('one');
    await world.start('one');
    expect([packets, asked.reply]).toEqual([0, undefined]);
    await expectEnd(world, 'unsold');
  });

  it('with its hold durable goes on from there: the offer is made again, and the repeat of the command gets the answer (H17)', async () => {
    const { world, id } = await withListing();
    world.bus.cutOff(nodeName('two'));
    buy(world, id);
    await world.run(500);
    world.kill('one');
    world.bus.mend(nodeName('two'));
    await world.start('one');
    const again = buy(world, id);
    await world.until('an answer', () => again.reply !== undefined);
    expect(again.reply).toMatchObject({ kind: 'answer', value: { paid: 400 } });
    await expectEnd(world, 'sold');
  });

  it('before its decision is durable has decided nothing, and decides anew when asked again', async () => {
    const { world, id } = await withListing();
    buy(world, id);
    await world.run(COMMIT_MS + COMMIT_MS / 2);
    world.kill('two');
    await world.start('two');
    expect((await world.rows(SELLER))('decision')).toEqual([]);
    await expectEnd(world, 'sold');
  });

  it('between decision and word of it says the same when it is back (H1)', async () => {
    const { world, id } = await withListing();
    world.bus.rule((packet) => ({ kind: packetKind(packet) === 'outcome' ? 'lose' : 'pass' }));
    buy(world, id);
    await world.run(500);
    world.kill('two');
    await world.run(30_000);
    world.bus.rule(() => ({ kind: 'pass' }));
    await world.start('two');
    expect((await world.rows(SELLER))('decision')).toMatchObject([{ state: 'committed' }]);
    await expectEnd(world, 'sold');
  });

  it('with an abort that was told, but lost with its disk’s tail, cannot commit later: the abort was durable before (T3)', async () => {
    const { world, id } = await withListing();
    const told: string[] = [];
    world.bus.rule((packet) => {
      const verdict = outcomeOfPacket(packet);
      if (verdict !== undefined) told.push(verdict);
      return { kind: packetKind(packet) === 'settled' ? 'lose' : 'pass' };
    });
    world.ask(SELLER, 'cancel', { listingId: id }, 'cancel');
    const asked = buy(world, id);
    await world.until('an answer', () => asked.reply !== undefined);
    world.kill('two');
    await world.start('two');
    expect(nameOf(asked.reply)).toBe('listing-gone');
    expect((await world.rows(SELLER))('decision')).toMatchObject([{ state: 'aborted' }]);
    expect(new Set(told)).toEqual(new Set(['aborted']));
  });

  it('while its disk fails after writing knows no more than the disk does (H7)', async () => {
    for (const outcome of ['fail', 'write-then-fail'] as const) {
      const { world, id } = await withListing();
      let left = 1;
      world.disk('two').inject((operation) => (operation === 'commit' && left-- > 0 ? outcome : 'work'));
      buy(world, id);
      await world.run(500);
      expect(world.isUp('two')).toBe(false);
      await world.start('two');
      expect((await world.rows(SELLER))('decision')).toHaveLength(outcome === 'fail' ? 0 : 1);
      await expectEnd(world, 'sold');
    }
  });

  it('again and again, on both sides, loses and makes nothing', async () => {
    for (let seed = 0; seed < 12; seed++) {
      const prng = createPrng(`kills ${seed}`);
      const { world, id } = await withListing({ seed: `kills ${seed}` });
      world.bus.weather({
        lossShare: 0.1,
        doubleShare: 0.3,
        delayUsMin: 50,
        delayUsMax: 30_000,
        strayShare: 0.05,
        strayDelayUsMax: 20_000_000,
      });
      for (let round = 0; round < 6; round++) {
        buy(world, id, `buy${round % 2}`);
        await world.run(prng.integer(1, 90));
        const name = prng.pick(['one', 'two'] as const);
        world.kill(name);
        await world.run(prng.integer(1, 4_000));
        await world.start(name);
      }
      await world.run(100_000);
      const isSold = (await world.rows(BUYER))('completed').length === 1;
      await expectEnd(world, isSold ? 'sold' : 'unsold');
    }
  });
});

describe('a seller that cannot be reached', () => {
  it('leaves the hold standing: the outcome is unknown, and after the window it is an abort (T2, T4)', async () => {
    const { world, id } = await withListing();
    world.bus.cutOff(nodeName('two'));
    const asked = buy(world, id);
    await world.run(limits.offerWindowMs / 2 + 500);
    expect(asked.reply).toEqual(refusal('outcome-unknown'));
    await world.run(10.5 * 60_000);
    expect(await wallet(world, BUYER)).toEqual({ gold: 500, held: 500, unclaimed: 0 });
    world.bus.mend(nodeName('two'));
    const again = buy(world, id);
    await world.run(limits.retryMaxMs + 1_000);
    expect((await world.rows(BUYER))('hold')).toEqual([]);
    expect(nameOf(again.reply)).toBe('outcome-unknown');
    const last = buy(world, id);
    await world.run(200);
    expect(nameOf(last.reply)).toBe('offer-expired');
    await expectEnd(world, 'unsold');
  });

  it('was never created: the offer is aborted once it is late', async () => {
    const { world } = await withListing();
    const nobody = playerOn('two', 'nobody');
    buy(world, listingId(rowId(7), nobody));
    await world.run(limits.offerWindowMs - 2_000);
    expect((await world.rows(BUYER))('hold')).toHaveLength(1);
    await expectEnd(world, 'unsold');
  });
});

describe('a command that enters at the other node', () => {
  it('is answered as at its own, and done once', async () => {
    const { world, id } = await withListing();
    const asked = buy(world, id, 'buy', 'two');
    await world.until('an answer', () => asked.reply !== undefined);
    expect(asked.reply).toMatchObject({ kind: 'answer', value: { paid: 400 } });
    const again = buy(world, id, 'buy', 'one');
    await world.run(100);
    expect(again.reply).toEqual(asked.reply);
    await expectEnd(world, 'sold');
  });

  it('is told that the outcome is unknown if the owner is down, and may be asked again with the same op', async () => {
    const { world, id } = await withListing();
    world.kill('one');
    const asked = buy(world, id, 'buy', 'two');
    await world.run(9_000);
    expect(asked.reply).toEqual(refusal('outcome-unknown'));
    await world.start('one');
    await world.run(limits.clockPeerDifferenceMaxMs + 500);
    const again = buy(world, id, 'buy', 'two');
    await world.until('an answer', () => again.reply !== undefined);
    expect(again.reply).toMatchObject({ kind: 'answer' });
    await expectEnd(world, 'sold');
  });

  it('is answered rightly although questions and replies are doubled and late', async () => {
    const { world, id } = await withListing();
    world.bus.rule(() => ({ kind: 'again', afterUs: 5_000_000 }));
    const looks = Array.from({ length: 20 }, () => world.ask(SELLER, 'listing', { listingId: id }, undefined, 'one'));
    const missing = Array.from({ length: 20 }, () =>
      world.ask(SELLER, 'listing', { listingId: listingId(rowId(9_999), SELLER) }, undefined, 'one'),
    );
    await world.run(20_000);
    expect(new Set(looks.map(({ reply }) => nameOf(reply)))).toEqual(new Set(['answer']));
    expect(new Set(missing.map(({ reply }) => nameOf(reply)))).toEqual(new Set(['listing-gone']));
  });
});
