/** The built-in catalogue's affixes: where each can be, its words, and its ranks by item level. */
import type { AffixKind } from './catalogue.ts';
import { LEVEL_MAX } from './built-in-classes.ts';

const oneHanded = ['sword', 'axe', 'mace', 'dagger', 'wand', 'sickle'] as const;
const twoHanded = ['greatsword', 'maul', 'spear', 'bow', 'crossbow', 'stave'] as const;
const weapons = [...oneHanded, ...twoHanded];
const offHands = ['shield', 'quiver', 'focus'] as const;
const armor = ['helm', 'mantle', 'cuirass', 'gauntlets', 'bracers', 'girdle', 'greaves', 'boots'] as const;
const jewellery = ['amulet', 'ring'] as const;
const trinkets = [...offHands, ...jewellery];
const worn = [...offHands, ...armor, ...jewellery];
const everything = [...weapons, ...worn];

/**
 * One affix in a line: its ranges at level 1 and at the highest level, between which the ranks
 * grow.
 */
type AffixRow = readonly [
  id: string,
  name: string,
  unit: AffixKind['unit'],
  itemClasses: readonly string[],
  prefix: string,
  suffix: string,
  first: readonly [min: number, max: number],
  last: readonly [min: number, max: number],
];

const rows: readonly AffixRow[] = [
  ['might', 'Might', 'points', everything, 'Brawny', 'of the Ox', [1, 3], [180, 300]],
  ['grace', 'Grace', 'points', everything, 'Lithe', 'of the Heron', [1, 3], [180, 300]],
  ['wit', 'Wit', 'points', everything, 'Clever', 'of the Magpie', [1, 3], [180, 300]],
  ['vigor', 'Vigor', 'points', everything, 'Hale', 'of the Bear', [1, 4], [190, 320]],
  ['plating', 'Armor', 'points', worn, 'Plated', 'of the Tortoise', [2, 6], [240, 420]],
  ['warding', 'All resistances', 'points', worn, 'Prismatic', 'of the Rainbow', [1, 2], [60, 90]],
  ['ember-ward', 'Ember resistance', 'points', worn, 'Sooty', 'of the Hearth', [1, 5], [110, 160]],
  ['frost-ward', 'Frost resistance', 'points', worn, 'Rimed', 'of the Thaw', [1, 5], [110, 160]],
  ['storm-ward', 'Storm resistance', 'points', worn, 'Earthed', 'of the Mast', [1, 5], [110, 160]],
  ['venom-ward', 'Venom resistance', 'points', worn, 'Bitter', 'of the Mongoose', [1, 5], [110, 160]],
  ['void-ward', 'Void resistance', 'points', worn, 'Anchored', 'of the Lighthouse', [1, 5], [110, 160]],
  ['iron-ward', 'Physical resistance', 'points', worn, 'Dented', 'of the Anvil', [1, 5], [110, 160]],
  ['heartwood', 'Life', 'permille', [...armor, ...jewellery, 'shield'], 'Deep-rooted', 'of the Oak', [5, 15], [90, 150]],
  ['mending', 'Life per second', 'points', everything, 'Mending', 'of the Spring', [1, 3], [220, 600]],
  ['leech', 'Life per hit', 'points', [...weapons, ...jewellery], 'Thirsty', 'of the Leech', [1, 3], [350, 900]],
  ['reaping', 'Life per kill', 'points', [...weapons, ...armor], 'Reaping', 'of the Gleaner', [2, 6], [900, 2_400]],
  ['keen-eye', 'Critical chance', 'permille', ['helm', 'gauntlets', 'bracers', ...trinkets], 'Keen', 'of the Hawk', [5, 10], [45, 65]],
  ['cruelty', 'Critical damage', 'percent', [...weapons, 'gauntlets', ...jewellery], 'Cruel', 'of the Adder', [3, 8], [50, 100]],
  ['alacrity', 'Attack speed', 'percent', [...weapons, 'gauntlets', 'quiver', ...jewellery], 'Brisk', 'of the Swift', [1, 3], [6, 11]],
  ['damage-min', 'Minimum damage', 'points', [...weapons, ...jewellery], 'Honed', 'of the Whetstone', [1, 3], [280, 420]],
  ['damage-max', 'Maximum damage', 'points', [...weapons, ...jewellery], 'Weighted', 'of the Hammer', [2, 5], [360, 560]],
  ['ember-damage', 'Ember damage', 'points', [...weapons, 'quiver', 'focus'], 'Smouldering', 'of Cinders', [1, 4], [300, 520]],
  ['frost-damage', 'Frost damage', 'points', [...weapons, 'quiver', 'focus'], 'Wintry', 'of Hoarfrost', [1, 4], [280, 480]],
  ['storm-damage', 'Storm damage', 'points', [...weapons, 'quiver', 'focus'], 'Crackling', 'of Thunderheads', [1, 6], [200, 620]],
  ['venom-damage', 'Venom damage', 'points', [...weapons, 'quiver', 'focus'], 'Festering', 'of the Toad', [1, 3], [260, 460]],
  [
    'haste',
    'Cooldown reduction',
    'permille',
    ['helm', 'mantle', 'gauntlets', ...trinkets],
    'Timely',
    'of the Hourglass',
    [5, 10],
    [60, 80],
  ],
  ['thrift', 'Resource cost reduction', 'permille', ['mantle', 'gauntlets', ...trinkets], 'Frugal', 'of the Miser', [5, 10], [60, 80]],
  ['wellspring', 'Resource per second', 'points', [...weapons, 'helm', 'focus', 'shield'], 'Brimming', 'of the Well', [1, 2], [9, 14]],
  ['swiftness', 'Movement speed', 'percent', ['boots'], 'Fleet', 'of the Hare', [2, 4], [9, 12]],
  ['bulwark', 'Block chance', 'permille', ['shield'], 'Guarded', 'of the Gate', [10, 20], [80, 110]],
  ['thorns', 'Thorns', 'points', [...armor, 'shield'], 'Barbed', 'of the Hedgehog', [1, 5], [1_200, 2_500]],
  ['evasion', 'Dodge chance', 'permille', ['boots', 'greaves', 'girdle', 'bracers'], 'Slippery', 'of the Eel', [3, 8], [30, 50]],
  ['prospecting', 'Gold found', 'percent', worn, 'Gilded', 'of the Purse', [2, 6], [25, 35]],
  ['fortune', 'Magic found', 'percent', everything, 'Lucky', 'of the Clover', [1, 3], [14, 20]],
  ['insight', 'Experience per kill', 'points', everything, 'Studious', 'of the Owl', [1, 3], [80, 200]],
  ['reach', 'Pickup radius', 'points', worn, 'Grasping', 'of the Raccoon', [1, 2], [5, 7]],
  ['sweep', 'Area damage', 'percent', [...weapons, 'gauntlets', 'mantle', ...jewellery], 'Sweeping', 'of the Scythe', [2, 4], [16, 24]],
  ['giantsbane', 'Damage to elites', 'permille', [...weapons, ...offHands], 'Defiant', 'of the Underdog', [5, 10], [50, 80]],
  ['concussion', 'Chance to stun', 'permille', [...weapons, 'gauntlets', 'mantle'], 'Jarring', 'of the Gong', [2, 5], [20, 51]],
  ['steadfast', 'Control reduction', 'percent', [...armor, ...jewellery, 'shield'], 'Stubborn', 'of the Mule', [2, 5], [20, 40]],
];

/** Item levels at which the next rank starts. */
const rankLevels = [1, 10, 20, 30, 40, 50, 60, 66, LEVEL_MAX] as const;

/**
 * A value between first and last that grows with the power 1.5 of the level: slowly while heroes
 * are young.
 */
const grown = (first: number, last: number, level: number): number =>
  Math.round(first + (last - first) * ((level - 1) / (LEVEL_MAX - 1)) * Math.sqrt((level - 1) / (LEVEL_MAX - 1)));

/** The 40 affixes. */
export const AFFIXES: readonly AffixKind[] = rows.map(([id, name, unit, itemClasses, prefix, suffix, first, last]) => ({
  id,
  name,
  unit,
  itemClasses,
  prefix,
  suffix,
  ranks: rankLevels.map((level) => ({ level, min: grown(first[0], last[0], level), max: grown(first[1], last[1], level) })),
}));
