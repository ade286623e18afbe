/** Standing buy orders. There are none yet: the state keeps their place. */
import { schema, t } from '@colyseus/schema';
import type { ProtocolPart } from './part.ts';

/** One own standing buy order: of a commodity, or of items that meet criteria (as JSON). */
const OrderState = schema(
  {
    id: t.number(),
    commodity: t.string().optional(),
    criteria: t.string().optional(),
    quantity: t.number(),
    filled: t.number(),
    unitPriceMax: t.number(),
    expiresAt: t.number(),
  },
  'OrderState',
);

/** What orders add to the protocol. */
export const orderPart = { state: { orders: t.map(OrderState) } } as const satisfies ProtocolPart;
