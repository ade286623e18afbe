/**
 * A seeded generator: same seed, same numbers, on every machine and in a browser.
 *
 * sfc32 (Chris Doty-Humphrey, PractRand), seeded through SplitMix32 from a hash of the seed's text. For loot,
 * simulation and tests; never for secrets.
 */
import { hashOf } from './hash.ts';

/** Anything but `undefined`, which stands for a missing element. */
type Defined = NonNullable<unknown> | null;

/** A source of repeatable randomness. It is mutable: whoever holds it owns its place in the sequence. */
export interface Prng {
  /** A number from 0 (included) to 1 (excluded), with 53 random bits: a drop-in for `Math.random`. */
  next(): number;
  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number;
  /** A whole number from `min` to `max`, both included and equally likely; throws `RangeError` if there is none. */
  integer(min: number, max: number): number;
  /** True with that probability. */
  chance(probability: number): boolean;
  /** One element, all equally likely; throws `RangeError` on an empty list. */
  pick<Value extends Defined>(values: readonly Value[]): Value;
  /** One element, as likely as its weight among all; throws `RangeError` if no weight is positive. */
  pickWeighted<Value extends Defined>(values: readonly Value[], weightOf: (value: Value) => number): Value;
  /** A new list in random order (Fisher and Yates). */
  shuffle<Value extends Defined>(values: readonly Value[]): Value[];
  /** A generator of its own, set by this one's seed and the label alone: it does not move this one, nor depends on its place. */
  fork(label: string | number): Prng;
}

/** A generator that starts at the seed. Numbers and texts that look the same are the same seed. */
export function createPrng(seed: string | number): Prng {
  const seedText = String(seed);
  const uint32 = sfc32(seedText);

  const next = (): number => ((uint32() >>> 5) * 0x4000000 + (uint32() >>> 6)) / 2 ** 53;

  const integer = (min: number, max: number): number => {
    const count = max - min + 1;
    if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || count < 1 || !Number.isSafeInteger(count)) {
      throw new RangeError(`no whole number can be drawn from ${min} to ${max}`);
    }
    return min + (count <= 2 ** 32 ? below(uint32, 2 ** 32, count) : below(() => next() * 2 ** 53, 2 ** 53, count));
  };

  return {
    next,
    uint32,
    integer,
    chance: (probability) => next() < probability,
    pick: (values) => elementAt(values, integer(0, values.length - 1)),
    pickWeighted: (values, weightOf) => elementAt(values, weightedIndex(next(), values.map(weightOf))),
    shuffle: (values) => {
      const shuffled = [...values];
      for (let last = shuffled.length - 1; last > 0; last -= 1) {
        const other = integer(0, last);
        const moved = elementAt(shuffled, last);
        shuffled[last] = elementAt(shuffled, other);
        shuffled[other] = moved;
      }
      return shuffled;
    },
    fork: (label) => createPrng(`${seedText}/${label}`),
  };
}

/** A draw below `count` from a source of whole numbers below `range`: draws that would favour small numbers are thrown away. */
function below(draw: () => number, range: number, count: number): number {
  const fair = range - (range % count);
  let drawn = draw();
  while (drawn >= fair) drawn = draw();
  return drawn % count;
}

/** The element at an index; throws `RangeError` if there is none. */
function elementAt<Value extends Defined>(values: readonly Value[], index: number): Value {
  const value = values[index];
  if (value === undefined) throw new RangeError('nothing to pick from');
  return value;
}

/** The index whose share of the weights holds the point `at` of 0 to 1; throws `RangeError` if no weight is positive. */
function weightedIndex(at: number, weights: readonly number[]): number {
  const total = weights.reduce((sum, weight) => sum + Math.max(0, weight), 0);
  let rest = at * total;
  let last: number | undefined;
  for (const [index, weight] of weights.entries()) {
    if (weight <= 0) continue;
    if (rest < weight) return index;
    rest -= weight;
    last = index;
  }
  if (last === undefined) throw new RangeError('nothing to pick from: no weight is positive');
  return last;
}

/** The bare generator: 128 bits of state, 32 bits a draw. */
function sfc32(seedText: string): () => number {
  const nextSeed = splitMix32(hashText(seedText));
  let [a, b, c, counter] = [nextSeed(), nextSeed(), nextSeed(), 1];
  const draw = (): number => {
    const drawn = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + drawn;
    return drawn >>> 0;
  };
  for (let round = 0; round < 12; round += 1) draw();
  return draw;
}

/** Spreads 64 bits of seed over as many words as are asked for. */
function splitMix32([high, low]: readonly [number, number]): () => number {
  let state = high;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let word = state ^ (state >>> 16);
    word = Math.imul(word ^ low, 0x21f0aaad);
    word ^= word >>> 15;
    word = Math.imul(word, 0x735a2d97);
    return (word ^ (word >>> 15)) | 0;
  };
}

/** Two independent 32-bit hashes of a text (FNV-1a with two offsets and multipliers, then a final mix). */
function hashText(text: string): readonly [number, number] {
  const first = hashOf(text);
  let second = 0x1b873593;
  for (let index = 0; index < text.length; index += 1) {
    second = Math.imul(second ^ text.charCodeAt(index), 0x85ebca6b) ^ (second >>> 13);
  }
  return [Math.imul(first ^ (first >>> 16), 0x7feb352d), Math.imul(second ^ (second >>> 15), 0x846ca68b)];
}
