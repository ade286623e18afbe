import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { itemSchema, RARITIES } from '../item.ts';
import { limits } from '../limits.ts';
import { createPrng } from '../prng.ts';
import { itemId } from '../units.ts';
import { BUILT_IN_CATALOGUE as catalogue } from './built-in.ts';
import { affixRange, tradability } from './catalogue.ts';
import { commoditiesFor, lootFor, rollItem } from './loot.ts';
import { CatalogueError, parseCatalogue } from './parse-catalogue.ts';

/** The built-in catalogue with one part replaced, as a file would hold it. */
const changed = (part: Readonly<Record<string, unknown>>): unknown => structuredClone({ ...catalogue, ...part });

const [firstClass, ...otherClasses] = catalogue.itemClasses;
const [firstBase, ...otherBases] = catalogue.baseItems;
const [firstAffix, ...otherAffixes] = catalogue.affixes;

const faults: readonly (readonly [part: Readonly<Record<string, unknown>>, sentence: string])[] = [
  [{ colour: 'red' }, 'unknown field "colour"'],
  [{ levelMax: 0 }, 'levelMax: Too small: expected number to be >=1'],
  [{ itemClasses: [{ ...firstClass, slot: 'tail' }, ...otherClasses] }, 'itemClasses: sword has the unknown slot tail'],
  [{ itemClasses: [{ ...firstClass, heroClasses: ['bard'] }, ...otherClasses] }, 'itemClasses: sword has the unknown hero class bard'],
  [{ itemClasses: [firstClass, ...catalogue.itemClasses] }, 'itemClasses: sword is there twice'],
  [{ baseItems: otherBases }, 'itemClasses: sword has no base item at level 1'],
  [{ levelMax: 71 }, 'itemClasses: sword has no base item at level 71'],
  [
    { baseItems: [{ ...firstBase, itemClass: 'lute' }, ...catalogue.baseItems.map((base) => ({ ...base, id: `${base.id}x` }))] },
    'baseItems: sword-1 has the unknown item class lute',
  ],
  [{ affixes: [{ ...firstAffix, id: 'dps' }, ...otherAffixes] }, 'affixes: dps has a name that searches use for something else'],
  [
    { affixes: [{ ...firstAffix, itemClasses: [...(firstAffix?.itemClasses ?? []), 'lute'] }, ...otherAffixes] },
    'affixes: might has the unknown item class lute',
  ],
  [
    { affixes: [{ ...firstAffix, ranks: [{ level: 1, min: 3, max: 2 }] }, ...otherAffixes] },
    'affixes: might has a min above its max at level 1',
  ],
  [{ affixes: catalogue.affixes.slice(0, 5) }, 'itemClasses: sword can have 4 affixes at level 1, but an item may need 7'],
  [
    { rarities: { ...catalogue.rarities, magic: { ...catalogue.rarities.magic, affixesMin: 3 } } },
    'rarities.magic: affixesMin must not be above affixesMax',
  ],
];

describe('a catalogue file', () => {
  it('may be the built-in catalogue itself', () => {
    expect(parseCatalogue(JSON.parse(JSON.stringify(catalogue)))).toEqual(catalogue);
  });

  it('may have names of 64 characters, and items are named by as much as fits', () => {
    const long = (name: string): string => name.padEnd(64, '!');
    const named = parseCatalogue(
      changed({
        itemClasses: catalogue.itemClasses.map((each) => ({
          ...each,
          name: long(each.name),
          legendaryNames: each.legendaryNames.map(long),
        })),
        baseItems: catalogue.baseItems.map((each) => ({ ...each, name: long(each.name) })),
        affixes: catalogue.affixes.map((each) => ({ ...each, name: long(each.name) })),
        sets: catalogue.sets.map((each) => ({ ...each, name: long(each.name) })),
        commodities: catalogue.commodities.map((each) => ({ ...each, name: long(each.name) })),
      }),
    );
    for (const item of lootFor(named, { seed: 'long names', count: 200, idOf: (index) => itemId(`item-${index}`) })) {
      expect(itemSchema.safeParse(item).error).toBeUndefined();
    }
    expect(() => parseCatalogue(changed({ commodities: [{ ...catalogue.commodities[0], name: `${long('')}!` }] }))).toThrow(
      'commodities[0].name',
    );
  });

  it.each(faults)('is refused with one clause that names the place: %#', (part, sentence) => {
    expect(() => parseCatalogue(changed(part))).toThrow(new CatalogueError(sentence));
  });
});

describe('the built-in catalogue', () => {
  it('is as large as a game needs', () => {
    expect(catalogue.itemClasses).toHaveLength(25);
    expect(catalogue.affixes).toHaveLength(40);
    expect(catalogue.commodities).toHaveLength(30);
    expect(catalogue.baseItems).toHaveLength(102);
  });

  it('names no two things alike', () => {
    const names = [
      ...catalogue.baseItems.map((base) => base.name),
      ...catalogue.itemClasses.flatMap((itemClass) => itemClass.legendaryNames),
      ...catalogue.commodities.map((commodity) => commodity.name),
    ];
    expect(new Set(names).size).toBe(names.length);
  });
});

const isTradable = tradability(catalogue);

const rolls = fc.record({
  seed: fc.string(),
  level: fc.integer({ min: 1, max: catalogue.levelMax }),
  itemClass: fc.constantFrom(...catalogue.itemClasses.map((itemClass) => itemClass.id)),
  rarity: fc.constantFrom(...RARITIES),
});

