/**
 * The seams of a simulated node at which something else can be put in: for deliberate faults, never
 * for what is tested.
 */
import type { Rules } from '#shared/rules.ts';
import type { NodeName } from '#shared/units.ts';
import type { ShardListener } from '#server/cell/active-shard.ts';
import type { InlineStores } from '#server/journal/persister/backend-inline.ts';
import type { Persister } from '#server/journal/persister/persister.ts';
import type { MemoryDisk } from '#server/journal/disk/memory.ts';
import type { ListingIndexService } from '#server/listing-index/service.ts';
import type { Machine } from '#server/platform/platform.ts';
import type { Bus } from '#server/routing/link.ts';
import type { Attributes, Entity, RowOf } from '#server/shard/entity.ts';
import type { Handled, Message } from '#server/shard/message.ts';
import { onAlarm, onMessage, type AlarmHandler, type Handler, type Powerup } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';

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

/** Deliberate faults by name. The seams are new for each simulation: some remember what they did. */
export type Sabotages = Readonly<Record<string, () => Seams>>;

/** Seams with one powerup replaced. */
export function onPowerup(name: string, change: (powerup: Powerup) => Powerup): Seams {
  return { powerups: (all) => all.map((powerup) => (powerup.name === name ? change(powerup) : powerup)) };
}

/** Seams in which `instead` handles a kind of message of a powerup; it may call the handler that it replaces. */
export function onHandler<M extends Message>(
  name: string,
  kind: string,
  instead: (turn: Turn, message: M, real: Handler, powerup: Powerup) => Handled,
): Seams {
  return onPowerup(name, (powerup) => {
    const real = powerup.handlers?.[kind];
    if (real === undefined) throw new Error(`${name} handles no ${kind}`);
    return {
      ...powerup,
      handlers: { ...powerup.handlers, [kind]: onMessage<M>((turn, message) => instead(turn, message, real, powerup)) },
    };
  });
}

/** Seams in which `instead` handles an alarm of trades; it may call the handler that it replaces. */
export function onTradeAlarm<A extends Attributes>(
  alarm: string,
  entity: Entity<A>,
  instead: (turn: Turn, row: RowOf<A>, real: AlarmHandler, powerup: Powerup) => void,
): Seams {
  return onPowerup('trades', (powerup) => {
    const real = powerup.alarms?.[alarm];
    if (real === undefined) throw new Error(`no trade has an alarm ${alarm}`);
    return { ...powerup, alarms: { ...powerup.alarms, [alarm]: onAlarm(entity, (turn, row) => instead(turn, row, real, powerup)) } };
  });
}
