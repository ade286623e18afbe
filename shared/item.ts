/**
 * What can be traded, as every part of Gavel sees it. Items are immutable: a trade moves them,
 * never changes them.
 */
import { z } from 'zod';
import { limits } from './limits.ts';
import { catalogWordSchema, integerSchema, itemIdSchema, textSchema, type Parsed } from './schemas.ts';

/** Rarities, from common to best. */
export const RARITIES = ['common', 'magic', 'rare', 'set', 'legendary'] as const;
/** One of the five rarities. */
export type Rarity = (typeof RARITIES)[number];

const statSchema = integerSchema(0, limits.statValueMax);

/** One rolled item, as `Item` says. */
export const itemSchema = z.strictObject({
  id: itemIdSchema,
  baseId: catalogWordSchema,
  itemClass: catalogWordSchema,
  name: textSchema(limits.displayNameLengthMax),
  rarity: z.enum(RARITIES),
  level: integerSchema(1, 1_000),
  /** Rolled properties: each with the affix's id in the catalogue, and its whole value. */
  affixes: z
    .array(z.strictObject({ id: catalogWordSchema, value: integerSchema(-limits.statValueMax, limits.statValueMax) }))
    .max(limits.affixesPerItemMax),
  /** Damage per second in tenths, on weapons only. */
  dps: statSchema.exactOptional(),
  /** Only on what protects. */
  armor: statSchema.exactOptional(),
});

/** One rolled item. */
export type Item = Parsed<typeof itemSchema>;
/** One rolled property of an item. */
export type Affix = Item['affixes'][number];
