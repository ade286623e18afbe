/**
 * The catalogue: what exists in a world that can be owned. Classes of items, their bases, the affixes that they can
 * roll, the words of their names, and the commodities. It is data, the same on every node; items refer to it by id.
 *
 * A catalogue changes with the game. Items outlive it: an item whose base or affix is no longer known keeps all
 * that it has, and can be had and bought as before; it can only no longer be put up for sale.
 */
import { z } from 'zod';
import type { Item } from '../item.ts';
import { limits } from '../limits.ts';
import { catalogWordSchema, integerSchema, textSchema, type Parsed } from '../schemas.ts';

/** The highest item level that a catalogue may use. */
const LEVEL_MAX = 1_000;
const levelSchema = integerSchema(1, LEVEL_MAX);
const displayNameSchema = textSchema(limits.displayNameLengthMax);
const affixCountSchema = integerSchema(0, limits.affixesPerItemMax);

/** A derived number of a class: its middle value at item level 1 and at the highest level. */
const growthSchema = z.strictObject({ first: integerSchema(1, 1_000_000), last: integerSchema(1, 1_000_000) });

const itemClassSchema = z.strictObject({
  id: catalogWordSchema,
  name: displayNameSchema,
  /** Where it is worn. */
  slot: catalogWordSchema,
  /** The hero classes that can use it; absent: all. */
  heroClasses: z.array(catalogWordSchema).min(1).max(50).exactOptional(),
  /** Damage per second in tenths, on weapons only. */
  dps: growthSchema.exactOptional(),
  /** Armor, on what protects only. */
  armor: growthSchema.exactOptional(),
  /** Names of legendary items of this class. */
  legendaryNames: z.array(displayNameSchema).min(1).max(200),
});

const baseItemSchema = z.strictObject({
  id: catalogWordSchema,
  name: displayNameSchema,
  itemClass: catalogWordSchema,
  levelMin: levelSchema,
  levelMax: levelSchema,
  /** Bound items are given by quests, never rolled as loot, and cannot be traded. */
  bound: z.literal(true).exactOptional(),
});

const affixKindSchema = z.strictObject({
  id: catalogWordSchema,
  name: displayNameSchema,
  /** What its whole value counts: points, percent, or tenths of a percent. */
  unit: z.enum(['points', 'percent', 'permille']),
  itemClasses: z.array(catalogWordSchema).min(1).max(200),
  /** A word before the base's name, and one after it, for items named by their affixes. */
  prefix: textSchema(14),
  suffix: textSchema(20),
  /** Ranges of the value: that of the last rank whose level is not above the item's counts. */
  ranks: z
    .array(z.strictObject({ level: levelSchema, min: integerSchema(1, 1_000_000), max: integerSchema(1, 1_000_000) }))
    .min(1)
    .max(100),
});

const rarityRulesSchema = z.strictObject({
  /** How often it drops, against the other rarities. */
  weight: integerSchema(0, 1_000_000),
  affixesMin: affixCountSchema,
  affixesMax: affixCountSchema,
  /** What its damage or armor is of the class's middle value, in percent. */
  powerPercent: integerSchema(1, 1_000),
});

const commoditySchema = z.strictObject({
  id: catalogWordSchema,
  name: displayNameSchema,
  kind: catalogWordSchema,
});

/** The shape of a catalogue; `parse-catalogue.ts` also checks how its parts fit together. */
export const catalogueSchema = z.strictObject({
  name: textSchema(40),
  levelMax: levelSchema,
  slots: z.array(catalogWordSchema).min(1).max(50),
  heroClasses: z.array(catalogWordSchema).min(1).max(50),
  rarities: z.strictObject({
    common: rarityRulesSchema,
    magic: rarityRulesSchema,
    rare: rarityRulesSchema,
    set: rarityRulesSchema,
    legendary: rarityRulesSchema,
  }),
  itemClasses: z.array(itemClassSchema).min(1).max(200),
  baseItems: z.array(baseItemSchema).min(1).max(5_000),
  affixes: z.array(affixKindSchema).min(1).max(500),
  /** Rare items are named by one word of each list. */
  rareNames: z.strictObject({ first: z.array(textSchema(20)).min(1).max(500), second: z.array(textSchema(20)).min(1).max(500) }),
  /** A set's name stands before the class's. */
  sets: z
    .array(z.strictObject({ id: catalogWordSchema, name: displayNameSchema }))
    .min(1)
    .max(500),
  commodities: z.array(commoditySchema).max(5_000),
});

/** Everything that can be owned in a world. */
export type Catalogue = Parsed<typeof catalogueSchema>;
/** A class of items, such as swords: the unit of a search column. */
export type ItemClass = Catalogue['itemClasses'][number];
/** What an item was rolled from. */
export type BaseItem = Catalogue['baseItems'][number];
/** A property that items can roll. */
export type AffixKind = Catalogue['affixes'][number];
/** A stackable good: one piece is like another. */
export type Commodity = Catalogue['commodities'][number];

/**
 * The question whether an item can be put up for sale: its base is known, of the item's class and not bound, and nothing on it is
 * unknown. A catalogue may have 5,000 bases and is asked at every posting: they are looked up, not walked.
 */
export function tradability(catalogue: Catalogue): (item: Item) => boolean {
  const tradable = catalogue.baseItems.filter((base) => base.bound !== true);
  const classByBase = new Map(tradable.map((base) => [base.id, base.itemClass]));
  const affixes = new Set(catalogue.affixes.map((kind) => kind.id));
  return (item) => classByBase.get(item.baseId) === item.itemClass && item.affixes.every((affix) => affixes.has(affix.id));
}

/** The range of an affix's value on an item of that level, or `undefined` if it cannot be on one. */
export function affixRange(kind: AffixKind, level: number): AffixKind['ranks'][number] | undefined {
  return kind.ranks.findLast((rank) => rank.level <= level);
}

/** The affixes that an item of that class and level can have, in the catalogue's order. */
export function affixesFor(catalogue: Catalogue, itemClass: string, level: number): readonly AffixKind[] {
  return catalogue.affixes.filter((kind) => kind.itemClasses.includes(itemClass) && affixRange(kind, level) !== undefined);
}

/** The bases that loot of that class and level is rolled from. */
export function basesFor(catalogue: Catalogue, itemClass: string, level: number): readonly BaseItem[] {
  return catalogue.baseItems.filter(
    (base) => base.itemClass === itemClass && base.bound !== true && base.levelMin <= level && level <= base.levelMax,
  );
}
