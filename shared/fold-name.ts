/**
 * Names as searches see them, the same for the index and for its slow twin.
 *
 * It is the Unicode transformation for caseless matching, `toNFKC_Casefold` (Unicode Standard, section 3.13.3, R5, and the property
 * NFKC_Casefold of UAX 44): full case folding (CaseFolding.txt, C and F), compatibility forms as the plain ones, combining marks kept,
 * invisible characters left out. Two things are ours: `i`, `İ` and `ı` are one letter, since nobody knows whether a player writes
 * Turkish (the standard folds them by language: status T of CaseFolding.txt), and so are `’` and the typewriter's apostrophe.
 */

/** Letters and signs that only their case can change. */
const PLAIN = /^[ -~]*$/;
/** Characters that show nothing: soft hyphens, joiners, variation selectors. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu;
/** An `i` with its marks. The dot above is what `İ` leaves; on an `i` it says nothing. */
const I_WITH_MARKS = /i\p{M}+/gu;
const DOT_ABOVE = '\u0307';

/** A name as searches see it. Idempotent; what is equal but for case, in any script, becomes the same. */
export function foldName(name: string): string {
  // Nearly all names, and every listing brings one: the rest of this takes twenty times as long to say the same.
  if (PLAIN.test(name)) return name.toLowerCase();
  const folded = foldCase(name.normalize('NFKD').replaceAll(INVISIBLE, ''));
  const undotted = folded.replaceAll(I_WITH_MARKS, (letter) => letter.replaceAll(DOT_ABOVE, ''));
  return undotted.normalize('NFC').replaceAll('’', "'");
}

/**
 * Full case folding by the mappings that JavaScript has, for text in NFKD. Upper case alone knows that `ß` is `SS`, but leaves `ẞ` as
 * it is: hence lower case before it. Lower case alone makes the sigma at the end of a word. Over all code points this makes the same
 * classes as CaseFolding.txt, and puts `ı` with `i`, as wanted; only Cherokee comes out as small letters instead of capital ones.
 */
function foldCase(text: string): string {
  return text.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ');
}
