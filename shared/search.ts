/**
 * What a search means, said slowly: `matches` looks at one listing, `compareListings` orders two.
 * The columnar index answers the same questions fast, and is tested against this.
 *
 * A cursor is the place of the last listing shown: its sort value and its id. What comes after it
 * does not depend on what came and went before it, so pages neither repeat nor skip a listing that
 * stays.
 */
import { z } from 'zod';
import type { Criteria, Sort } from './criteria.ts';
import { foldName } from './fold-name.ts';
import { hashOf } from './hash.ts';
import type { Item } from './item.ts';
import type { Gold, Instant, ListingId, Market, PlayerId, ShardId, ShardVersion } from './units.ts';

/**
 * A listing as the index knows it. `version` is that of its shard when the row was written; the
 * higher one is newer.
 */
export interface IndexedListing {
  readonly id: ListingId;
  readonly shard: ShardId;
  readonly seller: PlayerId;
  /** The market, `region.mode`. */
  readonly market: Market;
  readonly item: Item;
  readonly buyout?: Gold;
  readonly currentBid?: Gold;
  readonly startsAt: Instant;
  readonly endsAt: Instant;
  readonly version: ShardVersion;
}

/** What a listing is, whatever version its shard had. */
export type ListingFacts = Omit<IndexedListing, 'version'>;

/**
 * What is inside a cursor: the order that it belongs to, and the place of the last listing shown.
 */
const cursorContentSchema = z.tuple([z.string(), z.boolean(), z.int().nullable(), z.string()]);

/** What a search needs to know of an item class: see `ItemClass` of the catalogue. */
export interface SearchedClass {
  readonly id: string;
  readonly slot: string;
  readonly heroClasses?: readonly string[];
}

/** What criteria are about besides the listing: the time, who asks, and the catalogue's classes. */
export interface SearchContext {
  readonly now: Instant;
  readonly self?: PlayerId;
  readonly itemClasses: readonly SearchedClass[];
}

/**
 * The place of a listing in an order; `value` is undefined where the listing has none, which comes
 * last.
 */
export interface SortPlace {
  readonly value: number | undefined;
  readonly id: string;
}

/**
 * Whether a listing that has not ended is what the criteria ask for; the market is the caller's
 * affair.
 */
export function matches(criteria: Criteria, listing: IndexedListing, context: SearchContext): boolean {
  return listing.endsAt > context.now && holds(criteria, listing, context);
}

/**
 * The order of two listings: by value, ascending unless the sort says otherwise, without a value
 * last, then as their ties say.
 */
