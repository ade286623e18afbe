/** A hash of texts that stays the same for ever: shards are found by it. */

/** FNV-1a over the UTF-16 units of a text, as a signed whole number of 32 bits. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash;
}
