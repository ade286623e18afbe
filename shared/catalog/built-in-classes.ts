/** The built-in catalogue's item classes and their bases. */
import type { BaseItem, ItemClass } from './catalogue.ts';

/** The highest item level of the built-in catalogue. */
export const LEVEL_MAX = 70;

/** The five heroes of the built-in catalogue. */
export const HERO_CLASSES = ['reaver', 'warden', 'stalker', 'arcanist', 'oracle'] as const;

type ClassRow = readonly [
  id: string,
  name: string,
  slot: string,
  { readonly heroClasses?: readonly (typeof HERO_CLASSES)[number][]; readonly dps?: Growth; readonly armor?: Growth },
];
type Growth = NonNullable<ItemClass['dps']>;

const growth = (first: number, last: number): Growth => ({ first, last });

const rows = [
  ['sword', 'Sword', 'main-hand', { dps: growth(45, 11_800) }],
  ['axe', 'Axe', 'main-hand', { dps: growth(48, 12_000) }],
  ['mace', 'Mace', 'main-hand', { dps: growth(46, 11_900) }],
  ['dagger', 'Dagger', 'main-hand', { dps: growth(42, 11_200) }],
  ['wand', 'Wand', 'main-hand', { heroClasses: ['arcanist', 'oracle'], dps: growth(40, 11_000) }],
  ['sickle', 'Sickle', 'main-hand', { heroClasses: ['oracle', 'stalker'], dps: growth(42, 11_300) }],
  ['greatsword', 'Greatsword', 'two-hand', { heroClasses: ['reaver', 'warden'], dps: growth(70, 15_600) }],
  ['maul', 'Maul', 'two-hand', { heroClasses: ['reaver', 'warden'], dps: growth(72, 15_800) }],
  ['spear', 'Spear', 'two-hand', { dps: growth(66, 15_000) }],
  ['bow', 'Bow', 'two-hand', { heroClasses: ['stalker'], dps: growth(62, 14_600) }],
  ['crossbow', 'Crossbow', 'two-hand', { heroClasses: ['stalker'], dps: growth(68, 15_200) }],
  ['stave', 'Stave', 'two-hand', { heroClasses: ['arcanist', 'oracle'], dps: growth(60, 14_200) }],
  ['shield', 'Shield', 'off-hand', { heroClasses: ['warden', 'reaver'], armor: growth(24, 1_450) }],
  ['quiver', 'Quiver', 'off-hand', { heroClasses: ['stalker'], armor: growth(6, 320) }],
  ['focus', 'Focus', 'off-hand', { heroClasses: ['arcanist', 'oracle'], armor: growth(5, 300) }],
  ['helm', 'Helm', 'head', { armor: growth(12, 760) }],
  ['mantle', 'Mantle', 'shoulders', { armor: growth(10, 640) }],
  ['cuirass', 'Cuirass', 'chest', { armor: growth(20, 1_050) }],
  ['gauntlets', 'Gauntlets', 'hands', { armor: growth(9, 560) }],
  ['bracers', 'Bracers', 'wrists', { armor: growth(7, 420) }],
  ['girdle', 'Girdle', 'waist', { armor: growth(8, 480) }],
  ['greaves', 'Greaves', 'legs', { armor: growth(14, 820) }],
  ['boots', 'Boots', 'feet', { armor: growth(9, 540) }],
  ['amulet', 'Amulet', 'neck', {}],
  ['ring', 'Ring', 'finger', {}],
] as const satisfies readonly ClassRow[];

type ClassId = (typeof rows)[number][0];

/** Bases from the lowest levels to the highest. */
const BASE_NAMES: Readonly<Record<ClassId, readonly [string, string, string, string]>> = {
  sword: ['Militia Blade', 'Tidewrought Sword', 'Gildhall Sabre', 'Starfall Blade'],
  axe: ['Woodward Hatchet', 'Notched Axe', 'Karrow Cleaver', 'Moonbite Axe'],
  mace: ['Drover’s Cudgel', 'Flanged Mace', 'Bellfounder Mace', 'Worldanvil Mace'],
  dagger: ['Fisher’s Knife', 'Rondel', 'Duskmarket Dirk', 'Veilthorn Dagger'],
  wand: ['Hazel Wand', 'Corded Wand', 'Glasswright Wand', 'Emberheart Wand'],
  sickle: ['Reed Sickle', 'Bramble Sickle', 'Gleaner’s Hook', 'Nightharvest Sickle'],
  greatsword: ['Levy Greatsword', 'Ferryman’s Longblade', 'Bannerhall Greatsword', 'Dawnsplitter'],
  maul: ['Quarry Maul', 'Ironhead Maul', 'Bridgebreaker', 'Mountainheart Maul'],
  spear: ['Boar Spear', 'Barbed Pike', 'Reefwatch Spear', 'Skypiercer'],
  bow: ['Ashwood Bow', 'Horn Bow', 'Fenwalker Bow', 'Galestring Bow'],
  crossbow: ['Gate Crossbow', 'Cranked Arbalest', 'Siegewright Crossbow', 'Thunderlatch'],
  stave: ['Pilgrim’s Stave', 'Knotted Stave', 'Tidecaller Stave', 'Auroral Stave'],
  shield: ['Plank Shield', 'Bossed Shield', 'Harbour Wall', 'Sunward Aegis'],
  quiver: ['Hide Quiver', 'Banded Quiver', 'Kestrel Quiver', 'Stormfeather Quiver'],
  focus: ['Clouded Lens', 'Etched Orb', 'Astrolabe', 'Voidglass Focus'],
  helm: ['Padded Cap', 'Kettle Helm', 'Crested Helm', 'Crown of Rime'],
  mantle: ['Burlap Mantle', 'Studded Spaulders', 'Ravenmail Mantle', 'Cliffguard Mantle'],
  cuirass: ['Quilted Coat', 'Ringed Hauberk', 'Fluted Cuirass', 'Heartwood Plate'],
  gauntlets: ['Work Gloves', 'Riveted Gauntlets', 'Falconer’s Gauntlets', 'Starforge Gauntlets'],
  bracers: ['Cord Bracers', 'Splinted Bracers', 'Scrivener’s Cuffs', 'Comet Bracers'],
  girdle: ['Rope Belt', 'Buckled Girdle', 'Harbourmaster’s Belt', 'Serpentine Girdle'],
  greaves: ['Canvas Leggings', 'Plated Greaves', 'Marchwarden Greaves', 'Glacier Greaves'],
  boots: ['Straw Boots', 'Nailed Boots', 'Saltroad Boots', 'Zephyr Boots'],
  amulet: ['Bone Charm', 'Copper Amulet', 'Tideglass Pendant', 'Suncatcher'],
  ring: ['Tin Ring', 'Braided Ring', 'Signet of Gildhall', 'Eclipse Band'],
};

