/**
 * The rows of one entity of one shard, in memory, with their indexes.
 *
 * Owned by the shard. A turn changes rows in place and the table remembers what they were: `changes` is the net effect of the
 * turn so far, `commit` forgets it, `rollback` takes it back. Reading needs no second look into an overlay.
 *
 * 1. A row is never changed, only replaced.
 * 2. Every index holds exactly the rows of the table; a `unique` value is held by one row at most.
 */
import { instant, type Instant } from '#shared/units.ts';
import { check, type AnyRow, type Entity } from './entity.ts';
import { IdMap } from './id-map.ts';
import { Query } from './query.ts';
import { PlainIndex, UniqueIndex, type TableIndex } from './table-index.ts';

/** What one turn did to one row: `before` is what it was, `undefined` if it is new; `after` likewise, if it is gone. */
export interface RowChange {
  readonly id: number;
  readonly before: AnyRow | undefined;
  readonly after: AnyRow | undefined;
}

/** Reads the rows of one entity. Rows come in the order of their ids, in which they came to be, unless a query says otherwise. */
export interface TableReader<R extends { readonly id: number }> {
  readonly size: number;
  /** The row of that id. */
  get(id: number): R | undefined;
  /** The row whose unique attribute has that value. Throws if the attribute has no unique index. */
  find<Name extends keyof R & string>(attribute: Name, value: R[Name]): R | undefined;
  /** The oldest row still there, without a walk. */
  first(): R | undefined;
  /** The rows as they are now, oldest first. */
  rows(): readonly R[];
  /** The rows with that value of an attribute with a plain index, in the order in which they got it. Throws if it has none. */
  rowsOf<Name extends keyof R & string>(attribute: Name, value: R[Name]): Iterable<R>;
  /** The first of `rowsOf`, without a walk. */
  firstOf<Name extends keyof R & string>(attribute: Name, value: R[Name]): R | undefined;
  /** How many rows have that value of an attribute with a plain index. */
  countOf<Name extends keyof R & string>(attribute: Name, value: R[Name]): number;
  /** A typed query: `where`, `orderBy`, `limit`, then `toArray`, `first`, `count` or `sum`. */
  query(): Query<R>;
}

/** A row that is not there has no values. */
const NO_VALUES: readonly unknown[] = [];

interface Alarm {
  readonly alarm: string;
  readonly column: number;
  /** The rows for which it is set. */
  readonly dueByRow: IdMap<Instant>;
}

interface Touched {
  readonly id: number;
  readonly before: AnyRow | undefined;
}

/** See the head of this file. */
export class Table {
  readonly entity: Entity;
  readonly alarms: readonly Alarm[];
  readonly #rows = new IdMap<AnyRow>();
  readonly #indexes: readonly TableIndex[];
  /** What the turn under way has touched: few rows, so a list is quicker than a map. */
  #touched: Touched[] = [];
  readonly #touchedTables: Table[];
  #bytes = 0;