describe('a rolled item', () => {
  it('is what was asked for, within every range of the catalogue, and tradable', () => {
    fc.assert(
      fc.property(rolls, ({ seed, ...wanted }) => {
        const item = rollItem(catalogue, createPrng(seed), { id: itemId('one'), ...wanted });
        expect(item).toMatchObject(wanted);
        expect(itemSchema.parse(item)).toEqual(item);
        expect(isTradable(item)).toBe(true);
        const { affixesMin, affixesMax } = catalogue.rarities[wanted.rarity];
        expect(item.affixes.length >= affixesMin && item.affixes.length <= affixesMax).toBe(true);
        expect(new Set(item.affixes.map((affix) => affix.id)).size).toBe(item.affixes.length);
        for (const affix of item.affixes) {
          const kind = catalogue.affixes.find((each) => each.id === affix.id);
          const range = kind === undefined ? undefined : affixRange(kind, wanted.level);
          expect(kind?.itemClasses).toContain(wanted.itemClass);
          expect(affix.value >= (range?.min ?? Infinity) && affix.value <= (range?.max ?? -Infinity)).toBe(true);
        }
        const base = catalogue.baseItems.find((each) => each.id === item.baseId);
        expect(base?.itemClass).toBe(wanted.itemClass);
        expect((base?.levelMin ?? Infinity) <= wanted.level && wanted.level <= (base?.levelMax ?? -Infinity)).toBe(true);
      }),
    );
  });

  it('has damage only on weapons and armor only on what protects', () => {
    for (const itemClass of catalogue.itemClasses) {
      const item = rollItem(catalogue, createPrng(itemClass.id), { id: itemId('one'), level: 70, itemClass: itemClass.id });
      expect([item.dps !== undefined, item.armor !== undefined]).toEqual([itemClass.dps !== undefined, itemClass.armor !== undefined]);
    }
  });

  it('is refused for a level or a class that the catalogue does not have', () => {
    const prng = createPrng(1);
    for (const level of [0, 71, 1.5, NaN]) expect(() => rollItem(catalogue, prng, { id: itemId('one'), level })).toThrow(RangeError);
    expect(() => rollItem(catalogue, prng, { id: itemId('one'), level: 1, itemClass: 'lute' })).toThrow(RangeError);
  });
});

describe('loot', () => {
  const loot = (seed: string) => lootFor(catalogue, { seed, count: 50, idOf: (index) => itemId(`loot-${index}`) });

  it('is the same for the same seed, and other for another', () => {
    fc.assert(
      fc.property(fc.string(), (seed) => {
        expect(loot(seed)).toEqual(loot(seed));
        expect(loot(seed)).not.toEqual(loot(`${seed}x`));
      }),
      { numRuns: 20 },
    );
  });

  it('drops rarities about as often as they weigh', () => {
    const items = lootFor(catalogue, { seed: 'many', count: 20_000, idOf: (index) => itemId(`loot-${index}`) });
    for (const rarity of RARITIES) {
      const share = items.filter((item) => item.rarity === rarity).length / items.length;
      expect(share).toBeCloseTo(catalogue.rarities[rarity].weight / 100, 1);
    }
    expect(new Set(items.map((item) => item.itemClass)).size).toBe(25);
  });

  it('gives different commodities, each within its quantity', () => {
    const goods = commoditiesFor(catalogue, { seed: 'ada', count: 6, quantityMax: 100 });
    expect(new Set(goods.map((good) => good.commodity)).size).toBe(6);
    expect(goods.every((good) => good.quantity >= 1 && good.quantity <= 100)).toBe(true);
  });
});

describe('names as long as players may read', () => {
  const long = 'x'.repeat(limits.displayNameLengthMax);
  const named = <Entry extends object>(entries: readonly Entry[]) => entries.map((entry) => ({ ...entry, name: long }));
  const longest = parseCatalogue({
    ...catalogue,
    itemClasses: named(catalogue.itemClasses),
    baseItems: named(catalogue.baseItems),
    affixes: catalogue.affixes.map((kind) => ({ ...kind, prefix: long, suffix: long })),
    rareNames: { first: [long], second: [long] },
    sets: named(catalogue.sets),
  });

  it('make items whose names are not longer', () => {
    for (const rarity of RARITIES) {
      expect(itemSchema.parse(rollItem(longest, createPrng(rarity), { id: itemId('one'), level: 70, rarity })).rarity).toBe(rarity);
    }
  });

  it('of 65 are refused', () => {
    expect(() => parseCatalogue({ ...catalogue, sets: [{ id: 'set', name: `${long}x` }] })).toThrow(CatalogueError);
  });
});

describe('an item from another catalogue', () => {
  it('cannot be traded: unknown base, unknown affix, other class, bound', () => {
    const item = rollItem(catalogue, createPrng(1), { id: itemId('one'), level: 70, itemClass: 'ring', rarity: 'rare' });
    expect(isTradable(item)).toBe(true);
    expect(isTradable({ ...item, baseId: 'old-ring' })).toBe(false);
    expect(isTradable({ ...item, affixes: [{ id: 'gone', value: 1 }] })).toBe(false);
    expect(isTradable({ ...item, itemClass: 'helm' })).toBe(false);
    expect(isTradable({ ...item, baseId: 'pilgrims-band' })).toBe(false);
  });
});
