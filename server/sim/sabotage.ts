/** Runs every deliberate fault through a bounded number of simulations, until a checker cries out. */
import { SABOTAGES, type Sabotage } from './sabotages.ts';
import { simulate } from './simulation.ts';

/** How many faults were tried, and how many were found. */
export interface SabotageResult {
  readonly sabotages: number;
  readonly caught: number;
}

/** Who found a fault, and how soon. */
export interface Catch {
  readonly checker: string;
  readonly detail: string;
  readonly seed: number;
}

/** Nearly all are found by the first few; that two lives have the same ids only shows when a reply strays from one into the other. */
const SEEDS_MAX = 240;
const TRADES = 60;

/** Runs one deliberate fault from seed 1 on; `undefined` if nobody noticed. */
export async function runSabotage({ seams }: Sabotage): Promise<Catch | undefined> {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const { violations } = await simulate({ seed, trades: TRADES, seams: seams() });
    const first = violations[0];
    if (first !== undefined) return { checker: first.checker, detail: first.detail, seed };
  }
  return undefined;
}

/** Runs all of them, and says for each what came of it. */
export async function runSabotages(say: (line: string) => void): Promise<SabotageResult> {
  let caught = 0;
  for (const sabotage of SABOTAGES) {
    const found = await runSabotage(sabotage);
    if (found !== undefined) caught++;
    say(
      found === undefined
        ? `NOT CAUGHT: ${sabotage.name}`
        : `caught: ${sabotage.name}\n    by seed ${found.seed}, ${found.checker}: ${found.detail.split('\n')[0]}`,
    );
  }
  return { sabotages: SABOTAGES.length, caught };
}
