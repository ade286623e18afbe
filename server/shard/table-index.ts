/** The indexes of a table. The table owns them, and tells them of every row that comes, goes or is replaced, once its rows have it. */
import { TextMap } from '#shared/text-map.ts';
import type { Instant, RowId } from '#shared/units.ts';
import type { ReadAttribute } from './entity.ts';
import { IdMap } from './id-map.ts';
import type { AnyRow } from './row.ts';

/**
 * Up to this many rows a walk is quicker than a map and takes no memory. With more rows each comparison
 * is a cache miss, and the map wins.
 */
const WALKED_ROWS_MAX = 2;

/** At most one row per value; any number of rows may have null, and none is found by it. */
export class UniqueIndex {
  readonly attribute: string;
  readonly read: ReadAttribute;
  readonly #rows: IdMap<AnyRow>;
  /** Only once the table has been too large to walk. By id and not by row: a row that is replaced has nothing to change here. */
  #idByText: TextMap<RowId> | undefined;

  constructor(attribute: string, read: ReadAttribute, rows: IdMap<AnyRow>) {
    this.attribute = attribute;
    this.read = read;
    this.#rows = rows;
  }

  /** The row with that value. */
  find(value: unknown): AnyRow | undefined {
    if (value === null) return undefined;
    if (this.#idByText === undefined && this.#rows.size <= WALKED_ROWS_MAX) return this.#walk(value);
    this.#idByText ??= this.#mapped();
    const id = this.#idByText.get(textOf(value));
    return id === undefined ? undefined : this.#rows.get(id);
  }

  replace(id: RowId, before: AnyRow | undefined, after: AnyRow | undefined): void {
    const ids = this.#idByText;
    if (ids === undefined) return;
    const old = this.read(before);
    const value = this.read(after);
    if (old === value) return;
    if (old !== null) ids.delete(textOf(old), id);
    if (value !== null) ids.set(textOf(value), id);
  }

  #walk(value: unknown): AnyRow | undefined {
    for (let at = 0; at < this.#rows.size; at++) {
      const row = this.#rows.at(at);
      if (this.read(row) === value) return row;
    }
    return undefined;
  }

  #mapped(): TextMap<RowId> {
    const ids = new TextMap<RowId>((id) => textOf(this.read(this.#rows.get(id))));
    this.#rows.forEach((row, id) => {
      const value = this.read(row);
      if (value !== null) ids.set(textOf(value), id);
    });
    return ids;
  }
}

/** All values of an attribute are of one type: as texts, too, they differ if they differ. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : String(value);
}

/**
 * Any number of rows per value. Each value has a queue of the rows that got it, in that order; one that has another value by now is
 * passed over when it comes to the head. So a change of value costs a count and a push.
 */
export class PlainIndex {
  readonly attribute: string;
  readonly #read: ReadAttribute;
  readonly #rows: IdMap<AnyRow>;
  readonly #queueByValue = new Map<unknown, Queue>();

  constructor(attribute: string, read: ReadAttribute, rows: IdMap<AnyRow>) {
    this.attribute = attribute;
    this.#read = read;
    this.#rows = rows;
  }

  replace(id: RowId, before: AnyRow | undefined, after: AnyRow | undefined): void {
    const old = before === undefined ? undefined : this.#read(before);
    const value = after === undefined ? undefined : this.#read(after);
    if (old === value) return;
    if (before !== undefined) this.#leave(old);
    if (after !== undefined) this.#join(id, value);
  }

