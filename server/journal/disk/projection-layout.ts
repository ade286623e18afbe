/**
 * The layout of `node.db`, and how older ones become it: each step is one transaction, and runs
 * again if it was cut off.
 */
import type Database from 'better-sqlite3';
import { FIRST_EPOCH } from '#shared/cell.ts';
import { NO_POSITION, type Market, type ShardId } from '#shared/units.ts';
import { Sums } from '../fold/sums.ts';
import { CELL_SCHEMA } from './cell-table.ts';
import { CellEpochs } from './cell-epochs.ts';
import { checksum } from './checksums.ts';
import {
  LEDGER_INDEX,
  LEDGER_SCHEMA,
  MIRROR_SCHEMA,
  MIRROR_TABLES,
  NODE_SCHEMA,
  ProjectionTables,
  readNode,
  SEGMENTS,
  segmentSum,
  setNode,
  TOTAL_SCHEMA,
  type NodeRow,
  type SegmentRow,
} from './projection-tables.ts';
import { removeTables } from './projection-upkeep.ts';
import { DatabaseError, MEBIBYTE, unlessCorrupt, type Layout } from './sqlite.ts';
import type { CellTotals } from './storage.ts';

/** The version of the layout of `node.db`, in its `user_version`. */
export const PROJECTIONS_VERSION = 3;

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
    pageBytes: 4_096,
    cacheBytes: 32 * MEBIBYTE,
    checkpointBytes: 16 * MEBIBYTE,
    make: (database) => {
      database.exec(NODE_SCHEMA + CELL_SCHEMA + MIRROR_SCHEMA + LEDGER_SCHEMA + TOTAL_SCHEMA);
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
  new ProjectionTables(database).setTotals([...sums.byCell(), ...rest]);
}

/** Sums up what is whole of the ledger. Returns whether all of it is. */
function addLedger(database: Database.Database, sums: Sums, epochs: CellEpochs): boolean {
  let isWhole = true;
  const add = (): void => {
    for (const segment of database.prepare<[], SegmentRow>(SEGMENTS).iterate()) {
      if (segment.sum === segmentSum(segment)) sums.addSegment(segment, epochs.cellOf(segment.shard));
      else isWhole = false;
    }
  };
  unlessCorrupt(add, () => {
    isWhole = false;
  });
  return isWhole;
}

/**
 * What totals of whole markets have beyond those of their cells, as those of one cell more: nobody
 * knows whose they are.
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
