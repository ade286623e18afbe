/** What only the file of the projections can have wrong: damage of each of its values, its indexes, and its older versions. */
import { afterEach, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { FIRST_EPOCH } from '#shared/cell.ts';
import { instant, position, rowId, type RowId, shardVersion } from '#shared/units.ts';
import { limits } from '#shared/limits.ts';
import { PLACES } from '#server/market/places.ts';
import { PROJECTIONS_VERSION } from './projection-layout.ts';
import { FileProjections, ROWS_OF_CELL } from './sqlite-projections.ts';
import type { FoldDelta } from './storage.ts';
import { cellEpoch, sampleShard } from '../testing/sample.ts';

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) cleanUp();
});

const [ada, bob] = [sampleShard(1), sampleShard(2)] as const;
const delta: FoldDelta = {
  folded: position(1),
  alarms: [{ shard: ada, of: cellEpoch(ada), due: instant(5) }],
  rows: [{ entity: 'offer', shard: ada, of: cellEpoch(ada), id: rowId(1), version: shardVersion(1), record: Uint8Array.of(1) }],
  segments: [{ shard: ada, epoch: FIRST_EPOCH, firstSeq: 1, lastSeq: 2, transactions: Uint8Array.of(1), lines: Uint8Array.of(2) }],
  totals: [
    { of: cellEpoch(ada), amountByKey: new Map([['wallet gold', 7n]]) },
    { of: cellEpoch(bob), amountByKey: new Map([['wallet item', 1n]]) },
  ],
};

function newPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'gavel-projections-'));
  cleanUps.push(() => rmSync(directory, { recursive: true }));
  return join(directory, 'node.db');
}

/** A file with a row of each kind, and cells of the numbers 1 and 2. */
function used(): string {
  const path = newPath();
  const projections = FileProjections.openFor(path, 'instance');
  projections.apply(delta);
  projections.upkeep.finish(['offer']);
  projections.close();
  return path;
}

function open(path: string): FileProjections {
  const projections = FileProjections.openFor(path, 'instance', { cellsPerRegion: limits.cellsPerRegion, places: PLACES });
  cleanUps.push(() => projections.close());
  return projections;
}

function edit(path: string, sql: string): void {
  const database = new Database(path);
  database.exec(sql);
  database.close();
}

/** Whatever is found wrong with a file. */
function damageOf(path: string): readonly string[] {
  let projections: FileProjections;
  try {
    projections = open(path);
  } catch {
    return ['node'];
  }
  const { isMirrorWhole, areTotalsWhole } = projections.upkeep.check();
  const ledger = (): readonly unknown[] => [...projections.upkeep.segments()];
  const isLedgerWhole = ((): boolean => {
    try {
      return ledger().length > 0;
    } catch {
      return false;
    }
  })();
  return [...(isMirrorWhole ? [] : ['mirror']), ...(areTotalsWhole ? [] : ['totals']), ...(isLedgerWhole ? [] : ['ledger'])];
}

/** What is found wrong when a value of a table is. */
const FOUND: Readonly<Record<string, readonly string[]>> = {
  node: ['node'],
  cell: ['mirror', 'totals'],
  alarm: ['mirror'],
  projected: ['mirror'],
  total: ['totals'],
  ledger_segment: ['ledger'],
};
/** Values that no sum is over, and why. */
const WITHOUT_SUM: Readonly<Record<string, string>> = {
  'node.id': 'there is one, and it is 1',
  'ledger_segment.id': 'nothing refers to it',
  'left_out.shard': 'a name too many is looked at once more, and one less is a shard that cannot be loaded by its own right',
};
const CHANGES: Readonly<Record<string, (column: string) => string>> = {
  INTEGER: (column) => `${column} + 2`,
  TEXT: (column) => `coalesce(${column}, '') || 'x'`,
  BLOB: () => `x'ff00'`,
};

function columns(): readonly (readonly [table: string, column: string, type: string])[] {
  const path = used();
  const database = new Database(path);
  const rows = database
    .prepare("SELECT s.name, c.name, c.type FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'table'")
    .raw()
    .all();
  database.close();
  return rows as readonly (readonly [string, string, string])[];
}