export function compareListings(sort: Sort, a: ListingFacts, b: ListingFacts): number {
  const keyA = sortKey(sort, sortValue(sort.by, a));
  const keyB = sortKey(sort, sortValue(sort.by, b));
  if (keyA !== keyB) return keyA < keyB ? -1 : 1;
  const [tieA, tieB] = [tieOf(a.id), tieOf(b.id)];
  if (tieA !== tieB) return tieA < tieB ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/**
 * What orders listings of one value: a number that stays the same for ever and that no seller chooses, so that nobody's listings
 * come first at every price, and a search for the first of a million alike needs no texts. Of two that are the same, the id decides.
 */
export function tieOf(id: string): number {
  return hashOf(id);
}

/** A number that rises along the order: the value or its negative, and infinity for none. */
export function sortKey(sort: Sort, value: number | undefined): number {
  if (value === undefined) return Infinity;
  return sort.descending === true ? -value : value;
}

/** The value that `sortKey` made a key of. */
export function valueOfKey(sort: Sort, key: number): number | undefined {
  if (key === Infinity) return undefined;
  return sort.descending === true ? -key : key;
}

/**
 * The value of a stat: an affix (the first of that id), damage or armor; undefined if the item has
 * none.
 */
function statOf(item: Item, stat: string): number | undefined {
  if (stat === 'dps') return item.dps;
  if (stat === 'armor') return item.armor;
  return item.affixes.find((affix) => affix.id === stat)?.value;
}

/** Whether the criteria's slot and hero class admit an item class, which is `known` or has neither. */
export function admitsClass(criteria: Criteria, itemClass: string, known: SearchedClass | undefined): boolean {
  if (criteria.itemClass !== undefined && criteria.itemClass !== itemClass) return false;
  if (criteria.slot === undefined && criteria.heroClass === undefined) return true;
  if (known === undefined) return false;
  if (criteria.slot !== undefined && known.slot !== criteria.slot) return false;
  return criteria.heroClass === undefined || known.heroClasses === undefined || known.heroClasses.includes(criteria.heroClass);
}

/** The cursor that continues after a place of that order: opaque text of ASCII letters. */
export function encodeCursor(sort: Sort, place: SortPlace): string {
  const content = JSON.stringify([sort.by, sort.descending === true, place.value ?? null, place.id]);
  return btoa(content).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/**
 * The place that a cursor of that order stands for, or undefined if the text is no cursor of it.
 */
export function decodeCursor(sort: Sort, cursor: string): SortPlace | undefined {
  const content = cursorContentSchema.safeParse(parsedCursor(cursor));
  if (!content.success) return undefined;
  const [by, isDescending, value, id] = content.data;
  return by === sort.by && isDescending === (sort.descending === true) ? { value: value ?? undefined, id } : undefined;
}

/**
 * The JSON inside a cursor; undefined for text that is none. Both decoders throw on what they do
 * not know.
 */
function parsedCursor(cursor: string): unknown {
  try {
    return JSON.parse(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')));
  } catch {
    return undefined;
  }
}

/** The criteria without the rule that ended listings never match. */
function holds(criteria: Criteria, listing: IndexedListing, context: SearchContext): boolean {
  return (
    holdsOfItem(criteria, listing.item, context) && holdsOfSale(criteria, listing, context) && holdsOfBranches(criteria, listing, context)
  );
}

function holdsOfItem({ rarity, level, name, stats = [], ...criteria }: Criteria, item: Item, { itemClasses }: SearchContext): boolean {
  const known = itemClasses.find(({ id }) => id === item.itemClass);
  if (!admitsClass(criteria, item.itemClass, known)) return false;
  if (rarity !== undefined && !rarity.includes(item.rarity)) return false;
  if (level !== undefined && !isWithin(item.level, level)) return false;
  if (name !== undefined && !foldName(item.name).includes(foldName(name))) return false;
  return stats.every((wanted) => isWithin(statOf(item, wanted.stat), wanted));
}

function holdsOfSale({ buyoutMax, endsWithinMs, seller }: Criteria, listing: IndexedListing, { now, self }: SearchContext): boolean {
  if (buyoutMax !== undefined && !isWithin(listing.buyout, { max: buyoutMax })) return false;
  if (endsWithinMs !== undefined && listing.endsAt - now > endsWithinMs) return false;
  return seller === undefined || listing.seller === self;
}

/** At least one of `any`, and none of `none`. */
function holdsOfBranches({ any, none = [] }: Criteria, listing: IndexedListing, context: SearchContext): boolean {
  if (any !== undefined && !any.some((node) => holds(node, listing, context))) return false;
  return !none.some((node) => holds(node, listing, context));
}

/** Whether there is a value and it is within the ends, both included; an end left out is open. */
function isWithin(value: number | undefined, ends: { readonly min?: number; readonly max?: number }): boolean {
  return value !== undefined && value >= (ends.min ?? -Infinity) && value <= (ends.max ?? Infinity);
}

function sortValue(by: Sort['by'], listing: ListingFacts): number | undefined {
  if (by === 'buyout' || by === 'currentBid' || by === 'endsAt') return listing[by];
  return by === 'level' ? listing.item.level : statOf(listing.item, by);
}
