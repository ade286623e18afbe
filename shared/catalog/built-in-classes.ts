/** The built-in catalogue's item classes and their bases. */
import type { BaseItem, ItemClass } from './catalogue.ts';

/** The highest item level of the built-in catalogue. */
export const LEVEL_MAX = 70;

/** The five heroes of the built-in catalogue. */
export const HERO_CLASSES = ['reaver', 'warden', 'stalker', 'arcanist', 'oracle'] as const;

type Growth = NonNullable<ItemClass['dps']>;

interface ClassRow {
  readonly id: string;
  readonly name: string;
  readonly slot: string;
  readonly heroClasses?: NonNullable<ItemClass['heroClasses']>;
  readonly dps?: Growth;
  readonly armor?: Growth;
  /** Bases from the lowest levels to the highest. */
  readonly bases: readonly [string, string, string, string];
  readonly legendaryNames: readonly string[];
}

const dps = (first: number, last: number): { readonly dps: Growth } => ({ dps: { first, last } });
const armor = (first: number, last: number): { readonly armor: Growth } => ({ armor: { first, last } });
const heroes = (...heroClasses: readonly (typeof HERO_CLASSES)[number][]) => ({ heroClasses });

const rows: readonly ClassRow[] = [
  {
    id: 'sword',
    name: 'Sword',
    slot: 'main-hand',
    ...dps(45, 11_800),
    bases: ['Militia Blade', 'Tidewrought Sword', 'Gildhall Sabre', 'Starfall Blade'],
    legendaryNames: ['Orrin’s Last Word', 'Cindertongue', 'The Patient Edge'],
  },
  {
    id: 'axe',
    name: 'Axe',
    slot: 'main-hand',
    ...dps(48, 12_000),
    bases: ['Woodward Hatchet', 'Notched Axe', 'Karrow Cleaver', 'Moonbite Axe'],
    legendaryNames: ['Splinterwake', 'Hewer of Oaths', 'Red Harvest Moon'],
  },
  {
    id: 'mace',
    name: 'Mace',
    slot: 'main-hand',
    ...dps(46, 11_900),
    bases: ['Drover’s Cudgel', 'Flanged Mace', 'Bellfounder Mace', 'Worldanvil Mace'],
    legendaryNames: ['Old Argument', 'The Quiet Bell', 'Gravelsong'],
  },
  {
    id: 'dagger',
    name: 'Dagger',
    slot: 'main-hand',
    ...dps(42, 11_200),
    bases: ['Fisher’s Knife', 'Rondel', 'Duskmarket Dirk', 'Veilthorn Dagger'],
    legendaryNames: ['Small Mercy', 'Whisper of Ivel', 'Threadcutter'],
  },
  {
    id: 'wand',
    name: 'Wand',
    slot: 'main-hand',
    ...heroes('arcanist', 'oracle'),
    ...dps(40, 11_000),
    bases: ['Hazel Wand', 'Corded Wand', 'Glasswright Wand', 'Emberheart Wand'],
    legendaryNames: ['Lantern of Sums', 'The Eleventh Finger', 'Pale Instructor'],
  },
  {
    id: 'sickle',
    name: 'Sickle',
    slot: 'main-hand',
    ...heroes('oracle', 'stalker'),
    ...dps(42, 11_300),
    bases: ['Reed Sickle', 'Bramble Sickle', 'Gleaner’s Hook', 'Nightharvest Sickle'],
    legendaryNames: ['Crescent of Maru', 'Last Sheaf', 'Thorn Calendar'],
  },
  {
    id: 'greatsword',
    name: 'Greatsword',
    slot: 'two-hand',
    ...heroes('reaver', 'warden'),
    ...dps(70, 15_600),
    bases: ['Levy Greatsword', 'Ferryman’s Longblade', 'Bannerhall Greatsword', 'Dawnsplitter'],
    legendaryNames: ['Kingless', 'The Long Answer', 'Horizon’s Edge'],
  },
  {
    id: 'maul',
    name: 'Maul',
    slot: 'two-hand',
    ...heroes('reaver', 'warden'),
    ...dps(72, 15_800),
    bases: ['Quarry Maul', 'Ironhead Maul', 'Bridgebreaker', 'Mountainheart Maul'],
    legendaryNames: ['Avalanche Clause', 'Foundation', 'Grandmother Stone'],
  },
  {
    id: 'spear',
    name: 'Spear',
    slot: 'two-hand',
    ...dps(66, 15_000),
    bases: ['Boar Spear', 'Barbed Pike', 'Reefwatch Spear', 'Skypiercer'],
    legendaryNames: ['Heron’s Patience', 'Tollkeeper', 'The Ninth Wave'],
  },
  {
    id: 'bow',
    name: 'Bow',
    slot: 'two-hand',
    ...heroes('stalker'),
    ...dps(62, 14_600),
    bases: ['Ashwood Bow', 'Horn Bow', 'Fenwalker Bow', 'Galestring Bow'],
    legendaryNames: ['Far Regret', 'Starling’s Argument', 'Windowmaker'],
  },
  {
    id: 'crossbow',
    name: 'Crossbow',
    slot: 'two-hand',
    ...heroes('stalker'),
    ...dps(68, 15_200),
    bases: ['Gate Crossbow', 'Cranked Arbalest', 'Siegewright Crossbow', 'Thunderlatch'],
    legendaryNames: ['Punctuation', 'Vow of Hollin', 'Clockwork Wasp'],
  },
  {
    id: 'stave',
    name: 'Stave',
    slot: 'two-hand',
    ...heroes('arcanist', 'oracle'),
    ...dps(60, 14_200),
    bases: ['Pilgrim’s Stave', 'Knotted Stave', 'Tidecaller Stave', 'Auroral Stave'],
    legendaryNames: ['Root of Evening', 'The Unfinished Map', 'Weathervane'],
  },
  {
    id: 'shield',
    name: 'Shield',
    slot: 'off-hand',
    ...heroes('warden', 'reaver'),
    ...armor(24, 1_450),
    bases: ['Plank Shield', 'Bossed Shield', 'Harbour Wall', 'Sunward Aegis'],
    legendaryNames: ['Door of Karrow', 'Second Chance', 'The Unmoved'],
  },
  {
    id: 'quiver',
    name: 'Quiver',
    slot: 'off-hand',
    ...heroes('stalker'),
    ...armor(6, 320),
    bases: ['Hide Quiver', 'Banded Quiver', 'Kestrel Quiver', 'Stormfeather Quiver'],
    legendaryNames: ['Bottomless Grudge', 'Swallow’s Nest', 'Hundred Answers'],
  },
  {
    id: 'focus',
    name: 'Focus',
    slot: 'off-hand',
    ...heroes('arcanist', 'oracle'),
    ...armor(5, 300),
    bases: ['Clouded Lens', 'Etched Orb', 'Astrolabe', 'Voidglass Focus'],
    legendaryNames: ['Eye of the Accountant', 'Captive Noon', 'The Small Sea'],
  },
  {
    id: 'helm',
    name: 'Helm',
    slot: 'head',
    ...armor(12, 760),
    bases: ['Padded Cap', 'Kettle Helm', 'Crested Helm', 'Crown of Rime'],
    legendaryNames: ['Thoughtkeeper', 'The Heavy Hour', 'Magpie’s Crown'],
  },
  {
    id: 'mantle',
    name: 'Mantle',
    slot: 'shoulders',
    ...armor(10, 640),
    bases: ['Burlap Mantle', 'Studded Spaulders', 'Ravenmail Mantle', 'Cliffguard Mantle'],
    legendaryNames: ['Burden of Ilsa', 'Twin Gulls', 'Weight of Water'],
  },
  {
    id: 'cuirass',
    name: 'Cuirass',
    slot: 'chest',
    ...armor(20, 1_050),
    bases: ['Quilted Coat', 'Ringed Hauberk', 'Fluted Cuirass', 'Heartwood Plate'],
    legendaryNames: ['Oathskin', 'The Standing Tide', 'Coat of Many Debts'],
  },
  {
    id: 'gauntlets',
    name: 'Gauntlets',
    slot: 'hands',
    ...armor(9, 560),
    bases: ['Work Gloves', 'Riveted Gauntlets', 'Falconer’s Gauntlets', 'Starforge Gauntlets'],
    legendaryNames: ['Light Fingers', 'Grip of Ondar', 'The Firm Handshake'],
  },
  {
    id: 'bracers',
    name: 'Bracers',
    slot: 'wrists',
    ...armor(7, 420),
    bases: ['Cord Bracers', 'Splinted Bracers', 'Scrivener’s Cuffs', 'Comet Bracers'],
    legendaryNames: ['Interest and Principal', 'Wrists of Wren', 'Quicksilver Vow'],
  },
  {
    id: 'girdle',
    name: 'Girdle',
    slot: 'waist',
    ...armor(8, 480),
    bases: ['Rope Belt', 'Buckled Girdle', 'Harbourmaster’s Belt', 'Serpentine Girdle'],
    legendaryNames: ['Cinch of Plenty', 'The Narrow Road', 'Brackwater Knot'],
  },
  {
    id: 'greaves',
    name: 'Greaves',
    slot: 'legs',
    ...armor(14, 820),
    bases: ['Canvas Leggings', 'Plated Greaves', 'Marchwarden Greaves', 'Glacier Greaves'],
    legendaryNames: ['Seven Leagues', 'Standfast', 'Stork’s Inheritance'],
  },
  {
    id: 'boots',
    name: 'Boots',
    slot: 'feet',
    ...armor(9, 540),
    bases: ['Straw Boots', 'Nailed Boots', 'Saltroad Boots', 'Zephyr Boots'],
    legendaryNames: ['Footnotes', 'Borrowed Haste', 'Path of Least'],
  },
  {
    id: 'amulet',
    name: 'Amulet',
    slot: 'neck',
    bases: ['Bone Charm', 'Copper Amulet', 'Tideglass Pendant', 'Suncatcher'],
    legendaryNames: ['Locket of the Fourth Sister', 'Held Breath', 'The Bright Excuse'],
  },
  {
    id: 'ring',
    name: 'Ring',
    slot: 'finger',
    bases: ['Tin Ring', 'Braided Ring', 'Signet of Gildhall', 'Eclipse Band'],
    legendaryNames: ['Promise of Tam', 'Compound Interest', 'The Closed Circle'],
  },
];

