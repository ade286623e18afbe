/**
 * One number per slot, or none, in a typed array: what a scan reads.
 *
 * A missing value is stored as the one number below every value that the array may hold, so that a range whose lower
 * end is at least `lowest` leaves it out without asking. Values that the array cannot hold are brought to its nearest
 * end; the protocol lets none of them in.
 */

/** The largest value of a column of 32 bits. */
const INT32_MAX = 2_147_483_647;
const INT32_MISSING = -2_147_483_648;

/** Slots added at once at least. */
const CAPACITY_MIN = 64;

/** The capacity to grow to when `needed` slots must fit: half as much again, so that appending stays cheap. */
export function grownCapacity(capacity: number, needed: number): number {
  return needed <= capacity ? capacity : Math.max(CAPACITY_MIN, needed, Math.ceil(capacity * 1.5));
}

/** `int32` for stats and levels, `float64` for gold and instants. */
type ColumnKind = 'int32' | 'float64';

/** A column of numbers; the owner says how many slots are in use. */
export class NumberColumn {
  readonly #kind: ColumnKind;
  readonly #missing: number;
  #values: Int32Array | Float64Array;
  #presentCount = 0;

  /** A column in which every slot is missing. */
  constructor(kind: ColumnKind, capacity: number) {
    this.#kind = kind;
    this.#missing = kind === 'int32' ? INT32_MISSING : -Infinity;
    this.#values = this.#allocate(capacity);
  }

  /** The array to scan; valid until the next growth. */
  get values(): Int32Array | Float64Array {
    return this.#values;
  }

  /** What a slot without a value holds. */
  get missing(): number {
    return this.#missing;
  }

  /** How many slots have a value: the fewer, the earlier a search filters by this column. */
  get presentCount(): number {
    return this.#presentCount;
  }

  /** The ends of a range, brought to what the array can hold; a missing value is below the lower one. */
  rangeWithin(min: number, max: number): readonly [low: number, high: number] {
    if (this.#kind === 'float64') return [Math.max(min, -Number.MAX_VALUE), max];
    return [Math.max(min, -INT32_MAX), Math.min(max, INT32_MAX)];
  }

  /** The value of a slot, or undefined. */
  read(slot: number): number | undefined {
    const value = this.#values[slot];
    return value === this.#missing ? undefined : value;
  }

  /** Sets or clears the value of a slot. */
  write(slot: number, value: number | undefined): void {
    if (this.read(slot) !== undefined) this.#presentCount -= 1;
    if (value !== undefined) this.#presentCount += 1;
    this.#values[slot] = value === undefined ? this.#missing : this.#clamp(value);
  }

  /** Moves the last slot's value into `slot` and clears the last slot, as a removal does. */
  replaceByLast(slot: number, last: number): void {
    const values = this.#values;
    const missing = this.#missing;
    if (values[slot] !== missing) {
      this.#presentCount -= 1;
      values[slot] = missing;
    }
    const moved = values[last];
    // Most columns of a class are stats that few of its rows have.
    if (slot === last || moved === missing || moved === undefined) return;
    values[slot] = moved;
    values[last] = missing;
  }

  /** Makes room for that many slots. */
  grow(capacity: number): void {
    const grown = this.#allocate(capacity);
    grown.set(this.#values);
    this.#values = grown;
  }

  #clamp(value: number): number {
    return this.#kind === 'float64' ? value : Math.min(INT32_MAX, Math.max(-INT32_MAX, value));
  }

  #allocate(capacity: number): Int32Array | Float64Array {
    return (this.#kind === 'int32' ? new Int32Array(capacity) : new Float64Array(capacity)).fill(this.#missing);
  }
}
