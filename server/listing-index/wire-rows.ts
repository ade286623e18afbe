/**
 * Rows and cells on the wire: lists of plain values by place, a third of the bytes that names would take. What comes is
 * checked value by value and made anew; a listing's id, seller and market follow from its shard, and so cannot
 * contradict it.
 */
import { isShardId, listingId, marketOf } from '#shared/address.ts';
import { cellOf, type CellEpoch } from '#shared/cell.ts';
import { RARITIES, type Affix, type Item } from '#shared/item.ts';
import { limits } from '#shared/limits.ts';
import type { IndexedListing } from '#shared/search.ts';
import {
  type Epoch,
  type Gold,
  type Instant,
  isName,
  type ItemId,
  type ListingId,
  type Market,
  type PlayerId,
  type RowId,
  type ShardId,
  type ShardVersion,
} from '#shared/units.ts';
import type { CellChanges, FeedChange } from './service.ts';

/** A value as MessagePack brings it; nothing is known of it yet. */
export type WireValue = unknown;

/** Places before the affixes, each of which has two. */
const ROW_PLACES = 15;
const REMOVE_PLACES = 3;

/** Whether it is a whole number that neither rounds nor is negative. */
export function isWholeNumber(value: WireValue): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Whether it is a text of at most so many characters. */
export function isTextWithin(value: WireValue, lengthMax: number): value is string {
  return typeof value === 'string' && value.length <= lengthMax;
}

/** Whether it is a list. */
export function isList(value: WireValue): value is readonly WireValue[] {
  return Array.isArray(value);
}

/** The list of what `decode` makes of each; `undefined` if one is none, or it is no list. */
export function decodedList<T>(value: WireValue, decode: (value: WireValue) => T | undefined): readonly T[] | undefined {
  if (!isList(value)) return undefined;
  const decoded: T[] = [];
  for (const each of value) {
    const one = decode(each);
    if (one === undefined) return undefined;
    decoded.push(one);
  }
  return decoded;
}

/** A row as it travels. */
function encodeListing({ id, shard, version, item, buyout, currentBid, startsAt, endsAt }: IndexedListing): readonly WireValue[] {
  const { baseId, itemClass, name, rarity, level, dps, armor, affixes } = item;
  const row: WireValue[] = [Number(id.slice(0, -shard.length - 1)), shard, version, item.id, baseId, itemClass, name];
  row.push(RARITIES.indexOf(rarity), level, dps ?? null, armor ?? null, buyout ?? null, currentBid ?? null, startsAt, endsAt);
  for (const affix of affixes) row.push(affix.id, affix.value);
  return row;
}

/** The row that travelled, or `undefined`. */
function decodeListing(value: WireValue): IndexedListing | undefined {
  if (!isList(value) || value.length < ROW_PLACES) return undefined;
  const [row, shard, version, id, baseId, itemClass, name, rarityPlace, level, dps, armor, buyout, currentBid, startsAt, endsAt] = value;
  const rarity = isWholeNumber(rarityPlace) ? RARITIES[rarityPlace] : undefined;
  const affixes = decodeAffixes(value);
  if (!isWholeNumber(row) || row === 0 || typeof shard !== 'string' || !isShardId(shard) || !isWholeNumber(version)) return undefined;
  if (typeof id !== 'string' || !isName(id) || !isWord(baseId) || !isWord(itemClass)) return undefined;
  if (!isTextWithin(name, limits.displayNameLengthMax) || rarity === undefined || !isStat(level) || affixes === undefined) return undefined;
  if (!isStatOrNull(dps) || !isStatOrNull(armor) || !isWholeOrNull(buyout) || !isWholeOrNull(currentBid)) return undefined;
  if (!isWholeNumber(startsAt) || !isWholeNumber(endsAt)) return undefined;
  const item: Item = {
    id: id as ItemId,
    baseId,
    itemClass,
    name,
    rarity,
    level,
    affixes,
    ...(dps === null ? {} : { dps }),
    ...(armor === null ? {} : { armor }),
  };
  return {
    id: listingId(row as RowId, shard),
    shard,
    seller: shard.slice(0, shard.indexOf('@')) as PlayerId,
    market: marketOf(shard),
    item,
    ...(buyout === null ? {} : { buyout: buyout as Gold }),
    ...(currentBid === null ? {} : { currentBid: currentBid as Gold }),
    startsAt: startsAt as Instant,
    endsAt: endsAt as Instant,
    version: version as ShardVersion,
  };
}

