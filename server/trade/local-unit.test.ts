/** Local units (U1, U2) on one node, over the real cell, persister and gate; and when trades go by messages after all. */
import { describe, expect, it } from '@jest/globals';
import { limits } from '#shared/limits.ts';
import { refusal } from '#shared/refusals.ts';
import { shardId } from '#shared/address.ts';
import { instant, type ShardId } from '#shared/units.ts';
import { Bench } from '#server/cell/testing/cell-bench.ts';
import type { ShardNews } from '#server/cell/active-shard.ts';
import { MemoryDisk } from '#server/journal/disk/memory.ts';
import { PLACES } from '#server/market/places.ts';
import { defineShard } from '#server/shard/definition.ts';
import { bytes, defineEntity } from '#server/shard/entity.ts';
import { answer } from '#server/shard/message.ts';
import { operation } from '#server/shard/operations.ts';
import type { Powerup } from '#server/shard/powerup.ts';
import { ADA, BOB } from '#server/shard/testing/shard-driver.ts';
import { acceptOffer } from './decider.ts';
import { decision, hold } from './entities.ts';
import type { Offer } from './messages.ts';
import { pursePowerups, purchase, purse, PURSE_START, sale, testTrade, WAITING, type Wish } from './testing/purse.ts';
import { transactionId } from './transaction.ts';

const TX = transactionId({ holder: ADA, generation: 1, seq: 1 });
const CAT = { holder: shardId('cat', 'europe', 'softcore'), generation: 1 };
const OFFER: Offer = { kind: 'offer', key: '', tx: TX, trade: WAITING, offerUntil: instant(Number.MAX_SAFE_INTEGER), terms: {} };

async function open(
  powerups: readonly Powerup[] = pursePowerups(),
  disk = new MemoryDisk(defineShard(powerups, { places: PLACES })),
): Promise<Bench> {
  const bench = await Bench.open({ powerups, disk });
  for (const shard of [ADA, BOB]) bench.ask(shard, 'open', {}, { creates: true });
  await bench.run(1_000);
  return bench;
}

const promise = (bench: Bench, wish: Wish, { op = 'a', kind = 'promise', decider = BOB, amount = 100 } = {}) =>
  bench.ask(ADA, kind, { decider, amount, wish }, { op });

/** How many rows of each entity a shard has, by its name; its purse in full. */
async function rowsOf(bench: Bench, shard: ShardId) {
  const news: ShardNews[] = [];
  const listener = (one: ShardNews): void => void news.push(one);
  void bench.cell.subscribe(shard, listener);
  await bench.run(1_000);
  bench.cell.unsubscribe(shard, listener);
  const [first] = news;
  if (first?.kind !== 'snapshot') throw new Error(`${shard} cannot be seen`);
  const counts = [hold, decision, sale, purchase, operation].map(({ name }) => [name, first.rows(name).length] as const);
  const [{ coins, held } = {}] = first.rows(purse.name) as readonly { coins?: number; held?: number }[];
  return { ...Object.fromEntries(counts.filter(([, count]) => count > 0)), coins, held };
}

