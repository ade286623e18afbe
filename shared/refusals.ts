/**
 * Refusals: the one closed table of everything that Gavel can say no with.
 *
 * A refusal is an answer for a player, never an error: the command changed nothing. `retryable` says whether
 * the same command, with the same `op`, may succeed later without the player changing anything.
 */

const table = {
  'bad-request': [400, 'That request is malformed.', false],
  unauthorized: [401, 'You are not allowed to do that.', false],
  frozen: [403, 'This account is frozen by a moderator.', false],
  'not-found': [404, 'There is nothing here.', false],
  'too-large': [413, 'That request is too large.', false],
  'not-json': [415, 'The body must be application/json.', false],
  'rate-limited': [429, 'Too many requests at once. Please wait a moment.', true],
  busy: [503, 'The auction house is busy. Please try again.', true],
  unavailable: [504, 'This part of the auction house cannot be reached right now.', true],
  internal: [500, 'Something went wrong on our side. Nothing was changed.', true],
  'op-reused': [1001, 'This operation id was already used for a different request.', false],
  'op-done': [1002, 'This operation was already carried out.', false],
  'not-enough-gold': [1101, 'You do not have enough gold.', false],
  'gold-overflow': [1102, 'You cannot have that much more gold.', false],
  'seller-gold-overflow': [1103, 'The seller cannot have that much more gold.', false],
  'no-such-item': [1201, 'There is no such item in your stash.', false],
  'item-not-tradable': [1202, 'This item cannot be traded.', false],
  'stash-full': [1203, 'There is not enough space in your stash.', false],
  'shard-full': [1204, 'Your account holds too many things. Claim or sell some first.', false],
  'no-such-entry': [1205, 'There is no such entry in your completed tab.', false],
  'item-exists': [1206, 'There is an item with this id already.', false],
  'not-enough-goods': [1207, 'You do not have enough of that commodity.', false],
  'no-such-player': [1208, 'There is no such player in this market.', false],
  'listing-limit': [1301, 'You already have the largest number of active listings.', false],
  'completed-full': [1302, 'Your completed tab is full. Claim something before you post again.', false],
  'price-out-of-range': [1303, 'That price is not allowed.', false],
  'duration-not-allowed': [1304, 'That duration is not allowed.', false],
  'listing-gone': [1401, 'This listing is no longer available.', false],
  'listing-not-started': [1402, 'This listing cannot be bought yet.', false],
  'price-changed': [1403, 'The price is not the one that you saw.', false],
  'own-listing': [1404, 'You cannot buy your own listing.', false],
  'bid-too-low': [1405, 'That bid is too low.', false],
  'already-winning': [1406, 'You are already the highest bidder.', false],
  'cancel-window-over': [1407, 'This listing can no longer be cancelled.', false],
  'has-bids': [1408, 'This listing has bids and cannot be cancelled.', false],
  'no-such-order': [1501, 'There is no such order.', false],
  'not-enough-supply': [1502, 'There are not enough goods on offer at that price.', true],
  'search-too-broad': [1503, 'This search is too broad. Please name an item class.', false],
  'market-closed': [1601, 'This market is closed right now.', true],
  'outcome-unknown': [1701, 'The outcome is not known yet. If anything was promised, it stands; ask again for the outcome.', true],
  'offer-expired': [1702, 'The seller could not be reached in time. Nothing was bought.', false],
} as const satisfies Record<string, readonly [code: number, message: string, retryable: boolean]>;

/** The stable name of a refusal, as in the protocol. */
export type RefusalName = keyof typeof table;

/** An answer that says no. `details` depends on the name and is only ever informative. */
export interface Refusal {
  readonly kind: 'refusal';
  readonly code: number;
  readonly name: RefusalName;
  readonly message: string;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Every name, in the order of the table. */
export const REFUSAL_NAMES: readonly RefusalName[] = Object.keys(table).filter(isRefusalName);

/** The refusal of that name, with optional details for the player. */
export function refusal(name: RefusalName, details?: Readonly<Record<string, unknown>>): Refusal {
  const [code, message, retryable] = table[name];
  return { kind: 'refusal', code, name, message, retryable, ...(details === undefined ? {} : { details }) };
}

/** Whether a text from outside is the name of a refusal. */
export function isRefusalName(text: string): text is RefusalName {
  return Object.hasOwn(table, text);
}
