/** The seal of a world: what it makes, what it opens, and that nobody else can make what it opens. */
import { createCipheriv, createHmac, hkdfSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeCursor } from '#shared/search.ts';
import { listingId, shardId } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import type { IdKind } from '#shared/schemas.ts';
import { rowId } from '#shared/units.ts';
import { transactionId } from '#server/trade/transaction.ts';
import { WorldSeal } from './world-seal.ts';

const KEY = 'the key of a world, kept for its whole life';
const seal = new WorldSeal(KEY);
const KINDS: readonly IdKind[] = ['listing', 'transaction', 'cursor'];
const ADA = shardId('ada', 'europe', 'softcore');
const LONGEST = shardId('p'.repeat(64), 'r'.repeat(32), 'hardcore');

const anyName = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const anyListing = fc
  .tuple(fc.integer({ min: 1 }), anyName)
  .map(([row, name]) => listingId(rowId(row), shardId(name, 'europe', 'hardcore')));

describe('the seal of a world', () => {
  it('opens what it sealed, and seals the same id as the same text', () => {
    fc.assert(
      fc.property(fc.constantFrom(...KINDS), anyListing, (kind, id) => {
        const text = seal.seal(kind, id);
        expect(seal.open(kind, text)).toBe(id);
        expect([seal.seal(kind, id), new WorldSeal(KEY).seal(kind, id)]).toEqual([text, text]);
      }),
    );
  });

  it('stays what it is over releases: ids are in the notes of players and studios', () => {
    expect(seal.seal('listing', '12.ada@europe.softcore')).toBe(
      'HJJK7TW9YpVpXdBh5euSaudmZ_TIFrtjZ9o8ziIao3SxiteRC1stGTTBLc-yNZqkqdIG7sCw_MLbIBFa3Dl6XEW60L0aJIEwF5KHARTt',
    );
    expect(seal.seal('transaction', '7.1.ada@europe.softcore')).toBe(
      'hwEzgTQ1E6MTfnMXJXHsFbOMaFVMXd8qzR9WBJ_lxw04VamHxU1l7Pa0DKEJ3__juxdloZNpefQW9MJZsXWYeE2NyxpQa4w_BaBtEwAh',
    );
  });

  it('is an IV by HMAC-SHA-256 over kind and padded id, and AES-256-CTR under it, by the letter', () => {
    const keyFor = (purpose: string): Buffer => Buffer.from(hkdfSync('sha256', KEY, '', `gavel ids: ${purpose}`, 32));
    const [macKey, cipherKey] = [keyFor('mac'), keyFor('cipher')];
    for (let row = 1; row <= 1_500; row++) {
      const id = `${row}.${'x'.repeat(row % 200)}`;
      const size = [62, 143, 287].find((bytes) => id.length <= bytes) ?? 0;
      const padded = Buffer.concat([Buffer.from(id), Buffer.alloc(size - id.length)]);
      const iv = createHmac('sha256', macKey).update('listing\0').update(padded).digest().subarray(0, 16);
      const cipher = createCipheriv('aes-256-ctr', cipherKey, iv);
      expect(seal.seal('listing', id)).toBe(Buffer.concat([iv, cipher.update(padded), cipher.final()]).toString('base64url'));
    }
  });

  it('opens nothing of another kind, another world, or changed in any place', () => {
    const id = listingId(rowId(7), ADA);
    const text = seal.seal('listing', id);
    expect(KINDS.map((kind) => seal.open(kind, text))).toEqual([id, undefined, undefined]);
    expect(new WorldSeal(`${KEY}!`).open('listing', text)).toBeUndefined();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (let place = 0; place < text.length; place++) {
      for (const letter of alphabet) {
        const other = text.slice(0, place) + letter + text.slice(place + 1);
        if (other !== text) expect([place, letter, seal.open('listing', other)]).toEqual([place, letter, undefined]);
      }
    }
  });

  it.each([
    ['nothing', ''],
    ['a readable id', listingId(rowId(7), ADA)],
    ['one that is cut short', seal.seal('listing', '7.ada@europe.softcore').slice(0, -4)],
    ['one with more behind it', `${seal.seal('listing', '7.ada@europe.softcore')}AAAA`],
    ['one with padding', `${seal.seal('listing', '7.ada@europe.softcore')}=`],
    ['one with a blank in it', ` ${seal.seal('listing', '7.ada@europe.softcore')}`],
    ['zeros', 'A'.repeat(104)],
    ['no ASCII', 'é'.repeat(104)],
  ])('does not open %s', (_, text) => {
    expect(seal.open('listing', text)).toBeUndefined();
  });

  it('opens one text for each id only', () => {
    const text = seal.seal('listing', '7.ada@europe.softcore');
    for (const other of [text.toLowerCase(), text.toUpperCase(), `${text}\n`, `${text}A`, text.replaceAll('_', '/').replaceAll('-', '+')]) {
      if (other !== text) expect(seal.open('listing', other)).toBeUndefined();
    }
  });

  it('makes nothing alike of two listings of one seller, and no length of a name', () => {
    const texts = Array.from({ length: 200 }, (_, row) => seal.seal('listing', listingId(rowId(row + 1), ADA)));
    expect(new Set(texts.map((text) => text.length))).toEqual(new Set([104]));
    for (const [index, text] of texts.entries()) {
      const other = texts[(index + 1) % texts.length] ?? '';
      const same = text.split('').filter((letter, place) => letter === other[place]).length;
      expect(same).toBeLessThan(20);
    }
    const lengths = ['a', 'ada', 'steam_76561198000000000', crypto.randomUUID()].map(
      (name) => seal.seal('listing', listingId(rowId(99_999), shardId(name, 'americas', 'softcore'))).length,
    );
    expect(new Set(lengths)).toEqual(new Set([104]));
  });

  it('takes the longest ids and cursors, within their limits', () => {
    const row = rowId(Number.MAX_SAFE_INTEGER);
    const ids: readonly (readonly [IdKind, string, number])[] = [
      ['listing', listingId(row, LONGEST), limits.sealedIdLengthMax],
      ['transaction', transactionId({ seq: row, generation: 999_999_999, holder: LONGEST }), limits.sealedIdLengthMax],
      [
        'cursor',
        encodeCursor(
          { by: 'a'.repeat(limits.catalogWordLengthMax), descending: false },
          { value: Number.MIN_SAFE_INTEGER, id: listingId(row, LONGEST) },
        ),
        limits.cursorLengthMax,
      ],
    ];
    for (const [kind, id, lengthMax] of ids) {
      const text = seal.seal(kind, id);
      expect(text.length).toBeLessThanOrEqual(lengthMax);
      expect(seal.open(kind, text)).toBe(id);
    }
    expect(() => seal.seal('listing', 'x'.repeat(288))).toThrow(RangeError);
    expect(() => seal.seal('listing', 'a\0b')).toThrow(RangeError);
  });

  it('keeps a bounded number of texts, and says the same without them', () => {
    const first = seal.seal('listing', listingId(rowId(1), ADA));
    for (let row = 2; row < 40_000; row++) seal.seal('listing', listingId(rowId(row), ADA));
    expect(seal.seal('listing', listingId(rowId(1), ADA))).toBe(first);
  });
});
