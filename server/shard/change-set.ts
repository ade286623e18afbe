/**
 * A change set: everything that one turn changed, and nothing else. It is what the journal keeps, what images and
 * projections are folded from, what rooms and the index are fed with.
 */
import { marketOf } from '#shared/address.ts';
import type { Gold, Instant, ShardId } from '#shared/units.ts';
import type { AnyRow, Entity } from './entity.ts';

/**
 * Where gold or goods can be. `minted` and `burned` are the world's edge: what enters and leaves through them.
 * `clearing` is the account of one transaction between its two shards; it is empty once the transaction is settled.
 */
export const PLACES = ['wallet', 'stash', 'hold', 'escrow', 'listed', 'completed', 'clearing', 'minted', 'burned'] as const;
/** One of the places. The order is part of the record format: new ones go to the end. */
export type Place = (typeof PLACES)[number];

/** What moves: `gold`, `item:ID` or `commodity:ID`. */
export type Asset = 'gold' | `item:${string}` | `commodity:${string}`;

/** One side of a movement: so much more (or, negative, less) of an asset at a place. */
export interface Posting {
  readonly place: Place;
  readonly asset: Asset;
  readonly amount: number;
  /**
   * How much of the asset is at the place after the whole line. Kept for gold at the player's own places but the wallet, whose balance
   * is the line's; lines of older programs have none.
   */
  readonly balance?: Gold;
}

/** What a turn says of one movement, before it is numbered. The postings sum to zero per asset (T7). */
export interface LedgerDraft {
  /** Why, in the field's terms: `sell`, `buyout`, `sale`, `claim`, `grant`, ... */
  readonly cause: string;
  /** The transaction that it belongs to, if any. */
  readonly tx: string | null;
  /** Gold in the wallet after it. */
  readonly balance: Gold;
  readonly postings: readonly Posting[];
}

/** A line of the ledger. `seq` counts from 1 in its shard, without gaps. */
export interface LedgerEntry extends LedgerDraft {
  readonly seq: number;
  readonly at: Instant;
}

/** The counters of a shard as they stand after a turn. */
export interface ShardHeader {
  readonly shard: ShardId;
  /** The number of this turn: 1 for the first, without gaps. */
  readonly version: number;
  readonly cell: number;
  /** The epoch of the cell's ownership: 1 until cells move. */
  readonly epoch: number;
  readonly now: Instant;
  /** The next row id. */
  readonly nextId: number;
  /** The generation of the transactions that this shard mints: 1 until it is restored. */
  readonly generation: number;
  /** The last transaction number minted in this generation. */
  readonly seq: number;
  /** The last ledger number given. */
  readonly ledgerSeq: number;
  /** The earliest alarm of any row, or 0 for none. */
  readonly wakeAt: Instant | 0;
}

/** One row written, as the engine made it. */
export interface Put {
  readonly entity: Entity;
  readonly row: AnyRow;
}

/** One row removed; the table names the entity and the version that the row was of. */
export interface Remove {
  readonly table: string;
  readonly id: number;
}

/** Everything that one turn changed. */
export interface ChangeSet extends ShardHeader {
  readonly puts: readonly Put[];
  readonly removes: readonly Remove[];
  readonly ledger: readonly LedgerEntry[];
}

/** A column's value as SQLite and the journal keep it: booleans are 0 and 1, JSON is text. */
export type RawValue = number | string | Uint8Array | null;

/** One row as kept: its values in the order of the columns of its table. */
export interface RawPut {
  readonly table: string;
  readonly id: number;
  readonly values: readonly RawValue[];
}

/** A change set as kept. A whole shard image has the same shape: all rows, no removes, the newest ledger lines. */
export interface RawChangeSet extends ShardHeader {
  readonly puts: readonly RawPut[];
  readonly removes: readonly Remove[];
  readonly ledger: readonly LedgerEntry[];
}

/** Asset kinds of the running totals: single items are counted together. */
export function assetClass(asset: Asset): string {
  return asset.startsWith('item:') ? 'item' : asset;
}

/** The gold at a posting's place after its line; `undefined` for goods, for places that are not the player's, and where an old line does not tell. */
export function balanceAfter({ balance }: LedgerEntry, posting: Posting): Gold | undefined {
  return posting.asset === 'gold' && posting.place === 'wallet' ? balance : posting.balance;
}

/** The key of a running total: `region.mode place asset-class`. */
export function totalKey(shard: ShardId, posting: Posting): string {
  return `${marketOf(shard)} ${posting.place} ${assetClass(posting.asset)}`;
}

/** The first asset whose postings do not sum to zero, or `undefined` if all do. */
export function unbalancedAsset(postings: readonly Posting[]): Asset | undefined {
  // Few postings: a quadratic walk costs less than a map.
  for (const { asset } of postings) {
    let sum = 0;
    for (const posting of postings) if (posting.asset === asset) sum += posting.amount;
    if (sum !== 0) return asset;
  }
  return undefined;
}
