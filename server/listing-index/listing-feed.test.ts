import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { listingId, shardId } from '#shared/address.ts';
import { epoch } from '#shared/cell.ts';
import { nodeName, position, rowId, shardVersion } from '#shared/units.ts';
import { IndexAwayError } from './service.ts';
import { promisesSettled } from '#server/sim/scheduler.ts';
import {
  ADA,
  BOB,
  indexed,
  row,
  listed,
  rowsUpTo,
  EMPTY,
  cellOfShard,
  QUERY,
  CELLS,
  type BenchOptions,
  SlowReadings,
  Bench,
} from './testing/feed-bench.ts';

describe('the feed of the index', () => {
  it('gives the last change of each listing, in one batch that starts where the one before ended', async () => {
    const bench = await Bench.open([{ position: position(4), rows: [listed(1, 1)] }]);
    bench.put(5, ADA, 2, row(2));
    bench.put(6, BOB, 1, row(2));
    bench.put(7, ADA, 3, row(3));
    bench.remove(8, ADA, 4, 2);
    bench.remove(9, ADA, 5, 1);
    bench.put(10, ADA, 6, row(3, 30));
    expect(bench.spans).toEqual([[0, 4]]);
    await bench.ring();
    expect(bench.spans).toEqual([
      [0, 4],
      [4, 10],
    ]);
    const last = bench.applied.at(-1);
    expect(last?.kind === 'changes' ? last.cells.flatMap(({ changes }) => changes) : []).toHaveLength(4);
    expect(bench.core.stats().rows).toBe(2);
    expect(bench.core.get(listingId(rowId(2), BOB))?.version).toBe(1);
    expect(bench.core.get(listingId(rowId(3), ADA))).toMatchObject({ buyout: 30, version: 6 });
    bench.put(12, ADA, 7, row(4));
    await bench.ring();
    expect(bench.spans.at(-1)).toEqual([10, 12]);
  });

  it('comes to what every change one by one comes to, whatever the batches', async () => {
    const change = fc.record({
      id: fc.integer({ min: 1, max: 4 }),
      shard: fc.constantFrom(ADA, BOB),
      isPut: fc.boolean(),
      ring: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 40 }), async (changes) => {
        const bench = await Bench.open();
        const priceById = new Map<string, number>();
        for (const [at, { id, shard, isPut, ring: isRinging }] of changes.entries()) {
          const version = at + 1;
          if (isPut) bench.put(version, shard, version, row(id, version));
          else bench.remove(version, shard, version, id);
          if (isPut) priceById.set(listingId(rowId(id), shard), version);
          else priceById.delete(listingId(rowId(id), shard));
          if (isRinging) await bench.ring();
        }
        expect((await bench.known()).rows).toBe(priceById.size);
        for (const shard of [ADA, BOB]) {
          for (let id = 1; id <= 4; id++) {
            const key = listingId(rowId(id), shard);
            expect(bench.core.get(key)?.buyout).toBe(priceById.get(key));
          }
        }
      }),
    );
  });

  it('sends what waits when it is told to, and has one timer at most', async () => {
    const bench = await Bench.open();
    for (const version of [1, 2, 3]) {
      bench.put(version, ADA, version, row(version));
      bench.put(version, BOB, version, row(version));
      bench.pass(5);
      expect(bench.feed.lagMs).toBe(5);
      expect(bench.timers.size).toBe(1);
      expect(bench.core.get(listingId(rowId(version), ADA))).toBeUndefined();
      expect(bench.feed.flush(position(version))).toBe(version);
      expect(bench.core.get(listingId(rowId(version), ADA))).toBeDefined();
      await promisesSettled();
      expect(bench.feed.lagMs).toBe(0);
      expect(bench.timers.size).toBe(0);
    }
    // What is durable beyond the last change of a listing is no matter of the index.
    expect(bench.feed.flush(position(50))).toBe(3);
  });

  it('gives a snapshot when the index has lost its place, and then only what came later', async () => {
    const readings = new SlowReadings();
    const opened = Bench.open([], { snapshot: readings.snapshot });
    await promisesSettled();
    await readings.end(0, []);
    const bench = await opened;
    bench.disturb();
    bench.put(5, ADA, 4, row(4));
    bench.put(6, ADA, 5, row(5));
    await bench.ring();
    // While the snapshot is read.
    bench.put(7, ADA, 6, row(7));
    bench.remove(8, ADA, 7, 5);
    await readings.end(6, [listed(5, 5)]);
    expect(bench.spans.at(-1)).toEqual([0, 8]);
    const last = bench.applied.at(-1);
    expect(last?.kind === 'changes' ? last.cells.flatMap(({ changes }) => changes) : []).toHaveLength(2);
    // The listing of position 5 was gone again when the snapshot was read; the one that the snapshot has went later.
    expect([4, 5, 7].map((id) => bench.core.get(listingId(rowId(id), ADA)) !== undefined)).toEqual([false, false, true]);
  });

  it('is not behind any more when a snapshot had everything that waited', async () => {
    const bench = await Bench.open([EMPTY, { position: position(6), rows: [listed(5, 5)] }]);
    bench.disturb();
    bench.put(6, ADA, 5, row(5));
    bench.pass(5);
    expect(bench.feed.lagMs).toBe(5);
    await bench.ring();
    expect(bench.feed.lagMs).toBe(0);
    expect(await bench.known()).toEqual({ rows: 1, position: 6 });
  });

  it('lets nothing of a cell through between the parts of its snapshot, whoever asks', async () => {
    const bench = new Bench([{ position: position(600), rows: rowsUpTo(501) }]);
    const opened = bench.feed.openCells(CELLS);
    await promisesSettled();
    bench.remove(601, ADA, 601, 1);
    expect(await bench.known()).toEqual({ rows: 500, position: 0 });
    await bench.ring();
    await opened;
    expect(await bench.known()).toEqual({ rows: 500, position: 601 });
    expect(bench.core.get(listingId(rowId(501), ADA))).toBeDefined();
    expect(bench.spans).toEqual([[0, 601]]);
  });

  it('sends much in parts, of which only the last is told the position', async () => {
    const bench = new Bench([EMPTY]);
    const shards = Array.from({ length: 1_300 }, (_, number) => shardId(`p${number}`, 'europe', 'softcore'));
    await bench.feed.openCells(shards.map((shard) => cellOfShard(shard)));
    for (const [number, shard] of shards.entries()) bench.put(number + 1, shard, 1, row(1));
    await bench.ring();
    expect(bench.spans).toEqual([
      [0, 0],
      [0, 0],
      [0, 1_300],
    ]);
    expect(await bench.known()).toEqual({ rows: 1_300, position: 1_300 });
  });

  it('keeps nothing that changes before a cell is read: the snapshot has it', async () => {
    const readings = new SlowReadings();
    let isAway = true;
    const apply: BenchOptions['apply'] = (real, batch) => (isAway ? Promise.reject(new IndexAwayError('away')) : real.apply(batch));
    const bench = new Bench([], { snapshot: readings.snapshot, apply, pendingMax: 3 });
    void bench.feed.openCells(CELLS);
    await promisesSettled();
    for (let id = 1; id <= 9; id++) bench.put(id, ADA, id, row(id));
    expect([bench.read, bench.reported]).toEqual([[], []]);
    isAway = false;
    await bench.ring();
    await readings.end(9, rowsUpTo(9));
    expect(await bench.known()).toEqual({ rows: 9, position: 9 });
    // Each of the snapshot's rows came once, and no change beside them.
    expect(bench.applied.flatMap((batch) => (batch.kind === 'changes' ? batch.cells : []))).toEqual([]);
  });

  it('goes live after any number of comings and goings in one shard during a snapshot', async () => {
    const bench = new Bench([{ position: position(600), rows: rowsUpTo(501) }]);
    const opened = bench.feed.openCells(CELLS);
    await promisesSettled();
    for (let id = 1_000; id < 21_000; id++) bench.put(id, ADA, id, row(id));
    await bench.ring();
    await opened;
    expect(await bench.known()).toEqual({ rows: 501 + 20_000, position: 20_999 });
    expect(bench.reported).toEqual([]);
  });

  it('forgets what is too much, and takes a snapshot that has it, also while it is live', async () => {
    const bench = await Bench.open([EMPTY, { position: position(4), rows: rowsUpTo(4) }], { pendingMax: 3 });
    for (let id = 1; id <= 4; id++) bench.put(id, ADA, id, row(id));
    await bench.ring();
    await bench.ring();
    expect(await bench.known()).toEqual({ rows: 4, position: 4 });
    expect(bench.feed.lagMs).toBe(0);
  });

  it('takes another snapshot when too much came during one', async () => {
    const snapshots = [501, 604].map((count) => ({ position: position(count), rows: rowsUpTo(count) }));
    const bench = new Bench(snapshots, { pendingMax: 3 });
    const opened = bench.feed.openCells(CELLS);
    await promisesSettled();
    for (let id = 601; id <= 604; id++) bench.put(id, ADA, id, row(id));
    for (let rings = 0; rings < 4; rings++) await bench.ring();
    await opened;
    expect(await bench.known()).toEqual({ rows: 604, position: 604 });
  });

  it('reads again at once when too much came during a reading, and opens no cell for the one before', async () => {
    const readings = new SlowReadings();
    const bench = new Bench([], { pendingMax: 2, snapshot: readings.snapshot });
    const opened = bench.feed.openCells(CELLS);
    await promisesSettled();
    for (let id = 1; id <= 3; id++) bench.put(id, ADA, id, row(id));
    await readings.end(0, []);
    await readings.end(3, rowsUpTo(3));
    await opened;
    expect(bench.applied.flatMap(({ kind, cells }) => (kind === 'open' ? [cells.length] : []))).toEqual([0, 2]);
    expect(await bench.known()).toEqual({ rows: 3, position: 3 });
  });

  it('says that the index is behind as long as it lacks what was forgotten', async () => {
    const readings = new SlowReadings();
    const bench = new Bench([], { pendingMax: 2, snapshot: readings.snapshot });
    void bench.feed.openCells(CELLS);
    await promisesSettled();
    await readings.end(10, []);
    for (let id = 1; id <= 3; id++) bench.put(10 + id, ADA, id, row(id));
    const search = bench.feed.search(QUERY, { atLeast: position(13) });
    await bench.ring();
    expect(await search).toMatchObject({ total: 0, lagMs: 1 });
    expect(await bench.known()).toEqual({ rows: 0, position: 10 });
    await readings.end(13, rowsUpTo(3));
    expect(await bench.feed.search(QUERY, { atLeast: position(13) })).toMatchObject({ total: 3, lagMs: 0 });
    expect([bench.feed.lagMs, bench.timers.size]).toEqual([0, 0]);
  });

  it('does not pass what was forgotten of a cell that is opened in another epoch before it was read', async () => {
    const readings = new SlowReadings();
    const bench = new Bench([], { pendingMax: 2, snapshot: readings.snapshot });
    void bench.feed.openCells(CELLS);
    await promisesSettled();
    await readings.end(10, []);
    for (let id = 1; id <= 3; id++) bench.put(10 + id, ADA, id, row(id));
    void bench.feed.openCells([ADA, BOB].map((shard) => cellOfShard(shard, epoch(2))));
    expect(await bench.known()).toEqual({ rows: 0, position: 10 });
  });

  it('does not pass a batch that was not taken before its cells are read again', async () => {
    const readings = new SlowReadings();
    const bench = new Bench([], { snapshot: readings.snapshot });
    void bench.feed.openCells(CELLS);
    await promisesSettled();
    await readings.end(4, []);
    bench.disturb();
    bench.put(5, ADA, 1, row(1));
    await bench.ring();
    expect(await bench.known()).toEqual({ rows: 0, position: 0 });
    await readings.end(5, rowsUpTo(1));
    expect(await bench.known()).toEqual({ rows: 1, position: 5 });
  });

  it('opens live cells again, too, when the index loses its place during the snapshot of another', async () => {
    const rows = Array.from({ length: 501 }, (_, id) => indexed(BOB, 1, row(id + 1)));
    const bench = await Bench.open([EMPTY, { position: position(2), rows }, { position: position(2), rows }]);
    void bench.feed.openCells([cellOfShard(BOB, epoch(2))]);
    await promisesSettled();
    bench.disturb();
    for (let rings = 0; rings < 3; rings++) await bench.ring();
    expect(bench.read.at(-1)).toHaveLength(2);
    expect(await bench.known()).toEqual({ rows: 501, position: 2 });
  });

  it('tries a snapshot that failed again, and says so', async () => {
    const bench = new Bench([new Error('the disk is busy'), { position: position(3), rows: [listed(1, 1)] }]);
    const opened = bench.feed.openCells(CELLS);
    expect((await bench.known()).rows).toBe(0);
    await bench.ring();
    await opened;
    expect(bench.reported).toEqual(['the listing index could not be given a snapshot']);
    expect((await bench.known()).rows).toBe(1);
  });

  it('feeds no more once it is stopped, and leaves no timer', async () => {
    const bench = await Bench.open();
    const sent = bench.applied.length;
    bench.put(1, ADA, 1, row(1));
    bench.feed.stop();
    bench.put(2, ADA, 2, row(2));
    expect((await bench.known()).rows).toBe(0);
    expect(bench.applied).toHaveLength(sent);
    expect(bench.timers.size).toBe(0);
  });
});

