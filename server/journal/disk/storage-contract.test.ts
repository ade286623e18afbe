import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shardId } from '#shared/address.ts';
import { epoch, FIRST_EPOCH, type CellEpoch } from '#shared/cell.ts';
import { transactionId } from '#server/trade/transaction.ts';
import { instant, position, rowId, type ShardId, shardVersion } from '#shared/units.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import { sealed } from './checksums.ts';
import { fingerprint } from '../fold/fingerprint.ts';
import { applyChanges } from '../images/merge.ts';
import type { DueShard } from '../persister/persister.ts';
import {
  ImageError,
  type AlarmChange,
  type Batch,
  type CellTotals,
  type FoldDelta,
  type ImageStore,
  type JournalReader,
  type JournalStore,
  type LiveRow,
  type ProjectionStore,
} from './storage.ts';
import { openDirectory, journalPath, projectionsPath } from './directory.ts';
import { FileImages } from './image-files.ts';
import { FileJournalReader } from './sqlite-journal.ts';
import { MemoryDisk } from './memory.ts';
import { FileProjections } from './sqlite-projections.ts';
import { asRaw, cellEpoch, DEFINITION, picker, replay, sampleShard, SampleShard } from '../testing/sample.ts';

interface Stores {
  readonly journal: JournalStore;
  /** The journal as another thread reads it. */
  readonly reader: JournalReader;
  readonly images: ImageStore;
  readonly projections: ProjectionStore;
  /** The same data, opened anew after a clean close. */
  reopen(): Stores;
}

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) cleanUp();
});

function memoryStores(disk = new MemoryDisk(DEFINITION)): Stores {
  const { journal, images, projections } = disk;
  return { journal, reader: journal, images, projections, reopen: () => memoryStores(disk) };
}

function fileStores(directory = newDirectory()): Stores {
  const opened = openDirectory(directory, DEFINITION, 'instance');
  const { journal } = opened;
  const reader = FileJournalReader.open(journalPath(directory));
  const projections = FileProjections.openFor(projectionsPath(directory), 'instance');
  const state = { isOpen: true };
  const letGo = (): void => {
    if (!state.isOpen) return;
    state.isOpen = false;
    reader.close();
    projections.close();
    opened.close();
  };
  cleanUps.push(letGo);
  const reopen = (): Stores => {
    letGo();
    return fileStores(directory);
  };
  return { journal, reader, images: new FileImages(directory, DEFINITION, 'instance'), projections, reopen };
}

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'gavel-contract-'));
  cleanUps.push(() => rmSync(directory, { recursive: true }));
  return directory;
}

function batch(first: number, count: number, now = 1_000): Batch {
  return sealed({
    first: position(first),
    last: position(first + count - 1),
    now: instant(now),
    records: Uint8Array.from({ length: 100 }, (_, index) => (first + index) % 256),
  });
}

function plain({ first, last, now, sum, records }: Batch) {
  return { first, last, now, sum, records: [...records] };
}

/** A journal that is long enough for what is folded or noted. */
async function withJournal(stores: Stores): Promise<Stores> {
  stores.journal.commit(batch(1, 2));
  await publish(stores.images, cid);
  return stores;
}

async function publish(images: ImageStore, shard: typeof cid): Promise<void> {
  images.draft(shard).stage({ ...asRaw(new SampleShard(1, picker(1)).turn(1_000)), shard });
  await images.sync([shard]);
  images.publish([shard]);
}

const delta: FoldDelta = { folded: position(1), alarms: [], rows: [], segments: [], totals: [] };
const alarm = (shard: ShardId, due: number, inEpoch = 1): AlarmChange => ({
  shard,
  of: cellEpoch(shard, inEpoch),
  due: due === 0 ? 0 : instant(due),
});
const totalsOf = (shard: ShardId, inEpoch: number, amountByKey: Readonly<Record<string, bigint>>): CellTotals => ({
  of: cellEpoch(shard, inEpoch),
  amountByKey: new Map(Object.entries(amountByKey)),
});
/** Every cell is in this epoch. */
const all = (inEpoch: number) => ({ isPresent: ({ epoch: its }: CellEpoch) => its === inEpoch });
const [ada, bob, cid] = [sampleShard(1), sampleShard(2), sampleShard(3)] as const;

