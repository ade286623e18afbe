/** Which cell of its region a shard belongs to. Fixed for ever: a change of this function would move every shard. */
import { hashOf } from '#shared/hash.ts';
import type { ShardId } from '#shared/units.ts';

/** The hash of the address, as a number without sign, then the remainder. */
export function cellOf(shard: ShardId, cells: number): number {
  return (hashOf(shard) >>> 0) % cells;
}
