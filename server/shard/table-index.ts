/** What a table needs of an index. The table owns it, and tells it of every row that comes, goes or is replaced. */
export interface TableIndex {
  readonly attribute: string;
  /** Throws `Error` if a row with these values may not come in. */
  admit(id: number, values: readonly unknown[]): void;
  /** Takes the place of what the row was; a row that is not there has no values. */
  replace(id: number, before: readonly unknown[], after: readonly unknown[]): void;
  /** The ids of the rows that have this value, in the order in which they got it. */
  idsOf(value: unknown): ReadonlySet<number>;
}

const NOBODY: ReadonlySet<number> = new Set();

/** At most one row per value; null belongs to nobody. */
export class UniqueIndex implements TableIndex {
  readonly attribute: string;
  readonly #entity: string;
  readonly #column: number;
  readonly #idByValue = new Map<unknown, number>();

  constructor(entity: string, attribute: string, column: number) {
    this.#entity = entity;
    this.attribute = attribute;
    this.#column = column;
  }

  admit(id: number, values: readonly unknown[]): void {
    const value = values[this.#column];
    const holder = this.#idByValue.get(value);
    if (holder !== undefined && holder !== id)
      throw new Error(`${this.#entity}.${this.attribute} is already ${String(value)} in row ${holder}`);
  }

  replace(id: number, before: readonly unknown[], after: readonly unknown[]): void {
    const old = before[this.#column];
    const value = after[this.#column];
    if (old === value) return;
    if (old !== undefined && this.#idByValue.get(old) === id) this.#idByValue.delete(old);
    if (value !== undefined && value !== null) this.#idByValue.set(value, id);
  }

  /** The id of the row that has this value. */
  idOf(value: unknown): number | undefined {
    return this.#idByValue.get(value);
  }

  idsOf(value: unknown): ReadonlySet<number> {
    const id = this.#idByValue.get(value);
    return id === undefined ? NOBODY : new Set([id]);
  }
}

/**
 * Any number of rows per value. Each value has a queue of the rows that got it, in that order; one that has another value by now is
 * passed over when it comes to the head. So a change of value costs a count and a push.
 */
export class PlainIndex implements TableIndex {
  readonly attribute: string;
  readonly #column: number;
  readonly #valueOf: (id: number) => unknown;
  readonly #queueByValue = new Map<unknown, Queue>();

  /** `valueOf` tells what the table's row of that id has, `undefined` if there is none. */
  constructor(attribute: string, column: number, valueOf: (id: number) => unknown) {
    this.attribute = attribute;
    this.#column = column;
    this.#valueOf = valueOf;
  }

  admit(): void {
    // Every row may come in.
  }

  replace(id: number, before: readonly unknown[], after: readonly unknown[]): void {
    const old = before[this.#column];
    const value = after[this.#column];
    if (old === value) return;
    const left = this.#queueByValue.get(old);
    if (left !== undefined) left.count--;
    if (value === undefined) return;
    const joined = this.#queueByValue.get(value);
    if (joined === undefined) this.#queueByValue.set(value, { count: 1, ids: [id], head: 0 });
    else {
      if (joined.ids.length - joined.head > joined.count * 2 + COMPACT_AT) this.#compact(joined, value);
      joined.count++;
      joined.ids.push(id);
    }
  }

  idsOf(value: unknown): ReadonlySet<number> {
    const queue = this.#queueByValue.get(value);
    if (queue === undefined || queue.count === 0) return NOBODY;
    this.#compact(queue, value);
    return new Set(queue.ids);
  }

  /** How many rows have this value. */
  countOf(value: unknown): number {
    return this.#queueByValue.get(value)?.count ?? 0;
  }

  /** How long the queue of a value is, with those that have lost it: for the test of its bound. */
  queueLengthOf(value: unknown): number {
    return this.#queueByValue.get(value)?.ids.length ?? 0;
  }

  /** The first of `idsOf`, without a walk. */
  firstOf(value: unknown): number | undefined {
    const queue = this.#queueByValue.get(value);
    if (queue === undefined || queue.count === 0) return undefined;
    for (;;) {
      const id = queue.ids[queue.head];
      if (id === undefined || this.#valueOf(id) === value) return id;
      queue.head++;
      if (queue.head >= COMPACT_AT && queue.head * 2 > queue.ids.length) {
        queue.ids = queue.ids.slice(queue.head);
        queue.head = 0;
      }
    }
  }

  #compact(queue: Queue, value: unknown): void {
    queue.ids = [...new Set(queue.ids.slice(queue.head).filter((id) => this.#valueOf(id) === value))];
    queue.head = 0;
  }
}

/** Rows that got one value: `ids` from `head` on, with some that have lost it since; `count` is how many have it. */
interface Queue {
  count: number;
  ids: number[];
  head: number;
}

const COMPACT_AT = 64;
