/** A hash of texts that stays the same for ever: shards are found by it. */

/** The hash of the empty text: the offset basis of FNV-1a. */
const EMPTY = 0x811c9dc5 | 0;

/**
 * FNV-1a over the UTF-16 units of a text, as a signed whole number of 32 bits; goes on from the
 * hash of what came before the text.
 */
export function hashOf(text: string, before: number = EMPTY): number {
  let hash = before;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash;
}
