/**
 * Every name in the index once, as searches see it, with a number. A column of these numbers makes a search for a
 * part of a name one pass over the distinct names, which are far fewer than the listings.
 *
 * Invariants: N1 a number stands for one name while anybody holds it. N2 `held` is how many listings do; at zero the
 * number is given to the next new name.
 */
import { foldName } from '#shared/search.ts';

/** Numbers for names, counted by their holders. */
export class NameDictionary {
  readonly #numberByName = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #held: number[] = [];
  readonly #free: number[] = [];

  /** How many names there are. */
  get size(): number {
    return this.#numberByName.size;
  }

  /** The number of a name, held once more. */
  hold(name: string): number {
    const folded = foldName(name);
    const number = this.#numberByName.get(folded) ?? this.#add(folded);
    this.#held[number] = (this.#held[number] ?? 0) + 1;
    return number;
  }

  /** Gives one hold on a number back. */
  release(number: number): void {
    const held = (this.#held[number] ?? 0) - 1;
    this.#held[number] = held;
    if (held > 0) return;
    this.#numberByName.delete(this.#names[number] ?? '');
    this.#names[number] = '';
    this.#free.push(number);
  }

  /** One flag per number: 1 where the name contains the fragment. Numbers that stand for no name say nothing. */
  containing(fragment: string): Uint8Array {
    const folded = foldName(fragment);
    const flags = new Uint8Array(this.#names.length);
    for (const [number, name] of this.#names.entries()) if (name.includes(folded)) flags[number] = 1;
    return flags;
  }

  #add(folded: string): number {
    const number = this.#free.pop() ?? this.#names.length;
    this.#names[number] = folded;
    this.#held[number] = 0;
    this.#numberByName.set(folded, number);
    return number;
  }
}
