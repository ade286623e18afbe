/** Bids. There are none yet: the state keeps their place. */
import { schema, t } from '@colyseus/schema';
import { ItemState } from '../item-state.ts';
import type { SealedId } from '../units.ts';
import type { ProtocolPart } from './part.ts';

/** One own bid, with the maximum that is held for it. */
const BidState = schema(
  {
    /** The listing that is bid on. */
    listingId: t.string<SealedId>(),
    /** What is for sale. */
    item: t.ref(ItemState),
    /** The most that the player bids, in coins, which are held. */
    maxBid: t.float64(),
    /** The highest bid of anybody, in coins. */
    currentBid: t.float64(),
    /** Whether it is the player's own. */
    winning: t.boolean(),
    /** When the auction ends, in epoch milliseconds. */
    endsAt: t.float64(),
  },
  'BidState',
);

/** What bids add to the protocol. */
export const bidPart = {
  state: {
    /** The own bids, by listing id. Always empty: there are none yet. */
    bids: t.map(BidState),
  },
} as const satisfies ProtocolPart;
