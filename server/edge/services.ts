/**
 * What the edge is given, the node behind it among that, and what the parts of a running edge
 * share.
 */
import type { Catalogue } from '#shared/catalog/catalogue.ts';
import type { Rules } from '#shared/rules.ts';
import type { Refusal } from '#shared/refusals.ts';
import type { Position, ShardId } from '#shared/units.ts';
import type { ShardListener } from '#server/cell/active-shard.ts';
import type { Route } from '#server/http/http-server.ts';
import type { OriginRules } from '#server/http/origins.ts';
import type { Rate } from '#server/platform/token-bucket.ts';
import type { ListingFeed } from '#server/listing-index/listing-feed.ts';
import type { Feature, ReadTable } from '#server/market/feature.ts';
import type { Platform } from '#server/platform/platform.ts';
import type { Part } from '#server/routing/part.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import type { Reply } from '#server/shard/message.ts';
import type { AnyRow } from '#server/shard/row.ts';
import type { TrustedProxies } from '#server/http/client-address.ts';
import type { Account, Accounts } from './budgets/accounts.ts';
import type { Admissions } from './budgets/admissions.ts';
import type { IdDoor } from './id-door.ts';
import type { RoomDirectory } from './room-directory.ts';
import type { StudioKeySource } from './studio-keys.ts';
import type { Tokens } from './tokens.ts';

/** A running node, as rooms and sessions see it: the consumer declares the seam. */
export interface ServingNode {
  readonly rules: Rules;
  readonly regions: readonly string[];
  /** What its shards are made of. */
  readonly features: readonly Feature[];
  /** Takes any command for any shard. */
  readonly world: Part;
  /** Whether this node owns the shard: rooms are created where their shard lives. */
  owns(shard: ShardId): boolean;
  /**
   * Tells how an own shard stands, then each change, all durable and in order. Resolves with a
   * refusal if it cannot be loaded.
   */
  subscribe(shard: ShardId, listener: ShardListener): Promise<Reply>;
  unsubscribe(shard: ShardId, listener: ShardListener): void;
  /** The world data. */
  readonly index: Pick<ListingFeed<AnyRow>, 'search'>;
  /** The position of this node's journal up to which everything survives any crash. */
  readonly durable: Position;
  /**
   * Ledger lines of an own shard with `seq` below `before`, newest first, durable ones only; a
   * refusal if they cannot be read for now.
   */
  history(shard: ShardId, before: number, limit: number): Promise<readonly LedgerEntry[] | Refusal>;
}

/** What an edge is started with. */
export interface EdgeOptions {
  readonly backend: ServingNode;
  readonly platform: Platform;
  readonly catalogue: Catalogue;
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** Whether anybody may come as a guest: in development only. */
  readonly guests: boolean;
  /** Keys of session tokens: the first signs, all verify. */
  readonly jwtKeys: readonly string[];
  /** Seals the ids that clients see, with the key of the world. */
  readonly ids: IdDoor;
  /** The studio's public keys, if it signs with such. */
  readonly studioKeys?: StudioKeySource;
  /** What else is served on the same port. */
  readonly routes?: readonly Route[];
  readonly origins: OriginRules;
  /** Sessions that one address may open. */
  readonly sessionRate: Rate;
  /** Tokens that the players of one address may spend. */
  readonly addressRate: Rate;
  /** WebSockets that one address may have; `limits.connectionsPerAddressMax` unless given. */
  readonly connectionsPerAddressMax?: number;
  /** Who is believed about the addresses of others. */
  readonly proxies: TrustedProxies;
  /** Whether the node behind can serve. */
  readonly isReady: () => boolean;
}

/** What sessions and rooms of one edge share. */
export interface EdgeServices extends EdgeOptions {
  readonly directory: RoomDirectory;
  readonly tokens: Tokens;
  readonly reads: ReadTable;
  readonly accounts: Accounts;
  readonly admissions: Admissions;
  /** Whose account each socket spends from. */
  readonly accountBySocket: WeakMap<object, Account>;
}
