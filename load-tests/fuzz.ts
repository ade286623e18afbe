/**
 * `npm run fuzz -- [--inputs N] [--seed S] [--json]`: what strangers may send, at every door of a real server, and what must not come of
 * it: no end of the process, no silence, no word of the inside, no answer that is not of the protocol, and no effect but that of commands
 * that were answered.
 *
 * Exit code 0 only if there was no violation. With `--json` the last line is one JSON object. Each violation is told with the bytes that
 * were sent.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFuzz } from './fuzz/run.ts';
import { parseRunOptions } from './run-options.ts';

const INPUTS = { name: 'inputs', standard: 20_000, max: 1_000_000_000 };

process.exit(await main());

async function main(): Promise<number> {
  const options = parseRunOptions(process.argv.slice(2), INPUTS, () => crypto.randomUUID().slice(0, 8));
  if (typeof options === 'string') {
    process.stderr.write(`fuzz: ${options}\n`);
    return 1;
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  process.stderr.write(`fuzz: ${options.count} inputs, seed ${options.seed}\n`);
  const directory = await mkdtemp(join(tmpdir(), 'gavel-fuzz-'));
  try {
    const result = await runFuzz(options, directory);
    if (options.isJson) process.stdout.write(`${JSON.stringify(result)}\n`);
    else for (const [key, value] of Object.entries(result)) process.stdout.write(`${key.padEnd(16)}${JSON.stringify(value)}\n`);
    return result.violations === 0 ? 0 : 1;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
