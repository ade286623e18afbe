/**
 * Rules: every number of the market that a game designer sets, in one typed table per profile.
 *
 * `diablo3` is the reference (values and sources in the market rules: Blizzard's FAQs and help
 * pages, the client's protocol of 2012). `dev` is the same market with short times and small
 * prices. A rules file starts from one of the two and says what differs. Bounds of the machine are
 * in `limits.ts`.
 */
import { z } from 'zod';
import { catalogWordSchema, faultOf, type FeeLine, goldSchema, integerSchema, textSchema, type Parsed } from './schemas.ts';
import { durationMs, gold, shareOfGold, type Gold } from './units.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const YEAR_MS = 366 * 24 * HOUR_MS;

const goldRulesShape = {
  /**
   * The auction house's share of the final price, in hundredths of a percent, taken at the sale. A
   * listing keeps that of its posting.
   */
  saleFeeBasisPoints: integerSchema(0, 10_000),
  /** The lowest price of one item, or of one piece of a commodity. */
  priceMin: goldSchema,
  /** The highest price of one item, or of one piece of a commodity. */
  priceMax: goldSchema,
};

const goldOverridesShape = {
  saleFeeBasisPoints: goldRulesShape.saleFeeBasisPoints.exactOptional(),
  priceMin: goldSchema.exactOptional(),
  priceMax: goldSchema.exactOptional(),
};

/** A span of the market. A year is far beyond any game, and keeps every instant within the whole numbers. */
const spanSchema = integerSchema(0, YEAR_MS).transform(durationMs);

/** The table as data from outside: what `Rules` says, every field present. */
export const rulesSchema = z
  .strictObject({
    /** The name of these rules, shown to clients. */
    profile: textSchema(40),
    /**
     * Whether a market is one region's, as in Diablo III, or the whole world's. Modes never mix.
     */
    marketScope: z.enum(['region', 'world']),
    /** Rules of the currency gold, with what differs for single item classes. */
    gold: z.strictObject({
      ...goldRulesShape,
      byItemClass: z.record(catalogWordSchema, z.strictObject(goldOverridesShape)),
    }),
    /** A bid must exceed the current one by this share, and by at least `bidIncrementMin`. */
    bidIncrementBasisPoints: integerSchema(0, 10_000),
    /** The least that a bid must exceed the current one by. */
    bidIncrementMin: goldSchema,
    /** A bid in this last span of an auction moves its end to this span from the bid. */
    antiSnipeMs: spanSchema,
    /** From posting until a listing can be bought. */
    startDelayMs: spanSchema,
    /** From posting until the seller can no longer cancel. */
    cancelWindowMs: spanSchema,
    /** The shortest time that a listing may stand, from its start. */
    durationMinMs: spanSchema,
    /** The longest time that a listing may stand, from its start. */
    durationMaxMs: spanSchema,
    /** How long a listing stands unless the seller says otherwise. */
    durationDefaultMs: spanSchema,
    /** Active listings per player, region and mode. */
    listingsPerPlayerMax: integerSchema(1, 1_000),
    /** Items that a stash holds; commodities stack outside of it. */
    stashSlots: integerSchema(1, 1_000),
    /**
     * Completed entries that are shown; the rest waits and fills up. At this number no new posting
     * is taken.
     */
    completedShown: integerSchema(1, 200),
    /** What a guest of a development world starts with. */
    guest: z.strictObject({
      /** The coins that a guest of a development world starts with. */
      gold: goldSchema,
      /** The items that a guest starts with; at most `stashSlots`. */
      items: integerSchema(0, 1_000),
      /** How many kinds of commodities a guest starts with. */
      commodities: integerSchema(0, 30),
      /** The most pieces of each of them. */
      commodityQuantity: integerSchema(1, 1_000_000),
    }),
  })
  .superRefine((rules, context) => {
    for (const [path, message] of contradictions(rules)) context.addIssue({ code: 'custom', path: [...path], message });
  });

/** The numbers in force in one world. */
export type Rules = Parsed<typeof rulesSchema>;

/** The rules of gold for one item class. */
export type GoldRules = Omit<Rules['gold'], 'byItemClass'>;

/** The name of a built-in profile. */
export type RulesProfile = 'dev' | 'diablo3';

