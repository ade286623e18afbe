import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { limits } from './limits.ts';
import { COMMAND_TYPES, commands, isCommandType, parseCommand, sessionRequestSchema, type CommandType } from './protocol.ts';

const LISTING = '7.ada@europe.softcore';

/** One good request of each command. */
const good: Readonly<Record<CommandType, Readonly<Record<string, unknown>>>> = {
  search: {
    criteria: { stats: [{ stat: 'might', min: 10 }], any: [{ rarity: ['rare'] }] },
    sort: { by: 'might', descending: true },
    limit: 100,
  },
  listing: { listingId: LISTING },
  sell: { op: 'a', itemId: 'item-1', buyout: 100, durationMs: 60_000 },
  buyout: { op: 'a', listingId: LISTING, price: 100 },
  cancel: { op: 'a', listingId: LISTING },
  claim: { op: 'a', entryId: 1 },
  history: { cursor: 'x' },
  rules: {},
};

/** Values that no field takes, whatever its type. */
const bad: readonly unknown[] = [
  NaN,
  Infinity,
  -1,
  -0.5,
  1.5,
  2 ** 53,
  1e300,
  10n,
  '',
  'nul\0',
  'x'.repeat(2_000_000),
  null,
  undefined,
  true,
  [[]],
  { a: {} },
  () => 1,
];

const faultOfCommand = (type: string, payload: unknown): unknown => {
  const parsed = parseCommand(type, payload);
  return parsed.kind === 'refusal' ? parsed.details?.['fault'] : undefined;
};

describe('commands', () => {
  it.each(COMMAND_TYPES)('%s: takes a good request as it is', (type) => {
    expect(parseCommand(type, good[type])).toEqual({ kind: 'command', type, request: good[type] });
  });

  it.each(COMMAND_TYPES)('%s: refuses what is no object, and unknown fields, naming them', (type) => {
    for (const payload of [null, undefined, 1, 'text', [], new Uint8Array(3)])
      expect(parseCommand(type, payload)).toMatchObject({ name: 'bad-request' });
    expect(faultOfCommand(type, { ...good[type], extra: 1 })).toBe('unknown field "extra"');
  });

  it.each(COMMAND_TYPES)('%s: refuses every bad value in every field with a short sentence', (type) => {
    for (const field of Object.keys(commands[type].request.shape)) {
      for (const value of bad.filter((each) => !(field === 'all' && each === true))) {
        const fault = faultOfCommand(type, { ...good[type], [field]: value });
        expect([field, typeof fault]).toEqual([field, 'string']);
        expect(String(fault).length).toBeLessThan(400);
      }
    }
  });

  it.each(COMMAND_TYPES)('%s: carries an op exactly if it changes something', (type) => {
    expect('op' in commands[type].request.shape).toBe(commands[type].changes);
  });

  it.each(COMMAND_TYPES)('%s: can be written down as JSON schema, for the reference', (type) => {
    expect(z.toJSONSchema(commands[type].request, { io: 'input' })).toMatchObject({ type: 'object', additionalProperties: false });
    expect(z.toJSONSchema(commands[type].answer, { io: 'input' })).toMatchObject({ type: 'object' });
  });

  it('turn -0 into 0, which JSON and SQLite cannot tell apart', () => {
    const parsed = parseCommand('buyout', { op: 'a', listingId: LISTING, price: -0 });
    expect(parsed.kind === 'command' && parsed.type === 'buyout' && Object.is(parsed.request.price, 0)).toBe(true);
  });

  it('never throw and never pass unknown types, whatever arrives', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom(...COMMAND_TYPES), fc.string()),
        fc.anything({ withBigInt: true, withNullPrototype: true }),
        (type, payload) => {
          const parsed = parseCommand(type, payload);
          expect(parsed.kind === 'command' ? isCommandType(type) : parsed.name === 'bad-request').toBe(true);
        },
      ),
      { numRuns: 500 },
    );
    for (const type of ['__proto__', 'constructor', 'toString', 'Search', '']) expect(faultOfCommand(type, {})).toBe('unknown command');
  });

  it('bound the criteria tree in depth, in branches and in nodes', () => {
    const search = (criteria: unknown): unknown => faultOfCommand('search', { criteria, limit: 1 });
    const leaves = Array.from({ length: limits.criteriaBranchesMax }, () => ({}));
    expect(search({ any: [{ any: [{}] }] })).toBeUndefined();
    expect(search({ any: [{ any: [{ any: [{}] }] }] })).toBe('unknown field "any" in criteria.any[0].any[0]');
    expect(search({ any: [] })).toMatch(/^criteria\.any: Too small/);
    expect(search({ any: [...leaves, {}] })).toMatch(/^criteria\.any: Too big/);
    expect(search({ any: leaves.map(() => ({ none: leaves })) })).toBe('criteria: must have at most 32 nodes');
    let deep: unknown = {};
    for (let level = 0; level < 100_000; level += 1) deep = { any: [deep] };
    expect(search(deep)).toBe('unknown field "any" in criteria.any[0].any[0]');
  });

  it('ask for either one entry or all of them', () => {
    expect(faultOfCommand('claim', { op: 'a' })).toBe('value: must have either entryId or all');
    expect(faultOfCommand('claim', { op: 'a', entryId: 1, all: true })).toBe('value: must have either entryId or all');
    expect(faultOfCommand('sell', { op: 'a', itemId: 'x' })).toBe('value: must have a buyout or a startBid');
  });
});

describe('session requests', () => {
  it('name a guest or carry a token, never both', () => {
    expect(sessionRequestSchema.parse({ guest: 'ada', region: 'europe' })).toEqual({ guest: 'ada', region: 'europe', mode: 'softcore' });
    expect(sessionRequestSchema.safeParse({ region: 'europe' }).success).toBe(false);
    expect(sessionRequestSchema.safeParse({ guest: 'ada', token: 'x', region: 'europe' }).success).toBe(false);
    expect(sessionRequestSchema.safeParse({ guest: 'a b', region: 'europe' }).success).toBe(false);
    expect(sessionRequestSchema.safeParse({ guest: 'ada', region: 'Europe!' }).success).toBe(false);
  });
});
