/** What the features of a market are made from. */
import type { Catalogue } from '#shared/catalog/catalogue.ts';
import type { Rules } from '#shared/rules.ts';

/** The rules in force, the regions of the world, and what exists in it. */
export interface MarketOptions {
  readonly rules: Rules;
  readonly regions: readonly string[];
  readonly catalogue: Catalogue;
}
