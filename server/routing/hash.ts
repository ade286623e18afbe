/** Which cell of its region a shard belongs to. Fixed for ever: a change of this function would move every shard. */
import type { ShardId } from '#shared/units.ts';

/** FNV-1a over the address, 32 bits, then the remainder. */
export function cellOf(shard: ShardId, cells: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < shard.length; index++) hash = Math.imul(hash ^ shard.charCodeAt(index), 0x01000193);
  return (hash >>> 0) % cells;
}
