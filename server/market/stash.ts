/** The stash: a bounded number of items, and stacks of commodities beside them. */
import type { Item } from '#shared/item.ts';
import type { Rules } from '#shared/rules.ts';
import type { Row } from '#server/shard/entity.ts';
import type { Json } from '#server/shard/json.ts';
import type { Powerup } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import { commodity, item } from './entities.ts';

/** The item of that id in the stash, if it is there. */
export function findItem(turn: Turn, itemId: string): Row<typeof item> | undefined {
  return turn.table(item).find('itemId', itemId);
}

/** Whether one more item fits. */
export function hasSlot(turn: Turn, rules: Rules): boolean {
  return turn.table(item).size < rules.stashSlots;
}

/** Puts an item in. The caller has checked for a slot; throws if the item is there already (T8). */
export function addItem(turn: Turn, added: Json<Item>): void {
  turn.insert(item, { itemId: added.value.id, item: added });
}

/** Adds to the stack of a commodity; throws if the stack would leave the safe integers. */
export function addCommodity(turn: Turn, name: string, quantity: number): void {
  const stack = turn.table(commodity).find('commodity', name);
  if (stack === undefined) turn.insert(commodity, { commodity: name, quantity });
  else turn.put(commodity, { ...stack, quantity: stack.quantity + quantity });
}

/** The powerup of goods at hand. */
export const stashPowerup: Powerup = { name: 'stash', entities: [item, commodity] };