  /** `touchedTables` is where the table puts itself down when a turn first touches it. */
  constructor(entity: Entity, touchedTables: Table[]) {
    this.entity = entity;
    this.#touchedTables = touchedTables;
    this.alarms = entity.attributeList.flatMap(([, { alarm }], column) =>
      alarm === undefined ? [] : [{ alarm, column, dueByRow: new IdMap() }],
    );
    this.#indexes = entity.attributeList.flatMap(([attribute, { index }], column) => {
      if (index === undefined) return [];
      return [
        index === 'unique'
          ? new UniqueIndex(entity.name, attribute, column)
          : new PlainIndex(attribute, column, (id) => this.#rows.get(id)?.[attribute]),
      ];
    });
  }

  get size(): number {
    return this.#rows.size;
  }

  /** What the rows take in an image, in bytes, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the turn under way has changed any row, on balance. */
  get isChanged(): boolean {
    for (const { id, before } of this.#touched) if (this.#rows.get(id) !== before) return true;
    return false;
  }

  get(id: number): AnyRow | undefined {
    return this.#rows.get(id);
  }

  find(attribute: string, value: unknown): AnyRow | undefined {
    const id = this.#unique(attribute).idOf(value);
    return id === undefined ? undefined : this.#rows.get(id);
  }

  first(): AnyRow | undefined {
    return this.#rows.first();
  }

  rows(): readonly AnyRow[] {
    return this.#rows.values();
  }

  rowsOf(attribute: string, value: unknown): readonly AnyRow[] {
    return this.#rowsWith(this.#plain(attribute).idsOf(value));
  }

  firstOf(attribute: string, value: unknown): AnyRow | undefined {
    const id = this.#plain(attribute).firstOf(value);
    return id === undefined ? undefined : this.#rows.get(id);
  }

  countOf(attribute: string, value: unknown): number {
    return this.#plain(attribute).countOf(value);
  }

  query(): Query<AnyRow> {
    return new Query<AnyRow>(
      () => this.#rows.values(),
      (attribute, value) => this.#indexed(attribute, value),
    );
  }

  /** Writes a row; throws `ConstraintError` if it breaks a constraint of an attribute, `Error` if it breaks a unique index. */
  put(row: AnyRow): void {
    const values = this.entity.valuesOf(row);
    check(this.entity, values);
    for (const index of this.#indexes) index.admit(row.id, values);
    const before = this.#rows.get(row.id);
    this.#touch(row.id, before);
    this.#set(row.id, before, row, values);
  }

  /** Removes a row, which must be there. */
  remove(id: number): void {
    const before = this.#rows.get(id);
    if (before === undefined) throw new Error(`there is no row ${id} of ${this.entity.name}`);
    this.#touch(id, before);
    this.#set(id, before, undefined, NO_VALUES);
  }

  /** Takes a row of a loaded shard, outside any turn. */
  load(row: AnyRow): void {
    this.#set(row.id, undefined, row, this.entity.valuesOf(row));
  }

  /** The net effect of the turn so far, one change per row. */
  changes(): readonly RowChange[] {
    const changes: RowChange[] = [];
    for (const { id, before } of this.#touched) {
      const after = this.#rows.get(id);
      if (before !== after) changes.push({ id, before, after });
    }
    return changes;
  }

  /** Ends the turn and keeps its effect. */
  commit(): void {
    this.#touched = [];
  }

  /** Ends the turn and takes its effect back. */
  rollback(): void {
    for (const { id, before } of this.#touched) {
      this.#set(id, this.#rows.get(id), before, before === undefined ? NO_VALUES : this.entity.valuesOf(before));
    }
    this.#touched = [];
  }

  #touch(id: number, before: AnyRow | undefined): void {
    for (const touched of this.#touched) if (touched.id === id) return;
    if (this.#touched.length === 0) this.#touchedTables.push(this);
    this.#touched.push({ id, before });
  }

  #set(id: number, before: AnyRow | undefined, after: AnyRow | undefined, values: readonly unknown[]): void {
    const old = before === undefined ? NO_VALUES : this.entity.valuesOf(before);
    this.#bytes += rowBytes(values) - rowBytes(old);
    for (const index of this.#indexes) index.replace(id, old, values);
    for (const { column, dueByRow } of this.alarms) {
      const due = values[column];
      if (typeof due === 'number') dueByRow.set(id, instant(due));
      else dueByRow.delete(id);
    }
    if (after === undefined) this.#rows.delete(id);
    else this.#rows.set(id, after);
  }

  #unique(attribute: string): UniqueIndex {
    for (const index of this.#indexes) if (index.attribute === attribute && index instanceof UniqueIndex) return index;
    throw new Error(`${this.entity.name}.${attribute} has no unique index`);
  }

  #plain(attribute: string): PlainIndex {
    for (const index of this.#indexes) if (index.attribute === attribute && index instanceof PlainIndex) return index;
    throw new Error(`${this.entity.name}.${attribute} has no plain index`);
  }

  #indexed(attribute: string, value: unknown): readonly AnyRow[] | undefined {
    const index = this.#indexes.find((one) => one.attribute === attribute);
    return index === undefined || value === null ? undefined : this.#rowsWith(index.idsOf(value));
  }

  #rowsWith(ids: ReadonlySet<number>): readonly AnyRow[] {
    const rows: AnyRow[] = [];
    for (const id of ids) {
      const row = this.#rows.get(id);
      if (row !== undefined) rows.push(row);
    }
    return rows;
  }
}

/** What a row needs in an image, in bytes, about: texts by their length, JSON as what nearly all of it stays below. */
function rowBytes(values: readonly unknown[]): number {
  let bytes = values.length === 0 ? 0 : 12;
  for (const value of values) {
    if (typeof value === 'string' || value instanceof Uint8Array) bytes += value.length + 1;
    else bytes += typeof value === 'object' && value !== null ? 400 : 6;
  }
  return bytes;
}

/** What the failures of one row's alarm are counted under. */
export function alarmKey(alarm: string, row: number): string {
  return `${alarm}/${row}`;
}
