/**
 * Grants: gold and goods enter the world. All of a grant is given, or nothing. Items that find no
 * slot in the stash wait in the completed tab, which has no end: what a player has won is not lost
 * for want of space.
 */
import { createHash } from 'node:crypto';
import type { Item } from '#shared/item.ts';
import type { Grant, GrantAnswer, GrantedItem } from '#shared/protocol/service.ts';
import { refusal } from '#shared/refusals.ts';
import type { Rules } from '#shared/rules.ts';
import { itemId, NO_GOLD, type ItemId } from '#shared/units.ts';
import { Json } from '#server/shard/json.ts';
import { answer, type Command, type Handled } from '#server/shard/message.ts';
import type { Turn } from '#server/shard/turn.ts';
import { ensurePlayer } from '../account/opening.ts';
import { complete } from '../completed/completed.ts';
import type { EntityHoldings } from '../feature.ts';
import { addCommodity, addItem, findItem, hasSlot, stackOf } from '../goods/stash.ts';
import { hasRoomFor, walletOf } from '../goods/wallet.ts';
import { fromTo, goldFromTo, transfer, type Transfer } from '../ledger.ts';

/** The body of `grant`: what it is of, without whom it is for. */
export type GrantBody = Pick<Grant, 'gold' | 'items' | 'commodities' | 'reason'>;

/** What decides about a grant. */
export interface GrantRules {
  readonly rules: Rules;
  readonly elsewhere: readonly EntityHoldings[];
  readonly faultOf: (item: GrantedItem) => string | undefined;
  readonly isCommodity: (name: string) => boolean;
}

/** Gives all that the grant names. */
export function grant(grantRules: GrantRules, turn: Turn, body: GrantBody, { issuer, by = issuer }: Command): Handled {
  const { rules } = grantRules;
  const { gold = NO_GOLD, items = [], commodities = [] } = body;
  if (issuer !== 'service' || turn.operation === undefined) return refusal('unauthorized');
  const fault = faultIn(grantRules, body);
  if (fault !== undefined) return refusal('bad-request', { fault });
  const known = knownItem(grantRules, turn, items);
  if (known !== undefined) return refusal('item-exists', { itemId: known });
  if (!hasRoomFor(turn, gold)) return refusal('gold-overflow');
  const tooMany = commodities.find(({ commodity, quantity }) => !Number.isSafeInteger(stackOf(turn, commodity) + quantity));
  if (tooMany !== undefined) return refusal('stash-full', { commodity: tooMany.commodity });
  // After this point the command must succeed.
  ensurePlayer(turn);
  const transfers: Transfer[] = [goldFromTo('minted', 'wallet', gold)];
  const placed = { stash: Array.of<ItemId>(), completed: Array.of<ItemId>() };
  for (const [index, granted] of items.entries()) {
    const item: Item = { ...granted, id: granted.id ?? newItemId(turn, index) };
    const place = hasSlot(turn, rules) ? 'stash' : 'completed';
    if (place === 'stash') addItem(turn, Json.of(item));
    else complete(turn, { entry: 'granted', item: Json.of(item) });
    placed[place].push(item.id);
    transfers.push(fromTo(`item:${item.id}`, 'minted', place));
  }
  for (const { commodity, quantity } of commodities) {
    addCommodity(turn, commodity, quantity);
    transfers.push(fromTo(`commodity:${commodity}`, 'minted', 'stash', quantity));
  }
  transfer(turn, 'granted', null, transfers);
  const given: GrantAnswer = { by, gold: walletOf(turn).gold, ...placed };
  return answer(given);
}

function faultIn({ faultOf, isCommodity }: GrantRules, { items = [], commodities = [] }: GrantBody): string | undefined {
  for (const [index, item] of items.entries()) {
    const fault = faultOf(item);
    if (fault !== undefined) return `items[${index}]: ${fault}`;
  }
  const unknown = commodities.findIndex(({ commodity }) => !isCommodity(commodity));
  return unknown < 0 ? undefined : `commodities[${unknown}]: there is no commodity ${commodities[unknown]?.commodity}`;
}

/**
 * An item that this player has already, wherever: in the stash, listed, to be claimed, or promised.
 * Where else in the world it may be, no shard knows: ids that the game gives are the game's to keep
 * apart.
 */
function knownItem({ elsewhere }: GrantRules, turn: Turn, items: readonly GrantedItem[]): ItemId | undefined {
  const ids = items.flatMap(({ id = [] }) => id);
  if (ids.length === 0) return undefined;
  const held = new Set<string>();
  for (const { entity, of } of elsewhere) for (const row of turn.table(entity).rows()) for (const { asset } of of(row)) held.add(asset);
  return ids.find((id) => findItem(turn, id) !== undefined || held.has(`item:${id}`));
}

/** An id that no other item has: of 126 bits, made of what is there once, the shard and the row of its operation. */
function newItemId({ shard, operation }: Turn, index: number): ItemId {
  return itemId(createHash('sha256').update(`item ${index} of ${operation} of ${shard}`).digest('base64url').slice(0, 21));
}