describe('a trade between two shards at rest', () => {
  it('is one turn of both in one batch, and leaves neither hold nor decision (U1)', async () => {
    const disk = new MemoryDisk(defineShard(pursePowerups(), { places: PLACES }));
    const bench = await open(pursePowerups(), disk);
    const { appended } = bench.persister;
    const asked = promise(bench, 'commit');
    await bench.run(1_000);
    expect(asked.reply).toEqual(answer({ bought: TX }));
    const written = disk.journal.read(appended, Number.MAX_SAFE_INTEGER).map(({ first, last }) => [first - appended, last - appended]);
    expect(written).toEqual([[1, 2]]);
    expect(await rowsOf(bench, ADA)).toEqual({ purchase: 1, operation: 1, coins: PURSE_START - 100, held: 0 });
    expect(await rowsOf(bench, BOB)).toEqual({ sale: 1, coins: PURSE_START + 100, held: 0 });
  });

  it('answers a repeat as the first time', async () => {
    const bench = await open();
    promise(bench, 'commit');
    await bench.run(1_000);
    const again = promise(bench, 'commit');
    await bench.run(1_000);
    expect(again.reply).toEqual(answer({ bought: TX }));
    expect(await rowsOf(bench, BOB)).toMatchObject({ sale: 1, coins: PURSE_START + 100 });
  });

  it('that is refused leaves nothing of it anywhere, and a repeat is tried anew (U2)', async () => {
    const bench = await open();
    const before = bench.persister.appended;
    const asked = promise(bench, 'abort');
    await bench.run(1_000);
    expect(asked.reply).toEqual(refusal('listing-gone'));
    expect(bench.persister.appended).toBe(before);
    const again = promise(bench, 'commit');
    await bench.run(1_000);
    expect(again.reply).toEqual(answer({ bought: TX }));
  });

  it('tells those who watch the decider as any turn does', async () => {
    const bench = await open();
    const news: ShardNews['kind'][] = [];
    await Promise.all([bench.cell.subscribe(BOB, ({ kind }) => void news.push(kind)), bench.run(1_000)]);
    promise(bench, 'commit');
    await bench.run(1_000);
    expect(news).toEqual(['snapshot', 'change']);
  });

  it.each([
    ['is answered while it stands', 'promise-standing', answer({ standing: TX }), answer({ standing: TX })],
    ['waits for the end', 'promise', undefined, answer({ bought: TX })],
  ] as const)('that is accepted, and whose holder %s, keeps a row on both sides and ends by messages', async (_, kind, first, last) => {
    const bench = await open();
    const asked = promise(bench, 'accept', { kind });
    await bench.run(1_000);
    expect(asked.reply).toEqual(first);
    expect(await rowsOf(bench, ADA)).toMatchObject({ hold: 1, coins: PURSE_START - 100, held: 100 });
    expect(await rowsOf(bench, BOB)).toMatchObject({ decision: 1, coins: PURSE_START });
    bench.ask(BOB, 'decide', { tx: TX, verdict: 'commit' });
    await bench.run(1_000);
    const again = promise(bench, 'accept', { kind });
    await bench.run(1_000);
    expect(again.reply).toEqual(last);
    expect(await rowsOf(bench, ADA)).toMatchObject({ purchase: 1, coins: PURSE_START - 100, held: 0 });
  });

  it('that would be accepted is refused while the decider has as many decisions as it may (T9)', async () => {
    const crowd: Powerup = {
      name: 'crowd',
      entities: [],
      handlers: {
        crowd: (turn) => {
          for (let seq = 1; seq <= limits.decisionsMax; seq++)
            acceptOffer(turn, { ...OFFER, tx: transactionId({ ...CAT, seq }) }, turn.now);
          return answer('full');
        },
      },
    };
    const bench = await open([...pursePowerups(), crowd]);
    bench.ask(BOB, 'crowd');
    await bench.run(1_000);
    const refused = promise(bench, 'accept', { kind: 'promise-standing' });
    const bought = promise(bench, 'commit', { op: 'b' });
    await bench.run(1_000);
    expect(refused.reply).toMatchObject({ name: 'busy' });
    expect(bought.reply).toMatchObject({ kind: 'answer' });
    expect(await rowsOf(bench, ADA)).toEqual({ purchase: 1, operation: 1, coins: PURSE_START - 100, held: 0 });
    expect(await rowsOf(bench, BOB)).toMatchObject({ decision: limits.decisionsMax, sale: 1 });
  });

  it('goes by messages if the decider fails in it, which is reported, and counted where it failed', async () => {
    const bench = await open();
    const asked = promise(bench, 'throw');
    await bench.run(1_000);
    expect(asked.reply).toBeUndefined();
    expect(bench.reported.map(({ message }) => message)).toEqual([
      `a turn of ${ADA} failed on promise`,
      `a turn of ${BOB} failed on offer`,
    ]);
    expect(await rowsOf(bench, ADA)).toMatchObject({ hold: 1, coins: PURSE_START - 100, held: 100 });
    // With a failure of its own noted, the decider takes part in no unit: no other trade can hide it.
    const next = promise(bench, 'commit', { op: 'b' });
    await bench.run(1_000);
    expect(next.reply).toMatchObject({ kind: 'answer' });
    expect(await rowsOf(bench, BOB)).toMatchObject({ decision: 1, sale: 1 });
  });

  it('is taken back on both sides if the holder becomes too large by it', async () => {
    const heavy = defineEntity('heavy', { version: 1, attributes: { data: bytes({ maxLength: limits.shardBytesMax }) } });
    const kind = {
      ...testTrade,
      commit: (...of: Parameters<typeof testTrade.commit>) => {
        of[0].insert(heavy, { data: new Uint8Array(limits.shardBytesMax) });
        return testTrade.commit(...of);
      },
    };
    const bench = await open([{ name: 'weights', entities: [heavy] }, ...pursePowerups({ [WAITING]: kind })]);
    const asked = promise(bench, 'commit');
    await bench.run(1_000);
    expect(asked.reply).toEqual(refusal('shard-full'));
    expect(await rowsOf(bench, ADA)).toEqual({ coins: PURSE_START, held: 0 });
    expect(await rowsOf(bench, BOB)).toEqual({ coins: PURSE_START, held: 0 });
  });
});

describe('a trade goes by messages', () => {
  it('with a decider that is in the middle of a turn', async () => {
    const seen: unknown[] = [];
    const peeking: Powerup = {
      name: 'peeking',
      entities: [],
      handlers: {
        peek: (turn) => {
          seen.push(turn.join(BOB) === undefined, turn.join(ADA) === undefined);
          return refusal('listing-gone');
        },
      },
    };
    const bench = await open([...pursePowerups(), peeking]);
    bench.ask(BOB, 'peek');
    await bench.run(1_000);
    expect(seen).toEqual([true, false]);
  });

  it('with a decider that is not in memory', async () => {
    const disk = new MemoryDisk(defineShard(pursePowerups(), { places: PLACES }));
    await open(pursePowerups(), disk);
    const bench = await Bench.open({ powerups: pursePowerups(), disk });
    bench.ask(ADA, 'open');
    await bench.run(1_000);
    const asked = promise(bench, 'commit');
    await bench.run(1_000);
    expect(asked.reply).toEqual(answer({ bought: TX }));
    expect(await rowsOf(bench, BOB)).toMatchObject({ decision: 1, sale: 1, coins: PURSE_START + 100 });
  });
});
