/** What one client may take, over real sockets: nobody else notices. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { CloseCode } from '@colyseus/core';
import { SignJWT } from 'jose';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { RefusedError } from '#client/errors.ts';
import { GameClient } from '#client/game-client.ts';
import { openSession, type Session } from '#client/session.ts';
import { post } from '#client/testing/post.ts';
import { until } from '#client/wait.ts';
import { limits } from '#shared/limits.ts';
import { commands, sessionAnswerSchema } from '#shared/protocol.ts';
import { TrustedProxies } from '#server/http/client-address.ts';
import type { Edge } from './edge.ts';
import { closeAll, JWT_KEY, onClose, startTestEdge } from './testing/test-edge.ts';
import { upgrade } from './testing/upgrade.ts';

afterEach(closeAll);

const open = async (edge: Edge, guest: string, region = 'europe'): Promise<Session> => {
  const session = await openSession({ url: edge.url, region, mode: 'softcore' }, { guest }, 5_000);
  onClose(async () => session.room.connection.close(CloseCode.CONSENTED));
  return session;
};

const refusalOf = async (work: Promise<unknown>): Promise<unknown> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof RefusedError) return error.refusal;
    if (error instanceof Error && 'reason' in error) return error.reason;
    throw error;
  }
  return 'none';
};

const token = (player: string): Promise<string> =>
  new SignJWT({ aud: 'gavel', sub: player, exp: Math.floor(Date.now() / 1_000) + 60 })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(JWT_KEY));

/** The status of a session through a proxy that says where it comes from. */
const through = async (edge: Edge, address: string, body: object): Promise<Response> =>
  fetch(`${edge.url}/session`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
  });

describe('a player', () => {
  it('has one budget for all connections in all regions, and others have theirs', async () => {
    const { edge } = await startTestEdge();
    const [ada, far, bob] = [await open(edge, 'ada'), await open(edge, 'ada', 'asia'), await open(edge, 'bob')];
    const ask = ({ room }: Session): Promise<unknown> => refusalOf(room.request('history', {}));
    const refused = await Promise.all(Array.from({ length: limits.playerTokensBurst }, (_, index) => ask(index % 2 === 0 ? ada : far)));
    const served = refused.filter((each) => each === 'none').length;
    const spendable = limits.playerTokensBurst - 2 * limits.sessionTokens;
    expect(served).toBeGreaterThanOrEqual(Math.floor(spendable / commands.history.cost));
    expect(served).toBeLessThan(limits.playerTokensBurst / 2);
    expect(refused).toContainEqual(
      expect.objectContaining({
        name: 'rate-limited',
        retryable: true,
        details: { cost: commands.history.cost, retryAfterMs: expect.any(Number) },
      }),
    );
    expect(await ask(bob)).toBe('none');
  });

  it('has a bounded number of connections, the next is busy, and one that leaves makes room', async () => {
    const { edge } = await startTestEdge();
    const sessions: Session[] = [];
    for (let index = 0; index < limits.connectionsPerPlayerMax; index++)
      sessions.push(await open(edge, 'ada', index % 2 === 0 ? 'europe' : 'asia'));
    expect(await refusalOf(open(edge, 'ada', 'asia'))).toMatchObject({ name: 'busy', retryable: true });
    expect((await open(edge, 'bob')).player).toBe('guest-bob');
    sessions[0]?.room.connection.close(CloseCode.CONSENTED);
    await until(async () => (await refusalOf(open(edge, 'ada'))) === 'none');
  });

  it('has no more than that when all come in one instant', async () => {
    const { edge } = await startTestEdge();
    const regions = ['europe', 'asia'] as const;
    const all = await Promise.all(Array.from({ length: 12 }, (_, index) => refusalOf(open(edge, 'ada', regions[index % 2]))));
    expect(all.filter((each) => each === 'none')).toHaveLength(limits.connectionsPerPlayerMax);
  });

  it('is charged for what its searches cost the index, after the answer', async () => {
    const { edge, backend } = await startTestEdge();
    const search = backend.index.search.bind(backend.index);
    Object.assign(backend.index, {
      search: async (...asked: Parameters<typeof search>) => ({
        ...(await search(...asked)),
        cost: limits.searchUnitsPerToken * limits.playerTokensBurst * 2,
      }),
    });
    const ada = await open(edge, 'ada');
    const ask = (): Promise<unknown> => refusalOf(ada.room.request('search', { criteria: {}, limit: 10 }));
    expect([await ask(), await ask()]).toEqual([
      'none',
      expect.objectContaining({ name: 'rate-limited', details: { cost: commands.search.cost, retryAfterMs: expect.any(Number) } }),
    ]);
  });

  it('is not thrown out by somebody who shows its token of reconnection', async () => {
    const { edge } = await startTestEdge();
    const { room } = await open(edge, 'ada');
    let left = 0;
    room.onLeave(() => left++);
    await post(edge.url, `/matchmake/reconnect/${room.roomId}`, { reconnectionToken: room.reconnectionToken.split(':')[1] ?? '' });
    expect(await room.request('rules', {})).toMatchObject({ profile: 'dev' });
    expect([left, room.connection.isOpen]).toEqual([0, true]);
  });
});

