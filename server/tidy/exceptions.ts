/**
 * What breaks a tidy rule and may, each with its reason. A reason that starts with `open:` is a
 * fault that is to be mended: take the line away with it, and add none.
 */
import type { Exceptions } from './repository.ts';

/** Names that more than one file exports. */
export const SHARED_NAMES: Exceptions = {
  'server/edge/sessions.ts openSession': 'the two ends of one request: the client opens a session, and so does the edge',
  'server/platform/within.ts within': 'the client has one of its own: it runs where there is no platform',
};

/** Exports that nothing but tests uses, or nothing at all. */
export const UNUSED_EXPORTS: Exceptions = {
  'server/trade/decider.ts decideAccepted':
    'for kinds of trades that are accepted first and decided later: tested, and not in the market yet',
  'shared/units.ts multiplyGold': 'a price by a quantity: tested, and not in the market yet',
};
