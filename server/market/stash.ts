/** The stash: a bounded number of items, and stacks of commodities beside them. */
import type { Item } from '#shared/item.ts';
import type { Rules } from '#shared/rules.ts';
import type { Row } from '#server/shard/entity.ts';
import type { Json } from '#server/shard/json.ts';
import type { Inspected, Powerup } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import { commodity, completed, item, listing } from './entities.ts';

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

/** T8, of goods that somebody may have edited: a copied row is a copied item, and would be sold as one. */
function inspectGoods(shard: Inspected): string | undefined {
  const stash = shard.table(item).rows();
  const misnamed = stash.find((row) => row.itemId !== row.item.value.id);
  if (misnamed !== undefined) return `the row ${misnamed.id} of item has the itemId of another item`;
  const ids = new Set<string>();
  for (const { item: goods } of [...stash, ...shard.table(listing).rows(), ...shard.table(completed).rows()]) {
    if (goods === null) continue;
    const { id } = goods.value;
    if (ids.has(id)) return `the item ${id} is in two rows`;
    ids.add(id);
  }
  return undefined;
}

/** The powerup of goods at hand. */
export const stashPowerup: Powerup = { name: 'stash', entities: [item, commodity], inspect: inspectGoods };
