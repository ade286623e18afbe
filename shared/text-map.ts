/** A map by texts that come from outside, and a hash of texts that stays the same for ever. */

/** FNV-1a over the UTF-16 units of a text, as a signed whole number of 32 bits. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash;
}

/**
 * Values by a text that can be asked of each, such as its id. For texts that are made all the time and asked for once or twice: V8's own
 * `Map` first makes a global constant of every text that it is asked for, in a table that fits no cache and memory that only a full
 * collection frees. This one asks by the text's hash. Texts of equal hash follow one another at the next free numbers.
 */
export class TextMap<V> {
  readonly #textOf: (value: V) => unknown;
  readonly #valueByHash = new Map<number, V>();

  /** `textOf` tells the text that a value in the map was put in by. */
  constructor(textOf: (value: V) => unknown) {
    this.#textOf = textOf;
  }

  get size(): number {
    return this.#valueByHash.size;
  }

  /** The value of that text. */
  get(text: string): V | undefined {
    for (let hash = hashOf(text); ; hash = nextHash(hash)) {
      const value = this.#valueByHash.get(hash);
      if (value === undefined || this.#textOf(value) === text) return value;
    }
  }

  /** Puts a value in, in place of the one of its text. */
  set(text: string, value: V): void {
    let hash = hashOf(text);
    for (;;) {
      const known = this.#valueByHash.get(hash);
      if (known === undefined || known === value || this.#textOf(known) === text) break;
      hash = nextHash(hash);
    }
    this.#valueByHash.set(hash, value);
  }

  /** Takes a value out that is in by that text; its text need not be known to it any more. */
  delete(text: string, value: V): void {
    for (let hash = hashOf(text); ; hash = nextHash(hash)) {
      const known = this.#valueByHash.get(hash);
      if (known === undefined) return;
      if (known === value) return this.#deleteAt(hash);
    }
  }

  /** Those that follow may have wanted this number or an earlier one: they are put in anew, up to the next gap. */
  #deleteAt(hash: number): void {
    this.#valueByHash.delete(hash);
    for (let next = nextHash(hash); ; next = nextHash(next)) {
      const follower = this.#valueByHash.get(next);
      if (follower === undefined) return;
      this.#valueByHash.delete(next);
      this.set(String(this.#textOf(follower)), follower);
    }
  }
}

function nextHash(hash: number): number {
  return (hash + 1) | 0;
}
