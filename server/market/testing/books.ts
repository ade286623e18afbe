/**
 * The double-entry twin of the market: it knows nothing of rows and handlers, adds up postings, and compares with what the rows say.
 *
 * Checked: T7 on every prefix; the balance that a line tells of each of the player's accounts of gold; nothing negative at any place at any time; every wallet's parts, every item and every stack where the
 * ledger says; every item in one place of the world; what was burned is what the fees say.
 */
import type { ShardId } from '#shared/units.ts';
import { Json } from '#server/shard/json.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import type { AnyRow } from '#server/shard/row.ts';
import { balanceAfter, type Asset, type Place } from '../places.ts';

/** One shard for the twin: its rows by the name of their entity. */
export interface Book {
  readonly shard: ShardId;
  readonly rows: (entity: string) => readonly AnyRow[];
}

/** A ledger line with its shard. */
export interface BookLine {
  readonly shard: ShardId;
  readonly entry: LedgerEntry;
}

/** Every fault of the books, as a sentence; none if all is well. `isQuiet` tells whether no trade is under way. */
export function faultsOfBooks(books: readonly Book[], lines: readonly BookLine[], isQuiet: boolean): readonly string[] {
  return [...faultsOfLines(lines, isQuiet), ...books.flatMap((book) => faultsOfRows(book, lines)), ...faultsOfItems(books, lines, isQuiet)];
}

/** What the ledger says that there is at a place of a shard, by asset. */
export function balances(lines: readonly BookLine[], shard: ShardId, place: Place): ReadonlyMap<string, number> {
  const balance = new Map<string, number>();
  for (const line of lines) {
    if (line.shard !== shard) continue;
    for (const { place: at, asset, amount } of line.entry.postings) {
      if (at === place) balance.set(asset, (balance.get(asset) ?? 0) + amount);
    }
  }
  for (const [asset, amount] of balance) if (amount === 0) balance.delete(asset);
  return balance;
}

/** Sums over the whole world at the places of its edge: how much gold came in, and how much went out. */
export function edgeOfWorld(lines: readonly BookLine[]): { readonly minted: bigint; readonly burned: bigint } {
  let minted = 0n;
  let burned = 0n;
  for (const { entry } of lines) {
    for (const { place, asset, amount } of entry.postings) {
      if (asset === 'gold' && place === 'minted') minted -= BigInt(amount);
      if (asset === 'gold' && place === 'burned') burned += BigInt(amount);
    }
  }
  return { minted, burned };
}

function faultsOfLines(lines: readonly BookLine[], isQuiet: boolean): readonly string[] {
  const faults: string[] = [];
  const world = new Map<string, bigint>();
  const atPlace = new Map<string, bigint>();
  const clearing = new Map<string, bigint>();
  for (const { shard, entry } of lines) {
    const name = `${shard} line ${entry.seq} (${entry.cause})`;
    for (const { place, asset, amount } of entry.postings) {
      if (!Number.isSafeInteger(amount) || amount === 0) faults.push(`${name} moves ${amount} of ${asset}`);
      world.set(asset, (world.get(asset) ?? 0n) + BigInt(amount));
      const key = `${shard} ${place} ${asset}`;
      const balance = (atPlace.get(key) ?? 0n) + BigInt(amount);
      atPlace.set(key, balance);
      const isOwnPlace = place !== 'minted' && place !== 'burned' && place !== 'clearing';
      if (isOwnPlace && balance < 0n) faults.push(`${name} leaves ${balance} of ${asset} at ${place}`);
      if (place === 'clearing') clearing.set(`${entry.tx} ${asset}`, (clearing.get(`${entry.tx} ${asset}`) ?? 0n) + BigInt(amount));
    }
    for (const posting of entry.postings) {
      if (posting.asset !== 'gold' || !GOLD_PLACES.has(posting.place)) continue;
      const told = balanceAfter(entry, posting);
      const is = atPlace.get(`${shard} ${posting.place} gold`) ?? 0n;
      if (told === undefined || BigInt(told) !== is) faults.push(`${name} tells a balance of ${told} at ${posting.place}, where ${is} is`);
    }
    for (const [asset, sum] of world) if (sum !== 0n) faults.push(`after ${name} the world sums to ${sum} of ${asset}`);
  }
  if (isQuiet) for (const [key, sum] of clearing) if (sum !== 0n) faults.push(`the clearing account ${key} holds ${sum}`);
  return faults;
}