function decodeAffixes(row: readonly WireValue[]): readonly Affix[] | undefined {
  const places = row.length - ROW_PLACES;
  if (places % 2 !== 0 || places > limits.affixesPerItemMax * 2) return undefined;
  const affixes: Affix[] = [];
  for (let place = ROW_PLACES; place < row.length; place += 2) {
    const [id, value] = [row[place], row[place + 1]];
    if (!isWord(id) || !isStat(value)) return undefined;
    affixes.push({ id, value });
  }
  return affixes;
}

/**
 * A change as it travels: a row, or what names it in its shard and the version of its removal. A row that the other end
 * would refuse, as an edited image can have one, travels as its removal: it costs itself and not the connection.
 */
function encodeChange(change: FeedChange): readonly WireValue[] {
  if (change.kind === 'put') {
    const row = encodeListing(change.row);
    return decodeListing(row) === undefined ? encodeRemoval(change.row.id, change.row.version) : row;
  }
  return encodeRemoval(change.id, change.version);
}

function encodeRemoval(id: ListingId, version: ShardVersion): readonly WireValue[] {
  const dot = id.indexOf('.');
  return [Number(id.slice(0, dot)), id.slice(dot + 1), version];
}

/** The change that travelled, or `undefined`. */
function decodeChange(value: WireValue): FeedChange | undefined {
  if (!isList(value)) return undefined;
  if (value.length !== REMOVE_PLACES) {
    const row = decodeListing(value);
    return row === undefined ? undefined : { kind: 'put', row };
  }
  const [row, shard, version] = value;
  if (!isWholeNumber(row) || row === 0 || typeof shard !== 'string' || !isShardId(shard) || !isWholeNumber(version)) return undefined;
  return { kind: 'remove', id: listingId(row as RowId, shard), version: version as ShardVersion };
}

/** A cell in an epoch as it travels. */
export function encodeCell({ market, cell, epoch }: CellEpoch): readonly WireValue[] {
  return [market, cell, epoch];
}

/** The cell that travelled, or `undefined`. */
export function decodeCell(value: WireValue): CellEpoch | undefined {
  if (!isList(value) || value.length !== 3) return undefined;
  const [market, cell, epoch] = value;
  if (!isMarket(market) || !isWholeNumber(cell) || cell >= limits.cellsPerRegion || !isWholeNumber(epoch) || epoch === 0) return undefined;
  return { market, cell, epoch: epoch as Epoch };
}

/** What changes in a cell, as it travels. */
export function encodeCellChanges({ cell, changes }: CellChanges): readonly WireValue[] {
  return [encodeCell(cell), changes.map(encodeChange)];
}

/** The changes of a cell that travelled, or `undefined`, as when one of them is of a shard of another cell: no other owner may be touched. */
export function decodeCellChanges(value: WireValue): CellChanges | undefined {
  if (!isList(value) || value.length !== 2) return undefined;
  const cell = decodeCell(value[0]);
  const changes = decodedList(value[1], decodeChange);
  if (cell === undefined || changes === undefined) return undefined;
  return changes.every((change) => isOf(cell, change)) ? { cell, changes } : undefined;
}

function isOf({ market, cell }: CellEpoch, change: FeedChange): boolean {
  const shard = change.kind === 'put' ? change.row.shard : (change.id.slice(change.id.indexOf('.') + 1) as ShardId);
  return marketOf(shard) === market && cellOf(shard, limits.cellsPerRegion) === cell;
}

/** Whether a text names a market. */
export function isMarket(value: WireValue): value is Market {
  return typeof value === 'string' && isShardId(`a@${value}`);
}

function isWord(value: WireValue): value is string {
  return isTextWithin(value, limits.catalogWordLengthMax);
}

/** What the columns of the index can hold. */
function isStat(value: WireValue): value is number {
  return Number.isInteger(value) && Math.abs(Number(value)) <= limits.statValueMax;
}

function isStatOrNull(value: WireValue): value is number | null {
  return value === null || isStat(value);
}

function isWholeOrNull(value: WireValue): value is number | null {
  return value === null || isWholeNumber(value);
}
