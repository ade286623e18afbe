/** Standing buy orders. There are none yet: the state keeps their place. */
import { schema, t } from '@colyseus/schema';
import type { ProtocolPart } from './part.ts';

/** One own standing buy order: of a commodity, or of items that meet criteria (as JSON). */
const OrderState = schema(
  {
    /** The order's own number. */
    id: t.float64(),
    /** The commodity that is wanted, where it is one. */
    commodity: t.string().optional(),
    /** What items must meet, as JSON, where items are wanted. */
    criteria: t.string().optional(),
    /** How many are wanted. */
    quantity: t.uint32(),
    /** How many have come. */
    filled: t.uint32(),
    /** The most that one piece may cost, in coins. */
    unitPriceMax: t.float64(),
    /** When it ends, in epoch milliseconds. */
    expiresAt: t.float64(),
  },
  'OrderState',
);

/** What orders add to the protocol. */
export const orderPart = {
  state: {
    /** The own orders, by their numbers. Always empty: there are none yet. */
    orders: t.map(OrderState),
  },
} as const satisfies ProtocolPart;
