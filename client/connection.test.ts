/** The client on bad networks and over long evenings: silence, tokens that end, servers that go. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { SignJWT } from 'jose';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { limits } from '#shared/limits.ts';
import { durationMs, later } from '#shared/units.ts';
import type { Platform } from '#server/platform/platform.ts';
import { closeAll, JWT_KEY, onClose, startTestEdge, type TestEdge } from '#server/edge/testing/test-edge.ts';
import { NoAnswerError, RefusedError, SignedOutError } from './errors.ts';
import { GameClient, type GameClientOptions } from './game-client.ts';
import { SilentProxy } from './testing/silent-proxy.ts';
import { told } from './testing/told.ts';
import { until } from './wait.ts';

afterEach(closeAll);

const MINUTE = 60_000;

const join = async (options: Omit<GameClientOptions, 'region'>): Promise<GameClient> => {
  const client = await GameClient.connect({ region: 'europe', ...options });
  onClose(() => client.close());
  return client;
};

const before = async ({ edge }: TestEdge): Promise<SilentProxy> => {
  const proxy = await SilentProxy.start(edge.port);
  onClose(() => proxy.close());
  return proxy;
};

const anItem = ({ state }: GameClient): string => state.stash.keys().next().value ?? '';

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'it was answered',
    (error: unknown) => error,
  );

describe('a connection that carries nothing any more', () => {
  it('is given up while a command waits, and the command is answered over a fresh session, once', async () => {
    const server = await startTestEdge();
    const proxy = await before(server);
    const ada = await join({ url: proxy.url, credentials: { guest: 'ada' }, patience: { attemptMs: 1_500 } });
    const itemId = anItem(ada);
    const [lost, back] = [told(ada, 'lost'), told(ada, 'back')];
    proxy.silence();
    const asked = ada.sell({ itemId, buyout: 10 });
    expect(await lost).toEqual([4010]);
    await back;
    await asked;
    await until(() => ada.state.listings.size === 1 && !ada.state.stash.has(itemId));
  });

  it('is given up while nothing is asked, too', async () => {
    const server = await startTestEdge();
    const proxy = await before(server);
    const ada = await join({ url: proxy.url, credentials: { guest: 'ada' }, patience: { attemptMs: 1_000, idleMs: 300 } });
    const [lost, back] = [told(ada, 'lost'), told(ada, 'back')];
    proxy.silence();
    expect(await lost).toEqual([4010]);
    await back;
    expect(ada.isConnected).toBe(true);
  });

  it('is told from one that is only idle, or whose server takes its time', async () => {
    const server = await startTestEdge();
    const { world } = server.backend;
    const gate = Promise.withResolvers<void>();
    const slow: typeof world.accept = async (envelope) => {
      if (envelope.message.kind === 'sell') await gate.promise;
      return world.accept(envelope);
    };
    await server.edge.close(2_000);
    const again = await startTestEdge({ backend: { ...server.backend, world: { accept: slow } } });
    const proxy = await before(again);
    const ada = await join({ url: proxy.url, credentials: { guest: 'ada' }, patience: { attemptMs: 300, idleMs: 100 } });
    const connections = proxy.taken;
    let repeats = 0;
    // Each repeat is an attempt without an answer: the connection has been quiet for that long.
    ada.on('repeated', () => {
      if (++repeats === 4) gate.resolve();
    });
    await ada.sell({ itemId: anItem(ada), buyout: 10 });
    expect([repeats >= 4, proxy.taken]).toEqual([true, connections]);
  });
});

/** An edge of a production world, whose wall clock can be moved on. */
const production = async (): Promise<{ readonly server: TestEdge; readonly pass: (ms: number) => void; readonly now: () => number }> => {
  let passedMs = 0;
  const seen = (platform: Platform): Platform => ({
    ...platform,
    readings: { ...platform.readings, wall: () => later(platform.readings.wall(), durationMs(passedMs)) },
  });
  const server = await startTestEdge({ guests: false }, undefined, seen);
  return { server, pass: (ms) => (passedMs += ms), now: () => Date.now() + passedMs };
};

const studioToken = (now: number, ms = MINUTE): Promise<string> =>
  new SignJWT({ aud: 'gavel', sub: 'p1', exp: Math.floor((now + ms) / 1_000) })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(JWT_KEY));

describe('a session that outlives its token', () => {
  it('has it renewed while it is there, and so comes back at once after hours', async () => {
    const { server, pass, now } = await production();
    const proxy = await before(server);
    const ada = await join({ url: proxy.url, credentials: { token: await studioToken(now()) }, patience: { renewMs: 5 } });
    for (let played = 0; played < 11; played++) {
      for (let quarter = 0; quarter < 5; quarter++) {
        pass(12 * MINUTE);
        const { taken } = proxy;
        // The second one began after the first, and so after the clock was moved.
        await until(() => proxy.taken >= taken + 3);
      }
    }
    const back = told(ada, 'back');
    proxy.cut();
    await back;
    expect(ada.player).toBe('p1');
  });

  it('is started anew by a function that brings fresh credentials', async () => {
    const { server, pass, now } = await production();
    const proxy = await before(server);
    let asked = 0;
    const credentials = async () => {
      asked++;
      return { token: await studioToken(now()) };
    };
    const ada = await join({ url: proxy.url, credentials });
    pass(16 * MINUTE);
    const back = told(ada, 'back');
    proxy.cut();
    await back;
    expect(asked).toBe(2);
  });

  it('renews itself by fresh credentials where the studio has to be asked again', async () => {
    const { server, pass, now } = await production();
    const ada = await join({
      url: server.edge.url,
      credentials: async () => ({ token: await studioToken(now()) }),
      patience: { renewMs: 5 },
    });
    const signIn = told(ada, 'signIn');
    pass(limits.sessionResumedMs + 1);
    await expect(Promise.race([signIn, until(() => false, 200).catch(() => 'nothing was told')])).resolves.toBe('nothing was told');
  });
});