describe('an address', () => {
  const production = { guests: false, sessionRate: { perSecond: 20, burst: 100 }, proxies: new TrustedProxies(['127.0.0.0/8']) };

  it('is that of each player behind a proxy that is trusted: hundreds come in, whatever junk comes beside them', async () => {
    const { edge } = await startTestEdge(production);
    const junk = Promise.all(Array.from({ length: 300 }, () => through(edge, '203.0.113.9', { token: 'junk', region: 'europe' })));
    const players = await Promise.all(
      Array.from({ length: 150 }, async (_, number) =>
        through(edge, `198.51.100.${number}`, { token: await token(`p${number}`), region: 'europe' }),
      ),
    );
    expect(new Set(players.map(({ status }) => status))).toEqual(new Set([200]));
    const refused = (await junk).filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(100);
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  });

  it('is not what a client says that comes by itself', async () => {
    const { edge } = await startTestEdge({ ...production, proxies: new TrustedProxies([]), sessionRate: { perSecond: 0.001, burst: 2 } });
    const statuses = await Promise.all([1, 2, 3].map(async (number) => (await through(edge, `198.51.100.${number}`, {})).status));
    expect(statuses.sort()).toEqual([400, 400, 429]);
  });

  it('opens sessions while others show tokens of keys that are asked for in vain', async () => {
    const silent = createServer(() => undefined);
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    onClose(async () => {
      silent.close().closeAllConnections();
    });
    const address = silent.address();
    if (address === null || typeof address === 'string') throw new Error('it has no port');
    const { edge } = await startTestEdge({ studioKeys: { kind: 'url', url: new URL(`http://127.0.0.1:${address.port}/keys`) } });
    let answered = 0;
    const junk = `${btoa('{"alg":"ES256","kid":"nobody"}')}.e30.AAAA`;
    const tries = Array.from({ length: 6 }, async () => {
      const { status } = await post(edge.url, '/session', { token: junk, region: 'europe' });
      answered++;
      return status;
    });
    expect((await open(edge, 'ada')).player).toBe('guest-ada');
    expect(answered).toBe(0);
    silent.closeAllConnections();
    expect(await Promise.all(tries)).toEqual(Array(6).fill(504));
  });

  it('has one budget for the commands of all its players', async () => {
    const { edge } = await startTestEdge({ addressRate: { perSecond: 0.001, burst: 100 } });
    const [ada, bob] = [await open(edge, 'ada'), await open(edge, 'bob')];
    const ask = ({ room }: Session): Promise<unknown> => refusalOf(room.request('listing', { listingId: 'x' }));
    const refused: unknown[] = [];
    for (let index = 0; index < 100; index++) refused.push(await ask(index % 2 === 0 ? ada : bob));
    // Two sessions are paid for, their requests, and their connections, of which one may serve twice.
    const spent = 2 * limits.sessionTokens + 6;
    const served = refused.filter((each) => !JSON.stringify(each).includes('rate-limited')).length;
    expect([100 - spent, 100 - spent + 1]).toContain(served);
  });
});

