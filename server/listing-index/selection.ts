/**
 * Which rows of a table meet criteria. A table is walked in blocks of slots that fit into the processor's nearest cache: within a block
 * one pass per condition over one column, each keeping the slots that the next one looks at. The condition that the fewest rows can meet
 * comes first. `matches` of the vocabulary is its twin.
 *
 * Each row that a pass looks at is counted: that is what a search costs (`search-cost.ts` says beforehand how much it can become).
 */
import { hashOf } from '#shared/hash.ts';
import type { Criteria } from '#shared/criteria.ts';
import { RARITIES } from '#shared/item.ts';
import { admitsClass, type SearchedClass } from '#shared/search.ts';
import type { Instant, ListingId, PlayerId } from '#shared/units.ts';
import type { ClassTable } from './class-table.ts';
import { NAME_COST } from './search-cost.ts';
import { BLOCK_SLOTS, type NumberColumn } from './number-column.ts';
import { sellerOf } from './row-packing.ts';

/** Levels of criteria nodes that can be under way at once, the top included; deeper ones would share memory. */
const LEVELS_MAX = 4;

/** The slots of a block, as a pass reads them when all are still there. */
const EVERY_SLOT = Int32Array.from({ length: BLOCK_SLOTS }, (_, slot) => slot);

/** What one search is about besides its criteria. */
export interface SelectionContext {
  readonly now: Instant;
  readonly self?: PlayerId;
  readonly classOf: (itemClass: string) => SearchedClass | undefined;
  /** One flag per name in the dictionary, 1 where it contains the fragment. */
  readonly namesContaining: (fragment: string) => Uint8Array;
  readonly idAt: (handle: number) => ListingId;
}

/** Takes the chosen slots of a block, the first `count` of `slots`, each counted from `base`; returns how many it has looked at. */
export type TakeBlock = (base: number, slots: Int32Array, count: number) => number;

/** One condition. All arrays of slots are as long as a block. */
interface Pass {
  /** Reads `count` slots of `from`, counted from `base`, writes those that stay to `to` (which may be `from`), and returns how many. */
  readonly keep: (base: number, from: Int32Array, count: number, to: Int32Array) => number;
  /** Which slots of the block that begins there can stay, if that is known without reading them. */
  readonly stay?: (base: number) => 'all' | 'some' | 'none';
}

/** Memory of one level of criteria nodes. */
interface Level {
  readonly slots: Int32Array;
  readonly flags: Uint8Array;
}

