import { describe, expect, it } from '@jest/globals';
import { commands } from './protocol.ts';
import { goldRulesOf, parseRules, RULES_PROFILES, RulesError, rulesSchema, saleFees } from './rules.ts';
import { GOLD_MAX, gold } from './units.ts';

const faults: readonly (readonly [content: unknown, sentence: string])[] = [
  [null, 'value: Invalid input: expected object, received null'],
  [[], 'value: Invalid input: expected object, received array'],
  [{ feeBasisPoints: 1 }, 'unknown field "feeBasisPoints"'],
  [{ guest: { silver: 1 } }, 'unknown field "silver" in guest'],
  [{ extends: 'wow' }, 'extends: Invalid option: expected one of "dev"|"diablo3"'],
  [{ startDelayMs: -1 }, 'startDelayMs: Too small: expected number to be >=0'],
  [{ startDelayMs: 0.5 }, 'startDelayMs: must be a whole number'],
  [{ startDelayMs: '5m' }, 'startDelayMs: Invalid input: expected number, received string'],
  [{ gold: { priceMax: 2 ** 53 } }, 'gold.priceMax: Too big: expected int to be <=9007199254740991'],
  [{ gold: { saleFeeBasisPoints: 10_001 } }, 'gold.saleFeeBasisPoints: Too big: expected number to be <=10000'],
  [{ gold: { priceMin: 5, priceMax: 4 } }, 'gold.priceMin: must not be above priceMax'],
  [{ gold: { byItemClass: { ring: { priceMax: 4 } } } }, 'gold.byItemClass.ring.priceMin: must not be above priceMax'],
  [{ durationDefaultMs: 1 }, 'durationDefaultMs: must be between durationMinMs and durationMaxMs'],
  [{ stashSlots: 10 }, 'guest.items: must not be above stashSlots'],
];

describe('rules', () => {
  it.each(faults)('refuse %j with one sentence', (content, sentence) => {
    expect(() => parseRules(content)).toThrow(new RulesError(sentence));
  });

  it.each(Object.entries(RULES_PROFILES))('of profile %s pass their own checks and are what clients are told', (_name, rules) => {
    expect(rulesSchema.parse(rules)).toEqual(rules);
    expect(commands.rules.answer.parse(structuredClone(rules))).toEqual(rules);
  });

  it('from a file start from the named profile and change only what it names', () => {
    const rules = parseRules({ extends: 'dev', startDelayMs: 5, gold: { byItemClass: { ring: { priceMax: 9 } } } });
    expect(rules).toEqual({
      ...RULES_PROFILES.dev,
      profile: 'custom',
      startDelayMs: 5,
      gold: { ...RULES_PROFILES.dev.gold, byItemClass: { ring: { priceMax: 9 } } },
    });
    expect(parseRules({})).toEqual({ ...RULES_PROFILES.diablo3, profile: 'custom' });
  });

  it('give an item class its own numbers, and every other class everybody’s', () => {
    const rules = parseRules({ gold: { byItemClass: { ring: { saleFeeBasisPoints: 0 } } } });
    expect(goldRulesOf(rules, 'ring')).toMatchObject({ saleFeeBasisPoints: 0, priceMin: 100, priceMax: 100_000_000_000 });
    expect(goldRulesOf(rules, 'constructor')).toMatchObject({ saleFeeBasisPoints: 1_500, priceMin: 100, priceMax: 100_000_000_000 });
    expect(saleFees(0, gold(1_000))).toEqual([]);
    expect(saleFees(1_500, gold(1_999))).toEqual([{ name: 'sale', rate: 1_500, gold: 299 }]);
    expect(saleFees(1_500, GOLD_MAX)).toEqual([{ name: 'sale', rate: 1_500, gold: 1_351_079_888_211_148 }]);
  });
});
