/** Cells that are opened and closed while the node runs: on a disk in memory, in virtual time. */
import { describe, expect, it } from '@jest/globals';
import { marketName, shardId } from '#shared/address.ts';
import { AssertionFault } from '#shared/assert.ts';
import { cellOf, epoch } from '#shared/cell.ts';
import { createPrng } from '#shared/prng.ts';
import { refusal } from '#shared/refusals.ts';
import { answer, type Message, type Reply } from '#server/shard/message.ts';
import { ADA, BOB } from '#server/shard/testing/shard-driver.ts';
import { limits } from '#shared/limits.ts';
import { MemoryDisk } from '#server/journal/disk/memory.ts';
import { defineShard } from '#server/shard/definition.ts';
import { Cell } from './cell.ts';
import type { ShardNews } from './active-shard.ts';
import { Bench, COMMIT_MS, counting, TEST_MARKET, type Ping } from './testing/cell-bench.ts';

const UNAVAILABLE = refusal('unavailable');

/** Closes the cell and waits until it is. */
async function close(bench: Bench): Promise<void> {
  const closing = bench.cells.close(TEST_MARKET, 0);
  await bench.run(1_000);
  await closing;
}

describe('a cell that is closed', () => {
  it('answers nothing but unavailable, has nothing in memory, and wakes nobody', async () => {
    const bench = await Bench.open();
    await bench.create(ADA, BOB);
    bench.ask(ADA, 'ring', { afterMs: 5_000 });
    const { cell } = bench;
    await close(bench);
    const position = bench.persister.appended;
    const asked = bench.ask(ADA, 'add', { value: 1 });
    const created = bench.ask(shardId('new', 'europe', 'softcore'), 'add', { value: 1 }, { creates: true });
    const told = await bench.world.accept({ to: BOB, message: { kind: 'ping', key: 'ping/1', value: 1 } as Ping });
    const subscribed = await cell.subscribe(BOB, () => undefined);
    cell.wakeShard(BOB);
    await bench.run(60_000);
    expect([asked.reply, created.reply, told, subscribed]).toEqual([UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, UNAVAILABLE]);
    expect(bench.parts.memory.usage).toEqual({ shards: 0, bytes: 0 });
    expect([bench.persister.appended, cell.isHere(BOB), cell.state]).toEqual([position, false, 'closed']);
    expect(bench.cells.of(ADA)).toBeUndefined();
  });

  it('is closed only when all that was done in it is durable and out, answers first', async () => {
    const bench = await Bench.open();
    await bench.create(ADA);
    const order: string[] = [];
    const asked = bench.world.accept({ to: ADA, message: { kind: 'add', issuer: 'client', body: { value: 1 } } as Message });
    void asked.then(({ kind }) => order.push(kind));
    void bench.cells.close(TEST_MARKET, 0).then(() => order.push('closed'));
    await bench.run(COMMIT_MS - 5);
    expect([order, bench.cell.state]).toEqual([[], 'closing']);
    await bench.run(100);
    expect([order, bench.cell.state]).toEqual([['answer', 'closed'], 'closed']);
  });

  it('has turned away what waited: for the disk, for a load, and for the outcome of a trade', async () => {
    const disk = new MemoryDisk(defineShard([counting]));
    await (await Bench.open({ disk })).create(ADA);
    const bench = await Bench.open({ disk });
    await bench.create(BOB);
    const trade = bench.ask(BOB, 'begin', {}, { op: 'a' });
    await bench.run(1_000);
    const size = limits.shardBytesMax - limits.shardBytesReserved - 4_096;
    while (!bench.persister.isFull) bench.ask(BOB, 'load', { size });
    const stalled = bench.ask(BOB, 'add', { value: 1 });
    const loading = bench.ask(ADA, 'add', { value: 1 });
    const subscribing: { reply?: Reply } = {};
    void bench.cell.subscribe(ADA, () => undefined).then((reply) => (subscribing.reply = reply));
    const closing = bench.cells.close(TEST_MARKET, 0);
    await bench.run(60_000);
    await closing;
    expect([stalled.reply, loading.reply, subscribing.reply]).toEqual([UNAVAILABLE, UNAVAILABLE, UNAVAILABLE]);
    expect(trade.reply).toEqual(refusal('outcome-unknown'));
    bench.openCell();
    const looks = [bench.ask(ADA, 'look'), bench.ask(BOB, 'look')];
    await bench.run(1_000);
    expect(looks.map(({ reply }) => reply)).toEqual([answer(0), answer(0)]);
    expect([bench.faults, bench.reported]).toEqual([[], []]);
  });

  it('lets a listener hear what was done until then, unless it leaves meanwhile', async () => {
    const bench = await Bench.open();
    await bench.create(ADA);
    const [stays, leaves]: [ShardNews[], ShardNews[]] = [[], []];
    const leaving = (news: ShardNews): void => void leaves.push(news);
    void bench.cell.subscribe(ADA, (news) => void stays.push(news));
    void bench.cell.subscribe(ADA, leaving);
    await bench.run(100);
    bench.ask(ADA, 'add', { value: 1 });
    const closing = bench.cells.close(TEST_MARKET, 0);
    bench.cells.unsubscribe(ADA, leaving);
    await bench.run(1_000);
    await closing;
    expect(stays.map(({ kind }) => kind)).toEqual(['snapshot', 'change']);
    expect(leaves.map(({ kind }) => kind)).toEqual(['snapshot']);
  });
});

