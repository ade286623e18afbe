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
export const goodsState = {
  /** The item, where the goods are one. */
  item: t.ref(ItemState).optional(),
  /** The commodity's id in the catalogue, where the goods are one. */
  commodity: t.string().optional(),
  /** Pieces of the commodity. */
  quantity: t.uint32().optional(),
};

/** What gold and goods add to the protocol. */
export const goodsPart = {
  state: {
    /** Coins that can be spent. */
    gold: t.float64(),
    /** Coins that are promised to bids, orders and trades under way. */
    held: t.float64(),
    /** The items, by item id. */
    stash: t.map(ItemState),
    /** Pieces of each commodity, by the commodity's id. */
    commodities: t.map('uint32'),
  },
} as const satisfies ProtocolPart;
