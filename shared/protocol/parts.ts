/**
 * The static list of the parts of the protocol. A new feature is one line here.
 *
 * Colyseus numbers the fields of the state in this order: a part that has some goes to the end.
 */
import { accountPart } from './account.ts';
import { bidPart } from './bid.ts';
import { completedPart } from './completed.ts';
import { goodsPart } from './goods.ts';
import { historyPart } from './history.ts';
import { listingPart } from './listing.ts';
import { orderPart } from './order.ts';
import { searchPart } from './search.ts';
import { servicePart } from './service.ts';

/** The parts of all features. */
export const PROTOCOL_PARTS = [
  accountPart,
  goodsPart,
  searchPart,
  listingPart,
  bidPart,
  orderPart,
  completedPart,
  historyPart,
  servicePart,
];
