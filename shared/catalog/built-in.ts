/** The built-in catalogue: a world of our own invention, big enough to fill a market. */
import { AFFIXES } from './built-in-affixes.ts';
import { BASE_ITEMS, HERO_CLASSES, ITEM_CLASSES, LEVEL_MAX, SLOTS } from './built-in-classes.ts';
import type { Catalogue, Commodity } from './catalogue.ts';

/** Five kinds of gem in three cuts. */
const gems: readonly Commodity[] = ['Emberstone', 'Tidepearl', 'Thornjade', 'Duskopal', 'Sunquartz'].flatMap((gem) =>
  ['Raw', 'Cut', 'Kindled'].map((cut) => ({ id: `${cut}-${gem}`.toLowerCase(), name: `${cut} ${gem}`, kind: 'gem' })),
);

const dyes: readonly Commodity[] = ['Madder', 'Woad', 'Weld'].map((dye) => ({
  id: `${dye.toLowerCase()}-dye`,
  name: `${dye} Dye`,
  kind: 'dye',
}));

const materials: readonly Commodity[] = [
  { id: 'scrap-iron', name: 'Scrap Iron', kind: 'material' },
  { id: 'tempered-ingot', name: 'Tempered Ingot', kind: 'material' },
  { id: 'star-iron', name: 'Star Iron', kind: 'material' },
  { id: 'gleam-dust', name: 'Gleam Dust', kind: 'material' },
  { id: 'wisp-thread', name: 'Wisp Thread', kind: 'material' },
  { id: 'fossil-resin', name: 'Fossil Resin', kind: 'material' },
  { id: 'vellum-leaf', name: 'Vellum Leaf', kind: 'material' },
  { id: 'bottled-echo', name: 'Bottled Echo', kind: 'material' },
];

const reagents: readonly Commodity[] = [
  { id: 'mending-draught', name: 'Mending Draught', kind: 'potion' },
  { id: 'clarity-draught', name: 'Clarity Draught', kind: 'potion' },
  { id: 'wayfarers-tincture', name: 'Wayfarer’s Tincture', kind: 'potion' },
  { id: 'torn-plan', name: 'Torn Plan', kind: 'plan' },
];

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
  rareNames: {
    first: [
      'Grim',
      'Hollow',
      'Ashen',
      'Sable',
      'Brazen',
      'Gloam',
      'Rook',
      'Briar',
      'Marrow',
      'Thistle',
      'Widow',
      'Storm',
      'Cinder',
      'Fallow',
      'Drift',
      'Kestrel',
      'Onyx',
      'Salt',
      'Vesper',
      'Wyrd',
    ],
    second: [
      'Verdict',
      'Hold',
      'Vow',
      'Song',
      'Remnant',
      'Edge',
      'Tally',
      'Bargain',
      'Ward',
      'Echo',
      'Toll',
      'Gift',
      'Lament',
      'Wake',
      'Crest',
      'Knell',
      'Promise',
      'Spoke',
      'Mark',
      'Debt',
    ],
  },
  sets: [
    { id: 'karrow-vigil', name: 'Karrow’s Vigil' },
    { id: 'tidebound-regalia', name: 'Tidebound' },
    { id: 'ledger-of-nine', name: 'Ledger of Nine' },
    { id: 'ivels-silence', name: 'Ivel’s Silence' },
    { id: 'first-harvest', name: 'First Harvest' },
    { id: 'lamplighters-round', name: 'Lamplighter’s' },
  ],
  commodities: [...gems, ...dyes, ...materials, ...reagents],
};
