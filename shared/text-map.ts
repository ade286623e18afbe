/** A map by texts that come from outside. */
import { hashOf } from './hash.ts';

/**
 * Values by a text that can be asked of each, such as its id. For texts that are made all the time and asked for once or twice: V8's own
 * `Map` first makes a global constant of every text that it is asked for, in a table that fits no cache and memory that only a full
 * collection frees. This one asks by the text's hash. Texts of equal hash follow one another at the next free numbers; when somebody sends
 * many of them on purpose, those that find no place near go into a `Map` after all.
 */
export class TextMap<V> {
  readonly #textOf: (value: V) => unknown;
  readonly #valueByHash = new Map<number, V>();
  #crowdedOut: Map<string, V> | undefined;

  /** `textOf` tells the text that a value in the map was put in by. */
  constructor(textOf: (value: V) => unknown) {
    this.#textOf = textOf;
  }

  get size(): number {
    return this.#valueByHash.size + (this.#crowdedOut?.size ?? 0);
  }

  /** The values, in no order. */
  values(): readonly V[] {
    return [...this.#valueByHash.values(), ...(this.#crowdedOut?.values() ?? [])];
  }

  /** The value of that text. */
  get(text: string): V | undefined {
    let hash = hashOf(text);
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      const value = this.#valueByHash.get(hash);
      if (value === undefined) break;
      if (this.#textOf(value) === text) return value;
      hash = nextHash(hash);
    }
    return this.#crowdedOut?.get(text);
  }

  /** Puts a value in, in place of the one of its text. */
  set(text: string, value: V): void {
    if (this.#crowdedOut?.has(text) === true) return void this.#crowdedOut.set(text, value);
    let hash = hashOf(text);
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      const known = this.#valueByHash.get(hash);
      if (known === undefined || known === value || this.#textOf(known) === text) return void this.#valueByHash.set(hash, value);
      hash = nextHash(hash);
    }
    this.#crowdedOut ??= new Map();
    this.#crowdedOut.set(text, value);
  }

  /** Takes a value out that is in by that text; its text need not be known to it any more. */
  delete(text: string, value: V): void {
    let hash = hashOf(text);
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      const known = this.#valueByHash.get(hash);
      if (known === undefined) break;
      if (known === value) return this.#deleteAt(hash);
      hash = nextHash(hash);
    }
    if (this.#crowdedOut?.get(text) === value) this.#crowdedOut.delete(text);
  }

  /** Each that follows, up to the next gap, moves into the gap if that is no earlier than the number that it wanted. */
  #deleteAt(hash: number): void {
    let gap = hash;
    for (let next = nextHash(gap); ; next = nextHash(next)) {
      const follower = this.#valueByHash.get(next);
      if (follower === undefined) break;
      const wanted = hashOf(String(this.#textOf(follower)));
      if ((next - wanted) >>> 0 < (next - gap) >>> 0) continue;
      this.#valueByHash.set(gap, follower);
      gap = next;
    }
    this.#valueByHash.delete(gap);
  }
}

/** Numbers that are looked at for a text: by chance, two texts in four billion share one. */
const LOOKS_MAX = 16;

function nextHash(hash: number): number {
  return (hash + 1) | 0;
}
