/**
 * The double-entry twin of the market: it knows no handler, adds up postings, and compares them
 * with what the features say that the rows hold.
 *
 * Checked: T7 on every prefix; the balance that a line tells of each of the player's accounts of
 * gold; nothing negative at any place at any time; every wallet's parts, every item and every stack
 * where the ledger says; every item in one place of the world; what was burned is what the fees
 * say.
 */
import type { ShardId } from '#shared/units.ts';
import type { Holding } from '../feature.ts';
import { testMarket } from './market-bench.ts';
import { balanceAfter, OWN_PLACES, type Place } from '../places.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import type { AnyRow } from '#server/shard/row.ts';

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

/**
 * Every fault of the books, as a sentence; none if all is well. `isQuiet` tells whether no trade is
 * under way.
 */
export function faultsOfBooks(books: readonly Book[], lines: readonly BookLine[], isQuiet: boolean): readonly string[] {
  return [...faultsOfLines(lines, isQuiet), ...books.flatMap((book) => faultsOfRows(book, lines)), ...faultsOfItems(books, lines, isQuiet)];
}

/** What the ledger says that there is at a place of a shard, by asset. */
export function balances(lines: readonly BookLine[], shard: ShardId, place: string): ReadonlyMap<string, number> {
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

/**
 * Sums over the whole world at the places of its edge: how much gold came in, and how much went
 * out.
 */
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
      if (OWN_PLACES.has(place) && balance < 0n) faults.push(`${name} leaves ${balance} of ${asset} at ${place}`);
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
  for (const place of OWN_PLACES) {
    const byLedger = balances(lines, shard, place);
    const byRows = new Map<string, number>();
    for (const holding of holdingsOf(rows)) {
      if (holding.place === place && holding.amount !== 0) byRows.set(holding.asset, (byRows.get(holding.asset) ?? 0) + holding.amount);
    }
    for (const asset of new Set([...byRows.keys(), ...byLedger.keys()])) {
      const [has, should] = [byRows.get(asset) ?? 0, byLedger.get(asset) ?? 0];
      if (has !== should) faults.push(`${shard} has ${has} of ${asset} at ${place}, and ${should} by the ledger`);
    }
  }
  const [wallet] = rows('wallet');
  for (const [part, entity] of [
    ['held', 'hold'],
    ['unclaimed', 'completed'],
  ] as const) {
    const [has, sum] = [numberAt(wallet, part), rows(entity).reduce((before, row) => before + numberAt(row, 'gold'), 0)];
    if (has !== sum) faults.push(`${shard} has ${has} ${part}, and its rows of ${entity} sum to ${sum}`);
  }
  return faults;
}

function faultsOfItems(books: readonly Book[], lines: readonly BookLine[], isQuiet: boolean): readonly string[] {
  const placesByItem = new Map<string, string[]>();
  for (const { shard, rows } of books) {
    for (const { asset, place } of holdingsOf(rows)) {
      // What is held is promised: until the outcome is heard, the other shard may have it already.
      if (!asset.startsWith('item:') || (place === 'hold' && !isQuiet)) continue;
      const id = asset.slice(5);
      placesByItem.set(id, [...(placesByItem.get(id) ?? []), `${shard} ${place}`]);
    }
  }
  const faults = [...placesByItem].flatMap(([id, places]) => (places.length === 1 ? [] : [`item ${id} is at ${places.join(' and ')}`]));
  if (!isQuiet) return faults;
  const entered = new Map<string, number>();
  for (const { entry } of lines)
    for (const { place, asset, amount } of entry.postings)
      if (asset.startsWith('item:') && (place === 'minted' || place === 'burned'))
        entered.set(asset.slice(5), (entered.get(asset.slice(5)) ?? 0) - amount);
  for (const [id, times] of entered) if (times > 0 !== placesByItem.has(id)) faults.push(`item ${id} is nowhere, or came from there`);
  return faults;
}

/** What the rows of a shard hold, by the word of the features. */
function holdingsOf(rows: Book['rows']): readonly Holding[] {
  return HOLDINGS.flatMap(({ entity, of }) => rows(entity.name).flatMap(of));
}

const HOLDINGS = testMarket().flatMap(({ holdings = [] }) => holdings);
const GOLD_PLACES: ReadonlySet<string> = new Set<Place>(['wallet', 'hold', 'escrow', 'completed']);

function numberAt(row: AnyRow | undefined, column: string): number {
  const value = row?.[column];
  return typeof value === 'number' ? value : 0;
}
