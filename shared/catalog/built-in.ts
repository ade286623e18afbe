/** The built-in catalogue: a world of our own invention, big enough to fill a market. */
import { AFFIXES } from './built-in-affixes.ts';
import { BASE_ITEMS, HERO_CLASSES, ITEM_CLASSES, LEVEL_MAX, SLOTS } from './built-in-classes.ts';
import type { Catalogue, Commodity } from './catalogue.ts';

/** Commodities by kind. The id of each follows from its name: `wayfarers-tincture`. */
const COMMODITY_NAMES: Readonly<Record<string, readonly string[]>> = {
  gem: ['Emberstone', 'Tidepearl', 'Thornjade', 'Duskopal', 'Sunquartz'].flatMap((gem) =>
    ['Raw', 'Cut', 'Kindled'].map((cut) => `${cut} ${gem}`),
  ),
  dye: ['Madder Dye', 'Woad Dye', 'Weld Dye'],
  material: ['Scrap Iron', 'Tempered Ingot', 'Star Iron', 'Gleam Dust', 'Wisp Thread', 'Fossil Resin', 'Vellum Leaf', 'Bottled Echo'],
  potion: ['Mending Draught', 'Clarity Draught', 'Wayfarer’s Tincture'],
  plan: ['Torn Plan'],
};

const COMMODITIES: readonly Commodity[] = Object.entries(COMMODITY_NAMES).flatMap(([kind, names]) =>
  names.map((name) => ({ id: name.toLowerCase().replaceAll('’', '').replaceAll(' ', '-'), name, kind })),
);

/** Rare items are called by one of each. */
const FIRST_WORDS =
  'Grim Hollow Ashen Sable Brazen Gloam Rook Briar Marrow Thistle Widow Storm Cinder Fallow Drift Kestrel Onyx Salt Vesper Wyrd';
const SECOND_WORDS = 'Verdict Hold Vow Song Remnant Edge Tally Bargain Ward Echo Toll Gift Lament Wake Crest Knell Promise Spoke Mark Debt';

/** 25 item classes, 102 bases, 40 affixes, 30 commodities; levels 1 to 70. */
export const BUILT_IN_CATALOGUE: Catalogue = {
  name: 'Gildhall',
  levelMax: LEVEL_MAX,
  slots: SLOTS,
  heroClasses: HERO_CLASSES,
  rarities: {
    common: { weight: 30, affixesMin: 0, affixesMax: 0, powerPercent: 90 },
    magic: { weight: 38, affixesMin: 1, affixesMax: 2, powerPercent: 100 },
    rare: { weight: 24, affixesMin: 3, affixesMax: 5, powerPercent: 110 },
    set: { weight: 3, affixesMin: 4, affixesMax: 6, powerPercent: 118 },
    legendary: { weight: 5, affixesMin: 5, affixesMax: 7, powerPercent: 122 },
  },
  itemClasses: ITEM_CLASSES,
  baseItems: BASE_ITEMS,
  affixes: AFFIXES,
  rareNames: { first: FIRST_WORDS.split(' '), second: SECOND_WORDS.split(' ') },
  sets: [
    { id: 'karrow-vigil', name: 'Karrow’s Vigil' },
    { id: 'tidebound-regalia', name: 'Tidebound' },
    { id: 'ledger-of-nine', name: 'Ledger of Nine' },
    { id: 'ivels-silence', name: 'Ivel’s Silence' },
    { id: 'first-harvest', name: 'First Harvest' },
    { id: 'lamplighters-round', name: 'Lamplighter’s' },
  ],
  commodities: COMMODITIES,
};
