/**
 * The rows of one entity of one shard, in memory, with their indexes.
 *
 * Owned by the shard's state. A turn writes straight into the table, and the undo log keeps what was
 * there before: so reading is one look-up, with no overlay to consult first (decision 001).
 *
 * 1. A row is never changed, only replaced.
 * 2. Every index holds exactly the rows of the table; a `unique` value is held by one row at most.
 */
import type { RowId } from '#shared/units.ts';
import type { Entity } from './entity.ts';
import { IdMap } from './id-map.ts';
import { AlarmIndex, PlainIndex, UniqueIndex } from './table-index.ts';
import type { UndoLog } from './undo-log.ts';
import type { AnyRow } from './row.ts';

/** Reads the rows of one entity. Rows come in the order of their ids, in which they came to be. */
export interface TableReader<R extends { readonly id: RowId }> {
  readonly size: number;
  /** The row of that id. */
  get(id: RowId): R | undefined;
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
}

/** What the tables of one shard share. */
export interface TableOwner {
  /** Told of every change. */
  readonly log: UndoLog;
  /** What all rows take in an image, in bytes, about: kept up to date by the tables. */
  bytes: number;
  /** What of it the player made. */
  ownBytes: number;
}

const NO_INDEXES: readonly never[] = [];

export class Table {
  readonly entity: Entity;
  readonly alarms: readonly AlarmIndex[];
  readonly #owner: TableOwner;
  readonly #rows = new IdMap<AnyRow>();
  readonly #uniques: readonly UniqueIndex[];
  readonly #plains: readonly PlainIndex[];

  constructor(entity: Entity, owner: TableOwner) {
    this.entity = entity;
    this.#owner = owner;
    const { indexes, alarms } = entity;
    this.alarms = alarms.length === 0 ? NO_INDEXES : alarms.map(({ alarm, read }) => new AlarmIndex(alarm, read));
    const uniques = indexes.filter(({ kind }) => kind === 'unique');
    this.#uniques = uniques.length === 0 ? NO_INDEXES : uniques.map(({ attribute, read }) => new UniqueIndex(attribute, read, this.#rows));
    const plains = indexes.filter(({ kind }) => kind === 'plain');
    this.#plains = plains.length === 0 ? NO_INDEXES : plains.map(({ attribute, read }) => new PlainIndex(attribute, read, this.#rows));
  }

  get size(): number {
    return this.#rows.size;
  }

  get(id: RowId): AnyRow | undefined {
    return this.#rows.get(id);
  }

  find(attribute: string, value: unknown): AnyRow | undefined {
    return this.#unique(attribute).find(value);
  }

  first(): AnyRow | undefined {
    return this.#rows.first();
  }

  rows(): readonly AnyRow[] {
    return this.#rows.values();
  }

  rowsOf(attribute: string, value: unknown): readonly AnyRow[] {
    return this.#plain(attribute).rowsOf(value);
  }

  firstOf(attribute: string, value: unknown): AnyRow | undefined {
    return this.#plain(attribute).firstOf(value);
  }

  countOf(attribute: string, value: unknown): number {
    return this.#plain(attribute).countOf(value);
  }

  /** Writes a row; throws `ConstraintError` if it breaks a constraint of an attribute, `Error` if it breaks a unique index. */
  put(row: AnyRow): void {
    const { id } = row;
    this.entity.rowFunctions.check(row);
    const before = this.#rows.get(id);
    for (const unique of this.#uniques) {
      const value = unique.read(row);
      if (value === unique.read(before)) continue;
      const holder = unique.find(value);
      if (holder !== undefined) throw new Error(`${this.entity.name}.${unique.attribute} is already ${String(value)} in row ${holder.id}`);
    }
    this.#owner.log.note(this, id, before, row);
    this.#replace(id, before, row);
  }

  /** Removes a row, which must be there. */
  remove(id: RowId): void {
    const before = this.#rows.get(id);
    if (before === undefined) throw new Error(`there is no row ${id} of ${this.entity.name}`);
    this.#owner.log.note(this, id, before, undefined);
    this.#replace(id, before, undefined);
  }

  /** Makes a row what it was before a turn: what the undo log does. A row of a loaded shard was nothing before. */
  restore(id: RowId, row: AnyRow | undefined): void {
    this.#replace(id, this.#rows.get(id), row);
  }

  #replace(id: RowId, before: AnyRow | undefined, after: AnyRow | undefined): void {
    if (before === undefined && after === undefined) return;
    const { sizeOf } = this.entity.rowFunctions;
    const bytesBefore = before === undefined ? 0 : sizeOf(before);
    const bytesAfter = after === undefined ? 0 : sizeOf(after);
    this.#owner.bytes += bytesAfter - bytesBefore;
    this.#owner.ownBytes += (this.#isOwn(after) ? bytesAfter : 0) - (this.#isOwn(before) ? bytesBefore : 0);
    if (after === undefined) this.#rows.delete(id);
    else this.#rows.set(id, after);
    for (const unique of this.#uniques) unique.replace(id, before, after);
    for (const plain of this.#plains) plain.replace(id, before, after);
    for (const alarm of this.alarms) alarm.replace(id, after);
  }

  #isOwn(row: AnyRow | undefined): boolean {
    const { isMadeByOthers } = this.entity;
    return typeof isMadeByOthers === 'function' ? row !== undefined && !isMadeByOthers(row) : !isMadeByOthers;
  }

  #unique(attribute: string): UniqueIndex {
    for (const unique of this.#uniques) if (unique.attribute === attribute) return unique;
    throw new Error(`${this.entity.name}.${attribute} has no unique index`);
  }

  #plain(attribute: string): PlainIndex {
    for (const plain of this.#plains) if (plain.attribute === attribute) return plain;
    throw new Error(`${this.entity.name}.${attribute} has no plain index`);
  }
}

/** What the failures of one row's alarm are counted under. */
export function alarmKey(alarm: string, row: RowId): string {
  return `${alarm}/${row}`;
}