describe('a feed of cells', () => {
  it('reads cells together that wait at the same time, and one that is opened later alone', async () => {
    const bench = await Bench.open([EMPTY, { position: position(3), rows: [indexed(BOB, 9, row(1))] }]);
    bench.feed.closeCell(cellOfShard(BOB));
    await bench.feed.openCells([cellOfShard(BOB, epoch(2))]);
    expect(bench.read).toEqual([expect.arrayContaining(CELLS), [cellOfShard(BOB, epoch(2))]]);
    expect(await bench.has(BOB, 1)).toMatchObject({ version: 9 });
  });

  it('keeps a live cell going while another one is opened; the position stays behind what is held back', async () => {
    const bench = await Bench.open([
      EMPTY,
      { position: position(12), rows: Array.from({ length: 501 }, (_, id) => indexed(BOB, 1, row(id + 1))) },
    ]);
    const opened = bench.feed.openCells([cellOfShard(BOB, epoch(2))]);
    await promisesSettled();
    bench.put(13, BOB, 7, row(1, 70));
    bench.put(14, ADA, 1, row(1));
    expect(await bench.has(ADA, 1)).toBeDefined();
    expect(bench.core.positionOf(nodeName('one'))).toBe(0);
    expect(bench.core.get(listingId(rowId(1), BOB))?.version).toBe(1);
    await bench.ring();
    await opened;
    expect(await bench.has(BOB, 1)).toMatchObject({ version: 7 });
    expect(bench.core.positionOf(nodeName('one'))).toBe(14);
  });

  it('sends what waits of a cell that it closes, and then nothing; its rows stay', async () => {
    const bench = await Bench.open([{ position: position(1), rows: [listed(1, 1)] }]);
    bench.put(2, ADA, 2, row(2));
    bench.feed.closeCell(cellOfShard(ADA));
    expect(await bench.feed.search(QUERY, { atLeast: position(2) })).toMatchObject({ total: 2, lagMs: 0 });
    await promisesSettled();
    bench.remove(3, ADA, 3, 1);
    bench.put(4, BOB, 1, row(1));
    expect(await bench.known()).toEqual({ rows: 3, position: 4 });
    expect(bench.core.get(listingId(rowId(1), ADA))).toBeDefined();
  });

  it('holds nothing back for a cell that was the only one, and is closed', async () => {
    const bench = new Bench();
    await bench.feed.openCells([cellOfShard(ADA)]);
    bench.feed.closeCell(cellOfShard(ADA));
    await bench.flushed();
    bench.put(1, ADA, 1, row(1));
    expect(await bench.known()).toEqual({ rows: 0, position: 1 });
    expect(bench.feed.lagMs).toBe(0);
  });

  it('gives a cell that is closed during its snapshot to the end, and then forgets it', async () => {
    const readings = new SlowReadings();
    const bench = new Bench([], { snapshot: readings.snapshot });
    void bench.feed.openCells(CELLS);
    await promisesSettled();
    bench.put(2, ADA, 2, row(2));
    bench.feed.closeCell(cellOfShard(ADA));
    await readings.end(1, rowsUpTo(1));
    expect(await bench.known()).toEqual({ rows: 2, position: 2 });
    bench.put(3, ADA, 3, row(3));
    expect(await bench.known()).toEqual({ rows: 2, position: 3 });
  });

  it('reports nothing when the next owner of a cell that it is closing was faster', async () => {
    const readings = new SlowReadings();
    const bench = new Bench([], { snapshot: readings.snapshot });
    void bench.feed.openCells(CELLS);
    await promisesSettled();
    bench.feed.closeCell(cellOfShard(ADA));
    bench.core.apply({ node: nodeName('two'), incarnation: 'x', kind: 'open', cells: [cellOfShard(ADA, epoch(2))] });
    await readings.end(1, rowsUpTo(1));
    expect(await bench.known()).toEqual({ rows: 0, position: 1 });
    expect(bench.reported).toEqual([]);
  });

  it('reads every cell, at whatever moment it is opened', async () => {
    for (let turns = 0; turns < 40; turns++) {
      const bench = new Bench([EMPTY, EMPTY]);
      void bench.feed.openCells([cellOfShard(ADA)]);
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      void bench.feed.openCells([cellOfShard(BOB)]);
      await promisesSettled();
      expect(bench.read.flat()).toEqual(expect.arrayContaining(CELLS));
    }
  });

  it('keeps nothing of what is told of a cell that it has closed', async () => {
    const bench = await Bench.open([EMPTY], { pendingMax: 3 });
    bench.feed.closeCell(cellOfShard(ADA));
    for (let id = 1; id <= 9; id++) {
      bench.put(id, ADA, id, row(id));
      await bench.flushed();
    }
    expect(bench.read).toHaveLength(1);
  });

  it('takes of a snapshot only the cells that it was read for: others have gone on', async () => {
    const bench = await Bench.open([
      { position: position(1), rows: [listed(1, 1)] },
      { position: position(2), rows: [listed(1, 1), indexed(BOB, 1, row(1))] },
    ]);
    const opened = bench.feed.openCells([cellOfShard(BOB, epoch(2))]);
    bench.remove(3, ADA, 2, 1);
    await bench.flushed();
    await opened;
    expect([await bench.has(ADA, 1), await bench.has(BOB, 1)]).toMatchObject([undefined, { version: 1 }]);
  });

  it('reads cells together that are opened one by one', async () => {
    const bench = new Bench();
    await Promise.all(CELLS.map((cell) => bench.feed.openCells([cell])));
    expect(bench.read).toEqual([expect.arrayContaining(CELLS)]);
  });

  it('does not close a cell that was opened again in another epoch', async () => {
    const bench = await Bench.open([EMPTY, EMPTY]);
    await bench.feed.openCells([cellOfShard(ADA, epoch(2))]);
    bench.feed.closeCell(cellOfShard(ADA));
    bench.put(1, ADA, 1, row(1));
    expect(await bench.has(ADA, 1)).toBeDefined();
  });

  it('gives a cell up, and says so, when the index knows a later owner of it', async () => {
    const bench = await Bench.open();
    bench.core.apply({ node: nodeName('two'), incarnation: 'x', kind: 'open', cells: [cellOfShard(ADA, epoch(2))] });
    bench.put(1, ADA, 1, row(1));
    bench.put(2, BOB, 1, row(1));
    expect(await bench.known()).toEqual({ rows: 1, position: 2 });
    bench.put(3, ADA, 2, row(2));
    expect(await bench.known()).toEqual({ rows: 1, position: 3 });
    expect(bench.reported).toEqual([
      `the index knows another owner of cell ${cellOfShard(ADA).cell} of europe.softcore, which is fed no more`,
    ]);
  });

  it('opens only those cells that have no later owner', async () => {
    const bench = new Bench([{ position: position(3), rows: [listed(1, 1), indexed(BOB, 1, row(1))] }]);
    bench.core.apply({ node: nodeName('two'), incarnation: 'x', kind: 'open', cells: [cellOfShard(ADA, epoch(2))] });
    await bench.feed.openCells(CELLS);
    expect(await bench.known()).toEqual({ rows: 1, position: 3 });
  });
});