describe.each([
  ['memory', () => memoryStores()],
  ['SQLite and files', () => fileStores()],
])('the stores of %s', (_name, open) => {
  it('keep batches, in order, through a reopening', () => {
    const stores = open();
    expect(stores.journal.state).toEqual({ position: 0, dropped: 0, now: 0, lease: 0, bytes: 0, setAsideBytes: 0 });
    stores.journal.commit(batch(1, 3, 5_000));
    stores.journal.commit(batch(4, 1, 4_000));
    stores.journal.commit(batch(5, 2));
    const check = ({ journal, reader }: Stores): void => {
      expect(journal.state).toEqual({ position: 6, dropped: 0, now: 5_000, lease: 0, bytes: 300, setAsideBytes: 0 });
      expect(reader.read(position(0), 1e9).map(plain)).toEqual([batch(1, 3, 5_000), batch(4, 1, 4_000), batch(5, 2)].map(plain));
      expect(reader.read(position(3), 1).map(({ first }) => first)).toEqual([4]);
      expect(reader.read(position(3), 101).map(({ first }) => first)).toEqual([4, 5]);
      expect(reader.read(position(6), 1)).toEqual([]);
      expect(reader.batch(position(4))?.last).toBe(4);
      expect(reader.batch(position(3))).toBeUndefined();
    };
    check(stores);
    check(stores.reopen());
  });

  it('take no batch that does not follow the last one', () => {
    const { journal } = open();
    journal.commit(batch(1, 3));
    expect(() => journal.commit(batch(5, 1))).toThrow('cannot follow turn 3');
    expect(() => journal.commit(batch(3, 1))).toThrow('cannot follow turn 3');
    journal.commit(batch(4, 1));
    expect(journal.state.position).toBe(4);
  });

  it('drop whole batches from the oldest on, and never forget the highest position', () => {
    const stores = open();
    for (let first = 1; first <= 9; first += 2) stores.journal.commit(batch(first, 2));
    stores.images.mark(position(10));
    expect(stores.journal.drop(position(5), 100)).toBe(4);
    expect(stores.journal.drop(position(10), 3)).toBe(8);
    expect(stores.journal.state).toEqual({ position: 10, dropped: 8, now: 1_000, lease: 0, bytes: 100, setAsideBytes: 0 });
    expect(stores.journal.drop(position(10), 3)).toBe(10);
    expect(stores.journal.drop(position(10), 3)).toBe(10);
    stores.projections.apply({ ...delta, folded: position(10) });
    const { journal, reader } = stores.reopen();
    expect(journal.state).toEqual({ position: 10, dropped: 10, now: 1_000, lease: 0, bytes: 0, setAsideBytes: 0 });
    expect(reader.read(position(0), 1e9)).toEqual([]);
    journal.commit(batch(11, 1));
    expect(journal.state.position).toBe(11);
  });

  it('keep the lease of time, which never gets shorter', async () => {
    const stores = await withJournal(open());
    stores.journal.extendLease(instant(7_000));
    stores.journal.extendLease(instant(5_000));
    expect(stores.journal.state.lease).toBe(7_000);
    expect(stores.reopen().journal.state).toMatchObject({ position: 2, lease: 7_000 });
  });

  it('keep notes, and the newest of each', async () => {
    const stores = await withJournal(open());
    stores.journal.storeImageVersions(
      [
        { shard: ada, version: shardVersion(3), now: instant(30), epoch: FIRST_EPOCH },
        { shard: bob, version: shardVersion(1), now: instant(10), epoch: FIRST_EPOCH },
      ],
      [],
    );
    stores.journal.storeImageVersions([{ shard: ada, version: shardVersion(9), now: instant(90), epoch: epoch(3) }], []);
    const { reader } = stores.reopen();
    expect([reader.imageVersionOf(ada), reader.imageVersionOf(bob), reader.imageVersionOf(cid)]).toEqual([
      { version: 9, now: 90, epoch: 3 },
      { version: 1, now: 10, epoch: 1 },
      undefined,
    ]);
  });

  it('keep records that were put aside, until an image contains them', async () => {
    const stores = await withJournal(open());
    const kept = [5, 4, 6].map((version) => ({ shard: ada, version: shardVersion(version), record: Uint8Array.of(version) }));
    stores.journal.storeImageVersions([], kept);
    stores.journal.storeImageVersions([], [{ shard: ada, version: shardVersion(5), record: Uint8Array.of(99) }]);
    stores.journal.storeImageVersions([], [{ shard: bob, version: shardVersion(1), record: Uint8Array.of(1) }]);
    expect(stores.reader.setAsideBytesByShard()).toEqual(
      new Map([
        [ada, 3],
        [bob, 1],
      ]),
    );
    expect(stores.journal.state.setAsideBytes).toBe(4);
    expect(stores.reader.setAsideOf(ada).map(([version]) => version)).toEqual([4, 5, 6]);
    const { journal, reader } = stores.reopen();
    expect(journal.state.setAsideBytes).toBe(4);
    journal.storeImageVersions(
      [
        { shard: ada, version: shardVersion(5), now: instant(50), epoch: FIRST_EPOCH },
        { shard: bob, version: shardVersion(1), now: instant(10), epoch: FIRST_EPOCH },
      ],
      [],
    );
    expect(reader.setAsideOf(ada).map(([version]) => version)).toEqual([6]);
    expect(reader.setAsideBytesByShard()).toEqual(new Map([[ada, 1]]));
    expect(journal.state.setAsideBytes).toBe(1);
  });

  it('build an image in steps, and give back what was put in', async () => {
    const stores = open();
    const sample = new SampleShard(1, picker(1));
    const turns = Array.from({ length: 90 }, (_, turn) => sample.turn(1_000 + turn));
    expect(stores.images.read(ada)).toBeUndefined();
    for (const [start, end] of [
      [0, 30],
      [30, 31],
      [31, 90],
    ] as const) {
      const draft = stores.images.draft(ada);
      expect(draft.version).toBe(start);
      const before = stores.images.read(ada);
      draft.stage(merged(turns.slice(start, end).map(asRaw)));
      expect(stores.images.read(ada)).toEqual(before);
      await stores.images.sync([ada]);
      stores.images.publish([ada]);
      await stores.images.syncDirectories([ada]);
      expect(stores.images.read(ada)).toEqual({ kind: 'found', shard: replay(turns.slice(0, end)) });
    }
    expect(stores.reopen().images.read(ada)).toEqual({ kind: 'found', shard: replay(turns) });
  });

  it('tell players apart whose names differ in nothing but capitals', async () => {
    const { images } = open();
    const names = ['Ada@europe.softcore', 'ada@europe.softcore', 'aDA@europe.softcore', '_ada@europe.softcore'];
    const shards = names.map((id) => ({ ...asRaw(new SampleShard(1, picker(1)).turn(1_000)), shard: id as typeof ada }));
    for (const changes of shards) images.draft(changes.shard).stage(changes);
    const ids = shards.map(({ shard }) => shard);
    await images.sync(ids);
    images.publish(ids);
    expect(ids.map((id) => images.read(id)?.shard.shard)).toEqual(names);
  });

  it('say of which position no image is beyond, and never of an earlier one', async () => {
    const stores = await withJournal(open());
    expect(stores.images.published).toBe(0);
    stores.images.mark(position(2));
    stores.images.mark(position(1));
    expect(stores.images.published).toBe(2);
    expect(stores.reopen().images.published).toBe(2);
  });

  it('tell which shards have an image', async () => {
    const { images } = open();
    expect([...images.shards()]).toEqual([]);
    await publish(images, ada);
    await publish(images, cid);
    images.draft(bob).stage({ ...asRaw(new SampleShard(2, picker(1)).turn(1_000)), shard: bob });
    expect(new Set(images.shards())).toEqual(new Set([ada, cid]));
  });

  it('do not publish an image that was not synced, or not staged', () => {
    const { images } = open();
    images.draft(ada).stage(asRaw(new SampleShard(1, picker(1)).turn(1_000)));
    expect(() => images.publish([ada])).toThrow('was not synced');
    expect(() => images.publish([bob])).toThrow(/not staged|ENOENT/);
    expect(images.read(ada)).toBeUndefined();
  });

  it('keep alarms, earliest first, and forget those that were taken back', async () => {
    const stores = await withJournal(open());
    stores.projections.apply({
      ...delta,
      alarms: [alarm(ada, 300), alarm(bob, 100), alarm(cid, 200)],
    });
    stores.projections.apply({
      ...delta,
      folded: position(2),
      alarms: [alarm(ada, 50), alarm(cid, 0)],
    });
    const { projections } = stores.reopen();
    expect(projections.folded).toBe(2);
    expect(projections.due(instant(49), 10)).toEqual([]);
    const [first, second] = [
      { shard: ada, due: 50 },
      { shard: bob, due: 100 },
    ];
    expect(projections.due(instant(100), 10)).toEqual([first, second]);
    expect(projections.due(instant(1_000), 1)).toEqual([first]);
  });

  it('page through the shards that want to be woken, also through many of one time, each of them once', async () => {
    const stores = await withJournal(open());
    const times: readonly (readonly [string, number])[] = [
      ['e', 7],
      ['b', 7],
      ['d', 7],
      ['a', 9],
      ['c', 7],
      ['f', 3],
      ['g', 11],
    ];
    const alarms = times.map(([name, due]) => alarm(shardId(name, 'europe', 'softcore'), due));
    stores.projections.apply({ ...delta, alarms });
    const { projections } = stores.reopen();
    const seen: string[] = [];
    let after: DueShard | undefined;
    do {
      const page = projections.due(instant(10), 2, after);
      seen.push(...page.map(({ shard, due }) => `${shard.slice(0, 1)}${due}`));
      after = page.at(-1);
    } while (after !== undefined);
    expect(seen).toEqual(['f3', 'b7', 'c7', 'd7', 'e7', 'a9']);
  });

  it('keep the live rows of an entity', async () => {
    const stores = await withJournal(open());
    const row = rowOf(ada, 1);
    stores.projections.apply({ ...delta, rows: [row, rowOf(ada, 2), rowOf(bob, 1), { ...row, entity: 'player' }] });
    const changed = { ...row, version: shardVersion(2), record: Uint8Array.of(2) };
    const ends = [rowOf(ada, 2), rowOf(cid, 1)].map((each) => ({ ...each, record: undefined }));
    stores.projections.apply({ ...delta, folded: position(2), rows: [changed, ...ends] });
    const { projections } = stores.reopen();
    expect(found(projections.rows('offer'))).toEqual([`${ada} 1: 2`, `${bob} 1: 1`]);
    expect(found(projections.rows('offer', cellEpoch(bob)))).toEqual([`${bob} 1: 1`]);
    expect(found(projections.rows('offer', cellEpoch(ada), ada))).toEqual([`${ada} 1: 2`]);
    expect(projections.rows('offer', cellEpoch(ada), bob)).toEqual([]);
    expect(projections.rows('offer', cellEpoch(cid))).toEqual([]);
  });

  it('know rows, alarms and totals of another epoch than the present one no more, and have all of it of the present one', async () => {
    const stores = await withJournal(open());
    const old = { rows: [rowOf(ada, 1), rowOf(bob, 1)], alarms: [alarm(ada, 5), alarm(bob, 6)] };
    stores.projections.apply({
      ...delta,
      ...old,
      totals: [totalsOf(ada, 1, { 'wallet gold': 7n }), totalsOf(bob, 1, { 'wallet gold': 9n })],
    });
    const rows = [rowOf(ada, 2, 2), { ...rowOf(ada, 1, 2), record: undefined }];
    const totals = [totalsOf(ada, 2, { 'wallet gold': 40n })];
    stores.projections.apply({ ...delta, folded: position(2), rows, alarms: [alarm(ada, 8, 2)], totals });
    const { projections } = stores.reopen();
    const look = (): unknown => [
      found(projections.rows('offer')),
      projections.due(instant(100), 9).map(({ shard, due }) => `${shard} ${due}`),
      projections.totals().map(({ key, amount }) => `${key} ${amount}`),
    ];
    // The alarm of a shard is one: that of the later turn is there, and is not of the first epoch.
    expect(look()).toEqual([
      [`${ada} 1: 1`, `${bob} 1: 1`],
      [`${bob} 6`],
      ['asia.softcore wallet gold 7', 'europe.softcore wallet gold 9'],
    ]);
    projections.setEpochs(all(2));
    expect(look()).toEqual([[`${ada} 2: 1`], [`${ada} 8`], ['asia.softcore wallet gold 40']]);
    expect([projections.rows('offer', cellEpoch(ada, 1)), projections.totals(cellEpoch(ada, 1))]).toEqual([[], []]);
    projections.setEpochs({ isPresent: ({ market, epoch: its }) => its === (market === 'asia.softcore' ? 2 : 1) });
    expect(look()).toEqual([
      [`${ada} 2: 1`, `${bob} 1: 1`],
      [`${bob} 6`, `${ada} 8`],
      ['asia.softcore wallet gold 40', 'europe.softcore wallet gold 9'],
    ]);
    expect(projections.due(instant(100), 1, { shard: bob, due: instant(6) })).toEqual([{ shard: ada, due: 8 }]);
    projections.setEpochs(all(3));
    expect(look()).toEqual([[], [], []]);
    expect(projections.due(instant(100), 1)).toEqual([]);
  });

  it('give the totals of one cell, which sum up to those of all', async () => {
    const stores = await withJournal(open());
    const dan = sampleShard(5);
    const totals = [totalsOf(ada, 1, { 'wallet gold': 1n, 'wallet item': 3n }), totalsOf(dan, 1, { 'wallet gold': 10n })];
    stores.projections.apply({ ...delta, totals });
    stores.projections.apply({ ...delta, folded: position(2), totals: [totalsOf(dan, 1, { 'wallet gold': 100n })] });
    const { projections } = stores.reopen();
    const saidOf = (of?: CellEpoch): readonly string[] => projections.totals(of).map(({ key, amount }) => `${key} ${amount}`);
    expect(saidOf(cellEpoch(ada))).toEqual(['asia.softcore wallet gold 1', 'asia.softcore wallet item 3']);
    expect(saidOf(cellEpoch(dan))).toEqual(['asia.softcore wallet gold 110']);
    expect(saidOf()).toEqual(['asia.softcore wallet gold 111', 'asia.softcore wallet item 3']);
    expect(saidOf(cellEpoch(bob))).toEqual([]);
  });

  it('keep ledger segments by shard, and find those of a transaction', async () => {
    const stores = await withJournal(open());
    const prints = (...ids: readonly string[]): Uint8Array =>
      Buffer.concat(
        ids.map((holder) => fingerprint(transactionId({ holder: shardId(holder, 'europe', 'softcore'), generation: 1, seq: 1 }))),
      );
    const segment = (shard: typeof ada, firstSeq: number, lastSeq: number, ...ids: readonly string[]) => {
      const lines = new RecordWriter(DEFINITION).take();
      return { shard, epoch: FIRST_EPOCH, firstSeq, lastSeq, transactions: prints(...ids), lines };
    };
    stores.projections.apply({ ...delta, segments: [segment(ada, 1, 10, 'a', 'b'), segment(bob, 1, 3, 'a')] });
    stores.projections.apply({ ...delta, folded: position(2), segments: [segment(ada, 11, 11), segment(ada, 12, 20, 'c', 'b')] });
    const { projections } = stores.reopen();
    const spans = (found: readonly { firstSeq: number; lastSeq: number }[]) => found.map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq]);
    expect(spans(projections.segments(ada, 1e9, 5))).toEqual([[12, 20]]);
    expect(spans(projections.segments(ada, 1e9, 10))).toEqual([
      [12, 20],
      [11, 11],
    ]);
    expect(spans(projections.segments(ada, 13, 2))).toEqual([
      [12, 20],
      [11, 11],
    ]);
    expect(spans(projections.segments(ada, 5, 100))).toEqual([[1, 10]]);
    expect(spans(projections.segments(ada, 1, 100))).toEqual([]);
    expect(spans(projections.segmentsWith(ada, prints('b')))).toEqual([
      [1, 10],
      [12, 20],
    ]);
    expect(spans(projections.segmentsWith(bob, prints('b')))).toEqual([]);
  });

  it('have what was written, whatever the caller does to its bytes then', async () => {
    const stores = await withJournal(open());
    const { projections, journal } = stores;
    const bytes = Uint8Array.of(1, 2, 3, 4);
    const segment = { shard: ada, epoch: FIRST_EPOCH, firstSeq: 1, lastSeq: 1, transactions: bytes, lines: bytes };
    projections.apply({ ...delta, rows: [{ ...rowOf(ada, 1), record: bytes }], segments: [segment] });
    journal.storeImageVersions([], [{ shard: ada, version: shardVersion(4), record: bytes }]);
    const next = sealed({ first: position(3), last: position(3), now: instant(1_000), records: bytes });
    journal.commit(next);
    bytes.fill(0);
    const [found] = projections.segments(ada, 9, 9);
    const all = [
      found?.transactions,
      found?.lines,
      projections.rows('offer')[0]?.record,
      journal.setAsideOf(ada)[0],
      journal.batch(position(3))?.records,
    ];
    expect(all.map((each) => [...(each ?? [])])).toEqual(all.map(() => [1, 2, 3, 4]));
  });

  it('add to totals without losing a coin, beyond 2^53', async () => {
    const stores = await withJournal(open());
    stores.projections.apply({ ...delta, totals: [totalsOf(ada, 1, { 'wallet gold': 2n ** 60n, 'burned gold': -5n })] });
    stores.projections.apply({ ...delta, folded: position(2), totals: [totalsOf(ada, 1, { 'wallet gold': 1n })] });
    expect(stores.reopen().projections.totals()).toEqual([
      { key: 'asia.softcore burned gold', amount: -5n },
      { key: 'asia.softcore wallet gold', amount: 2n ** 60n + 1n },
    ]);
  });
});

