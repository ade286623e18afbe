import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createPrng } from './prng.ts';

const draws = (seed: string | number, count: number): readonly number[] => {
  const prng = createPrng(seed);
  return Array.from({ length: count }, () => prng.uint32());
};

describe('the seeded generator', () => {
  it('gives the same numbers for the same seed, for ever', () => {
    expect(draws('gavel', 4)).toEqual([971_965_592, 3_978_483_679, 1_945_984_753, 4_035_025_298]);
    expect(draws(7, 100)).toEqual(draws('7', 100));
  });

  it('gives other numbers for seeds that differ little', () => {
    const starts = new Set(Array.from({ length: 10_000 }, (_, seed) => draws(seed, 2).join()));
    expect(starts.size).toBe(10_000);
  });

  it('draws whole numbers within any bounds', () => {
    const bounds = fc.tuple(fc.maxSafeInteger(), fc.maxSafeInteger()).filter(([a, b]) => Number.isSafeInteger(b - a + 1) && a <= b);
    fc.assert(
      fc.property(fc.string(), bounds, (seed, [min, max]) => {
        const drawn = createPrng(seed).integer(min, max);
        expect(Number.isSafeInteger(drawn) && drawn >= min && drawn <= max).toBe(true);
      }),
    );
  });

  it('refuses bounds that hold no whole number, and empty lists', () => {
    const prng = createPrng(1);
    expect(() => prng.integer(2, 1)).toThrow(RangeError);
    expect(() => prng.integer(0.5, 1)).toThrow(RangeError);
    expect(() => prng.integer(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)).toThrow(RangeError);
    expect(() => prng.pick([])).toThrow(RangeError);
    expect(() => prng.pickWeighted(['a'], () => 0)).toThrow(RangeError);
  });

  it('is even: each of ten values comes up close to a tenth of the time', () => {
    const even = createPrng('even');
    const tally = new Map<number, number>();
    for (let drawn = 0; drawn < 100_000; drawn += 1) {
      const value = even.integer(0, 9);
      tally.set(value, (tally.get(value) ?? 0) + 1);
    }
    const chiSquared = [...tally.values()].reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    expect(chiSquared).toBeLessThan(27.9);
  });

  it('shuffles without losing or doubling anything', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.integer()), (seed, values) => {
        expect(createPrng(seed).shuffle(values).toSorted()).toEqual(values.toSorted());
      }),
    );
  });

  it('forks by label alone, wherever the parent is', () => {
    const parent = createPrng('parent');
    const before = parent.fork('child').uint32();
    parent.next();
    expect(parent.fork('child').uint32()).toBe(before);
    expect(parent.fork('other').uint32()).not.toBe(before);
  });

  it('picks by weight, and never what weighs nothing', () => {
    const prng = createPrng('weights');
    const picked = Array.from({ length: 10_000 }, () => prng.pickWeighted([0, 1, 3], (weight) => weight));
    expect(picked.includes(0)).toBe(false);
    expect(picked.filter((weight) => weight === 3).length / picked.length).toBeCloseTo(0.75, 1);
  });
});
