/** A catalogue from outside: its shape by zod, then how its parts must fit together. Each fault is one clause that names the place. */
import { SORT_WORDS } from '../criteria.ts';
import { RARITIES } from '../item.ts';
import { faultOf } from '../schemas.ts';
import { catalogueSchema, type AffixKind, type BaseItem, type Catalogue, type ItemClass } from './catalogue.ts';

/** A catalogue from outside that cannot be used; the message is one clause that names the place. */
export class CatalogueError extends Error {
  override readonly name = 'CatalogueError';
}

/** The catalogue that a file's content (already read as JSON) holds; throws `CatalogueError` on the first fault. */
export function parseCatalogue(content: unknown): Catalogue {
  const parsed = catalogueSchema.safeParse(content);
  if (!parsed.success) throw new CatalogueError(faultOf(parsed.error));
  for (const fault of contradictionsIn(parsed.data)) throw new CatalogueError(fault);
  return parsed.data;
}

/** Every fault of a catalogue whose shape is right, in the order of its parts; none means that any roll succeeds. */
function* contradictionsIn(catalogue: Catalogue): Generator<string> {
  yield* repeats('slots', catalogue.slots);
  yield* repeats('heroClasses', catalogue.heroClasses);
  for (const part of ['itemClasses', 'baseItems', 'affixes', 'sets', 'commodities'] as const) {
    yield* repeats(
      part,
      catalogue[part].map((each) => each.id),
    );
  }
  yield* rarityFaults(catalogue);
  for (const itemClass of catalogue.itemClasses) yield* itemClassFaults(catalogue, itemClass);
  for (const base of catalogue.baseItems) yield* baseFaults(catalogue, base);
  for (const kind of catalogue.affixes) yield* affixFaults(catalogue, kind);
}

function* repeats(part: string, ids: readonly string[]): Generator<string> {
  const seen = new Set<string>();
  for (const id of ids) {
    if (seen.has(id)) yield `${part}: ${id} is there twice`;
    seen.add(id);
  }
}

function* rarityFaults({ rarities }: Catalogue): Generator<string> {
  for (const rarity of RARITIES) {
    if (rarities[rarity].affixesMin > rarities[rarity].affixesMax) yield `rarities.${rarity}: affixesMin must not be above affixesMax`;
  }
  if (RARITIES.every((rarity) => rarities[rarity].weight === 0)) yield 'rarities: at least one must have a weight';
}

function* itemClassFaults(catalogue: Catalogue, itemClass: ItemClass): Generator<string> {
  const place = `itemClasses: ${itemClass.id}`;
  if (!catalogue.slots.includes(itemClass.slot)) yield `${place} has the unknown slot ${itemClass.slot}`;
  for (const hero of itemClass.heroClasses ?? []) {
    if (!catalogue.heroClasses.includes(hero)) yield `${place} has the unknown hero class ${hero}`;
  }
  const bases = catalogue.baseItems.filter((base) => base.itemClass === itemClass.id && base.bound !== true);
  for (let level = 1; level <= catalogue.levelMax; level += 1) {
    if (!bases.some((base) => base.levelMin <= level && level <= base.levelMax)) {
      yield `${place} has no base item at level ${level}`;
      break;
    }
  }
  const most = Math.max(...RARITIES.map((rarity) => catalogue.rarities[rarity].affixesMax));
  const usable = catalogue.affixes.filter((kind) => kind.itemClasses.includes(itemClass.id) && kind.ranks.some((rank) => rank.level === 1));
  if (usable.length < most) yield `${place} can have ${usable.length} affixes at level 1, but an item may need ${most}`;
}

function* baseFaults(catalogue: Catalogue, base: BaseItem): Generator<string> {
  const place = `baseItems: ${base.id}`;
  if (!catalogue.itemClasses.some((itemClass) => itemClass.id === base.itemClass))
    yield `${place} has the unknown item class ${base.itemClass}`;
  if (base.levelMin > base.levelMax) yield `${place} has a levelMin above its levelMax`;
}

function* affixFaults(catalogue: Catalogue, kind: AffixKind): Generator<string> {
  const place = `affixes: ${kind.id}`;
  const reserved: readonly string[] = SORT_WORDS;
  if (reserved.includes(kind.id)) yield `${place} has a name that searches use for something else`;
  for (const id of kind.itemClasses) {
    if (!catalogue.itemClasses.some((itemClass) => itemClass.id === id)) yield `${place} has the unknown item class ${id}`;
  }
  yield* repeats(`${place}.itemClasses`, kind.itemClasses);
  for (const [index, rank] of kind.ranks.entries()) {
    const before = kind.ranks[index - 1];
    if (rank.min > rank.max) yield `${place} has a min above its max at level ${rank.level}`;
    if (before !== undefined && before.level >= rank.level) yield `${place} has ranks out of order at level ${rank.level}`;
  }
}
