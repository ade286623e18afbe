import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hashOf } from './hash.ts';
import { TextMap } from './text-map.ts';

/** Each pair has one hash, and the hash after it is that of none of them. */
const COLLIDING = ['costarring', 'liquid', 'declinate', 'macallums', 'altarage', 'zinke', 'altarages', 'zinkes'];

describe('a hash of a text', () => {
  it('never changes: shards are found by it', () => {
    expect([hashOf(''), hashOf('a'), hashOf('ada@europe.softcore')]).toEqual([-2_128_831_035, -468_965_076, -1_832_768_592]);
  });

  it('is the same for texts that are known to collide', () => {
    for (let index = 0; index < COLLIDING.length; index += 2)
      expect(hashOf(COLLIDING[index] ?? '')).toBe(hashOf(COLLIDING[index + 1] ?? ''));
  });
});

describe('a map by text', () => {
  it('is a map, also where hashes collide', () => {
    const text = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...COLLIDING) }, fc.string({ maxLength: 3, unit: 'grapheme' }));
    const step = fc.record({ text, value: fc.option(fc.integer(), { nil: undefined }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const map = new TextMap<{ readonly text: string; readonly value: number }>((entry) => entry.text);
        const twin = new Map<string, { readonly text: string; readonly value: number }>();
        for (const { text: key, value } of steps) {
          if (value === undefined) {
            map.delete(key, twin.get(key) ?? { text: key, value: 0 });
            twin.delete(key);
          } else {
            const entry = { text: key, value };
            map.set(key, entry);
            twin.set(key, entry);
          }
          expect(map.size).toBe(twin.size);
          for (const known of [...COLLIDING, key, ...twin.keys()]) expect(map.get(known)).toBe(twin.get(known));
        }
      }),
    );
  });

  it('keeps texts apart that follow one another at the next free numbers', () => {
    // The hash of one text is the next one after that of another: found by search.
    const texts = neighbours();
    const map = new TextMap<string>((each) => each);
    for (const each of texts) map.set(each, each);
    for (const gone of texts) {
      map.delete(gone, gone);
      expect(texts.filter((each) => map.get(each) === each)).toEqual(texts.filter((each) => each !== gone));
      map.set(gone, gone);
    }
  });
});

describe('a map by text that somebody fills with texts of one hash', () => {
  it('looks at few of them for each, whatever is put in and taken out', () => {
    let looks = 0;
    const map = new TextMap<string>((text) => {
      looks++;
      return text;
    });
    const texts = sameHash(50);
    for (const text of texts) map.set(text, text);
    expect(map.size).toBe(texts.length);
    for (const [index, text] of texts.entries()) {
      looks = 0;
      expect(map.get(text)).toBe(text);
      map.delete(text, text);
      expect(map.get(text)).toBeUndefined();
      expect(looks).toBeLessThan(100);
      expect(map.size).toBe(texts.length - index - 1);
    }
  });
});

/** Many texts of one hash: the last two characters of each are worked out backwards from it. */
function sameHash(count: number): readonly string[] {
  const texts: string[] = [];
  for (let prefix = 0; texts.length < count; prefix++) {
    const start = hashOf(`f${prefix}`);
    for (let last = 0; last <= 0xffff && texts.length < count; last++) {
      const first = Math.imul(Math.imul(12_345, FNV_PRIME_INVERSE) ^ last, FNV_PRIME_INVERSE) ^ start;
      if (first >= 0 && first <= 0xffff) texts.push(`f${prefix}${String.fromCharCode(first, last)}`);
    }
  }
  return texts;
}

/** Two texts of one hash, and one of the next hash. */
function neighbours(): readonly string[] {
  const [first = '', second = ''] = COLLIDING;
  const wanted = (hashOf(first) + 1) | 0;
  // The last step of the hash can be undone: of two characters, the first decides where the second must lead from.
  for (let prefix = 0; ; prefix++) {
    const start = hashOf(`n${prefix}`);
    const inverse = Math.imul(wanted, FNV_PRIME_INVERSE) ^ start;
    if (inverse >= 0 && inverse <= 0xffff) return [first, second, `n${prefix}${String.fromCharCode(inverse)}`];
  }
}

/** The inverse of FNV's prime modulo 2^32. */
const FNV_PRIME_INVERSE = 0x359c449b;
