/**
 * `bench activation`: what it costs to have many players who are not here.
 *
 * Measured: the time from a message for a shard on disk to its durable answer, one after the other, for shards of 60 items among many;
 * the bytes of an image; the descriptors and the memory that idle shards hold. The page cache is whatever the machine leaves after
 * writing them all: a cold read of the disk itself is not forced.
 */
import { readdirSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createPrng } from '#shared/prng.ts';
import type { Command } from '#server/shard/message.ts';
import {
  closeBenchNode,
  expectAnswer,
  inTemporaryDirectory,
  openBenchNode,
  openPlayers,
  percentile,
  playerShard,
  rounded,
} from './harness.ts';

/** The scenario whose figures the README tells. */
export const ACTIVATION_BENCH_DEFAULTS = { shards: 100_000, itemsEach: 60, loads: 5_000 };

/** Runs the benchmark in a directory that it removes. */
export function benchActivation(options: typeof ACTIVATION_BENCH_DEFAULTS): Promise<object> {
  return inTemporaryDirectory(async (directory) => {
    const maker = await openBenchNode(directory, 256 * 2 ** 20);
    await openPlayers(maker, options.shards, options.itemsEach);
    await closeBenchNode(maker);
    const node = await openBenchNode(directory);
    const times: number[] = [];
    const prng = createPrng('bench activation');
    const numbers = prng.shuffle(Array.from({ length: options.shards }, (_, number) => number)).slice(0, options.loads);
    const idleShardsInMemory = node.usage.shards;
    const idleDescriptors = readdirSync('/proc/self/fd').length;
    for (const number of numbers) {
      const read: Command = { kind: 'listing', issuer: 'client', body: { listingId: `1.${playerShard(number)}` } };
      const start = performance.now();
      const reply = await node.world.accept({ to: playerShard(number), message: read });
      times.push(performance.now() - start);
      if (reply.kind === 'answer' || reply.name !== 'listing-gone') expectAnswer(reply);
    }
    const sorted = times.toSorted((a, b) => a - b);
    const bytesPerShard = Math.round((await bytesBelow(join(directory, 'images'))) / options.shards);
    await closeBenchNode(node);
    return {
      coldP50Ms: rounded(percentile(sorted, 0.5)),
      coldP99Ms: rounded(percentile(sorted, 0.99)),
      bytesPerShard,
      shards: options.shards,
      // With all shards idle: open files of the process, and shards in its memory.
      idleDescriptors,
      idleShardsInMemory,
    };
  });
}

async function bytesBelow(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
