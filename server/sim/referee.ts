/** The referee: gives every durable turn to every checker, and keeps the first promises that were broken. */
import type { Checker, CheckerPromise, Quiet, Violation } from './checker.ts';
import type { DurableTurn } from './model.ts';

/** More than a few tell nothing new. */
const VIOLATIONS_MAX = 8;

export class Referee {
  readonly #checkers: readonly Checker[];
  readonly #nowUs: () => number;
  readonly #violations: Violation[] = [];

  constructor(checkers: readonly Checker[], nowUs: () => number) {
    this.#checkers = checkers;
    this.#nowUs = nowUs;
  }

  /** What was broken so far, oldest first. */
  get violations(): readonly Violation[] {
    return this.#violations;
  }

  /** Notes a promise that was broken. */
  complain({ name, sentence }: CheckerPromise, detail: string): void {
    if (this.#violations.length >= VIOLATIONS_MAX) return;
    this.#violations.push({ checker: name, sentence, detail, atMs: Math.floor(this.#nowUs() / 1_000) });
  }

  /** Has every checker look at a durable turn. */
  turn(turn: DurableTurn): void {
    for (const checker of this.#checkers) checker.onTurn?.(turn, (detail) => this.complain(checker, detail));
  }

  /** Has every checker look at the whole, now that all is quiet. */
  async quiet(quiet: Quiet): Promise<void> {
    for (const checker of this.#checkers) await checker.onQuiet?.(quiet, (detail) => this.complain(checker, detail));
  }
}
