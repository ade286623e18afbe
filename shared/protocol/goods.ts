/**
 * The player's gold and goods: `gold` can be spent, `held` is promised to bids, orders and trades
 * under way.
 */
import { t } from '@colyseus/schema';
import { ItemState } from '../item-state.ts';
import { itemSchema } from '../item.ts';
import { catalogWordSchema, quantitySchema } from '../schemas.ts';
import type { ProtocolPart } from './part.ts';

/** Goods: one item, or a quantity of one commodity. */
export const goodsShape = {
  item: itemSchema.exactOptional(),
  commodity: catalogWordSchema.exactOptional(),
  quantity: quantitySchema.exactOptional(),
};

/** Goods in the state of a room. */
export const goodsState = { item: t.ref(ItemState).optional(), commodity: t.string().optional(), quantity: t.number().optional() };

/** What gold and goods add to the protocol. */
export const goodsPart = {
  state: { gold: t.number(), held: t.number(), stash: t.map(ItemState), commodities: t.map('number') },
} as const satisfies ProtocolPart;
