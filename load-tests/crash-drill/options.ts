/** The options of the drill, from its command line. */
import { parseArgs } from 'node:util';

/** What a drill is asked to do. */
export interface DrillOptions {
  /** Kills with commands under way. */
  readonly rounds: number;
  /** Decides what is done and for how long. What the machine makes of it differs from run to run. */
  readonly seed: string;
  /** Whether the last line is to be one JSON object. */
  readonly isJson: boolean;
}

const ROUNDS_MAX = 10_000;
const OPTIONS = { rounds: { type: 'string', default: '10' }, seed: { type: 'string' }, json: { type: 'boolean', default: false } } as const;

/** The options, or one sentence about what is wrong with them. `newSeed` is asked where no seed is given. */
export function parseOptions(args: readonly string[], newSeed: () => string): DrillOptions | string {
  try {
    const { rounds, seed = newSeed(), json } = parseArgs({ args: [...args], options: OPTIONS }).values;
    const count = Number(rounds);
    if (Number.isSafeInteger(count) && count >= 1 && count <= ROUNDS_MAX) return { rounds: count, seed, isJson: json };
    return `--rounds must be a whole number from 1 to ${ROUNDS_MAX}`;
  } catch {
    return 'there are --rounds N, --seed S and --json'; // An unknown option, or one without its value.
  }
}
