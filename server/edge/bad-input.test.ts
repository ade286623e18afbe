/** Bad input over real sockets: a clear refusal or a closed connection with a stated code, and nobody else notices. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { CloseCode } from '@colyseus/core';
import { encode } from '@colyseus/schema';
import fc from 'fast-check';
import { openSession, type Session } from '#client/session.ts';
import { until } from '#client/wait.ts';
import { COMMAND_TYPES, type CommandType } from '#shared/protocol.ts';
import { limits } from '#shared/limits.ts';
import { CLOSE_CODES } from '#shared/close-codes.ts';
import type { Edge } from './edge.ts';
import { closeAll, onClose, startTestEdge, WORLD_KEY } from './testing/test-edge.ts';
import { WorldSeal } from './world-seal.ts';

afterEach(closeAll);

const join = async (edge: Edge, guest: string): Promise<Session> => {
  const session = await openSession({ url: edge.url, region: 'europe', mode: 'softcore' }, { guest }, 5_000);
  // A good-bye in order: else the seat is kept for a while.
  onClose(async () => session.room.connection.close(CloseCode.CONSENTED));
  return session;
};

/** What a request ends with: an answer, a refusal's name with its fault, or an error. */
const ask = async ({ room }: Session, type: string, payload: unknown): Promise<unknown> => {
  try {
    const answered: unknown = await room.request(type, payload, { timeout: 3_000 });
    return { answered };
  } catch (error) {
    if (error instanceof Error && 'reason' in error) return error.reason;
    return { failed: String(error) };
  }
};

const closeCode = ({ room }: Session): Promise<number> => new Promise((resolve) => room.onLeave((code) => resolve(code)));

const nested = (depth: number): unknown => (depth === 0 ? {} : { any: [nested(depth - 1)] });

const seal = new WorldSeal(WORLD_KEY);
const LISTING = seal.seal('listing', '1.guest-bob@europe.softcore');
const CURSOR = seal.seal('cursor', '5');

const VALID: Readonly<Record<CommandType, Readonly<Record<string, unknown>>>> = {
  search: { criteria: {}, sort: { by: 'buyout' }, limit: 10, cursor: CURSOR },
  listing: { listingId: LISTING },
  sell: { op: 'op', itemId: 'x', buyout: 10, startBid: 5, durationMs: 60_000 },
  buyout: { op: 'op', listingId: LISTING, price: 10 },
  cancel: { op: 'op', listingId: LISTING },
  claim: { op: 'op', entryId: 1 },
  history: { cursor: CURSOR },
  rules: {},
};

const BAD_VALUES: readonly (readonly [string, unknown])[] = [
  ['NaN', Number.NaN],
  ['infinity', Infinity],
  ['a negative number', -1],
  ['a fraction', 0.5],
  ['2^53', 2 ** 53],
  ['a huge whole number', 2n ** 64n - 1n],
  ['text with NUL', 'a\0b'],
  ['long text', 'x'.repeat(8_000)],
  ['nothing', null],
  ['undefined', undefined],
  ['an unknown object', { unknown: 1 }],
  ['deep nesting', nested(100)],
  ['a list', [1]],
  ['bytes', new Uint8Array([1, 2, 3])],
  ['a date', new Date(0)],
  ['a map', new Map([[1, 2]])],
];

const BAD_PAYLOADS: readonly (readonly [string, unknown])[] = [
  ['nothing', null],
  ['no payload', undefined],
  ['a number', 7],
  ['text', 'x'],
  ['a list', []],
  ['an object of another kind', { __proto__: null, constructor: 1 }],
];

describe('every command', () => {
  it.each(COMMAND_TYPES)('%s refuses whatever is not its own, and nothing changes', async (type) => {
    const { edge, reported } = await startTestEdge();
    const bob = await join(edge, 'bob');
    const before: object = bob.room.state.toJSON();
    for (const [field] of Object.entries(VALID[type])) {
      for (const [index, [name, value]] of BAD_VALUES.entries()) {
        // Each pays for itself: one player could not afford all of it.
        const ada = await join(edge, `ada-${field}-${index}`);
        expect([field, name, await ask(ada, type, { ...VALID[type], [field]: value })]).toMatchObject([
          field,
          name,
          { name: 'bad-request', retryable: false },
        ]);
      }
    }
    const ada = await join(edge, 'ada');
    for (const [name, payload] of BAD_PAYLOADS) {
      expect([name, await ask(ada, type, payload)]).toMatchObject([name, { name: 'bad-request' }]);
    }
    expect(await ask(ada, type, { ...VALID[type], more: 1 })).toMatchObject({
      name: 'bad-request',
      details: { fault: 'unknown field "more"' },
    });
    expect(ada.room.state.toJSON()).toMatchObject({ gold: 100_000, held: 0, listings: {}, completed: {} });
    expect(bob.room.state.toJSON()).toEqual(before);
    expect(reported).toEqual([]);
  });

  it('that does not exist is refused', async () => {
    const { edge } = await startTestEdge();
    const ada = await join(edge, 'ada');
    for (const type of ['open', 'freeze', 'offer', 'outcome', 'alarm', 'constructor', '__proto__', '*', 'x'.repeat(200), 'ë']) {
      expect([type, await ask(ada, type, {})]).toMatchObject([type, { name: 'bad-request', details: { fault: 'unknown command' } }]);
    }
    expect(await ask(ada, 'rules', {})).toMatchObject({ answered: { profile: 'dev' } });
  });
});