/** Chooses rows, one search at a time; its memory is used again by the next one. */
export class Selector {
  readonly #levels: readonly Level[] = Array.from({ length: LEVELS_MAX }, () => ({
    slots: new Int32Array(BLOCK_SLOTS),
    flags: new Uint8Array(BLOCK_SLOTS),
  }));
  #cost = 0;

  /** How many rows passes have looked at since the last `begin`, names looked at included. */
  get cost(): number {
    return this.#cost;
  }

  /** Begins a search, and makes what is common to all of its tables: a fragment of a name is looked up once. */
  begin(context: Omit<SelectionContext, 'namesContaining'>, lookUp: (fragment: string) => Uint8Array): SelectionContext {
    const known = new Map<string, Uint8Array>();
    const namesContaining = (fragment: string): Uint8Array => {
      const flags = known.get(fragment) ?? lookUp(fragment);
      if (!known.has(fragment)) this.#cost += flags.length * NAME_COST;
      known.set(fragment, flags);
      return flags;
    };
    this.#cost = 0;
    return { ...context, namesContaining };
  }

  /** Gives the rows that have not ended and meet the criteria to `take`, block by block, and returns how many there are. */
  select(criteria: Criteria, table: ClassTable, context: SelectionContext, take: TakeBlock): number {
    const passes = this.#passesOf(criteria, table, context, 0);
    if (passes === undefined) return 0;
    const { size } = table;
    const { slots } = this.#level(0);
    const all = [...passes, rangePass(table.endsAt, context.now + 1, Infinity, size)];
    let total = 0;
    for (let base = 0; base < size; base += BLOCK_SLOTS) {
      const count = this.#run(all, base, EVERY_SLOT, Math.min(BLOCK_SLOTS, size - base), slots);
      if (count === 0) continue;
      total += count;
      this.#cost += take(base, slots, count);
    }
    return total;
  }

  /** Runs passes one after the other over a block; every pass after the first works in place. */
  #run(passes: readonly Pass[], base: number, from: Int32Array, count: number, to: Int32Array): number {
    let [source, left] = [from, count];
    for (const pass of passes) {
      const stay = pass.stay?.(base);
      if (left === 0 || stay === 'none') return 0;
      if (stay === 'all') continue;
      this.#cost += left;
      left = pass.keep(base, source, left, to);
      source = to;
    }
    if (source !== to) to.set(source);
    return left;
  }

  /** The passes of a node, cheap and choosy ones first; `undefined` if no row of the table can meet it. */
  #passesOf(criteria: Criteria, table: ClassTable, context: SelectionContext, level: number): readonly Pass[] | undefined {
    if (!admitsClass(criteria, table.itemClass, context.classOf(table.itemClass))) return undefined;
    const { size } = table;
    const { stats = [], buyoutMax, level: levels, rarity, name, endsWithinMs, seller, any, none } = criteria;
    const byStats = statPasses(stats, table);
    const isOwn = seller === undefined || context.self !== undefined;
    if (byStats === undefined || !isOwn) return undefined;
    const byAny = any === undefined ? [] : this.#anyPasses(any, table, context, level);
    if (byAny === undefined) return undefined;
    return [
      ...byStats,
      ...(buyoutMax === undefined ? [] : [rangePass(table.buyout, 0, buyoutMax, size)]),
      ...(levels === undefined ? [] : [rangePass(table.level, levels.min ?? -Infinity, levels.max ?? Infinity, size)]),
      ...(rarity === undefined ? [] : [flagPass(table.rarities, flagsOf(rarity))]),
      ...(name === undefined ? [] : [flagPass(table.nameNumbers, context.namesContaining(name))]),
      ...(endsWithinMs === undefined ? [] : [rangePass(table.endsAt, -Infinity, context.now + endsWithinMs, size)]),
      ...(seller === undefined || context.self === undefined ? [] : [sellerPass(table, context.self, context)]),
      ...byAny,
      ...(none === undefined ? [] : this.#nonePasses(none, table, context, level)),
    ];
  }

  /** At least one of the nodes. */
  #anyPasses(nodes: readonly Criteria[], table: ClassTable, context: SelectionContext, level: number): readonly Pass[] | undefined {
    const branches = this.#branchesOf(nodes, table, context, level);
    // A node that asks for nothing more is met by all.
    if (branches.some((passes) => passes.length === 0)) return [];
    return branches.length === 0 ? undefined : [this.#branchPass(branches, level, 1)];
  }

  /** None of the nodes. */
  #nonePasses(nodes: readonly Criteria[], table: ClassTable, context: SelectionContext, level: number): readonly Pass[] {
    const branches = this.#branchesOf(nodes, table, context, level);
    if (branches.some((passes) => passes.length === 0)) return [nothing];
    return branches.length === 0 ? [] : [this.#branchPass(branches, level, 0)];
  }

  #branchesOf(nodes: readonly Criteria[], table: ClassTable, context: SelectionContext, level: number): readonly (readonly Pass[])[] {
    return nodes.flatMap((node) => {
      const passes = this.#passesOf(node, table, context, level + 1);
      return passes === undefined ? [] : [passes];
    });
  }

  /** Keeps what meets at least one of the branches, or, for `wanted` 0, none of them. */
  #branchPass(branches: readonly (readonly Pass[])[], level: number, wanted: 0 | 1): Pass {
    const { flags } = this.#level(level);
    const { slots } = this.#level(level + 1);
    const keep: Pass['keep'] = (base, from, count, to) => {
      flags.fill(1 - wanted);
      for (const passes of branches) {
        const met = this.#run(passes, base, from, count, slots);
        for (let index = 0; index < met; index += 1) flags[slots[index] ?? 0] = wanted;
      }
      let kept = 0;
      for (let index = 0; index < count; index += 1) {
        const slot = from[index] ?? 0;
        to[kept] = slot;
        kept += flags[slot] ?? 0;
      }
      return kept;
    };
    return { keep };
  }

  #level(level: number): Level {
    const found = this.#levels[level];
    if (found === undefined) throw new Error(`criteria of ${level + 1} levels`);
    return found;
  }
}

/** Nothing stays. */
const nothing: Pass = { keep: () => 0 };

