/**
 * The stash: a bounded number of items, and stacks of commodities beside them.
 *
 * Goods are whole wherever they are: an item is in exactly one row of one table of one shard (T8).
 */
import { itemSchema, type Item } from '#shared/item.ts';
import type { Rules } from '#shared/rules.ts';
import { defineEntity, integer, json, text, type Row } from '#server/shard/entity.ts';
import type { Json } from '#server/shard/json.ts';
import type { Inspected } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import { foldIntoMap, holds, type EntityHoldings, type Feature } from '../feature.ts';

/** Whether what is inside a JSON value is an item. */
export const isItem = (inside: unknown): boolean => itemSchema.safeParse(inside).success;

/** An item in the stash. */
export const item = defineEntity('item', {
  version: 1,
  attributes: { itemId: text({ maxLength: 64, indexed: 'unique' }), item: json<Item>({ holds: isItem }) },
});

/** A stack of a commodity, outside of the stash's slots. */
export const commodity = defineEntity('commodity', {
  version: 1,
  attributes: { commodity: text({ maxLength: 64, indexed: 'unique' }), quantity: integer({ min: 1, max: Number.MAX_SAFE_INTEGER }) },
});

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

/** Takes an item out; throws if it is not there. */
export function takeItem(turn: Turn, itemId: string): void {
  const row = findItem(turn, itemId);
  if (row === undefined) throw new Error(`there is no item ${itemId} to take`);
  turn.remove(item, row.id);
}

/** How much of a commodity is there. */
export function stackOf(turn: Turn, name: string): number {
  return turn.table(commodity).find('commodity', name)?.quantity ?? 0;
}

/** Takes from the stack of a commodity, which ends when nothing is left; throws if there is less. */
export function takeCommodity(turn: Turn, name: string, quantity: number): void {
  const stack = turn.table(commodity).find('commodity', name);
  if (stack === undefined || stack.quantity < quantity) throw new Error(`there are no ${quantity} of ${name} to take`);
  if (stack.quantity === quantity) turn.remove(commodity, stack.id);
  else turn.put(commodity, { ...stack, quantity: stack.quantity - quantity });
}

/** Adds to the stack of a commodity; throws if the stack would leave the safe integers. */
export function addCommodity(turn: Turn, name: string, quantity: number): void {
  const stack = turn.table(commodity).find('commodity', name);
  if (stack === undefined) turn.insert(commodity, { commodity: name, quantity });
  else turn.put(commodity, { ...stack, quantity: stack.quantity + quantity });
}

/**
 * T8, of goods that somebody may have edited: a copied row is a copied item, and would be sold as
 * one.
 */
function inspectGoods(holdings: readonly EntityHoldings[], shard: Inspected): string | undefined {
  const misnamed = shard
    .table(item)
    .rows()
    .find((row) => row.itemId !== row.item.value.id);
  if (misnamed !== undefined) return `the row ${misnamed.id} of item has the itemId of another item`;
  const found = new Set<string>();
  for (const { entity, of } of holdings) {
    for (const { asset, place } of shard.table(entity).rows().flatMap(of)) {
      // What is held is promised: it may have come back by another trade before its holder has
      // heard that it is gone.
      if (!asset.startsWith('item:') || place === 'hold') continue;
      if (found.has(asset)) return `the item ${asset.slice('item:'.length)} is in two rows`;
      found.add(asset);
    }
  }
  return undefined;
}

const holdings: readonly EntityHoldings[] = [
  holds(item, (row) => [{ place: 'stash', asset: `item:${row.item.value.id}`, amount: 1 }]),
  holds(commodity, (row) => [{ place: 'stash', asset: `commodity:${row.commodity}`, amount: row.quantity }]),
];

/** Goods at hand. `others` are the holdings of all other features, which may have the same item. */
export function stashFeature(others: readonly EntityHoldings[]): Feature {
  return {
    name: 'stash',
    entities: [item, commodity],
    inspect: (shard) => inspectGoods([...holdings, ...others], shard),
    view: ({ state }) => ({
      folds: [
        foldIntoMap(item, state.stash, (row) => [row.itemId, row.item.value]),
        foldIntoMap(commodity, state.commodities, (row) => [row.commodity, row.quantity]),
      ],
    }),
    holdings,
  };
}
