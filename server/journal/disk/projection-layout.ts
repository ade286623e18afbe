/**
 * The layout of `node.db`, and how older ones become it: each step is one transaction, and runs
 * again if it was cut off.
 */
import type Database from 'better-sqlite3';
import { FIRST_EPOCH } from '#shared/cell.ts';
import { type Market, NO_POSITION, type Position, type ShardId } from '#shared/units.ts';
import { Sums } from '../fold/sums.ts';
import { CELL_SCHEMA, CellTable } from './cell-table.ts';
import { CellEpochs } from './cell-epochs.ts';
import { checksum } from './checksums.ts';
import { insertTotals, MIRROR_SCHEMA, MIRROR_TABLES, removeTables, SEGMENT_COLUMNS } from './projection-upkeep.ts';
import { nodeSum, segmentSum } from './projection-sums.ts';
import { DatabaseError, isCorrupt, type Layout } from './sqlite.ts';
import type { CellTotals, LedgerSegment } from './storage.ts';

/** The version of the layout of `node.db`, in its `user_version`. */
export const PROJECTIONS_VERSION = 3;

/**
 * `mirrored` says of which entities all rows are in the mirror, as JSON, or that this is not known.
 */
const NODE_SCHEMA = `
  CREATE TABLE node(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    instance TEXT NOT NULL,
    folded INTEGER NOT NULL,
    mirrored TEXT,
    sum INTEGER NOT NULL
  ) STRICT;
`;

/**
 * Not unique: in an image that somebody has edited the ledger's numbers may have run back, and this
 * must not stop the fold of all others.
 */
const LEDGER_INDEX = 'CREATE INDEX ledger_segment_by_shard ON ledger_segment(shard, first_seq);';

/** The key of a total is `place asset-class`; its market is that of its cell. */
const TOTAL_SCHEMA = `
  CREATE TABLE total(
    cell INTEGER NOT NULL,
    key TEXT NOT NULL,
    amount TEXT NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (cell, key)
  ) STRICT, WITHOUT ROWID;
`;

const SCHEMA = `
  ${NODE_SCHEMA}
  ${CELL_SCHEMA}
  ${MIRROR_SCHEMA}
  CREATE TABLE ledger_segment(
    id INTEGER PRIMARY KEY,
    shard TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    transactions BLOB NOT NULL,
    lines BLOB NOT NULL,
    sum INTEGER NOT NULL
  ) STRICT;
  ${LEDGER_INDEX}
  ${TOTAL_SCHEMA}
`;

/** What an upgrade has to know of a world: which cells its shards are in, and what the places of its ledger are. */
export interface UpgradeFacts {
  readonly cellsPerRegion: number;
  readonly places: readonly string[];
}

/** The layout of the projections of a data directory, in which a market has that many cells. */
export function projectionLayout(instance: string, of: UpgradeFacts): Layout {
  return {
    version: PROJECTIONS_VERSION,
    table: 'node',
    make: (database) => {
      database.exec(SCHEMA);
      setNode(database, { instance, folded: NO_POSITION, mirrored: null });
    },
    upgrades: { 1: toVersion2, 2: (database) => toVersion3(database, of) },
  };
}

/**
 * Version 1 had no sums, and did not say of what it had all rows: what is in the shards is made
 * anew, what is not gets the sum of what is there.
 */
function toVersion2(database: Database.Database): void {
  const { instance, folded } = database.prepare('SELECT instance, folded FROM node').get() as Pick<NodeRow, 'instance' | 'folded'>;
  database.exec(`DROP TABLE node; ${NODE_SCHEMA} CREATE TABLE left_out(shard TEXT PRIMARY KEY) STRICT, WITHOUT ROWID`);
  setNode(database, { instance, folded, mirrored: null });
  database.function('segment_sum', { varargs: true, deterministic: true }, (...columns: readonly unknown[]) => {
    const [shard, firstSeq, lastSeq, transactions, lines] = columns as [ShardId, number, number, Buffer, Buffer];
    return segmentSum({ shard, epoch: FIRST_EPOCH, firstSeq, lastSeq, transactions, lines });
  });
  database.function('total_sum', { deterministic: true }, (key, amount) => totalSumOfVersion2(String(key), String(amount)));
  database.exec(`
    ALTER TABLE ledger_segment ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    UPDATE ledger_segment SET sum = segment_sum(shard, first_seq, last_seq, transactions, lines);
    ALTER TABLE total ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    UPDATE total SET sum = total_sum(key, amount);
    DROP INDEX ledger_segment_by_shard;
    ${LEDGER_INDEX}
  `);
}

