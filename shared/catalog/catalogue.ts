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
/** A name that players read. One that is put together of several is cut short by whole words. */
const displayNameSchema = textSchema(limits.displayNameLengthMax);
const affixCountSchema = integerSchema(0, limits.affixesPerItemMax);

/** A derived number of a class: its middle value at item level 1 and at the highest level. */
export const growthSchema = z.strictObject({
  /** On an item of level 1. */
  first: integerSchema(1, 1_000_000),
  /** On an item of the highest level. */
  last: integerSchema(1, 1_000_000),
});

/** A class of items: the unit of a search column. */
export const itemClassSchema = z.strictObject({
  /** What items, bases and affixes call it; once in the list. */
  id: catalogWordSchema,
  /** What players call one of these; after a set's name it is the item's. */
  name: displayNameSchema,
  /** Where it is worn: one of `slots`. */
  slot: catalogWordSchema,
  /** The hero classes that can use it, of `heroClasses`; absent: all. */
  heroClasses: z.array(catalogWordSchema).min(1).max(50).exactOptional(),
  /** Damage per second in tenths, on weapons only. */
  dps: growthSchema.exactOptional(),
  /** Armor, on what protects only. */
  armor: growthSchema.exactOptional(),
  /** Names of legendary items of this class. */
  legendaryNames: z.array(displayNameSchema).min(1).max(200),
});

/** What an item is rolled from. Each class needs one that is not bound at each level. */
export const baseItemSchema = z.strictObject({
  /** What items call it; once in the list. */
  id: catalogWordSchema,
  /** The name of a common item of this base. */
  name: displayNameSchema,
  /** Its class, of `itemClasses`. */
  itemClass: catalogWordSchema,
  /** The lowest level of items that are rolled from it. */
  levelMin: levelSchema,
  /** The highest level of items that are rolled from it. */
  levelMax: levelSchema,
  /** Bound items are given by quests, never rolled as loot, and cannot be traded. */
  bound: z.literal(true).exactOptional(),
});

/** A property that items can roll. */
export const affixKindSchema = z.strictObject({
  /** What items and searches call it; once in the list, and no word that searches sort by. */
  id: catalogWordSchema,
  /** What players call it. */
  name: displayNameSchema,
  /** What its whole value counts: points, percent, or tenths of a percent. */
  unit: z.enum(['points', 'percent', 'permille']),
  /** The classes that can have it, of `itemClasses`. */
  itemClasses: z.array(catalogWordSchema).min(1).max(200),
  /** The words before the base's name, on a magic item that has it first. */
  prefix: displayNameSchema,
  /** The words after the base's name, on a magic item that has it second. */
  suffix: displayNameSchema,
  /** Ranges of the value by rising level: that of the last rank whose level is not above the item's counts. */
  ranks: z
    .array(z.strictObject({ level: levelSchema, min: integerSchema(1, 1_000_000), max: integerSchema(1, 1_000_000) }))
    .min(1)
    .max(100),
});

/** How items of one rarity are rolled. */
export const rarityRulesSchema = z.strictObject({
  /** How often it drops, against the other rarities. */
  weight: integerSchema(0, 1_000_000),
  /** The fewest affixes that it has. */
  affixesMin: affixCountSchema,
  /** The most affixes that it has; each class must have as many at level 1. */
  affixesMax: affixCountSchema,
  /** What its damage or armor is of the class's middle value, in percent. */
  powerPercent: integerSchema(1, 1_000),
});

/** A stackable good: one piece is like another. */
export const commoditySchema = z.strictObject({
  /** What stores call it; once in the list. */
  id: catalogWordSchema,
  /** What players call it. */
  name: displayNameSchema,
  /** What it is sorted under. */
  kind: catalogWordSchema,
});

/** The shape of a catalogue; `parse-catalogue.ts` also checks how its parts fit together. */
export const catalogueSchema = z.strictObject({
  /** The name of the catalogue. */
  name: textSchema(40),
  /** The highest item level. */
  levelMax: levelSchema,
  /** Where items are worn. */
  slots: z.array(catalogWordSchema).min(1).max(50),
  /** The hero classes of the game. */
  heroClasses: z.array(catalogWordSchema).min(1).max(50),
  /** How items of each rarity are rolled; at least one must have a weight. */
  rarities: z.strictObject({
    common: rarityRulesSchema,
    magic: rarityRulesSchema,
    rare: rarityRulesSchema,
    set: rarityRulesSchema,
    legendary: rarityRulesSchema,
  }),
  /** The classes of items. */
  itemClasses: z.array(itemClassSchema).min(1).max(200),
  /** What items are rolled from. */
  baseItems: z.array(baseItemSchema).min(1).max(5_000),
  /** What items can roll. */
  affixes: z.array(affixKindSchema).min(1).max(500),
  /** Rare items are named by one word of each list. */
  rareNames: z.strictObject({
    first: z.array(displayNameSchema).min(1).max(500),
    second: z.array(displayNameSchema).min(1).max(500),
  }),
  /** A set's name stands before the class's. */
  sets: z
    .array(z.strictObject({ id: catalogWordSchema, name: displayNameSchema }))
    .min(1)
    .max(500),
  /** The stackable goods. */
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
