/**
 * What a search costs. The unit is one row looked at by one condition, some two nanoseconds of the index's processor.
 *
 * What it has cost is counted as it runs. What it can cost at most is reckoned before it runs, from the sizes of tables and columns alone:
 * the first condition of a node looks at each row, the others at no more rows than have the rarest of its stats.
 */
import type { Criteria } from '#shared/criteria.ts';
import { admitsClass, type SearchedClass } from '#shared/search.ts';
import type { ClassTable } from './class-table.ts';

/** What it costs to look for a fragment in one name: it takes about as long as to look at so many rows. */
export const NAME_COST = 8;

/** What the cost of a search depends on besides its criteria. */
export interface CostFacts {
  readonly tables: readonly ClassTable[];
  /** Numbers of names, in use or not. */
  readonly names: number;
  readonly classOf: (itemClass: string) => SearchedClass | undefined;
}

/** The most that a search can cost. */
export function searchCostAtMost(criteria: Criteria, { tables, names, classOf }: CostFacts): number {
  let cost = fragmentsOf(criteria).size * names * NAME_COST;
  for (const table of tables) {
    const { looks, left } = looksAtMost(criteria, table, table.size, classOf(table.itemClass));
    // What is left is looked at twice more: whether it has ended, and whether it is among the first.
    cost += looks + 2 * left;
  }
  return cost;
}

/** The looks of a node at so many rows of a table, and how many of these can meet its conditions. */
function looksAtMost(
  node: Criteria,
  table: ClassTable,
  rows: number,
  known: SearchedClass | undefined,
): { readonly looks: number; readonly left: number } {
  const { stats = [], buyoutMax, level, rarity, name, endsWithinMs, seller, any, none } = node;
  if (!admitsClass(node, table.itemClass, known)) return { looks: 0, left: 0 };
  const left = Math.min(rows, ...stats.map(({ stat }) => table.stats.get(stat)?.presentCount ?? 0));
  const others = [buyoutMax, level, rarity, name, endsWithinMs, seller, any, none].filter((condition) => condition !== undefined);
  const conditions = stats.length + others.length;
  let looks = conditions === 0 ? 0 : rows + (conditions - 1) * left;
  for (const branch of [...(any ?? []), ...(none ?? [])]) looks += looksAtMost(branch, table, left, known).looks;
  return { looks, left };
}

/** The fragments of names that are asked for, each once. */
function fragmentsOf({ name, any = [], none = [] }: Criteria): ReadonlySet<string> {
  const fragments = new Set(name === undefined ? [] : [name]);
  for (const branch of [...any, ...none]) for (const fragment of fragmentsOf(branch)) fragments.add(fragment);
  return fragments;
}