describe('listings of a shard that cannot be loaded', () => {
  it('leave the index, and are shown again when the shard is there', async () => {
    const bench = await Bench.open([{ position: position(9), rows: [listed(1, 1), listed(2, 2)] }]);
    bench.feed.hide(ADA);
    await promisesSettled();
    expect(await bench.known()).toEqual({ rows: 0, position: 9 });
    bench.put(10, BOB, 1, row(1));
    bench.feed.show(ADA, shardVersion(3), [row(1), row(2, 20)]);
    expect(await bench.known()).toEqual({ rows: 3, position: 10 });
    expect(await bench.has(ADA, 2)).toMatchObject({ buyout: 20, version: 3 });
    bench.remove(11, ADA, 4, 2);
    expect(await bench.known()).toEqual({ rows: 2, position: 11 });
    // Hidden once more: what was shown at a later version than its row's own must go as well.
    bench.feed.hide(ADA);
    await promisesSettled();
    expect(await bench.has(ADA, 1)).toBeUndefined();
  });

  it('leave it when that is told once more, if they could not be looked up at first', async () => {
    const bench = await Bench.open([{ position: position(9), rows: [listed(1, 1)] }]);
    bench.lookupsToFail = 1;
    const rows: number[] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      bench.feed.hide(ADA);
      await promisesSettled();
      rows.push((await bench.known()).rows);
    }
    expect(rows).toEqual([1, 0, 0]);
    expect(bench.reported).toEqual([`listings of ${ADA} are still shown`]);
    bench.feed.show(ADA, shardVersion(1), [row(1)]);
    expect((await bench.known()).rows).toBe(1);
  });

  it('stay if the shard was there again before they were looked up', async () => {
    const bench = await Bench.open([{ position: position(9), rows: [listed(1, 1), listed(3, 1)] }]);
    bench.feed.hide(ADA);
    bench.feed.show(ADA, shardVersion(1), [row(1), row(3)]);
    bench.remove(10, ADA, 2, 1);
    bench.put(11, ADA, 3, row(2));
    await promisesSettled();
    await bench.flushed();
    expect([1, 2, 3].map((id) => bench.core.get(listingId(rowId(id), ADA))?.version)).toEqual([undefined, 3, 1]);
  });

  it.each<[string, 'hide' | 'show']>([
    ['are left out of a snapshot under way, also if they are hidden in the middle of it', 'hide'],
    ['are added to a snapshot under way that they were hidden at the beginning of', 'show'],
  ])('%s', async (_name, end) => {
    const others = Array.from({ length: 500 }, (_, place) => indexed(BOB, 1, row(place + 100)));
    const own = [listed(1, 1), listed(2, 2)];
    // Of the listings of one shard, one is in the first part and the other in the second.
    const snapshot = { position: position(600), rows: [listed(1, 1), ...others, listed(2, 2)] };
    const bench = await Bench.open([{ position: position(5), rows: own }, snapshot]);
    if (end === 'show') bench.feed.hide(ADA);
    await promisesSettled();
    bench.disturb();
    bench.put(600, BOB, 1, row(100));
    expect((await bench.known()).rows).toBeGreaterThan(0);
    if (end === 'show') bench.feed.show(ADA, shardVersion(7), [row(1), row(2)]);
    else bench.feed.hide(ADA);
    await promisesSettled();
    // A change of the journal that the snapshot does not have.
    bench.put(601, BOB, 2, row(99));
    await bench.ring();
    expect(await bench.known()).toEqual({ rows: end === 'show' ? 503 : 501, position: 601 });
    expect([1, 2].map((id) => bench.core.get(listingId(rowId(id), ADA)) !== undefined)).toEqual([end === 'show', end === 'show']);
  });
});