function faultsOfRows({ shard, rows }: Book, lines: readonly BookLine[]): readonly string[] {
  const faults: string[] = [];
  const expectSame = (what: string, byRows: number, byLedger: number): void => {
    if (byRows !== byLedger) faults.push(`${shard} has ${byRows} as ${what}, and ${byLedger} by the ledger`);
  };
  const goldAt = (place: Place): number => balances(lines, shard, place).get('gold') ?? 0;
  const [wallet] = rows('wallet');
  expectSame('spendable gold', numberAt(wallet, 'gold'), goldAt('wallet'));
  expectSame('held gold', numberAt(wallet, 'held'), goldAt('hold'));
  expectSame('unclaimed gold', numberAt(wallet, 'unclaimed'), goldAt('completed'));
  expectSame('the sum of its holds', sumOf(rows('hold'), 'gold'), goldAt('hold'));
  expectSame('the sum of its completed entries', sumOf(rows('completed'), 'gold'), goldAt('completed'));
  for (const [place, entity] of ITEM_TABLES) {
    const byRows = rows(entity).flatMap(itemsOf).toSorted();
    const byLedger = [...balances(lines, shard, place)].flatMap(([asset, amount]) =>
      asset.startsWith('item:') && amount === 1 ? [asset.slice(5)] : [],
    );
    expectSame(`items at ${place}: ${byRows.join(' ')}`, byRows.length, byLedger.length);
    if (byRows.join(' ') !== byLedger.toSorted().join(' ')) faults.push(`${shard} has other items at ${place} than the ledger says`);
  }
  for (const stack of rows('commodity')) {
    const asset: Asset = `commodity:${String(stack['commodity'])}`;
    expectSame(asset, numberAt(stack, 'quantity'), balances(lines, shard, 'stash').get(asset) ?? 0);
  }
  return faults;
}

function faultsOfItems(books: readonly Book[], lines: readonly BookLine[], isQuiet: boolean): readonly string[] {
  const placesByItem = new Map<string, string[]>();
  for (const { shard, rows } of books) {
    for (const [place, entity] of ITEM_TABLES) {
      for (const id of rows(entity).flatMap(itemsOf)) placesByItem.set(id, [...(placesByItem.get(id) ?? []), `${shard} ${place}`]);
    }
  }
  const faults = [...placesByItem].flatMap(([id, places]) => (places.length === 1 ? [] : [`item ${id} is at ${places.join(' and ')}`]));
  if (!isQuiet) return faults;
  const minted = new Set<string>();
  for (const { entry } of lines)
    for (const { place, asset } of entry.postings) if (place === 'minted' && asset.startsWith('item:')) minted.add(asset.slice(5));
  for (const id of minted) if (!placesByItem.has(id)) faults.push(`item ${id} is nowhere`);
  return faults;
}

const GOLD_PLACES: ReadonlySet<string> = new Set<Place>(['wallet', 'hold', 'escrow', 'completed']);
const ITEM_TABLES: readonly (readonly [Place, string])[] = [
  ['stash', 'item'],
  ['listed', 'listing'],
  ['completed', 'completed'],
];

function itemsOf(row: AnyRow): readonly string[] {
  const { item } = row;
  const value: unknown = item instanceof Json ? item.value : null;
  return typeof value === 'object' && value !== null && 'id' in value ? [String(value.id)] : [];
}

function sumOf(rows: readonly AnyRow[], column: string): number {
  return rows.reduce((sum, row) => sum + numberAt(row, column), 0);
}

function numberAt(row: AnyRow | undefined, column: string): number {
  const value = row?.[column];
  return typeof value === 'number' ? value : 0;
}