const diablo3: Rules = {
  profile: 'diablo3',
  marketScope: 'region',
  gold: { saleFeeBasisPoints: 1_500, priceMin: gold(100), priceMax: gold(100_000_000_000), byItemClass: {} },
  bidIncrementBasisPoints: 500,
  bidIncrementMin: gold(1),
  antiSnipeMs: durationMs(MINUTE_MS),
  startDelayMs: durationMs(5 * MINUTE_MS),
  cancelWindowMs: durationMs(5 * MINUTE_MS),
  durationMinMs: durationMs(48 * HOUR_MS),
  durationMaxMs: durationMs(48 * HOUR_MS),
  durationDefaultMs: durationMs(48 * HOUR_MS),
  listingsPerPlayerMax: 10,
  stashSlots: 70,
  completedShown: 50,
  guest: { gold: gold(100_000), items: 20, commodities: 6, commodityQuantity: 100 },
};

const dev: Rules = {
  ...diablo3,
  profile: 'dev',
  gold: { ...diablo3.gold, priceMin: gold(1) },
  startDelayMs: durationMs(0),
  cancelWindowMs: durationMs(48 * HOUR_MS),
  durationMinMs: durationMs(MINUTE_MS),
  durationDefaultMs: durationMs(HOUR_MS),
};

/** The built-in profiles by name. */
export const RULES_PROFILES: Readonly<Record<RulesProfile, Rules>> = { dev, diablo3 };

/** Whether a text names a built-in profile. */
export function isRulesProfile(text: string): text is RulesProfile {
  return Object.hasOwn(RULES_PROFILES, text);
}

/** Rules from outside that cannot be used; the message is one clause that names the field. */
export class RulesError extends Error {
  override readonly name = 'RulesError';
}

/**
 * The rules that a rules file's content (already read as JSON) stands for. It names what differs
 * from the profile in its field `extends` (`diablo3` unless given). Throws `RulesError` on an
 * unknown field, a wrong value, or numbers that contradict each other.
 */
export function parseRules(content: unknown): Rules {
  const file = z.looseObject({ extends: z.enum(['dev', 'diablo3']).default('diablo3') }).safeParse(content);
  if (!file.success) throw new RulesError(faultOf(file.error));
  const { extends: base, ...differences } = file.data;
  const rules = rulesSchema.safeParse(merged({ ...RULES_PROFILES[base], profile: 'custom' }, differences));
  if (!rules.success) throw new RulesError(faultOf(rules.error));
  return rules.data;
}

/**
 * The rules of gold that hold for an item class: its own numbers where it has some, else
 * everybody's.
 */
export function goldRulesOf(rules: Rules, itemClass: string): GoldRules {
  const { byItemClass } = rules.gold;
  return Object.hasOwn(byItemClass, itemClass) ? { ...rules.gold, ...byItemClass[itemClass] } : rules.gold;
}

/**
 * What a sale at that price costs the seller at that rate, in basis points: the lines shown before
 * posting and taken at the sale.
 */
export function saleFees(rate: number, price: Gold): readonly FeeLine[] {
  return rate === 0 ? [] : [{ name: 'sale', rate, gold: shareOfGold(price, rate) }];
}

/** Base and differences, where objects in both are merged field by field. */
function merged(base: object, differences: object): object {
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(differences)) {
    const own = result[key];
    result[key] = isPlainObject(own) && isPlainObject(value) ? merged(own, value) : value;
  }
  return result;
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What cannot be true at once, each with the field to blame. */
function contradictions(rules: Rules): readonly (readonly [path: readonly string[], message: string])[] {
  const found: (readonly [readonly string[], string])[] = [];
  if (rules.durationMinMs > rules.durationMaxMs) found.push([['durationMinMs'], 'must not be above durationMaxMs']);
  if (rules.durationMinMs === 0) found.push([['durationMinMs'], 'must be above 0']);
  if (rules.durationDefaultMs < rules.durationMinMs || rules.durationDefaultMs > rules.durationMaxMs) {
    found.push([['durationDefaultMs'], 'must be between durationMinMs and durationMaxMs']);
  }
  if (rules.guest.items > rules.stashSlots) found.push([['guest', 'items'], 'must not be above stashSlots']);
  for (const itemClass of ['', ...Object.keys(rules.gold.byItemClass)]) {
    const { priceMin, priceMax } = goldRulesOf(rules, itemClass);
    const path = ['gold', ...(itemClass === '' ? [] : ['byItemClass', itemClass]), 'priceMin'];
    if (priceMin === 0) found.push([path, 'must be above 0']);
    if (priceMin > priceMax) found.push([path, 'must not be above priceMax']);
  }
  return found;
}
