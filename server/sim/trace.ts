/**
 * The last things that happened in a simulation, to explain a violation. Kept as parts; formatted
 * only when printed.
 */
import { hashOf } from '#shared/hash.ts';

interface Entry {
  readonly atUs: number;
  readonly parts: readonly unknown[];
}

const KEPT = 400;

/** A bounded list of what happened, oldest first. */
export class Trace {
  readonly #nowUs: () => number;
  readonly #isEndless: boolean;
  #entries: Entry[] = [];
  #count = 0;
  #hash = hashOf('');

  /** `nowUs` is the virtual time; an endless trace forgets nothing. */
  constructor(nowUs: () => number, isEndless = false) {
    this.#nowUs = nowUs;
    this.#isEndless = isEndless;
  }

  /** Notes something. The parts must be plain data that nobody changes later. */
  add(...parts: readonly unknown[]): void {
    const atUs = this.#nowUs();
    this.#entries.push({ atUs, parts });
    this.#count++;
    this.#hash = hashOf(`${atUs} ${String(parts[0])} ${String(parts[1])}`, this.#hash);
    if (!this.#isEndless && this.#entries.length >= KEPT * 2) this.#entries = this.#entries.slice(-KEPT);
  }

  /** Everything noted so far in one number, with how much it was: two runs of one seed have the same. */
  get digest(): string {
    return `${this.#count}:${(this.#hash >>> 0).toString(16)}`;
  }

  /** The newest entries in words, oldest first. */
  lines(count = KEPT): readonly string[] {
    return this.#entries.slice(-count).map(({ atUs, parts }) => `${(atUs / 1_000).toFixed(3)} ms  ${parts.map(inWords).join(' ')}`);
  }
}

function inWords(part: unknown): string {
  return typeof part === 'string' ? part : JSON.stringify(part);
}
