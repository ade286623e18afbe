/**
 * Addresses: `player@region.mode` names a shard, `row.player@region.mode` a listing of it.
 *
 * An address is routed as e-mail is: any node takes it and knows the next hop. A listing's id contains the
 * shard that owns it, so that a purchase never depends on the listing index. It therefore tells the seller's
 * player id, and never leaves the server: clients see it sealed.
 */
import { isName, type ListingId, type Market, type PlayerId, type RowId, type ShardId, UnitError } from './units.ts';

/** Softcore and hardcore are markets apart: nothing ever crosses. */
export const MODES = ['softcore', 'hardcore'] as const;
/** One of the two game modes. */
export type Mode = (typeof MODES)[number];

/** The parts of a shard's address. */
export interface ShardAddress {
  readonly player: PlayerId;
  readonly region: string;
  readonly mode: Mode;
}

const REGION_PATTERN = /^[a-z][a-z0-9-]{0,31}$/;
const SHARD_PATTERN = /^[A-Za-z0-9_-]{1,64}@[a-z][a-z0-9-]{0,31}\.(?:softcore|hardcore)$/;
const ROW_PATTERN = /^[1-9][0-9]{0,15}$/;

/** Whether a text can name a region: a lower-case word of at most 32 letters, digits and dashes. */
export function isRegionName(text: string): boolean {
  return REGION_PATTERN.test(text);
}

/** The address of a player's shard in one region and mode; throws `UnitError` if a part is malformed. */
export function shardId(player: string, region: string, mode: Mode): ShardId {
  if (!isName(player)) throw new UnitError('a player id is 1 to 64 of A-Z a-z 0-9 _ -');
  if (!isRegionName(region)) throw new UnitError(`no such region name: ${JSON.stringify(region)}`);
  return `${player}@${region}.${mode}` as ShardId;
}

/** Whether a text is the address of a shard. */
export function isShardId(text: string): text is ShardId {
  return SHARD_PATTERN.test(text);
}

/** The parts of a shard's address, or `undefined` if the text is none. */
export function parseShardId(text: string): ShardAddress | undefined {
  if (!isShardId(text)) return undefined;
  const at = text.indexOf('@');
  const dot = text.indexOf('.', at);
  return { player: text.slice(0, at) as PlayerId, region: text.slice(at + 1, dot), mode: text.slice(dot + 1) as Mode };
}

/** The market of a region in a mode; throws `UnitError` if the region's name is malformed. */
export function marketName(region: string, mode: Mode): Market {
  if (!isRegionName(region)) throw new UnitError(`no such region name: ${JSON.stringify(region)}`);
  return `${region}.${mode}` as Market;
}

/** The market that a shard belongs to: what follows the `@`. */
export function marketOf(shard: ShardId): Market {
  return shard.slice(shard.indexOf('@') + 1) as Market;
}

/** The id of listing row `row` of a shard. */
export function listingId(row: RowId, shard: ShardId): ListingId {
  return `${row}.${shard}` as ListingId;
}

/** The shard and the row that a listing id names, or `undefined` if the text is none. */
export function parseListingId(text: string): { readonly row: RowId; readonly shard: ShardId } | undefined {
  const dot = text.indexOf('.');
  const [digits, shard] = [text.slice(0, dot), text.slice(dot + 1)];
  if (!ROW_PATTERN.test(digits) || !isShardId(shard)) return undefined;
  const row = Number(digits);
  return Number.isSafeInteger(row) ? { row: row as RowId, shard } : undefined;
}
