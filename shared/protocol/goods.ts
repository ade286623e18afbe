/**
 * The player's gold and goods: `gold` can be spent, `held` is promised to bids, orders and trades
 * under way.
 */
import { t } from '@colyseus/schema';
import { ItemState } from '../item-state.ts';
import type { ProtocolPart } from './part.ts';

/** What gold and goods add to the protocol. */
export const goodsPart = {
  state: { gold: t.number(), held: t.number(), stash: t.map(ItemState), commodities: t.map('number') },
} as const satisfies ProtocolPart;
