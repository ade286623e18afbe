import { describe, expect, it } from '@jest/globals';
import { gold, instant, rowId } from '#shared/units.ts';
import { ConstraintError } from './constraint-error.ts';
import {
  boolean,
  bytes,
  defineEntity,
  goldAmount,
  integer,
  json,
  nullable,
  oneOf,
  reference,
  text,
  timestamp,
  withDefault,
  type Attribute,
  type Entity,
} from './entity.ts';
import { Json } from './json.ts';
import type { Powerup } from './powerup.ts';
import { onCommand } from './powerup.ts';
import { answer } from './message.ts';
import { ShardDriver } from './testing/shard-driver.ts';
import type { AnyRow } from './row.ts';

const JUST_FITS = 'x'.repeat(256);

function faultOf(attribute: Attribute<unknown>, value: unknown): string | undefined {
  const entity: Entity = defineEntity('thing', { version: 1, attributes: { part: attribute } });
  const row: AnyRow = { id: rowId(1), part: value };
  try {
    entity.rowFunctions.check(row);
    return undefined;
  } catch (error) {
    return error instanceof ConstraintError ? error.message : `not a ConstraintError: ${String(error)}`;
  }
}

describe('an attribute', () => {
  it.each<[string, Attribute<unknown>, readonly unknown[]]>([
    ['integer', integer(), [0, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]],
    ['integer in bounds', integer({ min: 1, max: 3 }), [1, 3]],
    ['text', text(), ['', 'ada', 'Ω≈ç√', '🗡️', JUST_FITS]],
    ['gold', goldAmount(), [0, 2 ** 31, 2 ** 32, 2 ** 53 - 1]],
    ['boolean', boolean(), [true, false]],
    ['timestamp', timestamp(), [0, 1_700_000_000_000]],
    ['bytes', bytes({ maxLength: 2 }), [new Uint8Array(), new Uint8Array(2)]],
    ['reference', reference(), [1]],
    ['enum', oneOf(['a', 'b']), ['a', 'b']],
    ['json', json(), [Json.of({}), Json.of([]), Json.of({ deep: [{ a: null }] })]],
    ['nullable', nullable(text()), [null, 'x']],
  ])('takes what it allows: %s', (_name, attribute, values) => {
    for (const value of values) expect(faultOf(attribute, value)).toBeUndefined();
  });

  it.each<[string, Attribute<unknown>, unknown, string]>([
    [
      'NUL in text',
      text(),
      'a\0b',
      '[thing.part = text()] must be a well-formed string without NUL of at most 256 characters; not string with NUL',
    ],
    [
      'half a surrogate pair',
      text(),
      'a\ud83d',
      'must be a well-formed string without NUL of at most 256 characters; not string with a lone surrogate',
    ],
    ['text too long', text(), `${JUST_FITS}x`, 'not string of 257 characters'],
    ['a number as text', text(), 7, 'not number 7'],
    [
      'a fraction',
      integer(),
      1.5,
      '[thing.part = integer()] must be a whole number from -9007199254740991 to 9007199254740991; not number 1.5',
    ],
    ['2^53', integer(), 2 ** 53, 'not number 9007199254740992'],
    ['NaN', integer(), Number.NaN, 'not number NaN'],
    ['infinity', integer(), Number.POSITIVE_INFINITY, 'not number Infinity'],
    ['a bigint', integer(), 1n, 'not bigint'],
    ['below the range', integer({ min: 1, max: 3 }), 0, 'must be a whole number from 1 to 3; not number 0'],
    ['above the range', integer({ min: 1, max: 3 }), 4, 'must be a whole number from 1 to 3; not number 4'],
    ['negative gold', goldAmount(), -1, '[thing.part = gold()] must be whole gold from 0 to 2^53 - 1; not number -1'],
    ['gold of 2^53', goldAmount(), 2 ** 53, 'not number 9007199254740992'],
    ['1 as boolean', boolean(), 1, '[thing.part = boolean()] must be true or false; not number 1'],
    ['a date as timestamp', timestamp(), new Date(0), '[thing.part = timestamp()] must be whole milliseconds since 1970; not object'],
    ['too many bytes', bytes({ maxLength: 2 }), new Uint8Array(3), 'must be at most 2 bytes; not object'],
    ['row 0', reference(), 0, '[thing.part = reference()] must be the id of a row; not number 0'],
    ['another word', oneOf(['a', 'b']), 'c', '[thing.part = enum()] must be one of a, b; not string of 1 characters'],
    ['a plain object as JSON', json(), {}, '[thing.part = json()] must be a Json of an object or array; not object'],
    ['a string as JSON', json(), '{}', '[thing.part = json()] must be a Json of an object or array; not string of 2 characters'],
    ['null where there must be something', text(), null, 'characters; not null'],
    ['nothing', integer(), undefined, 'not undefined'],
    ['a wrong value where null is allowed', nullable(integer()), 'x', 'or null; not string of 1 characters'],
    ['an array as text', text(), [], 'not array'],
  ])('refuses %s, and names entity, attribute, what was expected and what came', (_name, attribute, value, message) => {
    expect(faultOf(attribute, value)).toContain(message);
    expect(faultOf(attribute, value)).toMatch(/^\[thing\.part = \w+\(\)\] must be /);
  });
});

