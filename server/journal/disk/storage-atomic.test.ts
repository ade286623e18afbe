/** That each writing call of the real stores is one transaction with everything in it: seen in the write-ahead logs, whoever wrote them. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FIRST_EPOCH } from '#shared/cell.ts';
import { instant, position, shardVersion } from '#shared/units.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import { sealed } from './checksums.ts';
import { FoldChunk } from '../fold/fold.ts';
import { RecordCursor } from '#server/shard/record/cursor.ts';
import type { Batch, FoldDelta } from './storage.ts';
import { journalPath, openDirectory, projectionsPath } from './directory.ts';
import { FileProjections } from './sqlite-projections.ts';
import { DEFINITION, offer, picker, sampleShard, SampleShard } from '../testing/sample.ts';

const TURNS = 6;
const NOW = instant(1_000);

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) cleanUp();
});

/** Transactions in a write-ahead log: frames that say how large the database is after them, under the salts of the header. */
function commitsIn(database: string): number {
  const log = existsSync(`${database}-wal`) ? readFileSync(`${database}-wal`) : Buffer.alloc(0);
  if (log.length < HEADER_BYTES) return 0;
  const salts = log.subarray(16, 24);
  const frameBytes = 24 + log.readUInt32BE(8);
  let commits = 0;
  for (let at = HEADER_BYTES; at + frameBytes <= log.length && log.subarray(at + 8, at + 16).equals(salts); at += frameBytes) {
    if (log.readUInt32BE(at + 4) !== 0) commits++;
  }
  return commits;
}

const HEADER_BYTES = 32;

function stores() {
  const directory = mkdtempSync(join(tmpdir(), 'gavel-atomic-'));
  cleanUps.push(() => rmSync(directory, { recursive: true }));
  const opened = openDirectory(directory, DEFINITION, 'instance');
  cleanUps.push(() => opened.close());
  const projections = FileProjections.openFor(projectionsPath(directory), 'instance');
  cleanUps.push(() => projections.close());
  const committed = (database: string, run: () => void): number => {
    const before = commitsIn(database);
    run();
    return commitsIn(database) - before;
  };
  return {
    journal: opened.journal,
    projections,
    inJournal: (run: () => void) => committed(journalPath(directory), run),
    inProjections: (run: () => void) => committed(projectionsPath(directory), run),
  };
}

/** The turns of one shard, in batches of two. */
function batches(): readonly Batch[] {
  const shard = new SampleShard(0, picker(3));
  const writer = new RecordWriter(DEFINITION);
  return Array.from({ length: TURNS / 2 }, (_, index) => {
    for (let turn = 0; turn < 2; turn++) writer.changeSet(shard.turn(NOW));
    return sealed({ first: position(index * 2 + 1), last: position(index * 2 + 2), now: NOW, records: writer.take() });
  });
}

/** What two batches come to: alarms, rows, ledger lines and totals. */
function delta(): FoldDelta {
  const chunk = new FoldChunk(new RecordCursor(DEFINITION), new Map([[offer.schema.table, offer.name]]), DEFINITION.places);
  for (const { records } of batches()) chunk.add(Buffer.from(records));
  return chunk.delta(position(TURNS));
}

describe('a writing call is one transaction', () => {
  it('of the journal: a commit, a lease, notes with records put aside, and a drop', () => {
    const { journal, inJournal } = stores();
    for (const batch of batches()) expect(inJournal(() => journal.commit(batch))).toBe(1);
    expect(inJournal(() => journal.extendLease(NOW))).toBe(1);
    const aside = [3, 4].map((version) => ({ shard: sampleShard(1), version: shardVersion(version), record: Uint8Array.of(version) }));
    expect(inJournal(() => journal.storeImageVersions([], aside))).toBe(1);
    const notes = [0, 1, 2].map((index) => ({ shard: sampleShard(index), version: shardVersion(4), now: NOW, epoch: FIRST_EPOCH }));
    expect(inJournal(() => journal.storeImageVersions(notes, aside))).toBe(1);
    expect(inJournal(() => journal.drop(position(4), 100))).toBe(1);
    expect(journal.state.dropped).toBe(4);
  });

  it('of the projections: a chunk of the fold, with the position that it comes to', () => {
    const { projections, inProjections } = stores();
    const chunk = delta();
    const parts = [chunk.alarms.filter(({ due }) => due > 0), chunk.segments, chunk.totals, chunk.rows];
    expect(parts.every((part) => part.length > 0)).toBe(true);
    expect(inProjections(() => projections.apply(chunk))).toBe(1);
    expect(projections.folded).toBe(TURNS);
  });

  it('and what is refused, or has nothing to write, is none', () => {
    const { journal, inJournal } = stores();
    const [first, second] = batches();
    if (first === undefined || second === undefined) throw new Error('there are batches');
    expect(inJournal(() => expect(() => journal.commit(second)).toThrow('cannot follow'))).toBe(0);
    journal.commit(first);
    journal.extendLease(NOW);
    expect(inJournal(() => journal.extendLease(NOW))).toBe(0);
    expect(inJournal(() => journal.drop(position(1), 100))).toBe(0);
  });
});
