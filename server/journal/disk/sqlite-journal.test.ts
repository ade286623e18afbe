import { afterEach, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { epoch, FIRST_EPOCH } from '#shared/cell.ts';
import { instant, position, shardVersion } from '#shared/units.ts';
import { sealed } from './checksums.ts';
import { APPLICATION_ID } from './sqlite.ts';
import { JournalError, ShardEntryError } from './storage.ts';
import { DELETE_THROUGH, FileJournal, OLDEST } from './sqlite-journal.ts';
import { sampleShard } from '../testing/sample.ts';

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) cleanUp();
});

const [ada, bob] = [sampleShard(1), sampleShard(2)] as const;

function newPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'gavel-journal-'));
  cleanUps.push(() => rmSync(directory, { recursive: true }));
  return join(directory, 'journal.db');
}

function open(path: string): FileJournal {
  const journal = FileJournal.openFor(path, 'instance');
  cleanUps.push(() => journal.close());
  return journal;
}

/** A journal with something in each of its tables, changed by hand afterwards. */
function changed(sql: string): string {
  const path = newPath();
  const journal = FileJournal.openFor(path, 'instance');
  for (let turn = 1; turn <= 9; turn += 3) {
    journal.commit(
      sealed({ first: position(turn), last: position(turn + 2), now: instant(1_000 + turn), records: new Uint8Array(100).fill(turn) }),
    );
  }
  journal.drop(position(3), 1);
  journal.extendLease(instant(5_000));
  const versions = [ada, bob].map((shard) => ({ shard, version: shardVersion(4), now: instant(1_000), epoch: FIRST_EPOCH }));
  const setAside = [ada, bob].map((shard) => ({ shard, version: shardVersion(5), record: Uint8Array.of(1, 2, 3) }));
  journal.storeImageVersions(versions, setAside);
  journal.close();
  change(path, sql);
  return path;
}

function change(path: string, sql: string): void {
  const database = new Database(path);
  database.exec(sql);
  database.close();
}

describe('a journal that two have open', () => {
  it('is written to by the first of them alone: the other ends before it writes over anything', () => {
    const path = newPath();
    const [first, second] = [open(path), open(path)];
    first.commit(sealed({ first: position(1), last: position(2), now: instant(1_000), records: Uint8Array.of(1) }));
    expect(() => second.extendLease(instant(9_000))).toThrow('was written to by somebody else');
    expect(() =>
      second.storeImageVersions([{ shard: ada, version: shardVersion(1), now: instant(1_000), epoch: FIRST_EPOCH }], []),
    ).toThrow(JournalError);
    first.commit(sealed({ first: position(3), last: position(3), now: instant(1_001), records: Uint8Array.of(2) }));
    expect([first.state.position, first.state.lease, first.imageVersionOf(ada)]).toEqual([3, 0, undefined]);
  });
});

describe('a journal', () => {
  it('that nobody changed is whole', () => {
    const journal = open(changed(''));
    expect(journal.damage).toBeUndefined();
    expect(journal.read(position(0), 1e9)).toHaveLength(2);
    expect(journal.state).toEqual({ position: 9, dropped: 3, now: 1_007, lease: 5_000, bytes: 200, setAsideBytes: 6 });
    expect([journal.imageVersionOf(ada), journal.setAsideOf(bob)]).toEqual([{ version: 4, now: 1_000, epoch: 1 }, [Buffer.of(1, 2, 3)]]);
  });

  it.each([
    ['its records', 'UPDATE batch SET records = zeroblob(100) WHERE first = 4', 'the turns 4 to 6 are not what was written'],
    ['its time', 'UPDATE batch SET now = now + 256 WHERE first = 4', 'the turns 4 to 6 are not'],
    ['its end', 'UPDATE batch SET last = 7 WHERE first = 4', 'the turns 4 to 7 are not'],
    ['its begin', 'UPDATE batch SET first = 5 WHERE first = 4', 'the turns 5 to 6 are not'],
    ['its checksum', 'UPDATE batch SET sum = sum + 1 WHERE first = 4', 'the turns 4 to 6 are not'],
  ])('with a batch that is not what was written (%s) is damaged, and no reader believes it', (_what, sql, sentence) => {
    const journal = open(changed(sql));
    expect(() => journal.read(position(3), 1e9)).toThrow(`the journal (journal.db) is damaged: ${sentence}`);
    expect(() => [4, 5].map((first) => journal.batch(position(first)))).toThrow(JournalError);
  });

  it.each([
    ['the oldest batch', 'DELETE FROM batch WHERE first = 4'],
    ['the newest batch', 'DELETE FROM batch WHERE first = 7'],
  ])('that lost %s says so when it is opened', (_what, sql) => {
    expect(open(changed(sql)).damage).toContain('it should hold the turns 4 to 9, and has 3 of them');
  });

  it.each(['position', 'dropped', 'now', 'lease', 'kept', 'sum'])('whose counter %s was changed is not believed', (column) => {
    const path = changed(`UPDATE journal SET ${column} = ${column} + 1`);
    expect(() => FileJournal.openFor(path, 'instance')).toThrow('its counters are not what was written');
  });

  it('that lost a record which was put aside is not believed', () => {
    const path = changed(`DELETE FROM kept WHERE shard = '${ada}'`);
    expect(() => FileJournal.openFor(path, 'instance')).toThrow('records that were put aside are missing');
  });

  it.each(['applied_version = 5', 'now = 999', 'now = NULL', 'epoch = 2', 'sum = sum + 1'])(
    'with a changed note (%s) is at odds with one shard only',
    (set) => {
      const journal = open(changed(`UPDATE shard SET ${set} WHERE id = '${ada}'`));
      expect(() => journal.imageVersionOf(ada)).toThrow(ShardEntryError);
      expect(journal.imageVersionOf(bob)?.version).toBe(4);
    },
  );

  it.each(["record = x'0102ff'", 'version = 6', `shard = '${sampleShard(3)}'`, 'sum = sum + 1'])(
    'with a changed record put aside (%s) is not believed',
    (set) => {
      const path = changed(`UPDATE kept SET ${set} WHERE shard = '${ada}'`);
      expect(() => FileJournal.openFor(path, 'instance')).toThrow('a record that was put aside is not what was written');
    },
  );

  it('whose record put aside is changed while it is open is at odds with one shard only', () => {
    const path = changed('');
    const journal = open(path);
    change(path, `UPDATE kept SET version = 6 WHERE shard = '${ada}'`);
    expect(() => journal.setAsideOf(ada)).toThrow(ShardEntryError);
    expect(journal.setAsideOf(bob)).toHaveLength(1);
  });

  it('finds what it drops by the key, however much is behind it', () => {
    const path = newPath();
    FileJournal.openFor(path, 'instance').close();
    const database = new Database(path);
    const plan = (sql: string, ...values: number[]): unknown => database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values);
    expect(plan(DELETE_THROUGH, 5)).toMatchObject([{ detail: 'SEARCH batch USING INTEGER PRIMARY KEY (rowid<?)' }]);
    // In the order of the key without sorting, so that whoever stops early has read no more.
    expect(plan(OLDEST)).toMatchObject([{ detail: 'SCAN batch' }]);
    database.close();
  });
});