/**
 * Version 2 knew no cells: what is in the shards is made anew, and totals, which were of a whole
 * market, are summed up by cell from the ledger. All of it is of the first epoch. What cannot be
 * read of the ledger is what the totals have beyond the rest. Throws `DatabaseError` if these are
 * damaged, too.
 */
function toVersion3(database: Database.Database, { cellsPerRegion, places }: UpgradeFacts): void {
  // Written anew, what is damaged would be believed: so it is looked at first.
  setNode(database, { ...readNode(database), mirrored: null });
  const sums = new Sums(places);
  database.exec(`ALTER TABLE ledger_segment ADD COLUMN epoch INTEGER NOT NULL DEFAULT ${FIRST_EPOCH}`);
  const isLedgerWhole = addLedger(database, sums, new CellEpochs({ world: { cellsPerRegion } }));
  const rest = isLedgerWhole ? [] : restOf(totalsOfVersion2(database), sums.byCell(), cellsPerRegion);
  removeTables(database, [...MIRROR_TABLES, 'total']);
  database.exec(`${CELL_SCHEMA} ${MIRROR_SCHEMA} ${TOTAL_SCHEMA}`);
  insertTotals(database, new CellTable(database), [...sums.byCell(), ...rest]);
}

/** Sums up what is whole of the ledger. Returns whether all of it is. */
function addLedger(database: Database.Database, sums: Sums, epochs: CellEpochs): boolean {
  let isWhole = true;
  try {
    for (const row of database.prepare(`${SEGMENT_COLUMNS} FROM ledger_segment`).iterate()) {
      const segment = row as LedgerSegment & { readonly sum: number };
      if (segment.sum === segmentSum(segment)) sums.addSegment(segment, epochs.cellOf(segment.shard));
      else isWhole = false;
    }
    return isWhole;
  } catch (error) {
    if (isCorrupt(error)) return false;
    throw error;
  }
}

/**
 * The part of a market's total that no readable ledger line explains. Kept under cell number
 * `cellsPerRegion`, which no shard hashes to.
 */
function restOf(totals: ReadonlyMap<string, bigint>, ofCells: readonly CellTotals[], cell: number): readonly CellTotals[] {
  const restByKey = new Map(totals);
  for (const { of, amountByKey } of ofCells) {
    for (const [key, amount] of amountByKey) restByKey.set(`${of.market} ${key}`, (restByKey.get(`${of.market} ${key}`) ?? 0n) - amount);
  }
  return [...restByKey]
    .filter(([, amount]) => amount !== 0n)
    .map(([key, amount]) => {
      const space = key.indexOf(' ');
      const of = { market: key.slice(0, space) as Market, cell, epoch: FIRST_EPOCH };
      return { of, amountByKey: new Map([[key.slice(space + 1), amount]]) };
    });
}

function totalsOfVersion2(database: Database.Database): ReadonlyMap<string, bigint> {
  const rows = database.prepare('SELECT key, amount, sum FROM total').raw().all() as readonly (readonly [string, string, number])[];
  const isWhole = rows.every(([key, amount, sum]) => sum === totalSumOfVersion2(key, amount));
  if (!isWhole) throw new DatabaseError('the projections (node.db) are damaged in their totals and in their ledger');
  return new Map(rows.map(([key, amount]) => [key, BigInt(amount)]));
}

function totalSumOfVersion2(key: string, amount: string): number {
  return checksum(`${key} ${amount}`);
}

interface NodeRow {
  readonly instance: string;
  readonly folded: Position;
  readonly mirrored: string | null;
  readonly sum: number;
}

/** Writes the one row of the node, whether it is there or not. */
function setNode(database: Database.Database, { instance, folded, mirrored }: Omit<NodeRow, 'sum'>): void {
  const sum = nodeSum({ instance, folded, mirrored });
  database.prepare('INSERT OR REPLACE INTO node VALUES (1, ?, ?, ?, ?)').run(instance, folded, mirrored, sum);
}

/** What `node.db` says of itself. Throws `DatabaseError` if that is damaged. */
export function readNode(database: Database.Database): Omit<NodeRow, 'sum'> {
  const node = database.prepare('SELECT instance, folded, mirrored, sum FROM node').get() as NodeRow | undefined;
  if (node !== undefined && node.sum === nodeSum(node)) return node;
  throw new DatabaseError('the projections (node.db) are damaged: they do not say how far they go');
}