/** One pass per stat, that of the rarest first; `undefined` if no row of the table has one of them. */
function statPasses(stats: NonNullable<Criteria['stats']>, table: ClassTable): readonly Pass[] | undefined {
  const ranges = stats.map(({ stat, min = -Infinity, max = Infinity }) => ({ column: table.stats.get(stat), min, max }));
  const present = ranges.flatMap(({ column, ...ends }) => (column === undefined || column.presentCount === 0 ? [] : [{ column, ...ends }]));
  if (present.length < ranges.length) return undefined;
  const rarestFirst = present.toSorted((a, b) => a.column.presentCount - b.column.presentCount);
  return rarestFirst.map(({ column, min, max }) => rangePass(column, min, max, table.size));
}

/** Keeps what has a value from `min` to `max`. */
function rangePass(column: NumberColumn, min: number, max: number, size: number): Pass {
  const [low, high] = column.rangeWithin(min, max);
  // One of a block without a value would not stay, whatever the others have.
  const isFull = column.presentCount === size;
  return {
    keep: (base, from, count, to) => keepRange(column, low, high, base, from, count, to),
    stay: (base) => {
      const [least, greatest] = [column.lowAt(base), column.highAt(base)];
      if (least > high || greatest < low) return 'none';
      return isFull && least >= low && greatest <= high ? 'all' : 'some';
    },
  };
}

/** Keeps the slots whose value is from `low` to `high`, ends that `rangeWithin` gave. */
export function keepRange(
  { values }: NumberColumn,
  low: number,
  high: number,
  ...[base, from, count, to]: Parameters<Pass['keep']>
): number {
  if (low > high) return 0;
  if (values instanceof Int32Array) return int32Range(values, low, high, base, from, count, to);
  return float64Range(values, low, high, base, from, count, to);
}

/**
 * Written twice, once per kind of array: a loop that has seen only one kind runs several times as fast. And without a branch, since a
 * processor that guesses wrong at every second row takes five times as long: a difference as an unsigned number is one comparison for
 * both ends, and a truth is added as a number.
 */
function int32Range(values: Int32Array, low: number, high: number, base: number, from: Int32Array, count: number, to: Int32Array): number {
  const first = low | 0;
  const span = (high - low) >>> 0;
  let kept = 0;
  for (let index = 0; index < count; index += 1) {
    const slot = from[index] ?? 0;
    const value = values[base + slot] ?? 0;
    to[kept] = slot;
    kept += Number((value - first) >>> 0 <= span);
  }
  return kept;
}

function float64Range(
  values: Float64Array,
  low: number,
  high: number,
  base: number,
  from: Int32Array,
  count: number,
  to: Int32Array,
): number {
  let kept = 0;
  for (let index = 0; index < count; index += 1) {
    const slot = from[index] ?? 0;
    const value = values[base + slot] ?? 0;
    to[kept] = slot;
    kept += Number(value >= low) & Number(value <= high);
  }
  return kept;
}

/** One flag per rarity. */
function flagsOf(wanted: NonNullable<Criteria['rarity']>): Uint8Array {
  return Uint8Array.from(RARITIES, (rarity) => (wanted.includes(rarity) ? 1 : 0));
}

/** Keeps the slots whose number in a column is flagged. */
function flagPass(numbers: Int32Array | Uint8Array, flags: Uint8Array): Pass {
  const keep: Pass['keep'] = (base, from, count, to) => {
    let kept = 0;
    for (let index = 0; index < count; index += 1) {
      const slot = from[index] ?? 0;
      to[kept] = slot;
      kept += flags[numbers[base + slot] ?? 0] ?? 0;
    }
    return kept;
  };
  return { keep };
}

/** Keeps the player's own: those of the same hash, and of these the ones whose id says so. */
function sellerPass(table: ClassTable, self: PlayerId, { idAt }: SelectionContext): Pass {
  const hash = hashOf(self);
  const { sellerHashes } = table;
  const keep: Pass['keep'] = (base, from, count, to) => {
    const left = int32Range(sellerHashes, hash, hash, base, from, count, to);
    let kept = 0;
    for (const slot of to.subarray(0, left)) {
      to[kept] = slot;
      kept += sellerOf(idAt(table.handles[base + slot] ?? -1)) === self ? 1 : 0;
    }
    return kept;
  };
  return { keep };
}
