/** Bids. There are none yet: the state keeps their place. */
import { schema, t } from '@colyseus/schema';
import { ItemState } from '../item-state.ts';
import type { SealedId } from '../units.ts';
import type { ProtocolPart } from './part.ts';

/** One own bid, with the maximum that is held for it. */
const BidState = schema(
  {
    listingId: t.string<SealedId>(),
    item: t.ref(ItemState),
    maxBid: t.number(),
    currentBid: t.number(),
    winning: t.boolean(),
    endsAt: t.number(),
  },
  'BidState',
);

/** What bids add to the protocol. */
export const bidPart = { state: { bids: t.map(BidState) } } as const satisfies ProtocolPart;