describe('closing', () => {
  it('tells a command that waits for its trade at once that the outcome is unknown, once that is durable', async () => {
    const bench = await Bench.open();
    await bench.create(ADA);
    const trade = bench.ask(ADA, 'begin', {}, { op: 'a' });
    void bench.cells.close(TEST_MARKET, 0);
    await bench.run(COMMIT_MS - 5);
    expect(trade.reply).toBeUndefined();
    await bench.run(100);
    expect(trade.reply).toEqual(refusal('outcome-unknown'));
  });

  it('is not disturbed by a load that fails meanwhile', async () => {
    const disk = new MemoryDisk(defineShard([counting]));
    await (await Bench.open({ disk })).create(ADA);
    const bench = await Bench.open({ disk });
    bench.backend.failuresLeft = 1;
    const loading = bench.ask(ADA, 'look');
    await close(bench);
    bench.openCell();
    expect([loading.reply, bench.backend.failuresLeft, bench.parts.backoff.size, bench.reported]).toEqual([UNAVAILABLE, 0, 0, []]);
  });

  it('of all cells waits for those that are being closed already', async () => {
    const bench = await Bench.open();
    await bench.create(ADA);
    bench.ask(ADA, 'add', { value: 1 });
    void bench.cells.close(TEST_MARKET, 0);
    let isOver = false;
    void bench.cells.closeAll().then(() => (isOver = true));
    await bench.run(COMMIT_MS - 5);
    expect(isOver).toBe(false);
    await bench.run(100);
    expect([isOver, bench.cell.state]).toEqual([true, 'closed']);
  });
});

describe('a cell that is opened and closed under load', () => {
  it('loses nothing that was answered, and does nothing of what it turned away', async () => {
    const prng = createPrng('open and close');
    const bench = await Bench.open({ memoryBudgetBytes: 30_000 });
    const shards = Array.from({ length: 8 }, (_, index) => shardId(`p${index}`, 'europe', 'softcore'));
    await bench.create(...shards);
    const asked: { readonly of: string; readonly request: { reply?: Reply } }[] = [];
    let served = 1;
    for (let round = 0; round < 60; round++) {
      for (let count = 0; count < 20; count++) {
        const shard = prng.pick(shards);
        asked.push({ of: shard, request: bench.ask(shard, 'add', { value: 1 }) });
        if (prng.chance(0.2)) await bench.run(prng.integer(1, COMMIT_MS));
      }
      const closing = bench.cells.close(TEST_MARKET, 0);
      asked.push({ of: shards[0] ?? ADA, request: bench.ask(shards[0] ?? ADA, 'add', { value: 1 }) });
      await bench.run(4 * COMMIT_MS);
      await closing;
      expect(bench.parts.memory.usage.shards).toBe(0);
      if (prng.chance(0.5)) served++;
      bench.openCell(served);
    }
    await bench.run(1_000);
    const kinds = new Set(asked.map(({ request: { reply } }) => (reply?.kind === 'refusal' ? reply.name : reply?.kind)));
    expect(kinds).toEqual(new Set(['answer', 'unavailable']));
    for (const shard of shards) {
      const done = asked.filter(({ of, request: { reply } }) => of === shard && reply?.kind === 'answer');
      const look = bench.ask(shard, 'look');
      await bench.run(100);
      expect(look.reply).toEqual(answer(done.length));
    }
    expect(bench.faults).toEqual([]);
  });
});

describe('the epoch of a cell', () => {
  it('never goes down, and no cell is opened before it is closed, nor closed twice', async () => {
    const bench = await Bench.open();
    const place = { market: TEST_MARKET, cell: 0 };
    expect(() => bench.cells.open({ ...place, epoch: epoch(2) })).toThrow(AssertionFault);
    await close(bench);
    await expect(bench.cells.close(TEST_MARKET, 0)).rejects.toThrow(AssertionFault);
    bench.cells.open({ ...place, epoch: epoch(2) });
    await close(bench);
    expect(() => bench.cells.open({ ...place, epoch: epoch(1) })).toThrow(AssertionFault);
    bench.cells.open({ ...place, epoch: epoch(2) });
  });

  it('is in every turn of its shards', async () => {
    const bench = await Bench.open();
    await bench.create(ADA);
    await close(bench);
    bench.openCell(7);
    bench.ask(ADA, 'add', { value: 1 });
    await bench.run(1_000);
    const loading = bench.persister.load(ADA);
    await bench.run(100);
    expect(await loading).toMatchObject({ shard: { epoch: 7, cell: 0 } });
  });
});

describe('a shard of another cell', () => {
  it('is not brought into memory: the address says where it lives', async () => {
    const bench = await Bench.open();
    const parts = { ...bench.parts, cellsPerMarket: 64 };
    const message: Message = { kind: 'ping', key: 'ping/1' };
    const own = new Cell({ market: TEST_MARKET, cell: cellOf(ADA, 64), epoch: epoch(1) }, parts);
    expect(() => own.accept({ to: BOB, message })).toThrow(`${BOB} is not of cell ${cellOf(ADA, 64)} of europe.softcore`);
    const elsewhere = new Cell({ market: marketName('asia', 'softcore'), cell: cellOf(ADA, 64), epoch: epoch(1) }, parts);
    expect(() => elsewhere.accept({ to: ADA, message })).toThrow(AssertionFault);
  });
});
