/**
 * Every name in the index once, with a number, and as searches see it. A column of these numbers makes a search for a
 * part of a name one pass over the distinct names, which are far fewer than the listings.
 *
 * Invariants: N1 a number stands for one name while anybody holds it. N2 `held` is how many listings do; at zero the
 * number is given to the next new name.
 */
import { foldName } from '#shared/fold-name.ts';

/** Numbers for names, counted by their holders. */
export class NameDictionary {
  readonly #numberByName = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #foldedNames: string[] = [];
  readonly #held: number[] = [];
  readonly #free: number[] = [];

  /** How many names there are. */
  get size(): number {
    return this.#numberByName.size;
  }

  /** How many numbers there are, those that stand for no name included: what a look-up walks over. */
  get capacity(): number {
    return this.#names.length;
  }

  /** The number of a name, held once more. */
  hold(name: string): number {
    const number = this.#numberByName.get(name) ?? this.#add(name);
    this.#held[number] = (this.#held[number] ?? 0) + 1;
    return number;
  }

  /** Gives one hold on a number back. */
  release(number: number): void {
    const held = (this.#held[number] ?? 0) - 1;
    this.#held[number] = held;
    if (held > 0) return;
    this.#numberByName.delete(this.nameOf(number));
    this.#names[number] = '';
    this.#foldedNames[number] = '';
    this.#free.push(number);
  }

  /** The name of a number that somebody holds. */
  nameOf(number: number): string {
    return this.#names[number] ?? '';
  }

  /** One flag per number: 1 where the name contains the fragment. Numbers that stand for no name say nothing. */
  containing(fragment: string): Uint8Array {
    const folded = foldName(fragment);
    const flags = new Uint8Array(this.#foldedNames.length);
    for (const [number, name] of this.#foldedNames.entries()) if (name.includes(folded)) flags[number] = 1;
    return flags;
  }

  #add(name: string): number {
    const number = this.#free.pop() ?? this.#names.length;
    this.#names[number] = name;
    this.#foldedNames[number] = foldName(name);
    this.#held[number] = 0;
    this.#numberByName.set(name, number);
    return number;
  }
}
