/** What every adapter of `ProjectionUpkeep` promises, and that the one in memory can fail and be cut off as the rest of its disk. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { epoch, type CellEpoch } from '#shared/cell.ts';
import { instant, position, rowId, shardVersion } from '#shared/units.ts';
import { MemoryDisk } from './memory.ts';
import { FileProjections } from './sqlite-projections.ts';
import type { CellTotals, LiveRow, MirroredShard, ProjectionStore } from './storage.ts';
import { cellEpoch, sampleShard, DEFINITION } from '../testing/sample.ts';

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) cleanUp();
});

const [ada, bob] = [sampleShard(1), sampleShard(2)] as const;

/** The projections as somebody finds them who opens them anew. */
type Open = () => ProjectionStore;

function inFile(): Open {
  const directory = mkdtempSync(join(tmpdir(), 'gavel-upkeep-'));
  cleanUps.push(() => rmSync(directory, { recursive: true }));
  return () => {
    const projections = FileProjections.openFor(join(directory, 'node.db'), 'instance');
    cleanUps.push(() => projections.close());
    return projections;
  };
}

function inMemory(): Open {
  const { projections } = new MemoryDisk(DEFINITION);
  return () => projections;
}

function row(entity: string, shard: typeof ada, id: number): LiveRow {
  return { entity, shard, id: rowId(id), version: shardVersion(7), record: Uint8Array.of(id) };
}

function loaded(shard: typeof ada, due: number, ...ids: readonly number[]): MirroredShard {
  return { kind: 'loaded', shard, of: cellEpoch(shard), due: instant(due), rows: ids.map((id) => row('offer', shard, id)) };
}

function leftOut(shard: typeof ada): MirroredShard {
  return { kind: 'left-out', shard, of: cellEpoch(shard) };
}

function totalsOf(shard: typeof ada, inEpoch: number, amountByKey: Readonly<Record<string, bigint>>): CellTotals {
  return { of: cellEpoch(shard, inEpoch), amountByKey: new Map(Object.entries(amountByKey)) };
}

const idsOf = (store: ProjectionStore, entity = 'offer'): readonly number[] => store.rows(entity).map(({ id }) => id);

describe.each<readonly [string, () => Open]>([
  ['in a file', inFile],
  ['in memory', inMemory],
])('the upkeep of projections %s', (_where, make) => {
  it('keeps of which entities all rows are there, until it forgets the mirror', () => {
    const open = make();
    expect(open().upkeep.entities).toBeUndefined();
    open().upkeep.finish(['offer', 'purse']);
    expect(open().upkeep.entities).toEqual(['offer', 'purse']);
    open().upkeep.put(['offer'], [loaded(ada, 5, 1, 2), leftOut(bob)]);
    open().upkeep.forget();
    const store = open();
    expect([store.upkeep.entities, store.upkeep.leftOut, idsOf(store), store.due(instant(1e9), 9)]).toEqual([undefined, [], [], []]);
  });

  it('puts rows and alarm of a shard in the place of what was, and leaves other entities and shards alone', () => {
    const open = make();
    const { upkeep } = open();
    upkeep.put(['purse'], [{ kind: 'loaded', shard: ada, of: cellEpoch(ada), due: 0, rows: [row('purse', ada, 9)] }]);
    upkeep.put(['offer'], [loaded(ada, 5, 1, 2), loaded(bob, 6, 3)]);
    upkeep.put(['offer'], [loaded(ada, 0, 2, 4)]);
    expect([idsOf(open()).toSorted(), idsOf(open(), 'purse')]).toEqual([[2, 3, 4], [9]]);
    expect(open().due(instant(1e9), 9)).toEqual([{ shard: bob, due: 6 }]);
    expect(open().upkeep.check()).toEqual({ isMirrorWhole: true, areTotalsWhole: true });
  });

  it('leaves alone what a shard had in another epoch of its cell: it is not there any more, and is not mixed with what is', () => {
    const open = make();
    open().upkeep.put(['offer'], [loaded(ada, 5, 1, 2)]);
    const second = { isPresent: ({ epoch: its }: CellEpoch) => its === 2 };
    const store = open();
    store.setEpochs(second);
    expect([idsOf(store), store.due(instant(1e9), 9)]).toEqual([[], []]);
    store.upkeep.put(['offer'], [{ ...loaded(ada, 7, 2, 3), of: cellEpoch(ada, 2) }]);
    expect([idsOf(store).toSorted(), store.due(instant(1e9), 9)]).toEqual([[2, 3], [{ shard: ada, due: 7 }]]);
    expect(store.upkeep.check()).toEqual({ isMirrorWhole: true, areTotalsWhole: true });
  });

  it('has a shard that is left out due at once, and names it until it is put in', () => {
    const open = make();
    open().upkeep.put(['offer'], [loaded(ada, 5, 1), leftOut(bob), leftOut(ada)]);
    expect([open().upkeep.leftOut.toSorted(), idsOf(open())]).toEqual([[ada, bob], []]);
    expect(open().due(instant(1), 9)).toHaveLength(2);
    open().upkeep.put(['offer'], [loaded(ada, 0, 1)]);
    expect([open().upkeep.leftOut, idsOf(open())]).toEqual([[bob], [1]]);
  });

  it('puts totals in the place of what was, and gives all of the ledger', () => {
    const open = make();
    const segment = { shard: ada, epoch: epoch(2), firstSeq: 1, lastSeq: 2, transactions: Buffer.of(1), lines: Buffer.of(2) };
    const totals = [totalsOf(ada, 1, { a: 1n, b: 2n }), totalsOf(bob, 1, { b: 3n })];
    open().apply({ folded: position(1), alarms: [], rows: [], segments: [segment], totals });
    open().upkeep.setTotals([totalsOf(ada, 1, { b: 2n ** 70n })]);
    expect(open().totals()).toEqual([{ key: 'asia.softcore b', amount: 2n ** 70n }]);
    expect([...open().upkeep.segments()]).toMatchObject([segment]);
  });
});

describe('the upkeep of projections in memory', () => {
  const calls = {
    finish: ({ upkeep }) => upkeep.finish(['purse']),
    forget: ({ upkeep }) => upkeep.forget(),
    put: ({ upkeep }) => upkeep.put(['offer'], [leftOut(ada)]),
    setTotals: ({ upkeep }) => upkeep.setTotals([totalsOf(ada, 1, { b: 1n })]),
  } satisfies Record<string, (store: ProjectionStore) => void>;
  const names = Object.keys(calls) as (keyof typeof calls)[];

  function used(): MemoryDisk {
    const disk = new MemoryDisk(DEFINITION);
    const { upkeep } = disk.projections;
    upkeep.put(['offer'], [loaded(ada, 5, 1), leftOut(bob)]);
    upkeep.finish(['offer']);
    return disk;
  }

  it.each(names)('fails at %s, with nothing done', (name) => {
    const disk = used();
    const before = disk.snapshot();
    disk.inject(() => 'fail');
    expect(() => calls[name](disk.projections)).toThrow('the disk failed before: upkeep');
    expect(disk.snapshot()).toEqual(before);
  });

  it.each(names)('loses %s in a power cut if it was not synced, and nothing that was', (name) => {
    const disk = used();
    const before = disk.snapshot();
    disk.inject(() => 'write-unsynced');
    expect(() => calls[name](disk.projections)).toThrow('the disk failed after: upkeep');
    expect(disk.snapshot()).not.toEqual(before);
    disk.cutPower(() => false);
    expect(disk.snapshot()).toEqual(before);
    expect(disk.projections.upkeep.entities).toEqual(['offer']);
  });
});
