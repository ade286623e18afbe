import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { marketName, marketOf } from '#shared/address.ts';
import { cellOf, epoch, FIRST_EPOCH } from '#shared/cell.ts';
import { transactionId } from '#server/trade/transaction.ts';
import { instant, type Market, NO_POSITION, position, rowId, shardVersion, type TransactionId } from '#shared/units.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import { override } from '#server/sim/override.ts';
import { sealed } from '../disk/checksums.ts';
import { fingerprint } from './fingerprint.ts';
import { unpackRows } from './projected-row.ts';
import { Projector } from './projector.ts';
import type { ProjectionScope } from '../persister/persister.ts';
import { MemoryDisk } from '../disk/memory.ts';
import { Sums } from './sums.ts';
import { cellEpoch, DEFINITION, offer, picker, sampleShard, SampleShard } from '../testing/sample.ts';
import { slowFold, sortedRows } from '../testing/slow-fold.ts';

/** A journal of these turns, in batches of random sizes. */
function journalOf(turns: readonly ChangeSet[], pick: (below: number) => number): MemoryDisk {
  const disk = new MemoryDisk(DEFINITION);
  const writer = new RecordWriter(DEFINITION);
  for (let first = 0; first < turns.length;) {
    const some = turns.slice(first, first + 1 + pick(6));
    for (const changes of some) writer.changeSet(changes);
    disk.journal.commit(
      sealed({ first: position(first + 1), last: position(first + some.length), now: instant(1_000), records: writer.take() }),
    );
    first += some.length;
  }
  return disk;
}

function sampleTurns(pick: (below: number) => number, count: number): readonly ChangeSet[] {
  const shards = [0, 1, 2, 3].map((index) => new SampleShard(index, pick));
  return Array.from({ length: count }, (_, turn) => (shards[pick(4)] ?? new SampleShard(9, pick)).turn(1_000 + turn));
}