describe('a feed into an index that is elsewhere', () => {
  it('has one batch on its way at a time; what is asked for meanwhile follows at once', async () => {
    const arrivals: (() => void)[] = [];
    const apply: BenchOptions['apply'] = (real, batch) =>
      batch.kind === 'changes' ? new Promise((resolve) => arrivals.push(() => resolve(real.apply(batch)))) : real.apply(batch);
    const bench = await Bench.open([EMPTY], { apply });
    bench.put(1, ADA, 1, row(1));
    await bench.ring();
    bench.pass(3);
    bench.put(2, ADA, 2, row(2));
    expect(bench.feed.flush(position(2))).toBe(2);
    bench.pass(4);
    expect([bench.spans, bench.feed.lagMs]).toEqual([[[0, 1]], 7]);
    arrivals.shift()?.();
    await promisesSettled();
    expect([bench.spans.at(-1), bench.feed.lagMs]).toEqual([[1, 2], 4]);
    arrivals.shift()?.();
    await promisesSettled();
    expect([bench.core.positionOf(nodeName('one')), bench.feed.lagMs, bench.timers.size]).toEqual([2, 0, 0]);
  });

  it('sends what waits of a cell that is closed while a batch is on its way, also if that is lost', async () => {
    const arrivals: ((isLost: boolean) => void)[] = [];
    const apply: BenchOptions['apply'] = (real, batch) =>
      batch.kind !== 'changes'
        ? real.apply(batch)
        : new Promise((resolve, reject) => arrivals.push((isLost) => (isLost ? reject(new Error('away')) : resolve(real.apply(batch)))));
    const bench = await Bench.open([EMPTY, { position: position(2), rows: rowsUpTo(2) }], { apply });
    bench.put(1, ADA, 1, row(1));
    await bench.ring();
    bench.put(2, ADA, 2, row(2));
    bench.feed.closeCell(cellOfShard(ADA));
    for (const isLost of [false, true, false]) {
      arrivals.shift()?.(isLost);
      await promisesSettled();
    }
    expect(bench.spans).toEqual([
      [0, 1],
      [1, 2],
      [1, 2],
    ]);
    expect(await bench.known()).toEqual({ rows: 2, position: 2 });
    bench.put(3, ADA, 3, row(3));
    await bench.flushed();
    arrivals.shift()?.(false);
    expect(await bench.known()).toEqual({ rows: 2, position: 3 });
  });

  it('says that the index is behind while it is given its cells again, although it knows the position', async () => {
    let isLost = true;
    const apply: BenchOptions['apply'] = async (real, batch) => {
      const answer = await real.apply(batch);
      if (batch.kind === 'changes' && batch.to > 500 && isLost) {
        isLost = false;
        throw new Error('the answer is lost');
      }
      return answer;
    };
    const snapshots = [500, 501].map((count) => ({ position: position(count), rows: rowsUpTo(count) }));
    const bench = await Bench.open(snapshots, { apply });
    bench.put(501, ADA, 501, row(501));
    await bench.ring();
    expect(await bench.feed.search(QUERY, { atLeast: position(501) })).toMatchObject({ total: 500, lagMs: 1 });
    await bench.ring();
    expect(await bench.feed.search(QUERY, { atLeast: position(501) })).toMatchObject({ total: 501, lagMs: 0 });
  });

  it('begins anew with an index that was away, whatever the former one has said of a batch', async () => {
    const { promise: lost, resolve: lose } = Promise.withResolvers<void>();
    const { promise: answered, resolve: answerNow } = Promise.withResolvers<void>();
    let isFirst = true;
    const apply: BenchOptions['apply'] = async (real, batch) => {
      if (batch.kind !== 'changes' || batch.to === 0 || !isFirst) return real.apply(batch);
      isFirst = false;
      await answered;
      return { kind: 'applied', to: batch.to, outdated: [] };
    };
    const bench = await Bench.open([EMPTY, { position: position(1), rows: rowsUpTo(1) }], { apply, lost });
    bench.put(1, ADA, 1, row(1));
    await bench.ring();
    lose();
    answerNow();
    await promisesSettled();
    await bench.ring();
    expect(bench.applied.slice(-4)).toMatchObject([
      { kind: 'open', cells: [] },
      { kind: 'open', cells: CELLS.toReversed() },
      { kind: 'rows' },
      { kind: 'changes' },
    ]);
    expect(await bench.known()).toEqual({ rows: 1, position: 1 });
  });

  it('opens all cells again when it cannot know whether a batch was taken, once the index answers', async () => {
    let failures = 0;
    const apply: BenchOptions['apply'] = (real, batch) => (failures-- > 0 ? Promise.reject(new Error('away')) : real.apply(batch));
    const bench = await Bench.open([EMPTY, { position: position(2), rows: rowsUpTo(2) }], { apply });
    failures = 2;
    bench.put(1, ADA, 1, row(1));
    await bench.ring();
    expect(bench.read).toHaveLength(1);
    bench.put(2, ADA, 2, row(2));
    await bench.ring();
    expect(await bench.known()).toEqual({ rows: 2, position: 2 });
    expect(bench.reported).toEqual(['the listing index does not take changes', 'the listing index could not be given a snapshot']);
  });
});

