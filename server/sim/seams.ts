/** The seams of a simulated node at which something else can be put in: for deliberate faults, never for what is tested. */
import type { InlineStores } from '#server/journal/backend-inline.ts';
import type { Persister } from '#server/journal/persister.ts';
import type { Machine } from '#server/platform/platform.ts';
import type { Bus } from '#server/routing/link.ts';
import type { Powerup } from '#server/shard/powerup.ts';

/** Each replaces what it is given. A seam that is left out stays as it is. */
export interface Seams {
  readonly stores?: (stores: InlineStores) => InlineStores;
  readonly persister?: (persister: Persister) => Persister;
  readonly bus?: (bus: Bus) => Bus;
  readonly machine?: (machine: Machine) => Machine;
  readonly powerups?: (powerups: readonly Powerup[]) => readonly Powerup[];
}