describe('the projector', () => {
  it('comes to what the slow twin comes to, however the journal is cut into chunks', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const pick = picker(seed);
        const turns = sampleTurns(pick, 60);
        const disk = journalOf(turns, pick);
        const projector = new Projector(disk.journal, disk.projections, DEFINITION);
        // Ends of batches are the positions up to which one may fold.
        for (const { last } of disk.journal.read(NO_POSITION, Number.MAX_SAFE_INTEGER)) if (pick(3) === 0) projector.foldChunk(last);
        const expected = slowFold(turns, offer.schema.table);

        const { position: folded, rows } = projector.answer('projection', [offer.name], position(turns.length));
        expect(folded).toBe(turns.length);
        expect(sortedRows(unpackRows(rows, DEFINITION))).toEqual(expected.rows);
        expect(new Set(projector.due(instant(1e9), 100).map(({ shard }) => shard))).toEqual(new Set(expected.due));
        const totals = projector.totals().totals.filter(({ amount }) => amount !== 0n);
        expect(new Map(totals.map(({ key, amount }) => [key, amount]))).toEqual(
          new Map(expected.totals.map(({ key, amount }) => [key, amount])),
        );
        for (const index of [0, 1, 2, 3]) {
          const lines = expected.lines(sampleShard(index)).toReversed();
          const before = 1 + pick(lines.length + 2);
          const limit = 1 + pick(10);
          const page = lines.filter(({ seq }) => seq < before).slice(0, limit);
          expect(projector.history(sampleShard(index), before, limit)).toEqual(page);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('finds all lines of a transaction, and only those', () => {
    const pick = picker(11);
    const turns = sampleTurns(pick, 200);
    const disk = journalOf(turns, pick);
    const projector = new Projector(disk.journal, disk.projections, DEFINITION);
    const entries = turns.flatMap(({ shard, ledger }) => ledger.map((entry) => ({ shard, entry })));
    for (const tx of new Set(entries.map(({ entry }) => entry.tx))) {
      if (tx === null) continue;
      const shards = [sampleShard(0), sampleShard(1), sampleShard(0), sampleShard(2), sampleShard(3)];
      const found = projector.answer('transaction', [tx, shards], position(turns.length));
      expect(found).toEqual(entries.filter(({ entry }) => entry.tx === tx));
    }
    expect(projector.transaction(transactionId({ holder: sampleShard(7), generation: 1, seq: 1 }), [sampleShard(0)])).toEqual([]);
  });

  it('hands out the rows of one shard, or of one cell of a market, and no others', () => {
    const pick = picker(7);
    const turns = sampleTurns(pick, 60);
    const disk = journalOf(turns, pick);
    const projector = new Projector(disk.journal, disk.projections, DEFINITION);
    projector.foldThrough(position(turns.length));
    const rowsOf = (scope?: ProjectionScope) => [...unpackRows(projector.projection(offer.name, scope).rows, DEFINITION)];
    const all = rowsOf();
    const { cellsPerRegion } = DEFINITION.world;
    for (const shard of new Set(all.map((row) => row.shard))) {
      const cell = { market: marketOf(shard), cell: cellOf(shard, cellsPerRegion), epoch: FIRST_EPOCH };
      const ofCell = all.filter((row) => cellOf(row.shard, cellsPerRegion) === cell.cell);
      expect(ofCell.length).toBeLessThan(all.length);
      expect(rowsOf({ cell })).toEqual(ofCell);
      expect(rowsOf({ cell: { ...cell, market: 'asia.hardcore' as Market } })).toEqual([]);
      expect(rowsOf({ shard })).toEqual(all.filter((row) => row.shard === shard));
    }
  });

  it('leaves nothing of a row that was made and ended in one chunk, and keeps one that an upgrade moved', () => {
    const shard = new SampleShard(1, () => 1);
    const turn = shard.turn(1_000);
    const put = turn.puts[0];
    if (put === undefined) throw new Error('the first turn makes an offer');
    const after = { ...turn, puts: [], ledger: [] };
    const turns: ChangeSet[] = [
      { ...turn, nextId: rowId(2), puts: [], ledger: [] },
      { ...turn, version: shardVersion(2), puts: [put] },
      { ...after, version: shardVersion(3), removes: [{ table: offer.schema.table, id: put.row.id }] },
      { ...after, version: shardVersion(4), puts: [put], removes: [{ table: offer.schema.table, id: put.row.id }] },
    ];
    const disk = journalOf(turns, () => 0);
    const applied: number[] = [];
    const store = override(disk.projections, {
      apply: (delta) => {
        applied.push(delta.rows.length);
        disk.projections.apply(delta);
      },
    });
    const projector = new Projector(disk.journal, store, DEFINITION);
    projector.foldChunk(position(3));
    expect(applied).toEqual([0]);
    expect(projector.answer('projection', [offer.name], position(4)).rows.shards).toHaveLength(1);
  });

  it('tells apart what a shard did in two epochs of its cell, also within a chunk', () => {
    const shard = new SampleShard(1, picker(3));
    const first = Array.from({ length: 10 }, (_, turn) => shard.turn(1_000 + turn));
    shard.epoch = epoch(2);
    const second = Array.from({ length: 10 }, (_, turn) => shard.turn(2_000 + turn));
    const turns = [...first, ...second];
    const lines = slowFold(turns, offer.schema.table).lines(shard.id).toReversed();
    for (const [epochs, present] of [
      [[], first],
      [[cellEpoch(shard.id, 2)], second],
    ] as const) {
      const disk = journalOf(turns, picker(4));
      const projector = new Projector(disk.journal, disk.projections, { ...DEFINITION, epochs });
      const { rows } = projector.answer('projection', [offer.name], position(turns.length));
      const expected = slowFold(present, offer.schema.table);
      expect(sortedRows(unpackRows(rows, DEFINITION))).toEqual(expected.rows);
      expect(new Map(projector.totals().totals.map(({ key, amount }) => [key, amount]))).toEqual(
        new Map(expected.totals.map(({ key, amount }) => [key, amount])),
      );
      // The alarm is that of the last turn.
      expect(projector.due(instant(1e9), 9).map((due) => due.shard)).toEqual(present === second ? [shard.id] : []);
      expect(projector.history(shard.id, Number.MAX_SAFE_INTEGER, 1_000)).toEqual(lines);
    }
  });

  it('refuses a journal that does not go on where the fold has ended', () => {
    const pick = picker(5);
    const disk = journalOf(sampleTurns(pick, 10), () => 0);
    disk.journal.drop(position(3), 3);
    const projector = new Projector(disk.journal, disk.projections, DEFINITION);
    expect(() => projector.foldThrough(position(10))).toThrow('the journal goes on at 4, after 0');
  });
});

describe('sums', () => {
  it('are exact beyond 2^53', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeInteger()), (amounts) => {
        const sums = new Sums(DEFINITION.places);
        for (const amount of amounts) sums.of(marketName('europe', 'softcore'), 3, FIRST_EPOCH).add(0, 'gold', amount);
        const expected = amounts.reduce((sum, amount) => sum + BigInt(amount), 0n);
        expect(sums.byCell()[0]?.amountByKey.get('wallet gold') ?? 0n).toBe(expected);
      }),
    );
  });
});

describe('fingerprints', () => {
  it('are the same for the same id, and rarely for others', () => {
    const idOf = (seq: number): TransactionId => transactionId({ holder: sampleShard(1), generation: 1, seq });
    const ids = Array.from({ length: 1_000 }, (_, index) => idOf(index + 1));
    const prints = new Set(ids.map((id) => Buffer.from(fingerprint(id)).toString('hex')));
    expect(prints.size).toBeGreaterThan(995);
    expect(fingerprint(idOf(1))).toEqual(fingerprint(idOf(1)));
  });
});