describe('a connection', () => {
  const frame = (code: number, ...rest: readonly number[]): Uint8Array => Uint8Array.of(code, ...rest);
  const request = (type: string, payload: readonly number[]): Uint8Array => {
    const bytes = new Uint8Array(64);
    const at = { offset: 1 };
    bytes[0] = 21;
    encode.number(bytes, 7, at);
    encode.string(bytes, type, at);
    bytes.set(payload, at.offset);
    return bytes.subarray(0, at.offset + payload.length);
  };

  it.each([
    ['nothing at all', frame(0).subarray(1)],
    ['an unknown code', frame(99)],
    ['a code of the server', frame(14, 1, 2, 3)],
    ['a message that wants no answer', frame(13, 0xa4, 115, 101, 108, 108)],
    ['bytes for no handler', frame(17, 0xa1, 65)],
    ['an input', frame(19, 1, 2)],
    ['a request without an id', frame(21)],
    ['a request without a type', frame(21, 1)],
    ['a request with an id of rubbish', frame(21, 0xc1, 0xa1, 65)],
    ['a request with an id that is cut short', frame(21, 0xce, 1)],
    ['a request with a payload of rubbish', request('rules', [0xc1, 0xff, 0xff])],
    ['a request with a payload that is cut short', request('rules', [0x85, 0xa1])],
    ['a request for a list without end', request('rules', [0xdd, 0xff, 0xff, 0xff, 0xff])],
    ['a request with more behind its payload', request('rules', [0x80, 0x80])],
    ['a ping with more behind it', frame(18, 1)],
  ])('is closed for %s, and no other', async (_, bytes) => {
    const { edge } = await startTestEdge();
    const [ada, other, bob] = [await join(edge, 'ada'), await join(edge, 'ada'), await join(edge, 'bob')];
    const closed = closeCode(ada);
    ada.room.connection.send(bytes);
    expect(await closed).toBe(CLOSE_CODES.badMessage);
    for (const session of [other, bob]) expect(await ask(session, 'rules', {})).toMatchObject({ answered: { profile: 'dev' } });
  });

  it('is closed for text, for the way without answers, and for more than fits', async () => {
    const { edge } = await startTestEdge();
    const [text, plain, large] = [await join(edge, 'ada'), await join(edge, 'ada'), await join(edge, 'ada')];
    const closed = Promise.all([text, plain, large].map(closeCode));
    // The SDK passes on whatever it is given.
    text.room.connection.send('rules' as unknown as Uint8Array);
    plain.room.send('sell', VALID.sell);
    large.room.connection.send(new Uint8Array(limits.payloadBytesMax + 1));
    expect(await closed).toEqual([CLOSE_CODES.badMessage, CLOSE_CODES.badMessage, 1009]);
  });

  it('that floods is refused, then closed', async () => {
    const { edge } = await startTestEdge();
    const [ada, bob] = [await join(edge, 'ada'), await join(edge, 'bob')];
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(ada, 'rules', {})));
    const refused = answers.filter((answer) => JSON.stringify(answer).includes('"rate-limited"'));
    expect(refused.length).toBeGreaterThan(20);
    expect(refused.length).toBeLessThan(60);
    expect(await ask(bob, 'rules', {})).toMatchObject({ answered: {} });
    const closed = closeCode(ada);
    for (let index = 0; index < 2_000; index++) void ask(ada, 'rules', {});
    expect(await closed).toBe(CLOSE_CODES.tooManyMessages);
    expect(await ask(bob, 'rules', {})).toMatchObject({ answered: {} });
  });

  it('survives no rubbish, and the server all of it', async () => {
    const { edge } = await startTestEdge();
    const bob = await join(edge, 'bob');
    let guests = 0;
    const rubbish = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Uint8Array.of(21, 1, ...bytes)),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => request('search', [...bytes].slice(0, 40))),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(rubbish, { minLength: 1, maxLength: 5 }), async (frames) => {
        const ada = await join(edge, `ada-${guests++ % 30}`);
        for (const bytes of frames) ada.room.connection.send(bytes);
        ada.room.connection.close(CloseCode.CONSENTED);
        expect(await ask(bob, 'rules', {})).not.toMatchObject({ failed: expect.anything() });
      }),
      { numRuns: 60 },
    );
    expect(bob.room.state.gold).toBe(100_000);
    await until(() => edge.rooms === 1);
  });
});
