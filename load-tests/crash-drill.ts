/**
 * `npm run crash-drill -- [--rounds N] [--seed S] [--json]`: a real server on a data directory of its own is killed at random moments
 * with commands of real clients under way, started again, and asked what it knows.
 *
 * Exit code 0 only if nothing was wrong. With `--json` the last line is one JSON object. The directory is removed if nothing was wrong,
 * and named if something was.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { within } from '#client/wait.ts';
import { Drill } from './crash-drill/drill.ts';
import { parseRunOptions, type RunOptions } from './run-options.ts';

type DrillResult = Awaited<ReturnType<Drill['run']>>;

const ROUNDS = { name: 'rounds', standard: 10, max: 10_000 };
/** A round takes a few seconds. */
const ROUND_MS_MAX = 20_000;
/** The end, and the last round: one that finds something waits for what does not come. */
const END_MS_MAX = 200_000;

process.exit(await main());

async function main(): Promise<number> {
  const options = parseRunOptions(process.argv.slice(2), ROUNDS, () => crypto.randomUUID().slice(0, 8));
  if (typeof options === 'string') {
    process.stderr.write(`crash-drill: ${options}\n`);
    return 1;
  }
  // Children end with this process, however it ends in order.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const directory = await mkdtemp(join(tmpdir(), 'gavel-drill-'));
  process.stderr.write(`crash drill: ${options.count} rounds, seed ${options.seed}\n`);
  const result = await runBounded(options, directory);
  if (typeof result !== 'string' && result.violations === 0) {
    await rm(directory, { recursive: true, force: true });
  } else process.stderr.write(`The data are left in ${directory}\n`);
  return report(result, options);
}

/** What it came to, or why there is no result. */
async function runBounded({ count: rounds, seed }: RunOptions, directory: string): Promise<DrillResult | string> {
  const drill = new Drill({ directory, seed, tell: (line) => void process.stderr.write(`${line}\n`) });
  try {
    return await within(drill.run(rounds), rounds * ROUND_MS_MAX + END_MS_MAX);
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

function report(result: DrillResult | string, { count: rounds, seed, isJson }: RunOptions): number {
  if (typeof result === 'string') {
    process.stderr.write(`The drill could not go on: ${result}\n`);
    if (isJson) process.stdout.write(`${JSON.stringify({ rounds, violations: 1, seed, failure: result.split('\n', 1)[0] })}\n`);
    return 1;
  }
  if (isJson) process.stdout.write(`${JSON.stringify(result)}\n`);
  else for (const [key, value] of Object.entries(result)) process.stdout.write(`${key.padEnd(16)}${JSON.stringify(value)}\n`);
  return result.violations === 0 ? 0 : 1;
}
