/** The options of the drill, from its command line. */

/** What a drill is asked to do. */
export interface DrillOptions {
  /** Kills with commands under way. */
  readonly rounds: number;
  /** Decides what is done and for how long. What the machine makes of it differs from run to run. */
  readonly seed: string;
  /** Whether the last line is to be one JSON object. */
  readonly isJson: boolean;
}

const ROUNDS = 10;
const ROUNDS_MAX = 10_000;

/** The options, or one sentence about what is wrong with them. `newSeed` is asked where no seed is given. */
export function parseOptions(args: readonly string[], newSeed: () => string): DrillOptions | string {
  let rounds = ROUNDS;
  let seed: string | undefined;
  let isJson = false;
  for (let index = 0; index < args.length; index++) {
    const arg = args[index];
    if (arg === '--json') isJson = true;
    else if (arg === '--rounds') rounds = Number(args[++index] ?? Number.NaN);
    else if (arg === '--seed') seed = args[++index];
    else return `there is no option ${JSON.stringify(arg)}; there are --rounds N, --seed S and --json`;
    if (arg === '--seed' && seed === undefined) return '--seed wants a value';
  }
  if (!Number.isSafeInteger(rounds) || rounds < 1 || rounds > ROUNDS_MAX) return `--rounds must be a whole number from 1 to ${ROUNDS_MAX}`;
  return { rounds, seed: seed ?? newSeed(), isJson };
}
