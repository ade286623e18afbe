/** Loot from a seed: same catalogue, same seed, same items, on every machine. */
import { RARITIES, type Affix, type Item, type Rarity } from '../item.ts';
import { limits } from '../limits.ts';
import { createPrng, type Prng } from '../prng.ts';
import { quantity, type ItemId, type Quantity } from '../units.ts';
import { affixesFor, affixRange, basesFor, type AffixKind, type BaseItem, type Catalogue, type ItemClass } from './catalogue.ts';

/** What is asked of a roll; what is left out is rolled too. */
export interface RollRequest {
  readonly id: ItemId;
  readonly level: number;
  readonly itemClass?: string;
  readonly rarity?: Rarity;
}

/**
 * Rolls one item: class, rarity by weight, base by level, as many different affixes as the rarity has, values within
 * their ranks, damage or armor within 15 % of the class's middle, and a name. Throws `RangeError` if the catalogue
 * has no such class or level.
 */
export function rollItem(catalogue: Catalogue, prng: Prng, request: RollRequest): Item {
  const { level } = request;
  if (!Number.isInteger(level) || level < 1 || level > catalogue.levelMax) throw new RangeError(`no item has level ${level}`);
  const itemClass =
    request.itemClass === undefined
      ? prng.pick(catalogue.itemClasses)
      : catalogue.itemClasses.find((each) => each.id === request.itemClass);
  if (itemClass === undefined) throw new RangeError(`no item class ${request.itemClass}`);
  const rarity = request.rarity ?? prng.pickWeighted(RARITIES, (each) => catalogue.rarities[each].weight);
  const base = prng.pick(basesFor(catalogue, itemClass.id, level));
  const { affixesMin, affixesMax, powerPercent } = catalogue.rarities[rarity];
  const kinds = prng.shuffle(affixesFor(catalogue, itemClass.id, level)).slice(0, prng.integer(affixesMin, affixesMax));
  const power = (powerPercent / 100) * (prng.integer(850, 1_150) / 1_000);
  return {
    id: request.id,
    baseId: base.id,
    itemClass: itemClass.id,
    name: nameOf(catalogue, prng, { itemClass, rarity, base, kinds }),
    rarity,
    level,
    affixes: kinds.map((kind) => rollAffix(prng, kind, level)),
    ...(itemClass.dps === undefined ? {} : { dps: derived(itemClass.dps, level, catalogue.levelMax, power) }),
    ...(itemClass.armor === undefined ? {} : { armor: derived(itemClass.armor, level, catalogue.levelMax, power) }),
  };
}

/** Items for a new player or a test. `idOf` gives each its world-wide id; levels are spread over the whole catalogue unless given. */
export interface LootRequest {
  readonly seed: string | number;
  readonly count: number;
  readonly idOf: (index: number) => ItemId;
  readonly levelMin?: number;
  readonly levelMax?: number;
}

/** That many items from a seed; throws `RangeError` for levels that the catalogue does not have. */
export function lootFor(catalogue: Catalogue, request: LootRequest): readonly Item[] {
  const prng = createPrng(request.seed);
  const levelMin = request.levelMin ?? 1;
  const levelMax = request.levelMax ?? catalogue.levelMax;
  return Array.from({ length: request.count }, (_, index) =>
    rollItem(catalogue, prng, { id: request.idOf(index), level: prng.integer(levelMin, levelMax) }),
  );
}

/** Different commodities from a seed, each with a quantity of 1 to `quantityMax`; fewer if the catalogue has fewer. */
export function commoditiesFor(
  catalogue: Catalogue,
  request: { readonly seed: string | number; readonly count: number; readonly quantityMax: number },
): readonly { readonly commodity: string; readonly quantity: Quantity }[] {
  const prng = createPrng(request.seed);
  return prng
    .shuffle(catalogue.commodities)
    .slice(0, request.count)
    .map(({ id }) => ({ commodity: id, quantity: quantity(prng.integer(1, request.quantityMax)) }));
}

function rollAffix(prng: Prng, kind: AffixKind, level: number): Affix {
  const range = affixRange(kind, level);
  if (range === undefined) throw new RangeError(`affix ${kind.id} has no rank at level ${level}`);
  return { id: kind.id, value: prng.integer(range.min, range.max) };
}

/** A number between first and last that grows with the square of the level, times the roll; at least 1. */
function derived(growth: { readonly first: number; readonly last: number }, level: number, levelMax: number, power: number): number {
  const share = levelMax === 1 ? 1 : ((level - 1) / (levelMax - 1)) ** 2;
  return Math.max(1, Math.round((growth.first + (growth.last - growth.first) * share) * power));
}

interface Naming {
  readonly itemClass: ItemClass;
  readonly rarity: Rarity;
  readonly base: BaseItem;
  readonly kinds: readonly AffixKind[];
}

function nameOf(catalogue: Catalogue, prng: Prng, { itemClass, rarity, base, kinds }: Naming): string {
  switch (rarity) {
    case 'common':
      return base.name;
    case 'magic': {
      const [first, second] = kinds;
      const prefixed = first === undefined ? base.name : `${first.prefix} ${base.name}`;
      return firstThatFits(second === undefined ? prefixed : `${prefixed} ${second.suffix}`, prefixed, base.name);
    }
    case 'rare': {
      const first = prng.pick(catalogue.rareNames.first);
      return firstThatFits(`${first} ${prng.pick(catalogue.rareNames.second)}`, first);
    }
    case 'set': {
      const { name } = prng.pick(catalogue.sets);
      return firstThatFits(`${name} ${itemClass.name}`, name);
    }
    case 'legendary':
      return prng.pick(itemClass.legendaryNames);
  }
}

/** The first of some names that is not too long for an item; the last one fits for sure. */
function firstThatFits(...names: readonly string[]): string {
  return names.find((name) => name.length <= limits.displayNameLengthMax) ?? '';
}
