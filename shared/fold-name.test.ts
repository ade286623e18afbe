import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { foldName } from './fold-name.ts';

const isFound = (fragment: string, name: string): boolean => foldName(name).includes(foldName(fragment));

/** Every code point that case folding may change or that has case, and every mark: what can go wrong is among them. */
const FOLDED: readonly string[] = Array.from({ length: 0x11_0000 - 0x800 }, (_, index) =>
  String.fromCodePoint(index < 0xd800 ? index : index + 0x800),
).filter((letter) => /[\p{Changes_When_NFKC_Casefolded}\p{Cased}\p{M}]/u.test(letter));

const TRICKY = ['i', 'I', 'İ', 'ı', 'Σ', 'ς', 'σ', 'ß', 'ẞ', '\u0307', '\u0301', '\u0323', '\u0345', ' ', 'a', '’'];

const words = fc.array(fc.oneof(fc.constantFrom(...FOLDED), fc.constantFrom(...TRICKY)), { maxLength: 8 });

describe('a name', () => {
  it.each([
    ['Aufseherfußpolster', ['fuss', 'AUFSEHERFUSSPOLSTER', 'AUFSEHERFUẞPOLSTER', 'fuß']],
    ['AUFSEHERFUẞPOLSTER', ['aufseherfußpolster', 'Fuss']],
    ['İksir Kılıcı', ['iksir', 'İKSİR', 'KILICI', 'ıksır', 'kilici', 'i̇ksi̇r']],
    ['IKSIR KILICI', ['iksir', 'ıksır', 'İksir Kılıcı']],
    ['ΦΩΣΦΟΡΟΣ', ['ΦΩΣ', 'φως', 'φωσ', 'φωσφορος']],
    ['Φως', ['φωσ', 'ΦΩΣ', 'ΦΩς']],
    ['ᾠδή', ['ὨΙΔΉ', 'ᾨΔΉ']],
    ['Меч «Заря»', ['МЕЧ', 'заря']],
    ['Արեւ և Լուսին', ['ԱՐԵՒ', 'ԵՒ', 'եւ', 'և', 'լուսին']],
    ['მახვილი', ['ᲛᲐᲮᲕᲘᲚᲘ', 'მახ']],
    ['ᏣᎳᎩ', ['ꮳꮃꭹ', 'Ꮳꮃ']],
    ['ﬁre of Oﬃce', ['FIRE', 'oFFice', 'ﬁre']],
    ['Ǆungla', ['ǆungla', 'ǅungla', 'DŽUNGLA']],
    ['５Ｋ Blade', ['5k', '5K']],
    ['e\u0301clat', ['éclat', 'ÉCLAT', 'E\u0301CLAT']],
    ['Éclat', ['e\u0301clat']],
    ['ὁ ŉ', ['ʼN']],
    ['Sword\u00ad\u200bof 🗡️', ['swordof', 'of 🗡']],
    ['Karrow’s Vigil', ["KARROW'S", 'karrow’s']],
  ])('%s is found by any of %j', (name, fragments) => {
    expect(fragments.filter((fragment) => !isFound(fragment, name))).toEqual([]);
  });

  it.each([
    ['Éclat', 'eclat'],
    ['Мир', 'Mир'],
    ['ï', 'i'],
    ['j\u0307', 'j\u0307\u0307'],
  ])('%s is another one than %s: marks and scripts count', (name, fragment) => {
    expect(isFound(fragment, name)).toBe(false);
  });

  it('is found by itself in upper and lower case and in every normal form, whatever its letters are', () => {
    for (const letter of FOLDED) {
      const folded = foldName(letter);
      const others = [folded, letter.toUpperCase(), letter.toLowerCase(), letter.normalize('NFD'), letter.normalize('NFKC')];
      const strays = others.filter((other) => other !== letter && foldName(other) !== folded);
      if (strays.length > 0) expect([letter, ...strays]).toEqual([letter]);
    }
  });

  it('of plain letters takes a shorter way to the same end', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme-ascii' }), (name) => expect(foldName(name)).toBe(foldName(`${name}é`).slice(0, -1))));
  });

  it('is folded once and for all, the same from every normal form', () => {
    fc.assert(
      fc.property(words, (letters) => {
        const name = letters.join('');
        const folded = foldName(name);
        expect([foldName(folded), foldName(name.normalize('NFD')), foldName(name.normalize('NFKC'))]).toEqual([folded, folded, folded]);
      }),
      { numRuns: 2_000 },
    );
  });
});