describe('a search of a node', () => {
  it('finds what is durable, as the feed sends it for it', async () => {
    const bench = await Bench.open();
    bench.put(4, ADA, 1, row(1));
    expect(await bench.feed.search(QUERY, { atLeast: position(4) })).toMatchObject({ kind: 'found', total: 1, lagMs: 0 });
    bench.remove(5, ADA, 2, 1);
    expect(await bench.feed.search(QUERY, { atLeast: position(9) })).toMatchObject({ kind: 'found', total: 0, lagMs: 0 });
    await promisesSettled();
    bench.put(10, ADA, 3, row(1));
    expect(await bench.feed.stats()).toMatchObject({ rows: 1 });
  });

  it('waits for what is on its way, and is answered without it when that takes too long', async () => {
    let arrive = (): void => {};
    const apply: BenchOptions['apply'] = (real, batch) =>
      batch.kind === 'changes' ? new Promise((resolve) => (arrive = () => resolve(real.apply(batch)))) : real.apply(batch);
    const bench = await Bench.open([EMPTY], { apply });
    bench.put(1, ADA, 1, row(1));
    let isAnswered = false;
    const patient = bench.feed.search(QUERY, { atLeast: position(1) }).finally(() => (isAnswered = true));
    await promisesSettled();
    expect(isAnswered).toBe(false);
    arrive();
    expect(await patient).toMatchObject({ total: 1, lagMs: 0 });
    expect(bench.timers.size).toBe(0);

    bench.put(2, ADA, 2, row(2));
    const hasty = bench.feed.search(QUERY, { atLeast: position(2) });
    await promisesSettled();
    bench.pass(100);
    await bench.ring();
    expect(await hasty).toMatchObject({ total: 1, lagMs: 100 });
  });

  it('says so when the index does not answer', async () => {
    const bench = await Bench.open([EMPTY], { search: async () => ({ kind: 'unavailable' }) });
    expect(await bench.feed.search(QUERY, { atLeast: position(0) })).toEqual({ kind: 'unavailable' });
  });
});
