/**
 * One endless sequence of turns of a few shards, the same for the same seed: so that another
 * process can tell what must be on a disk.
 */
import type { ChangeSet } from '#server/shard/change-set.ts';
import { picker, SampleShard } from './sample.ts';

const SHARDS = 20;

/** The sequence. Turn n is at position n. */
export function* sampleTurns(seed: number): Generator<ChangeSet, never> {
  const pick = picker(seed);
  const shards = Array.from({ length: SHARDS }, (_, index) => new SampleShard(index, pick));
  for (let now = 1_700_000_000_000; ; now++) {
    const shard = shards[pick(SHARDS)];
    if (shard !== undefined) yield shard.turn(now);
  }
}
