/**
 * One number per slot, or none, in a typed array: what a scan reads. Of each block of slots it knows the least and the greatest value
 * (a zone map), so that a scan need not read a block of which all or none is wanted: at a million rows, memory is what a scan waits for.
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

/** Slots that are looked at together: four bytes for each, and a column's part, stay in the first-level cache. */
export const BLOCK_SLOTS = 1_024;
const BLOCK_SHIFT = 10;

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
  /** By block, the least and the greatest value; infinite the wrong way round for a block without any. */
  #lows = new Float64Array(0);
  #highs = new Float64Array(0);
  /** By block, 1 if one of these two has gone: they are measured when somebody asks. */
  #isStale = new Uint8Array(0);

  /** A column in which every slot is missing. */
  constructor(kind: ColumnKind, capacity: number) {
    this.#kind = kind;
    this.#missing = kind === 'int32' ? INT32_MISSING : -Infinity;
    this.#values = this.#allocate(0);
    this.grow(capacity);
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

  /** The least value of the block of a slot; infinite if it has none. */
  lowAt(slot: number): number {
    return this.#lows[this.#measuredBlock(slot)] ?? Infinity;
  }

  /** The greatest value of the block of a slot; minus infinity if it has none. */
  highAt(slot: number): number {
    return this.#highs[this.#measuredBlock(slot)] ?? -Infinity;
  }

  /** The value of a slot, or undefined. */
  read(slot: number): number | undefined {
    const value = this.#values[slot];
    return value === this.#missing ? undefined : value;
  }

  /** Gives a slot that has no value one. */
  write(slot: number, value: number): void {
    this.#presentCount += 1;
    this.#set(slot, this.#clamp(value));
  }

  /** Moves the last slot's value into `slot` and clears the last slot, as a removal does. */
  replaceByLast(slot: number, last: number): void {
    this.#clear(slot);
    const moved = this.#values[last];
    // Most columns of a class are stats that few of its rows have.
    if (slot === last || moved === this.#missing || moved === undefined) return;
    this.#clear(last);
    this.#presentCount += 1;
    this.#set(slot, moved);
  }

  /** Makes room for that many slots. */
  grow(capacity: number): void {
    const grown = this.#allocate(capacity);
    grown.set(this.#values);
    this.#values = grown;
    const known = this.#lows.length;
    const blocks = Math.ceil(capacity / BLOCK_SLOTS);
    const [lows, highs, isStale] = [new Float64Array(blocks), new Float64Array(blocks), new Uint8Array(blocks)];
    lows.fill(Infinity, known).set(this.#lows);
    highs.fill(-Infinity, known).set(this.#highs);
    isStale.set(this.#isStale);
    [this.#lows, this.#highs, this.#isStale] = [lows, highs, isStale];
  }

  #set(slot: number, value: number): void {
    this.#values[slot] = value;
    const block = slot >>> BLOCK_SHIFT;
    if (value < (this.#lows[block] ?? Infinity)) this.#lows[block] = value;
    if (value > (this.#highs[block] ?? -Infinity)) this.#highs[block] = value;
  }

  #clear(slot: number): void {
    const value = this.#values[slot];
    if (value === this.#missing || value === undefined) return;
    this.#values[slot] = this.#missing;
    this.#presentCount -= 1;
    const block = slot >>> BLOCK_SHIFT;
    if (value === this.#lows[block] || value === this.#highs[block]) this.#isStale[block] = 1;
  }

  /** The block of a slot, whose least and greatest value are then true. */
  #measuredBlock(slot: number): number {
    const block = slot >>> BLOCK_SHIFT;
    if (this.#isStale[block] !== 1) return block;
    const values = this.#values;
    const missing = this.#missing;
    let [low, high] = [Infinity, -Infinity];
    const end = Math.min(values.length, (block + 1) << BLOCK_SHIFT);
    for (let at = block << BLOCK_SHIFT; at < end; at += 1) {
      const value = values[at] ?? missing;
      if (value === missing) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    this.#lows[block] = low;
    this.#highs[block] = high;
    this.#isStale[block] = 0;
    return block;
  }

  #clamp(value: number): number {
    return this.#kind === 'float64' ? value : Math.min(INT32_MAX, Math.max(-INT32_MAX, value));
  }

  #allocate(capacity: number): Int32Array | Float64Array {
    return (this.#kind === 'int32' ? new Int32Array(capacity) : new Float64Array(capacity)).fill(this.#missing);
  }
}