  /** The rows with that value, in the order in which they got it. */
  rowsOf(value: unknown): readonly AnyRow[] {
    const queue = this.#queueByValue.get(value);
    if (queue === undefined || queue.count === 0) return [];
    this.#compact(queue, value);
    return queue.ids.flatMap((id) => this.#rows.get(id) ?? []);
  }

  /** How many rows have this value. */
  countOf(value: unknown): number {
    return this.#queueByValue.get(value)?.count ?? 0;
  }

  /** How long the queue of a value is, with those that have lost it: for the test of its bound. */
  queueLengthOf(value: unknown): number {
    return this.#queueByValue.get(value)?.ids.length ?? 0;
  }

  /** The first of `rowsOf`, without a walk. */
  firstOf(value: unknown): AnyRow | undefined {
    const queue = this.#queueByValue.get(value);
    if (queue === undefined || queue.count === 0) return undefined;
    for (;;) {
      const id = queue.ids[queue.head];
      if (id === undefined) return undefined;
      const row = this.#rows.get(id);
      if (row !== undefined && this.#read(row) === value) return row;
      queue.head++;
      if (queue.head >= COMPACT_AT && queue.head * 2 > queue.ids.length) {
        queue.ids = queue.ids.slice(queue.head);
        queue.head = 0;
      }
    }
  }

  #leave(value: unknown): void {
    const queue = this.#queueByValue.get(value);
    if (queue !== undefined) queue.count--;
  }

  #join(id: RowId, value: unknown): void {
    const queue = this.#queueByValue.get(value);
    if (queue === undefined) return void this.#queueByValue.set(value, { count: 1, ids: [id], head: 0 });
    if (queue.ids.length - queue.head > queue.count * 2 + COMPACT_AT) this.#compact(queue, value);
    queue.count++;
    queue.ids.push(id);
  }

  /** Takes those out that have lost the value, and the later of two places of one that has got it again. */
  #compact(queue: Queue, value: unknown): void {
    const holds = (id: RowId): boolean => {
      const row = this.#rows.get(id);
      return row !== undefined && this.#read(row) === value;
    };
    queue.ids = [...new Set(queue.ids.slice(queue.head).filter(holds))];
    queue.head = 0;
  }
}

/** Rows that got one value: `ids` from `head` on, with some that have lost it since; `count` is how many have it. */
interface Queue {
  count: number;
  ids: RowId[];
  head: number;
}

const COMPACT_AT = 64;

/** The rows of a table by the time at which one of their attributes wakes the shard. */
export class AlarmIndex {
  readonly alarm: string;
  readonly #read: ReadAttribute;
  /** The rows for which it is set. */
  readonly #dueByRow = new IdMap<Instant>();
  /** The earliest of all, 0 for none; `undefined` when it has to be looked for. */
  #earliest: Instant | 0 | undefined = 0;

  constructor(alarm: string, read: ReadAttribute) {
    this.alarm = alarm;
    this.#read = read;
  }

  /** When the first row is due, 0 for none. */
  get earliest(): Instant | 0 {
    if (this.#earliest !== undefined) return this.#earliest;
    let earliest: Instant | 0 = 0;
    this.#dueByRow.forEach((due) => {
      if (earliest === 0 || due < earliest) earliest = due;
    });
    this.#earliest = earliest;
    return earliest;
  }

  /** When a row is due, if it is set. */
  dueOf(row: RowId): Instant | undefined {
    return this.#dueByRow.get(row);
  }

  /** Calls back for each row that is set, in the order of the ids. */
  forEach(visit: (due: Instant, row: RowId) => void): void {
    this.#dueByRow.forEach(visit);
  }

  /** Takes the row as it is now. */
  replace(id: RowId, after: AnyRow | undefined): void {
    const due = this.#read(after);
    const old = this.#dueByRow.get(id);
    if (due === (old ?? null)) return;
    if (old !== undefined && old === this.#earliest) this.#earliest = undefined;
    if (!isInstant(due)) return this.#dueByRow.delete(id);
    this.#dueByRow.set(id, due);
    if (this.#earliest !== undefined && (this.#earliest === 0 || due < this.#earliest)) this.#earliest = due;
  }
}

/** An attribute with an alarm is a timestamp, which was checked, or null. */
function isInstant(value: unknown): value is Instant {
  return typeof value === 'number';
}
