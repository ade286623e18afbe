/**
 * The table of cells of `node.db`: rows, alarms and totals name a cell in one of its epochs by a
 * small number.
 *
 * 1. A number is given once: to the cell-epoch that is first written under it, in the transaction
 *    that writes.
 * 2. What is in memory is what is committed, or what the transaction that is open has written.
 */
import type Database from 'better-sqlite3';
import type { CellEpoch } from '#shared/cell.ts';
import type { Epoch, Market } from '#shared/units.ts';
import { checksum } from './checksums.ts';
import { areTreesWhole, DatabaseError, unlessCorrupt } from './sqlite.ts';

/** Its layout. */
export const CELL_SCHEMA = `
  CREATE TABLE cell(
    id INTEGER PRIMARY KEY,
    market TEXT NOT NULL,
    cell INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    UNIQUE (market, cell, epoch)
  ) STRICT;
`;

interface CellRow {
  readonly id: number;
  readonly market: Market;
  readonly cell: number;
  readonly epoch: Epoch;
  readonly sum: number;
}

interface KnownCells {
  readonly cellById: Map<number, CellEpoch>;
  readonly idByCell: Map<string, number>;
}

export class CellTable {
  readonly #database: Database.Database;
  readonly #all: Database.Statement<[], CellRow>;
  readonly #insert: Database.Statement<[number, string, number, number, number]>;
  #known: KnownCells | undefined;

  constructor(database: Database.Database) {
    this.#database = database;
    this.#all = database.prepare('SELECT id, market, cell, epoch, sum FROM cell');
    this.#insert = database.prepare('INSERT INTO cell VALUES (?, ?, ?, ?, ?)');
  }

  /** Whether every row is as it was written. */
  isWhole(): boolean {
    return unlessCorrupt(
      () => areTreesWhole(this.#database, ['cell']) && this.#all.all().every((row) => row.sum === cellSum(row)),
      () => false,
    );
  }

  /**
   * The cell-epoch of that number; `undefined` if it was never given. Throws `DatabaseError` if the
   * table is damaged.
   */
  cellOf(id: number): CellEpoch | undefined {
    return this.#opened().cellById.get(id);
  }

  /** The number of a cell-epoch, if it has one. Throws `DatabaseError` if the table is damaged. */
  find(of: CellEpoch): number | undefined {
    return this.#opened().idByCell.get(nameOf(of));
  }

  /**
   * The number of a cell-epoch; gives it one within the transaction that is open. Throws
   * `DatabaseError` if the table is damaged.
   */
  idOf(of: CellEpoch): number {
    const found = this.find(of);
    if (found !== undefined) return found;
    const { market, cell, epoch } = of;
    const id = Math.max(0, ...this.#opened().cellById.keys()) + 1;
    this.#insert.run(id, market, cell, epoch, cellSum({ id, market, cell, epoch }));
    know(this.#opened(), id, { market, cell, epoch });
    return id;
  }

  /** Reads the table anew when it is next asked: after a transaction that failed, which has given no number. */
  reload(): void {
    this.#known = undefined;
  }

  #opened(): KnownCells {
    if (this.#known !== undefined) return this.#known;
    const known: KnownCells = { cellById: new Map(), idByCell: new Map() };
    for (const row of this.#all.all()) {
      const { id, market, cell, epoch, sum } = row;
      if (sum !== cellSum(row))
        throw new DatabaseError('the projections (node.db) are damaged in their cells, which the next start makes anew');
      know(known, id, { market, cell, epoch });
    }
    this.#known = known;
    return known;
  }
}

function know({ cellById, idByCell }: KnownCells, id: number, of: CellEpoch): void {
  cellById.set(id, of);
  idByCell.set(nameOf(of), id);
}

function nameOf({ market, cell, epoch }: CellEpoch): string {
  return `${market} ${cell} ${epoch}`;
}

function cellSum({ id, market, cell, epoch }: Omit<CellRow, 'sum'>): number {
  return checksum(`${id} ${market} ${cell} ${epoch}`);
}