describe('defineEntity', () => {
  it('names the table after entity and version', () => {
    expect(defineEntity('buyOrder', { version: 3, attributes: {} }).schema.table).toBe('buy_order_v3');
  });

  it.each(['', 'Wallet', 'my-wallet', 'wallet;', '1st', 'a'.repeat(64)])('refuses the name %j', (name) => {
    expect(() => defineEntity(name, { version: 1, attributes: {} })).toThrow('is not a plain word');
  });

  it.each(['id', 'x y', '__proto__x', 'a.b', 'A'])('refuses an attribute called %j', (name) => {
    expect(() => defineEntity('thing', { version: 1, attributes: { [name]: integer() } })).toThrow('is not allowed');
  });

  it('refuses a default that the attribute does not allow', () => {
    expect(() => defineEntity('thing', { version: 1, attributes: { part: withDefault(integer({ min: 1 }), 0) } })).toThrow(
      '[thing.part = integer()] must be a whole number from 1',
    );
  });
});

describe('insert', () => {
  const thing = defineEntity('thing', {
    version: 1,
    attributes: {
      name: text(),
      isNew: withDefault(boolean(), true),
      state: withDefault(oneOf(['open', 'shut']), 'open'),
      worth: withDefault(goldAmount(), gold(5)),
      note: nullable(text()),
      best: withDefault(nullable(integer()), 9),
      due: nullable(timestamp({ alarm: 'thing-due' })),
    },
  });
  const things: Powerup = {
    name: 'things',
    entities: [thing],
    alarms: { 'thing-due': () => undefined },
    handlers: {
      make: onCommand((turn) => {
        turn.insert(thing, { name: 'all left out' });
        turn.insert(thing, { name: 'all given', isNew: false, state: 'shut', worth: gold(7), note: 'n', best: null, due: instant(8) });
        return answer(undefined);
      }),
      'leave-out': onCommand((turn) => {
        // @ts-expect-error -- Nothing stands for a name that is left out: the type says so, and so does the shard.
        turn.insert(thing, {});
        return answer(undefined);
      }),
    },
  };

  it('fills in defaults, and null for what may be null, and keeps what is given', () => {
    const driver = new ShardDriver([things]);
    driver.command('make');
    const rows = driver.rows(thing).map(({ id: _id, ...row }) => row);
    expect(rows).toEqual([
      { name: 'all left out', isNew: true, state: 'open', worth: 5, note: null, best: 9, due: null },
      { name: 'all given', isNew: false, state: 'shut', worth: 7, note: 'n', best: null, due: 8 },
    ]);
  });

  it('writes rows that come back from the journal as they were', () => {
    const driver = new ShardDriver([things]);
    driver.command('make');
    const before = driver.rows(thing);
    driver.reload();
    expect(driver.rows(thing)).toEqual(before);
  });

  it('refuses to leave out what has no default', () => {
    const { handled, failed } = new ShardDriver([things]).command('leave-out');
    expect(handled).toMatchObject({ kind: 'refusal', name: 'internal' });
    expect(failed?.message).toContain('[thing.name = text()] must be');
  });
});
