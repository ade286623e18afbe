/** What can be traded, as every part of Gavel sees it. Items are immutable: a trade moves them, never changes them. */
import type { ItemId } from './units.ts';

/** Rarities, from common to best. */
export const RARITIES = ['common', 'magic', 'rare', 'set', 'legendary'] as const;
/** One of the five rarities. */
export type Rarity = (typeof RARITIES)[number];

/** One rolled property of an item: the affix's id in the catalogue, and its whole value. */
export interface Affix {
  readonly id: string;
  readonly value: number;
}

/** One rolled item. `dps` (tenths) only on weapons, `armor` only on what protects. */
export interface Item {
  readonly id: ItemId;
  readonly baseId: string;
  readonly itemClass: string;
  readonly name: string;
  readonly rarity: Rarity;
  readonly level: number;
  readonly affixes: readonly Affix[];
  readonly dps?: number;
  readonly armor?: number;
}
