/** The rows of a table by the time at which one of their attributes wakes the shard. */
import type { Instant, RowId } from '#shared/units.ts';
import type { ReadAttribute } from './entity.ts';
import { IdMap } from './id-map.ts';
import type { AnyRow } from './row.ts';

/** Owned by the table, which tells it of every row that comes, goes or is replaced. */
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