describe('a player whom the server lets in no longer', () => {
  it('is told to sign in; what was asked ends as unauthorized, and nothing is tried until then', async () => {
    const { server, pass, now } = await production();
    const proxy = await before(server);
    const ada = await join({ url: proxy.url, credentials: { token: await studioToken(now()) }, patience: { attemptMs: 1_000 } });
    pass(16 * MINUTE);
    const signIn = told(ada, 'signIn');
    proxy.cut();
    await until(() => !ada.isConnected);
    const failure = await failureOf(ada.sell({ itemId: 'none', buyout: 10 }));
    expect(failure).toBeInstanceOf(RefusedError);
    expect(failure).toMatchObject({ refusal: { name: 'unauthorized' } });
    expect(await signIn).toEqual([failure]);
    const { taken } = proxy;
    await expect(ada.rules()).rejects.toMatchObject({ refusal: { name: 'unauthorized' } });
    expect(proxy.taken).toBe(taken);

    const back = told(ada, 'back');
    ada.signIn({ token: await studioToken(now()) });
    await back;
    await expect(ada.rules()).resolves.toMatchObject({ durationMaxMs: expect.any(Number) });
  });

  it('keeps the op of what was under way, which nobody knows the end of', async () => {
    const { server, pass, now } = await production();
    const proxy = await before(server);
    const ada = await join({ url: proxy.url, credentials: { token: await studioToken(now()) } });
    pass(16 * MINUTE);
    proxy.silence();
    const asked = failureOf(ada.sell({ itemId: 'none', buyout: 10 }, { op: 'under-way' }));
    proxy.cut();
    const failure = await asked;
    expect(failure).toBeInstanceOf(SignedOutError);
    expect(failure).toBeInstanceOf(NoAnswerError);
    expect(failure).toMatchObject({ op: 'under-way', refusal: { name: 'unauthorized' } });
  });

  it('is told while it is still connected, and goes on', async () => {
    const { server, pass, now } = await production();
    const ada = await join({ url: server.edge.url, credentials: { token: await studioToken(now()) }, patience: { renewMs: 5 } });
    const signIn = told(ada, 'signIn');
    pass(limits.sessionResumedMs + 1);
    expect(await signIn).toMatchObject([{ refusal: { name: 'unauthorized' } }]);
    await expect(ada.rules()).resolves.toBeDefined();
    expect(ada.isConnected).toBe(true);
  });
});

/** A server that answers each session with the same refusal, or not at all. */
const refusing = async (refused?: ReturnType<typeof refusedWith>): Promise<{ readonly url: string; readonly asked: () => number }> => {
  let asked = 0;
  const server = createServer((incoming, outgoing) => {
    asked++;
    incoming.resume();
    if (refused !== undefined) outgoing.writeHead(503, { 'content-type': 'application/json' }).end(JSON.stringify(refused));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onClose(async () => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, asked: () => asked };
};

const refusedWith = (code: number, name: string, details = {}) => ({ code, name, message: 'No.', retryable: true, details });

describe('of several servers', () => {
  it('the next is tried where one does not answer or lets nobody in, and the one that works is remembered', async () => {
    const server = await startTestEdge();
    const proxy = await before(server);
    const gone = await SilentProxy.start(server.edge.port);
    const { url: nobody } = gone;
    await gone.close();
    const busy = await refusing(refusedWith(503, 'busy'));
    const draining = await refusing(refusedWith(504, 'unavailable'));
    const ada = await join({ url: [nobody, busy.url, draining.url, proxy.url], credentials: { guest: 'ada' } });
    const back = told(ada, 'back');
    proxy.cut();
    await back;
    expect([busy.asked(), draining.asked()]).toEqual([1, 1]);
  });

  it('one that says it is going is not the first to be asked again', async () => {
    const server = await startTestEdge();
    const proxy = await before(server);
    const silent = await refusing();
    const ada = await join({ url: [proxy.url, silent.url], credentials: { guest: 'ada' } });
    const { taken } = proxy;
    const lost = told(ada, 'lost');
    await server.edge.close(2_000);
    expect(await lost).toEqual([4001]);
    await until(() => silent.asked() > 0);
    expect(proxy.taken).toBe(taken);
  });

  it('none is tried again sooner than it says', async () => {
    const server = await startTestEdge();
    const proxy = await before(server);
    const limited = await refusing(refusedWith(429, 'rate-limited', { retryAfterMs: 10 * MINUTE }));
    const ada = await join({ url: [proxy.url, limited.url], credentials: { guest: 'ada' } });
    await proxy.close();
    await until(() => limited.asked() === 1);
    const failure = await failureOf(ada.rules({}, { deadlineMs: 300 }));
    expect(failure).toMatchObject({ cause: { message: 'there is no connection', cause: { refusal: { name: 'rate-limited' } } } });
    expect(limited.asked()).toBe(1);
  });
});

describe('a command', () => {
  it('that the server closes the connection for is not sent again', async () => {
    const { edge } = await startTestEdge();
    const ada = await join({ url: edge.url, credentials: { guest: 'ada' } });
    const back = told(ada, 'back');
    const failure = await failureOf(ada.search({ criteria: { name: 'x'.repeat(limits.payloadBytesMax) }, limit: 1 }));
    expect(String(failure)).toBe('ProtocolError: the server closed the connection for what was sent (1009)');
    await back;
    await expect(ada.rules()).resolves.toBeDefined();
  });
});
