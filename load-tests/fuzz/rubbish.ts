/** Values and bytes that a server should not be sent, made of those that it should be. */
import type { Prng } from '#shared/prng.ts';

/** Names that mean something to JavaScript, or to the server itself. */
export const BAD_WORDS: readonly string[] = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'then',
  'kind',
  'issuer',
  'op',
  'open',
  'freeze',
  'offer',
  'outcome',
  'alarm',
  'grant',
  '*',
  '',
  'a\0b',
  '\u202Eabc',
  '\uD800',
  '%00',
  "' OR 1=1 --",
  '${7*7}',
  '../../etc/passwd',
  'x'.repeat(5_000),
];

const BAD_NUMBERS: readonly (number | bigint)[] = [
  0,
  -0,
  -1,
  0.5,
  1e-7,
  255,
  256,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  Number.MAX_SAFE_INTEGER,
  2 ** 53,
  -(2 ** 53),
  1e308,
  Infinity,
  -Infinity,
  Number.NaN,
  2n ** 63n,
  2n ** 64n - 1n,
  -1n,
];

/** A value of any kind. `isJson` leaves out what JSON cannot say. */
export function badValue(prng: Prng, isJson: boolean): unknown {
  switch (prng.integer(0, isJson ? 6 : 9)) {
    case 0: {
      const number = prng.pick(BAD_NUMBERS);
      return isJson && typeof number === 'bigint' ? Number(number) : number;
    }
    case 1:
    case 2:
      return prng.pick(BAD_WORDS);
    case 3:
      return prng.pick([null, true, false]);
    case 4:
      return nested(prng.pick([2, 10, 100, 250]), prng.chance(0.5));
    case 5:
      return Array.from({ length: prng.pick([0, 1, 40, 500]) }, (_, index) => index);
    case 6:
      return { [prng.pick(BAD_WORDS)]: prng.pick(BAD_WORDS) };
    case 7:
      return new Uint8Array(prng.pick([0, 1, 300]));
    case 8:
      return new Date(prng.pick([0, -1, 1e15]));
    default:
      return new Map<unknown, unknown>([
        [prng.pick(BAD_WORDS), 1],
        [2, prng.pick(BAD_NUMBERS)],
      ]);
  }
}

function nested(depth: number, isList: boolean): unknown {
  let value: unknown = {};
  for (let level = 0; level < depth; level++) value = isList ? [value] : { any: [value] };
  return value;
}

/** The object with something wrong: a field more, less, or of another value; sometimes no object at all. */
export function spoilt(prng: Prng, object: Readonly<Record<string, unknown>>, isJson: boolean): unknown {
  const names = Object.keys(object);
  const name = names.length === 0 || prng.chance(0.2) ? prng.pick(BAD_WORDS) : prng.pick(names);
  switch (prng.integer(0, 5)) {
    case 0:
      return badValue(prng, isJson);
    case 1:
      return Object.fromEntries(Object.entries(object).filter(([each]) => each !== name));
    case 2:
      // Own fields, whatever their names: an object literal would set its prototype.
      return Object.fromEntries([...Object.entries(object), [prng.pick(BAD_WORDS), badValue(prng, isJson)]]);
    default:
      return Object.fromEntries([...Object.entries(object).filter(([each]) => each !== name), [name, badValue(prng, isJson)]]);
  }
}

/** The bytes with a few of them changed, cut, doubled or put in. */
export function mutated(prng: Prng, bytes: Buffer): Buffer {
  let result = Buffer.from(bytes);
  for (let times = prng.integer(1, 4); times > 0; times--) {
    const at = prng.integer(0, result.length);
    switch (prng.integer(0, 5)) {
      case 0:
        result = result.subarray(0, at);
        break;
      case 1:
        result = Buffer.concat([result.subarray(0, at), randomBytesOf(prng, prng.integer(1, 8)), result.subarray(at)]);
        break;
      case 2:
        result = Buffer.concat([result.subarray(0, at), result.subarray(prng.integer(0, at))]);
        break;
      default:
        if (at < result.length) result[at] = prng.chance(0.5) ? prng.integer(0, 255) : (result[at] ?? 0) ^ (1 << prng.integer(0, 7));
    }
  }
  return result;
}

/** That many bytes. */
export function randomBytesOf(prng: Prng, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => prng.integer(0, 255)));
}