const LEGENDARY_NAMES: Readonly<Record<ClassId, readonly string[]>> = {
  sword: ['Orrin’s Last Word', 'Cindertongue', 'The Patient Edge'],
  axe: ['Splinterwake', 'Hewer of Oaths', 'Red Harvest Moon'],
  mace: ['Old Argument', 'The Quiet Bell', 'Gravelsong'],
  dagger: ['Small Mercy', 'Whisper of Ivel', 'Threadcutter'],
  wand: ['Lantern of Sums', 'The Eleventh Finger', 'Pale Instructor'],
  sickle: ['Crescent of Maru', 'Last Sheaf', 'Thorn Calendar'],
  greatsword: ['Kingless', 'The Long Answer', 'Horizon’s Edge'],
  maul: ['Avalanche Clause', 'Foundation', 'Grandmother Stone'],
  spear: ['Heron’s Patience', 'Tollkeeper', 'The Ninth Wave'],
  bow: ['Far Regret', 'Starling’s Argument', 'Windowmaker'],
  crossbow: ['Punctuation', 'Vow of Hollin', 'Clockwork Wasp'],
  stave: ['Root of Evening', 'The Unfinished Map', 'Weathervane'],
  shield: ['Door of Karrow', 'Second Chance', 'The Unmoved'],
  quiver: ['Bottomless Grudge', 'Swallow’s Nest', 'Hundred Answers'],
  focus: ['Eye of the Accountant', 'Captive Noon', 'The Small Sea'],
  helm: ['Thoughtkeeper', 'The Heavy Hour', 'Magpie’s Crown'],
  mantle: ['Burden of Ilsa', 'Twin Gulls', 'Weight of Water'],
  cuirass: ['Oathskin', 'The Standing Tide', 'Coat of Many Debts'],
  gauntlets: ['Light Fingers', 'Grip of Ondar', 'The Firm Handshake'],
  bracers: ['Interest and Principal', 'Wrists of Wren', 'Quicksilver Vow'],
  girdle: ['Cinch of Plenty', 'The Narrow Road', 'Brackwater Knot'],
  greaves: ['Seven Leagues', 'Standfast', 'Stork’s Inheritance'],
  boots: ['Footnotes', 'Borrowed Haste', 'Path of Least'],
  amulet: ['Locket of the Fourth Sister', 'Held Breath', 'The Bright Excuse'],
  ring: ['Promise of Tam', 'Compound Interest', 'The Closed Circle'],
};

/** Levels of the four bases of a class: they overlap, so that two kinds drop at most levels. */
const baseLevels: readonly (readonly [levelMin: number, levelMax: number])[] = [
  [1, 20],
  [12, 42],
  [30, 62],
  [50, LEVEL_MAX],
];

/** The slots that items are worn in. */
export const SLOTS: readonly string[] = [...new Set(rows.map(([, , slot]) => slot))];

/** The 25 item classes. */
export const ITEM_CLASSES: readonly ItemClass[] = rows.map(([id, name, slot, more]) => {
  return { id, name, slot, ...more, legendaryNames: LEGENDARY_NAMES[id] };
});

/** Four bases for each class, and two bound ones that quests give. */
export const BASE_ITEMS: readonly BaseItem[] = [
  ...rows.flatMap(([itemClass]) =>
    BASE_NAMES[itemClass].map((name, index): BaseItem => {
      const [levelMin, levelMax] = baseLevels[index] ?? [1, LEVEL_MAX];
      return { id: `${itemClass}-${index + 1}`, name, itemClass, levelMin, levelMax };
    }),
  ),
  { id: 'pilgrims-band', name: 'Pilgrim’s Band', itemClass: 'ring', levelMin: 1, levelMax: LEVEL_MAX, bound: true },
  { id: 'founders-charm', name: 'Founder’s Charm', itemClass: 'amulet', levelMin: 1, levelMax: LEVEL_MAX, bound: true },
];
