/**
 * `bench recovery`: from the start of a process to serving, after a kill -9 with many turns that are in no image yet.
 *
 * A child process makes the turns, with image passes held off, and is killed. Measured: the time until a new process on the same
 * directory has recovered and answered one command. Not measured: what the operating system does to start a process on another day.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { inTemporaryDirectory, rounded } from './harness.ts';

/** The scenario whose figures the README tells. */
export const RECOVERY_BENCH_DEFAULTS = { turns: 500_000, players: 10_000 };

const saidSchema = z.strictObject({ pendingRecords: z.number(), durationMs: z.number() });
const CHILD = fileURLToPath(new URL('./recovery-child.ts', import.meta.url));

/** Runs the benchmark in a directory that it removes; its children end with it. */
export function benchRecovery(options: typeof RECOVERY_BENCH_DEFAULTS): Promise<object> {
  return inTemporaryDirectory(async (directory) => {
    const maker = startChild(['make', directory, String(options.turns), String(options.players)]);
    await lineOf(maker);
    maker.kill('SIGKILL');
    const start = performance.now();
    const server = startChild(['serve', directory]);
    const { pendingRecords, durationMs } = saidSchema.parse(JSON.parse(await lineOf(server)));
    const seconds = (performance.now() - start) / 1_000;
    server.kill('SIGKILL');
    return {
      // From the start of the process to its first answer.
      seconds: rounded(seconds),
      turns: options.turns,
      // Records that recovery found to be in no image.
      pendingRecords,
      recoveryMs: rounded(durationMs),
    };
  });
}

function startChild(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function lineOf(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the child has no output');
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error('the child ended without a word');
}
