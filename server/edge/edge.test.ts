/** The edge over real sockets: sessions, rooms and commands. The client is the project's own, over the official SDK. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { CloseCode, matchMaker } from '@colyseus/core';
import { Client } from '@colyseus/sdk';
import { SignJWT } from 'jose';
import { z } from 'zod';
import { NoAnswerError, RefusedError } from '#client/errors.ts';
import { GameClient } from '#client/game-client.ts';
import { openSession, type Credentials, type Session } from '#client/session.ts';
import type { Mode } from '#shared/address.ts';
import { post as postTo, type Answered } from '#client/testing/post.ts';
import { until } from '#client/wait.ts';
import type { RefusalName } from '#shared/refusals.ts';
import { durationMs, later } from '#shared/units.ts';
import { limits } from '#shared/limits.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import type { Edge } from './edge.ts';
import { closeAll, JWT_KEY, onClose, startTestEdge, WORLD_KEY } from './testing/test-edge.ts';
import { upgrade } from './testing/upgrade.ts';
import { WorldSeal } from './world-seal.ts';

afterEach(closeAll);

const post = (edge: Edge, path: string, value: unknown): Promise<Answered> => postTo(edge.url, path, value);

const join = async (edge: Edge, guest: string, region = 'europe'): Promise<GameClient> => {
  const client = await GameClient.connect({ url: edge.url, credentials: { guest }, region });
  onClose(() => client.close());
  return client;
};

const open = async (edge: Edge, credentials: Credentials, region = 'europe', mode: Mode = 'softcore'): Promise<Session> => {
  const session = await openSession({ url: edge.url, region, mode }, credentials, 5_000);
  onClose(async () => session.room.connection.close(CloseCode.CONSENTED));
  return session;
};

const responseSchema = z.object({ content: z.object({ 'application/json': z.object({ schema: z.record(z.string(), z.unknown()) }) }) });
const descriptionSchema = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.object({ responses: z.record(z.string(), responseSchema) }))),
});

const closeCodeOf = (socket: WebSocket): Promise<number> =>
  new Promise((resolve) => socket.addEventListener('close', ({ code }) => resolve(code)));

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

const studioToken = (claims: object = {}, key = JWT_KEY, alg = 'HS256'): Promise<string> =>
  new SignJWT({ aud: 'gavel', sub: 'p1', name: 'Ada', exp: Math.floor(Date.now() / 1_000) + 60, ...claims })
    .setProtectedHeader({ alg })
    .sign(encode(key));

const refusedName = async (work: Promise<unknown>): Promise<RefusalName | 'no answer'> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof RefusedError) return error.refusal.name;
    if (error instanceof NoAnswerError) return 'no answer';
    throw error;
  }
  throw new Error('it was not refused');
};

describe('a session', () => {
  it('gives a guest a room with gold, items and commodities', async () => {
    const { edge } = await startTestEdge();
    const ada = await join(edge, 'ada');
    expect([ada.player, ada.shard]).toEqual(['guest-ada', 'guest-ada@europe.softcore']);
    expect({ ...ada.state.toJSON(), stash: ada.state.stash.size, commodities: ada.state.commodities.size }).toMatchObject({
      name: 'ada',
      region: 'europe',
      mode: 'softcore',
      frozen: false,
      gold: 100_000,
      held: 0,
      stash: 20,
      commodities: 6,
    });
  });

  it('gives nothing twice, and items that nobody else has', async () => {
    const { edge } = await startTestEdge();
    const [first, again, other] = [await join(edge, 'ada'), await join(edge, 'ada'), await join(edge, 'ada', 'asia')];
    expect([...again.state.stash.keys()].sort()).toEqual([...first.state.stash.keys()].sort());
    expect(again.state.gold).toBe(100_000);
    expect([...other.state.stash.keys()].filter((id) => first.state.stash.has(id))).toEqual([]);
  });

  it('lets in whom the studio has signed for, without start goods, and back in with the token that it gives', async () => {
    const { edge } = await startTestEdge({ guests: false });
    const first = await open(edge, { token: await studioToken() });
    expect([first.player, first.shard]).toEqual(['p1', 'p1@europe.softcore']);
    expect(first.room.state).toMatchObject({ name: 'Ada', gold: 0 });
    const again = await open(edge, { token: first.token }, 'asia', 'hardcore');
    expect([again.player, again.shard]).toEqual(['p1', 'p1@asia.hardcore']);
  });

  it.each([
    ['of another key', () => studioToken({}, 'x'.repeat(32))],
    ['of another algorithm', () => studioToken({}, JWT_KEY.repeat(2), 'HS512')],
    ['of another algorithm with the same key', () => studioToken({}, JWT_KEY, 'HS384')],
    ['for another audience', () => studioToken({ aud: 'other' })],
    ['that is over', () => studioToken({ exp: Math.floor(Date.now() / 1_000) - 60 })],
    ['that is not good yet', () => studioToken({ nbf: Math.floor(Date.now() / 1_000) + 60 })],
    ['that never ends', () => studioToken({ exp: undefined })],
    ['of nobody', () => studioToken({ sub: undefined })],
    ['of an id that does not fit', () => studioToken({ sub: `${'x'.repeat(60)}:` })],
    ['of an id that is mapped already', () => studioToken({ sub: '__steam_3A123' })],
    [
      'that claims to need no key',
      () => Promise.resolve(`${btoa('{"alg":"none"}')}.${btoa('{"aud":"gavel","sub":"p1","exp":9999999999}')}.`),
    ],
    ['that is no token', () => Promise.resolve('x')],
  ])('refuses a token %s', async (_, token) => {
    const { edge } = await startTestEdge();
    expect(await post(edge, '/session', { token: await token(), region: 'europe' })).toMatchObject({
      status: 401,
      body: { code: 401, name: 'unauthorized' },
    });
  });

  it('judges tokens by the wall clock, however far it is from the time of the market: the machine has slept', async () => {
    const SLEPT_MS = 60_000;
    const { edge } = await startTestEdge({ guests: false }, undefined, (platform) => ({
      ...platform,
      readings: { ...platform.readings, wall: () => later(platform.readings.wall(), durationMs(SLEPT_MS)) },
    }));
    const now = Math.floor((Date.now() + SLEPT_MS) / 1_000);
    const session = await open(edge, { token: await studioToken({ nbf: now, exp: now + 60 }) });
    expect(session.player).toBe('p1');
    const over = await studioToken({ exp: now - 30 });
    expect(await post(edge, '/session', { token: over, region: 'europe' })).toMatchObject({ status: 401 });
    expect((await open(edge, { token: session.token }, 'asia')).player).toBe('p1');
  });

  it('takes tokens of the old key while the new one signs', async () => {
    const { edge } = await startTestEdge({ jwtKeys: ['n'.repeat(32), JWT_KEY] });
    const { token } = await open(edge, { token: await studioToken() });
    const later = await startTestEdge({ jwtKeys: ['n'.repeat(32)] });
    expect((await open(later.edge, { token })).player).toBe('p1');
    expect(await post(later.edge, '/session', { token: await studioToken(), region: 'europe' })).toMatchObject({ status: 401 });
  });

  it('lets no guest into production, not even with the token of a development world', async () => {
    const { edge } = await startTestEdge();
    const { token } = await open(edge, { guest: 'ada' });
    const production = await startTestEdge({ guests: false });
    for (const credentials of [{ guest: 'ada' }, { token }]) {
      expect(await post(production.edge, '/session', { ...credentials, region: 'europe' })).toMatchObject({
        status: 401,
        body: { name: 'unauthorized' },
      });
    }
  });

  it('is limited for each address', async () => {
    const { edge } = await startTestEdge({ sessionRate: { perSecond: 0.001, burst: 2 } });
    const tries = [1, 2, 3].map(() => post(edge, '/session', {}));
    expect((await Promise.all(tries)).map(({ status }) => status).sort()).toEqual([400, 400, 429]);
  });

  it.each([
    ['an unknown field', { guest: 'ada', region: 'europe', admin: true }],
    ['no credentials', { region: 'europe' }],
    ['both credentials', { guest: 'ada', token: 'x', region: 'europe' }],
    ['an unknown region', { guest: 'ada', region: 'atlantis' }],
    ['a region of rubbish', { guest: 'ada', region: '../..' }],
    ['an unknown mode', { guest: 'ada', region: 'europe', mode: 'easy' }],
    ['a name of rubbish', { guest: 'a@b', region: 'europe' }],
    ['a name that is too long', { guest: 'a'.repeat(59), region: 'europe' }],
    ['no object', 'ada'],
    ['nothing', null],
  ])('refuses %s', async (_, body) => {
    const { edge } = await startTestEdge();
    expect(await post(edge, '/session', body)).toMatchObject({ status: 400, body: { code: 400, name: 'bad-request', retryable: false } });
    expect(edge.rooms).toBe(0);
  });
});

describe('the room of a shard', () => {
  it('is one, however many come at once', async () => {
    const { edge } = await startTestEdge();
    const clients = await Promise.all(Array.from({ length: limits.connectionsPerPlayerMax }, () => join(edge, 'ada')));
    expect(new Set(clients.map((client) => client.shard)).size).toBe(1);
    expect(edge.rooms).toBe(1);
    const [seller, ...others] = clients;
    const item = seller?.state.stash.keys().next().value ?? '';
    await seller?.sell({ itemId: item, buyout: 10 });
    await until(() => others.every(({ state }) => state.listings.size === 1 && !state.stash.has(item)));
  });

  it('goes when the last player has left, and comes back', async () => {
    const { edge } = await startTestEdge();
    const [first, second] = [await join(edge, 'ada'), await join(edge, 'ada')];
    await first.close();
    expect(edge.rooms).toBe(1);
    await second.close();
    await until(() => edge.rooms === 0);
    expect((await join(edge, 'ada')).state.gold).toBe(100_000);
  });

  it('is entered only with a seat of its own', async () => {
    const { edge } = await startTestEdge();
    const [ada, bob] = [await open(edge, { guest: 'ada' }), await open(edge, { guest: 'bob' })];
    const url = `${edge.url.replace('http', 'ws')}/process/${ada.room.roomId}?sessionId=`;
    for (const seat of [bob.room.sessionId, ada.room.sessionId, 'x']) expect(await closeCodeOf(new WebSocket(url + seat))).toBe(4002);
    expect(ada.room.connection.isOpen).toBe(true);
  });

  it('lets nobody in whose seat was reserved for another player', async () => {
    const { edge } = await startTestEdge();
    const { roomId } = (await open(edge, { guest: 'ada' })).room;
    const [listing] = await matchMaker.query({ roomId });
    if (listing === undefined) throw new Error('there is no room');
    for (const holder of [{ player: 'guest-bob' }, {}, undefined]) {
      const { sessionId } = await matchMaker.reserveSeatFor(listing, {}, holder);
      expect(await closeCodeOf(new WebSocket(`${edge.url.replace('http', 'ws')}/process/${roomId}?sessionId=${sessionId}`))).toBe(4002);
    }
  });

  it('lets a dropped connection back to its seat by the way of the SDK', async () => {
    const { edge } = await startTestEdge();
    const session = await open(edge, { guest: 'ada' });
    const { reconnectionToken } = session.room;
    const path = `/matchmake/reconnect/${session.room.roomId}`;
    session.room.connection.close();
    const room = await new Client(edge.url).reconnect(reconnectionToken);
    await new Promise((resolve) => room.onStateChange.once(resolve));
    expect(room.state).toMatchObject({ gold: 100_000 });
    expect(await post(edge, path, { reconnectionToken: 'x' })).toMatchObject({ status: 401 });
    expect(await post(edge, path, { reconnectionToken: room.reconnectionToken, more: 1 })).toMatchObject({ status: 400 });
    await room.leave();
    await until(() => edge.rooms === 0);
  });
});

describe('commands', () => {
  const listOne = async (client: GameClient, buyout = 1_000): Promise<{ itemId: string; listingId: string }> => {
    const itemId = client.state.stash.keys().next().value ?? '';
    const { listingId } = await client.sell({ itemId, buyout });
    return { itemId, listingId };
  };

  it('carry a trade between two shards, with the state of both rooms there before the answer', async () => {
    const { edge, reported } = await startTestEdge();
    const [ada, bob] = [await join(edge, 'ada'), await join(edge, 'bob')];
    const sold = new Promise((resolve) => ada.once('sold', resolve));
    const { itemId, listingId } = await listOne(ada);
    expect([ada.state.stash.has(itemId), ada.state.listings.get(listingId)?.buyout]).toEqual([false, 1_000]);

    const found = await bob.search({ criteria: {}, limit: 10 });
    expect(found.listings).toMatchObject([{ id: listingId, buyout: 1_000, mine: false, item: { id: itemId } }]);
    expect((await ada.search({ criteria: { seller: 'me' }, limit: 10 })).listings).toMatchObject([{ mine: true }]);
    expect((await bob.listing({ listingId })).listing).toMatchObject({ mine: false, item: { id: itemId } });
    expect((await ada.listing({ listingId })).listing).toMatchObject({ mine: true });

    expect(await bob.buyout({ listingId, price: 1_000 })).toEqual({ itemId, paid: 1_000 });
    expect([bob.state.gold, bob.state.held, bob.state.completed.size]).toEqual([99_000, 0, 1]);
    expect(await sold).toMatchObject({ id: expect.stringMatching(/^entry-/), entry: { kind: 'sold', gold: 850 } });
    expect(await bob.claim({ all: true })).toMatchObject({ items: [itemId], gold: 0, left: [] });
    expect(await ada.claim({ all: true })).toMatchObject({ items: [], gold: 850, left: [] });
    expect([ada.state.gold, bob.state.stash.has(itemId), ada.state.listings.size]).toEqual([100_850, true, 0]);
    const balances = async (player: typeof ada) =>
      (await player.history()).lines.flatMap(({ cause, account, gold, balance }) =>
        gold === undefined ? [] : [[cause, account, gold, balance]],
      );
    expect(await balances(ada)).toEqual([
      ['claim', 'completed', -850, 0],
      ['claim', 'wallet', 850, 100_850],
      ['sale', 'completed', 850, 850],
      ['start', 'wallet', 100_000, 100_000],
    ]);
    expect(await balances(bob)).toEqual([
      ['purchase', 'hold', -1_000, 0],
      ['buyout', 'wallet', -1_000, 99_000],
      ['buyout', 'hold', 1_000, 1_000],
      ['start', 'wallet', 100_000, 100_000],
    ]);
    expect(reported).toEqual([]);
  });

  it('show the ledger of the own places, newest first, in pages', async () => {
    const { edge } = await startTestEdge();
    const ada = await join(edge, 'ada');
    const { itemId } = await listOne(ada);
    const { lines, cursor } = await ada.history();
    expect(lines.slice(0, 2)).toMatchObject([
      { cause: 'sell', account: 'stash', item: itemId, quantity: -1 },
      { cause: 'sell', account: 'listed', item: itemId, quantity: 1 },
    ]);
    expect(lines.at(-1)).toMatchObject({ seq: 1, cause: 'start' });
    expect(lines.some(({ account }) => account === 'minted')).toBe(false);
    expect(cursor).toBeUndefined();
    const causes: string[] = [];
    for (let round = 0; round < 15; round++) {
      const [entry] = ada.state.listings.keys();
      await ada.cancel({ listingId: entry ?? '' });
      await ada.claim({ all: true });
      await listOne(ada);
    }
    for (let page = await ada.history(); ; page = await ada.history({ cursor: page.cursor })) {
      causes.push(...page.lines.map(({ cause }) => cause));
      if (page.cursor === undefined) break;
    }
    expect(causes.filter((cause) => cause === 'cancelled')).toHaveLength(30);
    expect(await refusedName(ada.history({ cursor: 'x' }))).toBe('bad-request');
  });

  it('tell the rules in force', async () => {
    const { edge } = await startTestEdge();
    expect(await (await join(edge, 'ada')).rules()).toEqual(RULES_PROFILES.dev);
  });

  it('refuse with the reason', async () => {
    const { edge } = await startTestEdge();
    const [ada, bob, far] = [await join(edge, 'ada'), await join(edge, 'bob'), await join(edge, 'far', 'asia')];
    const { listingId } = await listOne(ada);
    expect(await refusedName(ada.buyout({ listingId, price: 1_000 }))).toBe('own-listing');
    expect(await refusedName(bob.buyout({ listingId, price: 999 }))).toBe('price-changed');
    expect(await refusedName(bob.buyout({ listingId, price: 100_001 }))).toBe('not-enough-gold');
    expect(await refusedName(far.buyout({ listingId, price: 1_000 }))).toBe('listing-gone');
    expect(await refusedName(far.listing({ listingId }))).toBe('listing-gone');
    expect(await refusedName(bob.cancel({ listingId }))).toBe('listing-gone');
    const ofNobody = new WorldSeal(WORLD_KEY).seal('listing', '1.guest-nobody@europe.softcore');
    expect(await refusedName(bob.listing({ listingId: ofNobody }))).toBe('listing-gone');
    expect(await refusedName(ada.sell({ itemId: 'none', buyout: 1 }))).toBe('no-such-item');
    expect(await refusedName(bob.claim({ entryId: 1 }))).toBe('no-such-entry');
    await bob.buyout({ listingId, price: 1_000 });
    expect(await refusedName(bob.buyout({ listingId, price: 1_000 }))).toBe('listing-gone');
    expect((await far.search({ criteria: {}, limit: 1 })).total).toBe(0);
  });

  it('are done once for one op', async () => {
    const { edge } = await startTestEdge();
    const ada = await join(edge, 'ada');
    const [first = '', second = ''] = ada.state.stash.keys();
    const posted = await ada.sell({ itemId: first, buyout: 10 }, { op: 'op-1' });
    expect(await ada.sell({ itemId: first, buyout: 10 }, { op: 'op-1' })).toEqual(posted);
    expect(await refusedName(ada.sell({ itemId: second, buyout: 10 }, { op: 'op-1' }))).toBe('op-reused');
    expect(ada.state.listings.size).toBe(1);
  });

  it('tell of a listing that ended without a buyer', async () => {
    const rules = { ...RULES_PROFILES.dev, durationMinMs: durationMs(1) };
    const { edge } = await startTestEdge({}, rules);
    const ada = await join(edge, 'ada');
    const expired = new Promise((resolve) => ada.once('expired', resolve));
    const itemId = ada.state.stash.keys().next().value ?? '';
    await ada.sell({ itemId, buyout: 10, durationMs: 1 });
    expect(await expired).toMatchObject({ entry: { kind: 'expired', item: { id: itemId } } });
  });
});

describe('everything else', () => {
  it('is not found, and creates no room', async () => {
    const { edge } = await startTestEdge();
    for (const path of [
      '/',
      '/matchmake/create/player',
      '/matchmake/joinOrCreate/player',
      '/matchmake/joinById/x',
      '/__healthcheck',
      '/%00',
      '/session/',
    ]) {
      expect(await post(edge, path, { shard: 'ada@europe.softcore' })).toMatchObject({
        status: 404,
        body: { code: 404, name: 'not-found' },
      });
    }
    expect((await fetch(`${edge.url}/session`)).status).toBe(404);
    expect(edge.rooms).toBe(0);
  });

  it('says whether it lives and whether it can serve', async () => {
    const state = { isReady: false };
    const { edge } = await startTestEdge({ isReady: () => state.isReady });
    const statuses = async (): Promise<number[]> => [(await fetch(`${edge.url}/livez`)).status, (await fetch(`${edge.url}/readyz`)).status];
    expect(await statuses()).toEqual([200, 503]);
    state.isReady = true;
    expect(await statuses()).toEqual([200, 200]);
  });

  it('describes itself: what is answered is what the description says', async () => {
    const { edge } = await startTestEdge({ sessionRate: { perSecond: 0.001, burst: 3 } });
    const { paths } = descriptionSchema.parse(await (await fetch(`${edge.url}/openapi.json`)).json());
    expect(Object.keys(paths).sort()).toEqual([
      '/api/charges',
      '/api/grants',
      '/api/players/{player}',
      '/livez',
      '/matchmake/reconnect/{roomId}',
      '/openapi.json',
      '/readyz',
      '/session',
      '/session/renew',
    ]);
    const documented = paths['/session']?.['post']?.responses ?? {};
    for (const [body, status] of [
      [{ guest: 'ada', region: 'europe' }, 200],
      [{ region: 'europe' }, 400],
      [{ token: 'x', region: 'europe' }, 401],
      ['x'.repeat(10_000), 413],
      [{}, 429],
    ] as const) {
      const answered = await post(edge, '/session', body);
      expect(answered.status).toBe(status);
      const schema = documented[status]?.content['application/json'].schema;
      expect(schema).toMatchObject(
        status === 200 ? { type: 'object', required: ['token', 'player', 'shard', 'seat'] } : { $ref: expect.any(String) },
      );
    }
  });

  it('reads only JSON of a reasonable size', async () => {
    const { edge } = await startTestEdge();
    const send = async (body: string, type = 'application/json'): Promise<number> =>
      (await fetch(`${edge.url}/session`, { method: 'POST', body, headers: { 'content-type': type } })).status;
    expect(await send('{}', 'text/plain')).toBe(415);
    expect(await send('{')).toBe(400);
    expect(await send(`"${'x'.repeat(10_000)}"`)).toBe(413);
    expect(await send('['.repeat(8_000))).toBe(400);
  });

  it('lets no page of a strange origin in, by neither way, and reflects none with credentials', async () => {
    const { edge } = await startTestEdge({ origins: { loopback: false, named: ['https://play.example'] } });
    const ask = (origin: string): Promise<Response> => fetch(`${edge.url}/livez`, { headers: { origin } });
    expect((await ask('https://evil.example')).status).toBe(401);
    expect((await ask('http://localhost:3000')).status).toBe(401);
    const allowed = await ask('https://play.example');
    expect([
      allowed.status,
      allowed.headers.get('access-control-allow-origin'),
      allowed.headers.get('access-control-allow-credentials'),
    ]).toEqual([200, 'https://play.example', null]);
    expect(allowed.headers.get('x-content-type-options')).toBe('nosniff');
    expect((await ask(edge.url)).status).toBe(200);
    expect(await upgrade(edge, '/process/room?sessionId=x', { origin: 'https://evil.example' })).toBe(401);
    // It may, but there is no such room.
    expect(await upgrade(edge, '/process/room?sessionId=x', { origin: 'https://play.example' })).toBe(404);
  });
});
