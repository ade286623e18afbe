/** The options of the fuzzer, from its command line. */
import { parseArgs } from 'node:util';

/** What a run is asked to do. */
export interface FuzzOptions {
  /** Decides what is sent, but for ids that the server makes. */
  readonly seed: string;
  readonly inputs: number;
  /** Whether the last line is to be one JSON object. */
  readonly isJson: boolean;
}

const INPUTS_MAX = 1_000_000_000;
const OPTIONS = {
  inputs: { type: 'string', default: '20000' },
  seed: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

/** The options, or one sentence about what is wrong with them. `newSeed` is asked where no seed is given. */
export function parseFuzzOptions(args: readonly string[], newSeed: () => string): FuzzOptions | string {
  try {
    const { inputs, seed = newSeed(), json } = parseArgs({ args: [...args], options: OPTIONS }).values;
    const count = Number(inputs);
    if (Number.isSafeInteger(count) && count >= 1 && count <= INPUTS_MAX) return { inputs: count, seed, isJson: json };
    return `--inputs must be a whole number from 1 to ${INPUTS_MAX}`;
  } catch {
    return 'there are --inputs N, --seed S and --json'; // An unknown option, or one without its value.
  }
}
