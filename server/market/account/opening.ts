/**
 * Opening a shard: the first session of a player in a region and mode creates it, with what the
 * world gives to newcomers.
 */
import type { Item } from '#shared/item.ts';
import { gold, type Gold } from '#shared/units.ts';
import { refusal } from '#shared/refusals.ts';
import { studioIdOf } from '#shared/studio-id.ts';
import { Json } from '#server/shard/json.ts';
import { answer, type Command, type Handled } from '#server/shard/message.ts';
import { boolean, defineEntity, text, timestamp, withDefault } from '#server/shard/entity.ts';
import { onCommand } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import { fold, type Feature, type Room, type View } from '../feature.ts';
import { addCommodity, addItem } from '../goods/stash.ts';
import { hasRoomFor } from '../goods/wallet.ts';
import { fromTo, goldFromTo, transfer, type Transfer } from '../ledger.ts';
import { history } from './history.ts';

/** The player. One row. */
export const player = defineEntity('player', {
  version: 1,
  attributes: { name: text({ maxLength: 64 }), createdAt: timestamp(), frozen: withDefault(boolean(), false) },
});

/** What a newcomer starts with. */
export interface StartGoods {
  readonly gold: Gold;
  readonly items: readonly Item[];
  readonly commodities: readonly { readonly commodity: string; readonly quantity: number }[];
}

/**
 * The body of `open`, which only the server's own edge sends. A shard that is there already takes
 * no start goods.
 */
export interface Opening {
  readonly name: string;
  readonly start?: StartGoods;
}

function open(turn: Turn, { name, start }: Opening, { issuer }: Command): Handled {
  if (issuer !== 'service') return refusal('unauthorized');
  const known = turn.table(player).first();
  if (known !== undefined) {
    if (known.name !== name) turn.put(player, { ...known, name });
    return answer({ created: false });
  }
  if (start !== undefined && !hasRoomFor(turn, start.gold)) return refusal('gold-overflow');
  // After this point the command must succeed.
  enroll(turn, name);
  if (start !== undefined) give(turn, start);
  return answer({ created: true });
}

/** Makes a player that comes to be before its first session: until then its id, as the studio writes it, is its name. */
export function ensurePlayer(turn: Turn): void {
  if (turn.isEmpty(player)) enroll(turn, studioIdOf(turn.shard.slice(0, turn.shard.indexOf('@'))));
}

function enroll(turn: Turn, name: string): void {
  turn.insert(player, { name, createdAt: turn.now, frozen: false });
}

function give(turn: Turn, { gold: amount, items, commodities }: StartGoods): void {
  const transfers: Transfer[] = amount > 0 ? [goldFromTo('minted', 'wallet', gold(amount))] : [];
  for (const item of items) {
    addItem(turn, Json.of(item));
    transfers.push(fromTo(`item:${item.id}`, 'minted', 'stash'));
  }
  for (const { commodity, quantity } of commodities) {
    addCommodity(turn, commodity, quantity);
    transfers.push(fromTo(`commodity:${commodity}`, 'minted', 'stash', quantity));
  }
  if (transfers.length > 0) transfer(turn, 'start', null, transfers);
}

/** Name and freeze in the room; a freeze that comes or goes is told. */
function view({ state }: Room): View {
  let wasFrozen = state.frozen;
  return {
    folds: [fold(player, { put: ({ name, frozen }) => void Object.assign(state, { name, frozen }) })],
    settle: (version) => {
      const { frozen } = state;
      if (frozen === wasFrozen) return [];
      wasFrozen = frozen;
      const text = frozen ? 'A moderator has frozen this account.' : 'This account is no longer frozen.';
      return [{ type: 'notice', payload: { id: `turn-${version}`, text } }];
    },
  };
}

/**
 * Being somebody: name, and the directory of players that is made of it; what one may know of
 * oneself and of the rules.
 */
export const openingFeature: Feature = {
  name: 'openings',
  entities: [player],
  projections: [player],
  handlers: { open: onCommand<Opening>(open) },
  reads: { history, rules: ({ rules }) => answer(rules) },
  view,
};
