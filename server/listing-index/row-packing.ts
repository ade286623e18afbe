/**
 * A row's part that no scan reads, as one short text: an index of a million rows then has two strings per row and no
 * objects, which the garbage collector would have to walk again and again.
 *
 * Market, class, name, prices and end are in the columns; seller and shard are in the listing's id.
 */
import type { Affix, Item, Rarity } from '#shared/item.ts';
import type { IndexedListing } from '#shared/search.ts';
import type { Gold, Instant, ItemId, ListingId, Market, PlayerId, ShardId, ShardVersion } from '#shared/units.ts';

/** What the text holds, in this order; flat, since it is written far more often than read. */
type RowText = readonly [
  id: ItemId,
  baseId: string,
  rarity: Rarity,
  level: number,
  dps: number | null,
  armor: number | null,
  startsAt: Instant,
  version: ShardVersion,
  ...affixes: readonly (string | number)[],
];

/** What the columns know of a row. */
export interface ColumnPart {
  readonly market: Market;
  readonly itemClass: string;
  readonly name: string;
  readonly buyout: number | undefined;
  readonly currentBid: number | undefined;
  readonly endsAt: number;
}

/** The text of a row. */
export function encodeRow({ item, startsAt, version }: IndexedListing): string {
  const { id, baseId, rarity, level, affixes, dps = null, armor = null } = item;
  const row: (string | number | null)[] = [id, baseId, rarity, level, dps, armor, startsAt, version];
  for (const affix of affixes) row.push(affix.id, affix.value);
  return asLatin1(JSON.stringify(row));
}

/** The row whose text `encodeRow` made. */
export function decodeRow(id: ListingId, text: string, columns: ColumnPart): IndexedListing {
  const [itemId, baseId, rarity, level, dps, armor, startsAt, version, ...affixes] = JSON.parse(text) as RowText;
  const { market, itemClass, name, buyout, currentBid, endsAt } = columns;
  const item: Item = {
    id: itemId,
    baseId,
    itemClass,
    name,
    rarity,
    level,
    affixes: affixesOf(affixes),
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

/** Ids and values in turn, as affixes. */
function affixesOf(flat: readonly (string | number)[]): readonly Affix[] {
  const affixes: Affix[] = [];
  for (let index = 0; index < flat.length; index += 2) affixes.push({ id: String(flat[index]), value: Number(flat[index + 1]) });
  return affixes;
}

const NO_LATIN1 = /[^\0-\xff]/;
const EACH_NO_LATIN1 = /[^\0-\xff]/g;

/**
 * The same JSON with every character above U+00FF escaped, and as a string of one byte per character: V8 keeps two
 * for the whole text as soon as one word of it needs them.
 */
function asLatin1(json: string): string {
  if (!NO_LATIN1.test(json)) return json;
  const escaped = json.replaceAll(EACH_NO_LATIN1, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return Buffer.from(escaped, 'latin1').toString('latin1');
}
