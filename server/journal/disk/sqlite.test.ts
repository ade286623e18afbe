import { afterEach, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertDurable, openVersioned, sqliteProblem, type Layout } from './sqlite.ts';

const directories: string[] = [];
afterEach(() => {
  for (const path of directories.splice(0)) rmSync(path, { recursive: true });
});

function newPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'gavel-sqlite-'));
  directories.push(directory);
  return join(directory, 'some.db');
}

const SIZES = { pageBytes: 4_096, cacheBytes: 65_536, checkpointBytes: 65_536 };

const FIRST: Layout = { ...SIZES, version: 1, table: 't', make: (database) => database.exec('CREATE TABLE t(a INTEGER)'), upgrades: {} };
const THIRD: Layout = {
  ...SIZES,
  version: 3,
  table: 't',
  make: (database) => database.exec('CREATE TABLE t(a INTEGER, b INTEGER, c INTEGER)'),
  upgrades: {
    1: (database) => database.exec('ALTER TABLE t ADD COLUMN b INTEGER'),
    2: (database) => database.exec('ALTER TABLE t ADD COLUMN c INTEGER'),
  },
};

function open(path: string, layout: Layout, lockedMs?: number): Database.Database {
  return openVersioned(path, layout, (database) => database, lockedMs);
}

function columns(database: Database.Database): readonly unknown[] {
  return database.prepare("SELECT name FROM pragma_table_info('t')").pluck().all();
}

describe('a durable database', () => {
  it('syncs its commits at every open, also after the first write', () => {
    const path = newPath();
    for (let time = 0; time < 2; time++) {
      const database = open(path, FIRST);
      database.exec('INSERT INTO t VALUES (NULL)');
      expect(database.pragma('synchronous', { simple: true })).toBe(2);
      expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
      database.close();
    }
  });

  it('is refused when it would not', () => {
    const database = new Database(newPath());
    database.pragma('journal_mode=WAL');
    database.pragma('synchronous=NORMAL');
    expect(() => assertDurable(database)).toThrow('would not sync its commits');
    database.close();
  });

  it('needs an SQLite that does not damage its files', () => {
    expect(sqliteProblem()).toBeUndefined();
    expect(sqliteProblem('3.51.3')).toBeUndefined();
    expect(sqliteProblem('3.52.0')).toBeUndefined();
    expect(sqliteProblem('4.0.0')).toBeUndefined();
    expect(sqliteProblem('3.51.2')).toContain('SQLite 3.51.2 can damage its files');
    expect(sqliteProblem('3.9.9')).toContain('Gavel needs 3.51.3');
  });

  it('has everything that its log held in the database itself, synced, before anything is read', () => {
    const path = newPath();
    const killed = open(path, FIRST);
    killed.exec('INSERT INTO t VALUES (7)');
    // Copied by another process: within this one, closing a copied file would let go of SQLite's locks.
    execFileSync('cp', [path, `${path}.killed`]);
    execFileSync('cp', [`${path}-wal`, `${path}.killed-wal`]);
    killed.close();
    expect(statSync(`${path}.killed-wal`).size).toBeGreaterThan(0);

    const database = open(`${path}.killed`, FIRST);
    expect(database.prepare('SELECT a FROM t').pluck().get()).toBe(7);
    expect(statSync(`${path}.killed-wal`).size).toBe(0);
    execFileSync('cp', [`${path}.killed`, `${path}.alone`]);
    database.close();
    const alone = new Database(`${path}.alone`);
    expect(alone.prepare('SELECT a FROM t').pluck().get()).toBe(7);
    alone.close();
  });
});

describe('a database with a version', () => {
  it('is made in the present one, and found again', () => {
    const path = newPath();
    open(path, THIRD).close();
    const database = open(path, THIRD);
    expect(columns(database)).toEqual(['a', 'b', 'c']);
    expect(database.pragma('user_version', { simple: true })).toBe(3);
    database.close();
  });

  it('is upgraded step by step, and goes on from a step that a crash came after', () => {
    const path = newPath();
    open(path, FIRST).close();
    const failing: Layout = {
      ...THIRD,
      upgrades: {
        ...THIRD.upgrades,
        2: () => {
          throw new Error('a crash');
        },
      },
    };
    expect(() => open(path, failing)).toThrow('a crash');
    const database = open(path, THIRD);
    expect(columns(database)).toEqual(['a', 'b', 'c']);
    database.close();
  });

  it.each([
    ['newer', 'PRAGMA user_version=4', 'was written by a newer version of Gavel'],
    ['of another program', 'PRAGMA application_id=42', 'was not written by Gavel'],
    ['of nobody', 'PRAGMA application_id=0; PRAGMA user_version=0', 'was not written by Gavel'],
    ['of a version that never was', 'PRAGMA user_version=0', 'has the version 0, which Gavel never wrote'],
    ['another one of Gavel', 'ALTER TABLE t RENAME TO u', 'is another file of Gavel'],
  ])('that is %s is refused, and nothing in it is changed', (_what, change, sentence) => {
    const path = newPath();
    open(path, THIRD).close();
    const other = new Database(path);
    other.exec(change);
    other.close();
    const before = readFileSync(path);
    expect(() => open(path, THIRD)).toThrow(sentence);
    expect(readFileSync(path)).toEqual(before);
    expect(existsSync(`${path}-wal`)).toBe(false);
  });

  it.each([
    ['writes', 'BEGIN IMMEDIATE'],
    ['reads', 'BEGIN; SELECT * FROM t'],
  ])('that another program %s is refused, since what is in it cannot be made durable', (_what, lock) => {
    const path = newPath();
    open(path, FIRST).close();
    const stranger = new Database(path);
    stranger.exec('INSERT INTO t VALUES (1)');
    stranger.exec(lock);
    expect(() => open(path, FIRST, 20)).toThrow('is locked by another program');
    stranger.close();
  });
});