/** As the first release made it. */
const VERSION_1 = `
  CREATE TABLE journal(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    instance TEXT NOT NULL,
    position INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    now INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE batch(first INTEGER PRIMARY KEY, last INTEGER NOT NULL, now INTEGER NOT NULL, records BLOB NOT NULL) STRICT;
  CREATE TABLE shard(id TEXT PRIMARY KEY, applied_version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE kept(
    shard TEXT NOT NULL,
    version INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (shard, version)
  ) STRICT, WITHOUT ROWID;
  PRAGMA application_id=${APPLICATION_ID};
  PRAGMA user_version=1;
`;

describe('a journal of version 2', () => {
  it.each([
    ['is upgraded: all that is known of images is of the first epoch', '', { version: 4, now: 1_000, epoch: 1 }],
    ['is not believed where it was damaged before', 'UPDATE shard SET applied_version = 5;', 'damaged'],
  ])('%s', (_what, damage, expected) => {
    const path = changed(`${damage} ALTER TABLE shard DROP COLUMN epoch; PRAGMA user_version=2`);
    const journal = open(path);
    if (typeof expected === 'string') expect(() => journal.imageVersionOf(ada)).toThrow(expected);
    else expect(journal.imageVersionOf(ada)).toEqual(expected);
    journal.storeImageVersions([{ shard: ada, version: shardVersion(6), now: instant(1_001), epoch: epoch(2) }], []);
    journal.close();
    expect(open(path).imageVersionOf(ada)).toEqual({ version: 6, now: 1_001, epoch: 2 });
  });
});

describe('a journal of version 1', () => {
  it('is upgraded: what it has is believed once, and has checksums from then on', () => {
    const path = newPath();
    change(
      path,
      `${VERSION_1}
      INSERT INTO journal VALUES (1, 'instance', 5, 2, 1005);
      INSERT INTO batch VALUES (3, 3, 1003, x'0102'), (4, 5, 1005, x'03');
      INSERT INTO shard VALUES ('${ada}', 7);
      INSERT INTO kept VALUES ('${ada}', 8, x'0a0b0c');`,
    );
    const journal = open(path);
    expect(journal.state).toEqual({ position: 5, dropped: 2, now: 1_005, lease: 1_005, bytes: 3, setAsideBytes: 3 });
    expect(journal.damage).toBeUndefined();
    expect(journal.read(position(2), 1e9).map(({ first, last, records }) => [first, last, ...records])).toEqual([
      [3, 3, 1, 2],
      [4, 5, 3],
    ]);
    expect([journal.imageVersionOf(ada), journal.setAsideOf(ada)]).toEqual([
      { version: 7, now: undefined, epoch: 1 },
      [Buffer.of(10, 11, 12)],
    ]);
    journal.commit(sealed({ first: position(6), last: position(6), now: instant(2_000), records: Uint8Array.of(9) }));
    journal.close();
    expect(open(path).state).toMatchObject({ position: 6, now: 2_000 });
  });
});