/** Levels of the four bases of a class: they overlap, so that two kinds drop at most levels. */
const baseLevels: readonly (readonly [levelMin: number, levelMax: number])[] = [
  [1, 20],
  [12, 42],
  [30, 62],
  [50, LEVEL_MAX],
];

/** The slots that items are worn in. */
export const SLOTS: readonly string[] = [...new Set(rows.map((row) => row.slot))];

/** The 25 item classes. */
export const ITEM_CLASSES: readonly ItemClass[] = rows.map(({ bases: _bases, ...itemClass }) => itemClass);

/** Four bases for each class, and two bound ones that quests give. */
export const BASE_ITEMS: readonly BaseItem[] = [
  ...rows.flatMap((row) =>
    row.bases.map((name, index): BaseItem => {
      const [levelMin, levelMax] = baseLevels[index] ?? [1, LEVEL_MAX];
      return { id: `${row.id}-${index + 1}`, name, itemClass: row.id, levelMin, levelMax };
    }),
  ),
  { id: 'pilgrims-band', name: 'Pilgrim’s Band', itemClass: 'ring', levelMin: 1, levelMax: LEVEL_MAX, bound: true },
  { id: 'founders-charm', name: 'Founder’s Charm', itemClass: 'amulet', levelMin: 1, levelMax: LEVEL_MAX, bound: true },
];