describe('a WebSocket', () => {
  const pathOf = ({ roomId }: Session['room']): string => `/process/${roomId}?sessionId=nobody`;

  it.each([
    '/x/constructor?sessionId=x',
    '/x/__proto__?sessionId=x',
    '/x/toString?sessionId=x',
    '/x/hasOwnProperty?sessionId=__proto__',
    '/',
    '/x',
    '/?sessionId=x',
    '/x/y',
  ])('to %s reaches nothing', async (path) => {
    const { edge, reported } = await startTestEdge();
    expect(await upgrade(edge, path)).toBe(404);
    expect((await fetch(`${edge.url}/livez`)).status).toBe(200);
    expect(reported).toEqual([]);
  });

  it('is refused where its address has too many, which behind a proxy is that of its client', async () => {
    const { edge } = await startTestEdge({ proxies: new TrustedProxies(['127.0.0.1']), connectionsPerAddressMax: 1 });
    const { room } = await open(edge, 'ada');
    // That of the session is open, and came from the proxy's own address.
    expect(await upgrade(edge, pathOf(room))).toBe(503);
    expect(await upgrade(edge, pathOf(room), { 'x-forwarded-for': 'rubbish, "' })).toBe(503);
    expect(await upgrade(edge, pathOf(room), { 'x-forwarded-for': '198.51.100.1' })).toBe(101);
  });

  it('is paid for by its address, which behind a proxy is that of its client', async () => {
    const addressRate = { perSecond: 0.001, burst: 20 };
    const { edge } = await startTestEdge({ proxies: new TrustedProxies(['127.0.0.1']), addressRate });
    const { room } = await open(edge, 'ada');
    const served: (number | undefined)[] = [];
    for (let index = 0; index < 20; index++) served.push(await upgrade(edge, pathOf(room), { 'x-forwarded-for': '198.51.100.1' }));
    expect(served).toEqual(Array(20).fill(101));
    expect(await upgrade(edge, pathOf(room), { 'x-forwarded-for': '198.51.100.1' })).toBe(429);
    expect(await upgrade(edge, pathOf(room), { 'x-forwarded-for': '198.51.100.2' })).toBe(101);
  });

  it('that takes its seat and never says that it is there is destroyed, and its seat is free', async () => {
    const JOIN_MS = 100;
    const { edge } = await startTestEdge({}, undefined, (platform) => ({
      ...platform,
      timers: { ...platform.timers, after: (ms, run) => platform.timers.after(ms === limits.joinMs ? JOIN_MS : ms, run) },
    }));
    const { seat } = sessionAnswerSchema.parse((await post(edge.url, '/session', { guest: 'ada', region: 'europe' })).body);
    const socket = new WebSocket(
      `${edge.url.replace('http', 'ws')}/${String(seat['processId'])}/${String(seat['roomId'])}?sessionId=${String(seat['sessionId'])}`,
    );
    const closed = new Promise<number>((resolve) => socket.addEventListener('close', ({ code }) => resolve(code)));
    await new Promise((resolve) => socket.addEventListener('open', resolve));
    expect(await closed).toBe(1006);
    await until(() => edge.rooms === 0);
  });
});

describe('a client of ours', () => {
  it('comes to its answer although it was refused for haste', async () => {
    const { edge } = await startTestEdge();
    const ada = await GameClient.connect({ url: edge.url, credentials: { guest: 'ada' }, region: 'europe' });
    onClose(() => ada.close());
    const answers = await Promise.all(Array.from({ length: 40 }, () => ada.history()));
    expect(answers).toHaveLength(40);
  });
});
