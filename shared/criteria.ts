/**
 * What a search asks for, as data: criteria and sort order, with their schemas. What they mean is in `search.ts`.
 *
 * A criteria node asks for everything that it names at once. `any` holds if at least one of its nodes does, `none`
 * if no one does; an empty list is refused, since nobody could say what it means.
 */
import { z } from 'zod';
import { RARITIES } from './item.ts';
import { limits } from './limits.ts';
import { catalogWordSchema, durationSchema, goldSchema, integerSchema, textSchema, type DeepReadonly } from './schemas.ts';

/** Ends of a range, both included, of which either may be left out; the lower one is not above the other. */
const rangeShape = <Value extends z.ZodType<number>>(value: Value) => ({ min: value.exactOptional(), max: value.exactOptional() });
const isRange = ({ min = -Infinity, max = Infinity }: { readonly min?: number; readonly max?: number }): boolean => min <= max;
const RANGE_FAULT = 'must have a min that is not above its max';

const levelSchema = integerSchema(0, 1_000);
const statValueSchema = z.int();

const leafShape = {
  /** Exactly this item class. */
  itemClass: catalogWordSchema.exactOptional(),
  /** Any item class worn in this slot. */
  slot: catalogWordSchema.exactOptional(),
  /** One of these rarities. */
  rarity: z.array(z.enum(RARITIES)).min(1).max(RARITIES.length).exactOptional(),
  /** Item level, both ends included. */
  level: z.strictObject(rangeShape(levelSchema)).refine(isRange, RANGE_FAULT).exactOptional(),
  /** Item classes that this hero class can use. */
  heroClass: catalogWordSchema.exactOptional(),
  /** A part of the item's name; upper and lower case are alike in every script, and so are `i`, `İ` and `ı`. */
  name: textSchema(limits.textLengthMax).exactOptional(),
  /** Affix ids (or `dps`, `armor`) that the item must have, within these ends, both included. */
  stats: z
    .array(z.strictObject({ stat: catalogWordSchema, ...rangeShape(statValueSchema) }).refine(isRange, RANGE_FAULT))
    .max(limits.criteriaStatsMax)
    .exactOptional(),
  /** Has a buyout of at most this. */
  buyoutMax: goldSchema.exactOptional(),
  /** Ends within this span from now. */
  endsWithinMs: durationSchema.exactOptional(),
  /** Only the asking player's own listings. */
  seller: z.literal('me').exactOptional(),
};

/** `any` and `none` over nodes of that schema. */
const branchesOf = <Node extends z.ZodType>(node: Node) => {
  const branches = z.array(node).min(1).max(limits.criteriaBranchesMax).exactOptional();
  return { any: branches, none: branches };
};

const leafSchema = z.strictObject(leafShape);
const innerSchema = z.strictObject({ ...leafShape, ...branchesOf(leafSchema) });

/** Criteria from outside: at most `criteriaDepthMax` levels of branches and `criteriaNodesMax` nodes. */
export const criteriaSchema = z
  .strictObject({ ...leafShape, ...branchesOf(innerSchema) })
  .refine((criteria) => nodesOf(criteria) <= limits.criteriaNodesMax, `must have at most ${limits.criteriaNodesMax} nodes`);

type CriteriaLeaf = DeepReadonly<z.output<typeof leafSchema>>;

/** What a search asks for; a node without any field asks for everything. */
export interface Criteria extends CriteriaLeaf {
  readonly any?: readonly Criteria[];
  readonly none?: readonly Criteria[];
}

/** Stats that are no affix. */
export const STAT_WORDS = ['dps', 'armor'] as const;

/** Sort keys that are no affix. No affix may bear one of these names. */
export const SORT_WORDS = ['buyout', 'currentBid', 'endsAt', 'level', ...STAT_WORDS] as const;

/** How the answer is ordered: by one of the fixed keys or an affix id; listings without that value come last, either way. */
export const sortSchema = z.strictObject({
  by: z.union([z.enum(SORT_WORDS), catalogWordSchema]),
  descending: z.boolean().exactOptional(),
});

/** An order of listings. */
export type Sort = DeepReadonly<z.output<typeof sortSchema>>;

/** The order of an answer to a search that asks for none: cheapest first. */
export const SORT_CHEAPEST: Sort = { by: 'buyout' };

/** How many nodes a criteria tree has, itself included. */
function nodesOf(criteria: Criteria): number {
  return [...(criteria.any ?? []), ...(criteria.none ?? [])].reduce((count, node) => count + nodesOf(node), 1);
}
