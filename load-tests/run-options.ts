/** The options of what runs a number of things by a seed: the crash drill and the fuzzer. */
import { parseArgs } from 'node:util';

/** What a run is asked to do. */
export interface RunOptions {
  /** How many rounds, or inputs. */
  readonly count: number;
  /** Decides what is done, so that it can be done again. What the machine makes of it differs from run to run. */
  readonly seed: string;
  /** Whether the last line is to be one JSON object. */
  readonly isJson: boolean;
}

/** The option that counts, without its dashes. */
export interface CountOption {
  readonly name: string;
  readonly standard: number;
  readonly max: number;
}

/** The options, or one sentence about what is wrong with them. `newSeed` is asked where no seed is given. */
export function parseRunOptions(args: readonly string[], { name, standard, max }: CountOption, newSeed: () => string): RunOptions | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { [name]: { type: 'string', default: String(standard) }, seed: { type: 'string' }, json: { type: 'boolean' } },
    });
    const count = Number(values[name]);
    const seed = typeof values['seed'] === 'string' ? values['seed'] : newSeed();
    if (Number.isSafeInteger(count) && count >= 1 && count <= max) return { count, seed, isJson: values['json'] === true };
    return `--${name} must be a whole number from 1 to ${max}`;
  } catch {
    return `there are --${name} N, --seed S and --json`; // An unknown option, or one without its value.
  }
}
