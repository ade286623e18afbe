/** Which powerups a shard has: one row each, so that a new one is installed on old shards, once. */
import { defineEntity, text } from './entity.ts';
import type { Powerup } from './powerup.ts';

/** A powerup that this shard has. */
export const installedPowerup = defineEntity('installedPowerup', {
  version: 1,
  isMadeByOthers: true,
  attributes: { name: text({ maxLength: 64, indexed: 'unique' }) },
});

/** The powerup that keeps the list; part of every shard. */
export const installation: Powerup = { name: 'installation', priority: 1000, entities: [installedPowerup] };
