/** What the edge needs of a node: the consumer declares the seam. */
import type { Rules } from '#shared/rules.ts';
import type { Refusal } from '#shared/refusals.ts';
import type { ShardId } from '#shared/units.ts';
import type { Part } from '#server/routing/part.ts';
import type { ShardListener } from '#server/cell/active-shard.ts';
import type { ListingFeed } from '#server/listing-index/listing-feed.ts';
import type { Feature } from '#server/market/feature.ts';
import type { Reply } from '#server/shard/message.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import type { AnyRow } from '#server/shard/row.ts';

/** A running node, as rooms and sessions see it. */
export interface Backend {
  readonly rules: Rules;
  readonly regions: readonly string[];
  /** What its shards are made of. */
  readonly features: readonly Feature[];
  /** Takes any command for any shard. */
  readonly world: Part;
  /** Whether this node owns the shard: rooms are created where their shard lives. */
  owns(shard: ShardId): boolean;
  /** Tells how an own shard stands, then each change, all durable and in order. Resolves with a refusal if it cannot be loaded. */
  subscribe(shard: ShardId, listener: ShardListener): Promise<Reply>;
  unsubscribe(shard: ShardId, listener: ShardListener): void;
  /** The world data. */
  readonly index: Pick<ListingFeed<AnyRow>, 'search'>;
  /** The position of this node's journal up to which everything survives any crash. */
  readonly durable: number;
  /** Ledger lines of an own shard with `seq` below `before`, newest first, durable ones only; a refusal if they cannot be read for now. */
  history(shard: ShardId, before: number, limit: number): Promise<readonly LedgerEntry[] | Refusal>;
}
