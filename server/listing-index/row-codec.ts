/**
 * A row's part that no scan reads, as one short text: an index of a million rows then has two strings per row and no
 * objects, which the garbage collector would have to walk again and again.
 *
 * Market, class, prices and end are in the columns; seller and shard are in the listing's id.
 */
import type { Item, Rarity } from '#shared/item.ts';
import type { IndexedListing } from '#shared/search.ts';
import type { Gold, Instant, ItemId, ListingId, PlayerId, ShardId } from '#shared/units.ts';

type AffixPair = readonly [id: string, value: number];

/** What the text holds, in this order. */
type RowText = readonly [
  id: ItemId,
  baseId: string,
  name: string,
  rarity: Rarity,
  level: number,
  affixes: readonly AffixPair[],
  dps: number | null,
  armor: number | null,
  startsAt: Instant,
  version: number,
];

/** What the columns know of a row. */
export interface ColumnPart {
  readonly market: string;
  readonly itemClass: string;
  readonly buyout: number | undefined;
  readonly currentBid: number | undefined;
  readonly endsAt: number;
}

/** The text of a row. */
export function encodeRow({ item, startsAt, version }: IndexedListing): string {
  const affixes = item.affixes.map((affix): AffixPair => [affix.id, affix.value]);
  const { id, baseId, name, rarity, level, dps = null, armor = null } = item;
  const row: RowText = [id, baseId, name, rarity, level, affixes, dps, armor, startsAt, version];
  return asLatin1(JSON.stringify(row));
}

/** The row whose text `encodeRow` made. */
export function decodeRow(id: ListingId, text: string, columns: ColumnPart): IndexedListing {
  const [itemId, baseId, name, rarity, level, affixes, dps, armor, startsAt, version] = JSON.parse(text) as RowText;
  const { market, itemClass, buyout, currentBid, endsAt } = columns;
  const item: Item = {
    id: itemId,
    baseId,
    itemClass,
    name,
    rarity,
    level,
    affixes: affixes.map(([affixId, value]) => ({ id: affixId, value })),
    ...(dps === null ? {} : { dps }),
    ...(armor === null ? {} : { armor }),
  };
  return {
    id,
    shard: id.slice(id.indexOf('.') + 1) as ShardId,
    seller: sellerOf(id),
    market,
    item,
    ...(buyout === undefined ? {} : { buyout: buyout as Gold }),
    ...(currentBid === undefined ? {} : { currentBid: currentBid as Gold }),
    startsAt,
    endsAt: endsAt as Instant,
    version,
  };
}

/** The seller that a listing's id names. */
export function sellerOf(id: ListingId): PlayerId {
  return id.slice(id.indexOf('.') + 1, id.indexOf('@')) as PlayerId;
}

/**
 * The same JSON with every character above U+00FF escaped, and as a string of one byte per character: V8 keeps two
 * for the whole text as soon as one apostrophe of a name needs them.
 */
function asLatin1(json: string): string {
  const escaped = json.replaceAll(/[^\0-\xff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return escaped === json ? json : Buffer.from(escaped, 'latin1').toString('latin1');
}