function rowOf(shard: ShardId, id: number, inEpoch = 1) {
  return { entity: 'offer', shard, of: cellEpoch(shard, inEpoch), id: rowId(id), version: shardVersion(1), record: Uint8Array.of(1) };
}

/** Rows as `shard id: record`, in an order of their own. */
function found(rows: readonly LiveRow[]): readonly string[] {
  return rows.map(({ shard, id, record }) => `${shard} ${id}: ${[...record].join()}`).toSorted();
}

/** One change set with the effect of all. */
function merged(all: readonly ReturnType<typeof asRaw>[]): ReturnType<typeof asRaw> {
  const [first, ...rest] = all;
  if (first === undefined) throw new Error('there is nothing to merge');
  return rest.reduce((sum, changes) => {
    const { puts, ledger, ...header } = applyChanges(sum, changes);
    return { ...header, puts, ledger, removes: [...sum.removes, ...changes.removes] };
  }, first);
}

describe('images as files', () => {
  it('throw an ImageError when they are of another shard', async () => {
    const { images } = fileStores();
    images.draft(bob).stage(asRaw(new SampleShard(1, picker(1)).turn(1_000)));
    await images.sync([bob]);
    images.publish([bob]);
    expect(() => images.read(bob)).toThrow(ImageError);
    expect(() => images.draft(bob)).toThrow('its image is that of Player1@asia.softcore');
  });
});
