/** A typed query over the rows of one table. It uses an index for the first equality that has one, else it walks. */

type Direction = 'ascending' | 'descending';

/** Immutable: each call gives a narrower query. */
export class Query<R extends { readonly id: number }> {
  readonly #walk: () => Iterable<R>;
  readonly #indexed: (attribute: string, value: unknown) => readonly R[] | undefined;
  readonly #equals: readonly (readonly [string, unknown])[];
  readonly #predicates: readonly ((row: R) => boolean)[];
  readonly #order: { readonly attribute: keyof R & string; readonly direction: Direction } | undefined;
  readonly #limit: number;

  constructor(
    walk: () => Iterable<R>,
    indexed: (attribute: string, value: unknown) => readonly R[] | undefined,
    equals: readonly (readonly [string, unknown])[] = [],
    predicates: readonly ((row: R) => boolean)[] = [],
    order?: { readonly attribute: keyof R & string; readonly direction: Direction },
    limit = Number.POSITIVE_INFINITY,
  ) {
    this.#walk = walk;
    this.#indexed = indexed;
    this.#equals = equals;
    this.#predicates = predicates;
    this.#order = order;
    this.#limit = limit;
  }

  /** Rows whose attributes equal these values, or that satisfy the predicate. */
  where(condition: Partial<R> | ((row: R) => boolean)): Query<R> {
    return typeof condition === 'function'
      ? new Query(this.#walk, this.#indexed, this.#equals, [...this.#predicates, condition], this.#order, this.#limit)
      : new Query(this.#walk, this.#indexed, [...this.#equals, ...Object.entries(condition)], this.#predicates, this.#order, this.#limit);
  }

  /** Sorted by one attribute; equal ones by id, in the same direction. */
  orderBy(attribute: keyof R & string, direction: Direction = 'ascending'): Query<R> {
    return new Query(this.#walk, this.#indexed, this.#equals, this.#predicates, { attribute, direction }, this.#limit);
  }

  /** At most so many rows. */
  limit(rows: number): Query<R> {
    return new Query(this.#walk, this.#indexed, this.#equals, this.#predicates, this.#order, rows);
  }

  /** The rows. */
  toArray(): readonly R[] {
    const rows = this.#matching();
    const order = this.#order;
    if (order !== undefined) {
      const sign = order.direction === 'ascending' ? 1 : -1;
      rows.sort((a, b) => sign * (compare(a[order.attribute], b[order.attribute]) || a.id - b.id));
    }
    return rows.length > this.#limit ? rows.slice(0, this.#limit) : rows;
  }

  /** The first row, if any. */
  first(): R | undefined {
    return this.limit(1).toArray()[0];
  }

  /** How many rows. */
  count(): number {
    return Math.min(this.#matching().length, this.#limit);
  }

  /** The sum of a numeric attribute; throws `RangeError` when it leaves the safe integers. */
  sum(attribute: keyof R & string): number {
    let sum = 0;
    for (const row of this.toArray()) {
      const value = row[attribute];
      if (typeof value === 'number') sum += value;
      if (!Number.isSafeInteger(sum)) throw new RangeError(`the sum of ${attribute} leaves the safe integers`);
    }
    return sum;
  }

  #matching(): R[] {
    const indexed = this.#equals.map(([attribute, value]) => this.#indexed(attribute, value)).find((rows) => rows !== undefined);
    const rows: R[] = [];
    for (const row of indexed ?? this.#walk()) if (this.#matches(row)) rows.push(row);
    return rows;
  }

  #matches(row: R): boolean {
    const values: Readonly<Record<string, unknown>> = row;
    return this.#equals.every(([attribute, value]) => values[attribute] === value) && this.#predicates.every((predicate) => predicate(row));
  }
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const left = String(a);
  const right = String(b);
  return left < right ? -1 : left > right ? 1 : 0;
}
