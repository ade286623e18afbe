/** The seams of a simulated node at which something else can be put in: for deliberate faults, never for what is tested. */
import type { Rules } from '#shared/rules.ts';
import type { NodeName } from '#shared/units.ts';
import type { ShardListener } from '#server/cell/active-shard.ts';
import type { InlineStores } from '#server/journal/persister/backend-inline.ts';
import type { Persister } from '#server/journal/persister/persister.ts';
import type { MemoryDisk } from '#server/journal/disk/memory.ts';
import type { ListingIndexService } from '#server/listing-index/service.ts';
import type { Machine } from '#server/platform/platform.ts';
import type { Bus } from '#server/routing/link.ts';
import type { Powerup } from '#server/shard/powerup.ts';

/** Each replaces what it is given. A seam that is left out stays as it is. */
export interface Seams {
  /** The disk of a node, before its first life. */
  readonly disk?: (disk: MemoryDisk) => void;
  readonly stores?: (stores: InlineStores) => InlineStores;
  readonly persister?: (persister: Persister, node: NodeName) => Persister;
  /** The index of a life, as its feed and its searches have it. */
  readonly index?: (index: ListingIndexService, node: NodeName) => ListingIndexService;
  readonly bus?: (bus: Bus) => Bus;
  readonly machine?: (machine: Machine) => Machine;
  /** The rules that shards keep, in place of those that the checkers know. */
  readonly rules?: (rules: Rules) => Rules;
  /** Who looks at a shard. */
  readonly listener?: (listener: ShardListener) => ShardListener;
  readonly powerups?: (powerups: readonly Powerup[]) => readonly Powerup[];
}