describe('a value of the projections that was changed', () => {
  const all = columns().filter(([table, column]) => WITHOUT_SUM[`${table}.${column}`] === undefined);

  it('is in a table of which is known what is found then', () => {
    expect(new Set(all.map(([table]) => table))).toEqual(new Set(Object.keys(FOUND)));
    expect(damageOf(used())).toEqual([]);
  });

  it.each(all)('is found: %s.%s (%s)', (table, column, type) => {
    const path = used();
    // The number of another cell that is there: that of none would be missed without a sum.
    const changed = column === 'cell' && table !== 'cell' ? '3 - cell' : CHANGES[type]?.(column);
    edit(path, `UPDATE ${table} SET ${column} = ${changed}`);
    expect(damageOf(path)).toEqual(FOUND[table]);
  });

  it('is found, too, if it is a cell that others name and that is gone', () => {
    const path = used();
    edit(path, 'DELETE FROM cell');
    expect(damageOf(path)).toEqual(['mirror', 'totals']);
  });
});

describe('the projections', () => {
  it('find the rows of a cell by their key', () => {
    const path = used();
    const database = new Database(path);
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${ROWS_OF_CELL}`).all('offer', 1) as readonly { readonly detail: string }[];
    database.close();
    expect(plan.map(({ detail }) => detail)).toEqual(['SEARCH projected USING PRIMARY KEY (entity=? AND cell=?)']);
  });

  it('give no number to a cell in a chunk that fails', () => {
    const path = newPath();
    const projections = open(path);
    const [row] = delta.rows;
    if (row === undefined) throw new Error('there is a row');
    expect(() => projections.apply({ ...delta, rows: [{ ...row, id: Number.NaN as RowId }] })).toThrow('NOT NULL');
    projections.apply({ ...delta, alarms: [], totals: [], rows: [{ ...row, shard: bob, of: cellEpoch(bob) }] });
    projections.apply({ ...delta, segments: [] });
    expect(damageOf(path)).toEqual([]);
    expect(
      new Set(
        open(path)
          .rows('offer')
          .map(({ shard }) => shard),
      ),
    ).toEqual(new Set([ada, bob]));
  });
});

describe('projections of version 2', () => {
  const FROZEN = new URL('../../shard/fixtures/data-v2/stopped', import.meta.url).pathname;
  const answers = readFileSync(`${FROZEN}.ndjson`, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  const { totals: expected } = JSON.parse(answers) as { readonly totals: readonly (readonly [string, string])[] };

  function frozen(damage = ''): string {
    const path = newPath();
    writeFileSync(path, gunzipSync(readFileSync(join(FROZEN, 'node.db.gz'))));
    edit(path, damage);
    return path;
  }

  function totalsOf(path: string): readonly (readonly [string, string])[] {
    return open(path)
      .totals()
      .map(({ key, amount }) => [key, String(amount)] as const);
  }

  it('have their totals by cell from the ledger, and their mirror to be made', () => {
    const path = frozen('UPDATE total SET amount = amount + 1');
    const projections = open(path);
    expect(projections.upkeep.check()).toEqual({ isMirrorWhole: true, areTotalsWhole: true });
    expect([projections.upkeep.entities, projections.rows('listing')]).toEqual([undefined, []]);
    expect(totalsOf(path)).toEqual(expected);
  });

  it('keep their totals where a part of the ledger is damaged, which costs no more than that part', () => {
    const path = frozen('UPDATE ledger_segment SET last_seq = last_seq + 1 WHERE id = 1');
    expect(totalsOf(path)).toEqual(expected);
    expect(damageOf(path)).toEqual(['ledger']);
  });

  it.each([
    [
      'totals and ledger',
      'UPDATE total SET amount = amount + 1; UPDATE ledger_segment SET sum = sum + 1',
      'in their totals and in their ledger',
    ],
    ['the row of the node', 'UPDATE node SET folded = folded + 1', 'do not say how far they go'],
  ])('are refused, and are what they were, if %s is damaged', (_what, damage, sentence) => {
    const path = frozen(damage);
    const before = readFileSync(path);
    expect(() => open(path)).toThrow(sentence);
    edit(path, '');
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it.each(['alarm', 'projected', 'total'])('do not look into the tree of %s if it does not hang together', (table) => {
    const path = frozen();
    const database = new Database(path);
    const root = Number(database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(table));
    database.close();
    const bytes = readFileSync(path);
    bytes[(root - 1) * 4_096] = 0;
    writeFileSync(path, bytes);
    expect(totalsOf(path)).toEqual(expected);
    expect(damageOf(path)).toEqual([]);
    const upgraded = new Database(path);
    expect(upgraded.pragma('user_version', { simple: true })).toBe(PROJECTIONS_VERSION);
    upgraded.close();
  });
});
