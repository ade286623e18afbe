/**
 * What a client gets of a listing, made once, when its row comes into the index: everything but its id and whose it is, as a map in
 * MessagePack. A search gives these bytes, and what is between the index and the client's socket passes them on unread.
 *
 * The index keeps them as texts of one byte per character: a row then has two strings and no objects, which the garbage collector would
 * have to walk again and again. Market, seller and shard are in the listing's id.
 */
import { Packr } from 'msgpackr';
import { marketOf } from '#shared/address.ts';
import type { IndexedListing, ListingFacts } from '#shared/search.ts';
import type { ListingId, PlayerId, ShardId } from '#shared/units.ts';

/** A listing as a search gives it. `body` is what `encodeRow` says. */
export interface FoundListing {
  readonly id: ListingId;
  readonly body: Uint8Array;
}

/** What the body of a found listing holds. */
type ListingBody = Pick<IndexedListing, 'item' | 'currentBid' | 'buyout' | 'startsAt' | 'endsAt'>;

/** Plain maps, which any client can read, with heads of one byte. */
const packr = new Packr({ useRecords: false, variableMapSize: true });

/** The text of a row. */
export function encodeRow({ item, currentBid, buyout, startsAt, endsAt }: IndexedListing): string {
  const body: ListingBody = {
    item,
    ...(currentBid === undefined ? {} : { currentBid }),
    ...(buyout === undefined ? {} : { buyout }),
    startsAt,
    endsAt,
  };
  return packr.pack(body).toString('latin1');
}

/** The listing whose text `encodeRow` made. */
export function foundListing(id: ListingId, text: string): FoundListing {
  return { id, body: Buffer.from(text, 'latin1') };
}

/** A found listing as values again, for those who look into it. */
export function openListing({ id, body }: FoundListing): ListingFacts {
  const shard = id.slice(id.indexOf('.') + 1) as ShardId;
  return { id, shard, seller: sellerOf(id), market: marketOf(shard), ...(packr.unpack(body) as ListingBody) };
}

/** The seller that a listing's id names. */
export function sellerOf(id: ListingId): PlayerId {
  return id.slice(id.indexOf('.') + 1, id.indexOf('@')) as PlayerId;
}
