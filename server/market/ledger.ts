/** The ledger of the market: where gold and goods can be, and why they move. */

/** Why gold or goods move, in the field's terms. */
export const CAUSES = ['start', 'sell', 'cancelled', 'expired', 'buyout', 'sale', 'purchase', 'release', 'claim'] as const;
/** One of the causes. Ledgers of other releases may have others. */
export type Cause = (typeof CAUSES)[number];
