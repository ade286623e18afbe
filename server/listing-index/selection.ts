/**
 * Which rows of a table meet criteria: one pass per condition over one column, each keeping the slots that the next
 * one looks at. The condition that the fewest rows can meet comes first. `matches` of the vocabulary is its twin.
 */
import { hashOf } from '#shared/hash.ts';
import type { Criteria } from '#shared/criteria.ts';
import { RARITIES } from '#shared/item.ts';
import { admitsClass, type SearchContext } from '#shared/search.ts';
import type { ClassTable } from './class-table.ts';
import { grownCapacity, type NumberColumn } from './number-column.ts';
import { sellerOf } from './row-packing.ts';
import type { RowStore } from './row-store.ts';

/** Slots of a table that were chosen: the first `count` of the array. */
export interface Selection {
  readonly slots: Int32Array;
  readonly count: number;
}

/** What a selection needs besides the table. */
export interface SelectionContext extends SearchContext {
  readonly rows: RowStore;
}

/** A pass: reads `count` slots of `from`, writes those that stay to `to` (which may be `from`), returns how many. */
type Pass = (from: Int32Array, count: number, to: Int32Array) => number;

/** Chooses rows of one table at a time; its memory is used again by the next call. */
export class Selector {
  #all = new Int32Array(0);
  #chosen = new Int32Array(0);

  /** The rows that have not ended and meet the criteria; valid until the next call. */
  select(criteria: Criteria, table: ClassTable, context: SelectionContext): Selection {
    if (!admitsClass(criteria, table.itemClass, context.itemClasses)) return { slots: this.#chosen, count: 0 };
    this.#reserve(table.size);
    const passes = [...passesOf(criteria, table, context), rangePass(table.endsAt, context.now + 1, Infinity)];
    return { slots: this.#chosen, count: run(passes, this.#all, table.size, this.#chosen) };
  }

  #reserve(size: number): void {
    const capacity = grownCapacity(this.#all.length, size);
    if (capacity === this.#all.length) return;
    this.#all = Int32Array.from({ length: capacity }, (_, slot) => slot);
    this.#chosen = new Int32Array(capacity);
  }
}

/** Runs passes one after the other; every pass after the first works in place. */
function run(passes: readonly Pass[], from: Int32Array, count: number, to: Int32Array): number {
  let [source, left] = [from, count];
  for (const pass of passes) {
    if (left === 0) return 0;
    left = pass(source, left, to);
    source = to;
  }
  return left;
}

/** The passes of criteria whose class is admitted, cheap and choosy ones first. */
function passesOf(criteria: Criteria, table: ClassTable, context: SelectionContext): readonly Pass[] {
  const { stats, buyoutMax, level, rarity, name, endsWithinMs, seller, any, none } = criteria;
  return [
    ...(stats === undefined ? [] : statPasses(stats, table)),
    ...(buyoutMax === undefined ? [] : [rangePass(table.buyout, 0, buyoutMax)]),
    ...(level === undefined ? [] : [rangePass(table.level, level.min ?? -Infinity, level.max ?? Infinity)]),
    ...(rarity === undefined ? [] : [rarityPass(table, rarity)]),
    ...(name === undefined ? [] : [flagPass(table.nameNumbers, context.rows.names.containing(name))]),
    ...(endsWithinMs === undefined ? [] : [rangePass(table.endsAt, -Infinity, context.now + endsWithinMs)]),
    ...(seller === undefined ? [] : [sellerPass(table, context)]),
    ...(any === undefined ? [] : [branchPass(any, table, context, true)]),
    ...(none === undefined ? [] : [branchPass(none, table, context, false)]),
  ];
}

/** Nothing stays. */
const nothing: Pass = () => 0;

function statPasses(stats: NonNullable<Criteria['stats']>, table: ClassTable): readonly Pass[] {
  const ranges = stats.map(({ stat, min = -Infinity, max = Infinity }) => ({ column: table.stats.get(stat), min, max }));
  return ranges
    .toSorted((a, b) => (a.column?.presentCount ?? 0) - (b.column?.presentCount ?? 0))
    .map(({ column, min, max }) => (column === undefined ? nothing : rangePass(column, min, max)));
}

/** Keeps what has a value from `min` to `max`. The array is looked up when the pass runs, since columns grow. */
function rangePass(column: NumberColumn, min: number, max: number): Pass {
  const [low, high] = column.rangeWithin(min, max);
  return (from, count, to) => {
    const { values } = column;
    return values instanceof Int32Array ? int32Range(values, low, high, from, count, to) : float64Range(values, low, high, from, count, to);
  };
}

/** Written twice, once per kind of array: a loop that has seen only one kind runs several times as fast. */
function int32Range(values: Int32Array, low: number, high: number, from: Int32Array, count: number, to: Int32Array): number {
  let kept = 0;
  for (let index = 0; index < count; index += 1) {
    const slot = from[index] ?? 0;
    const value = values[slot] ?? 0;
    to[kept] = slot;
    kept += value >= low && value <= high ? 1 : 0;
  }
  return kept;
}

function float64Range(values: Float64Array, low: number, high: number, from: Int32Array, count: number, to: Int32Array): number {
  let kept = 0;
  for (let index = 0; index < count; index += 1) {
    const slot = from[index] ?? 0;
    const value = values[slot] ?? 0;
    to[kept] = slot;
    kept += value >= low && value <= high ? 1 : 0;
  }
  return kept;
}

function rarityPass({ rarities }: ClassTable, wanted: NonNullable<Criteria['rarity']>): Pass {
  return flagPass(
    rarities,
    Uint8Array.from(RARITIES, (rarity) => (wanted.includes(rarity) ? 1 : 0)),
  );
}

/** Keeps the slots whose number in a column is flagged. */
function flagPass(numbers: Int32Array | Uint8Array, flags: Uint8Array): Pass {
  return (from, count, to) => {
    let kept = 0;
    for (let index = 0; index < count; index += 1) {
      const slot = from[index] ?? 0;
      const number = numbers[slot] ?? 0;
      to[kept] = slot;
      kept += flags[number] ?? 0;
    }
    return kept;
  };
}

/** Keeps the asking player's own rows: first by hash, then, for the few that are left, by name. */
function sellerPass(table: ClassTable, { self, rows }: SelectionContext): Pass {
  if (self === undefined) return nothing;
  const hash = hashOf(self);
  return (from, count, to) => {
    const left = int32Range(table.sellerHashes, hash, hash, from, count, to);
    let kept = 0;
    for (const slot of to.subarray(0, left)) {
      to[kept] = slot;
      kept += sellerOf(rows.idAt(table.handles[slot] ?? -1)) === self ? 1 : 0;
    }
    return kept;
  };
}

/** Keeps what meets at least one of the nodes, or, for `wanted` false, none of them. */
function branchPass(nodes: readonly Criteria[], table: ClassTable, context: SelectionContext, wanted: boolean): Pass {
  const admitted = nodes.filter((node) => admitsClass(node, table.itemClass, context.itemClasses));
  const passesByNode = admitted.map((node) => passesOf(node, table, context));
  return (from, count, to) => {
    const flags = new Uint8Array(table.size).fill(wanted ? 0 : 1);
    for (const passes of passesByNode) {
      const chosen = from.slice(0, count);
      const left = run(passes, chosen, count, chosen);
      for (const slot of chosen.subarray(0, left)) flags[slot] = wanted ? 1 : 0;
    }
    let kept = 0;
    for (let index = 0; index < count; index += 1) {
      const slot = from[index] ?? 0;
      to[kept] = slot;
      kept += flags[slot] ?? 0;
    }
    return kept;
  };
}
