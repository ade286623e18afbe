/**
 * The ledger: what each turn says of the movements of gold and goods, in lines of double entry.
 *
 * Where things can be, and what things there are, the market declares: the engine has names for neither. Places are numbered in the order
 * of their list, which is part of the record format (`RecordFormat.places`).
 *
 * 1. The postings of a line sum to zero per asset (T7).
 * 2. The lines of a shard are numbered from 1, without gaps.
 */
import { marketOf } from '#shared/address.ts';
import type { Gold, Instant, ShardId, TransactionId } from '#shared/units.ts';

/** One side of a movement: an amount of an asset added to a place, or, if negative, taken from it. */
export interface Posting {
  readonly place: string;
  /** What moves. A single thing is `item:ID`; of any other name there is an amount. */
  readonly asset: string;
  readonly amount: number;
  /** How much of the asset is at the place after the whole line, where the market keeps that; lines of older programs have none. */
  readonly balance?: Gold;
}

/** What a turn says of one movement, before it is numbered. */
export interface LedgerDraft {
  /** Why, in the field's terms: `sell`, `buyout`, `sale`, `claim`, `grant`, ... */
  readonly cause: string;
  /** The transaction that it belongs to, if any. */
  readonly tx: TransactionId | null;
  /** The gold that the player can spend after it. */
  readonly balance: Gold;
  readonly postings: readonly Posting[];
}

/** A line of the ledger. */
export interface LedgerEntry extends LedgerDraft {
  readonly seq: number;
  readonly at: Instant;
}

/** What single things are counted as in running totals, all together. */
export const SINGLE_THINGS = 'item';
/** How the name of a single thing starts. */
export const SINGLE_THING_PREFIX = 'item:';

/** The asset as running totals count it. */
export function assetClass(asset: string): string {
  return asset.startsWith(SINGLE_THING_PREFIX) ? SINGLE_THINGS : asset;
}

/** The key of a running total: `region.mode place asset-class`. */
export function totalKey(shard: ShardId, { place, asset }: Posting): string {
  return `${marketOf(shard)} ${place} ${assetClass(asset)}`;
}

/** The market that a running total of that key is of. */
export function marketOfTotal(key: string): string {
  return key.slice(0, key.indexOf(' '));
}

/** The first asset whose postings do not sum to zero, or `undefined` if all do. */
export function unbalancedAsset(postings: readonly Posting[]): string | undefined {
  // Few postings: a quadratic walk costs less than a map.
  for (const { asset } of postings) {
    let sum = 0;
    for (const posting of postings) if (posting.asset === asset) sum += posting.amount;
    if (sum !== 0) return asset;
  }
  return undefined;
}
