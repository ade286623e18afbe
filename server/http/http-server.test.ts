/** The HTTP server over real sockets, where only bytes tell what a connection does. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import { until } from '#client/wait.ts';
import { limits } from '#shared/limits.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import type { ReportedEvent } from '#server/platform/platform.ts';
import { TrustedProxies } from './client-address.ts';
import { CONNECTION_COUNTS, PATIENCE, type HttpBounds } from './connections.ts';
import { createHttpServer, withBody, type Route } from './http-server.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

const echoBody = z.strictObject({ word: z.string() });
const echo: Route = {
  operation: {
    method: 'post',
    path: '/echo/{id}',
    summary: '',
    parameters: { id: z.string().regex(/^\w+$/) },
    body: echoBody,
    answers: {},
    refusals: [],
  },
  handle: withBody(echoBody, async ({ word }, parameters) => ({ kind: 'json', value: [parameters['id'], word] })),
};

interface Started {
  readonly port: number;
  readonly reported: readonly ReportedEvent[];
}

const start = (...routes: readonly Route[]): Promise<Started> => startWith({}, ...routes);

async function startWith(bounds: HttpBounds, ...routes: readonly Route[]): Promise<Started> {
  const reported: ReportedEvent[] = [];
  const platform = { report: (event: ReportedEvent): void => void reported.push(event) };
  const server = createHttpServer(platform, { loopback: false, named: [] }, routes, bounds);
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return { port: address.port, reported };
}

/** All that the server says to these bytes until it closes the connection; the client closes its half only when asked to. */
async function say(port: number, bytes: string, isEnding = false): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  if (isEnding) socket.end();
  let said = '';
  for await (const chunk of socket) said += String(chunk);
  return said;
}

const post = (path: string, body: string, ...headers: readonly string[]): string =>
  [`POST ${path} HTTP/1.1`, 'host: x', 'content-type: application/json', ...headers, '', body].join('\r\n');
const statuses = (said: string): readonly string[] => [...said.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status = '']) => status);
const SMUGGLED = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n';

describe('a connection', () => {
  it('serves one request after the other', async () => {
    const { port } = await start(echo);
    const ask = post('/echo/a', '{"word":"b"}', 'content-length: 12');
    const said = await say(port, ask + ask.replace('host: x', 'host: x\r\nconnection: close'));
    expect(statuses(said)).toEqual(['200', '200']);
    expect(said).toContain('["a","b"]');
  });

  it.each([
    ['a preflight', 'OPTIONS', 'http://x', '204'],
    ['a refused origin', 'GET', 'http://evil.example', '401'],
  ])('stays open after %s', async (_, method, origin, status) => {
    const { port } = await start(echo);
    const ask = `${method} /echo/a HTTP/1.1\r\nhost: x\r\norigin: ${origin}\r\n`;
    const said = await say(port, `${ask}\r\n${ask}connection: close\r\n\r\n`);
    expect(statuses(said)).toEqual([status, status]);
  });

  it('is closed after a refused origin whose body was not read, and what follows is no request', async () => {
    const { port } = await start(echo);
    const said = await say(port, post('/echo/a', '', 'content-length: 100', 'origin: http://evil.example') + SMUGGLED);
    expect(statuses(said)).toEqual(['401']);
  });

  it('answers HEAD as GET, without the body, and only where GET is answered', async () => {
    const { port } = await start(echo, {
      operation: { method: 'get', path: '/state', summary: '', answers: {}, refusals: [] },
      handle: () => ({ kind: 'json', status: 503, value: { state: 'stopping' } }),
    });
    const head = (path: string, ...headers: readonly string[]): string =>
      [`HEAD ${path} HTTP/1.1`, 'host: x', ...headers, '', ''].join('\r\n');
    const said = await say(port, head('/state') + head('/echo/a', 'connection: close'));
    expect(statuses(said)).toEqual(['503', '404']);
    expect(said).not.toContain('stopping');
  });

  it('serves a bounded number of requests: what a client sends without reading makes no more answers at once', async () => {
    const { port } = await start(echo);
    const max = limits.httpRequestsPerConnectionMax;
    const said = await say(port, 'GET /echo/a HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(max + 50), true);
    expect(statuses(said).filter((status) => status === '404').length).toBeLessThanOrEqual(max);
  });

  it('is closed after a request whose host is none, with the body unread', async () => {
    const { port } = await start(echo);
    const said = await say(port, post('/echo/a', '', 'content-length: 100').replace('host: x', 'host: a b') + SMUGGLED);
    expect(statuses(said)).toEqual(['400']);
    expect(said.toLowerCase()).toContain('connection: close');
  });

  it('is refused before its body comes, and closed with the body unread', async () => {
    const { port } = await start({ ...echo, admit: () => refusal('rate-limited') });
    const said = await say(port, post('/echo/a', '', 'content-length: 100'));
    expect(statuses(said)).toEqual(['429']);
    expect(said.toLowerCase()).toContain('connection: close');
  });

  it.each([
    ['that says how long it is', `content-length: ${limits.httpBodyBytesMax + 1}`, ''],
    [
      'that does not',
      'transfer-encoding: chunked',
      `${(limits.httpBodyBytesMax + 1).toString(16)}\r\n${'x'.repeat(limits.httpBodyBytesMax + 1)}\r\n`,
    ],
  ])('is closed for a body too large %s, and what follows is no request', async (_, header, body) => {
    const { port } = await start(echo);
    const said = await say(port, post('/echo/a', body, header) + SMUGGLED);
    expect(statuses(said)).toEqual(['413']);
  });

  it('takes a body in chunks that fits', async () => {
    const { port } = await start(echo);
    const said = await say(port, post('/echo/a', 'c\r\n{"word":"b"}\r\n0\r\n\r\n', 'transfer-encoding: chunked', 'connection: close'));
    expect(statuses(said)).toEqual(['200']);
  });

  it('that ends in the middle of its request is no failure of the server', async () => {
    const { port, reported } = await start(echo);
    await say(port, post('/echo/a', '{"wo', 'content-length: 12'), true);
    expect(reported).toEqual([]);
  });

  it.each([
    ['a host that is none', 'GET /livez HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n', '400'],
    ['no host, as old programs do', 'GET /livez HTTP/1.0\r\n\r\n', '404'],
    ['a parameter of rubbish', post('/echo/%00', '{"word":"b"}', 'content-length: 12', 'connection: close'), '404'],
    ['a body that is not as its schema says', post('/echo/a', '{"word":1}', 'content-length: 10', 'connection: close'), '400'],
  ])('with %s gets the security headers all the same', async (_, bytes, status) => {
    const { port, reported } = await start(echo);
    const said = await say(port, bytes);
    expect(statuses(said)).toEqual([status]);
    expect(said.toLowerCase()).toContain('x-content-type-options: nosniff');
    expect(reported).toEqual([]);
  });

  it('hears `internal` when a handler throws, and the operator hears why', async () => {
    const fault = new Error('a bug');
    const { port, reported } = await start({
      operation: { method: 'get', path: '/bug', summary: '', answers: {}, refusals: [] },
      handle: () => Promise.reject(fault),
    });
    expect(statuses(await say(port, 'GET /bug HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'))).toEqual(['500']);
    expect(reported).toEqual([{ level: 'error', message: 'GET /bug failed', error: fault }]);
  });
});

const state: Route = {
  operation: { method: 'get', path: '/state', summary: '', answers: {}, refusals: [] },
  handle: (_body, _parameters, { address }) => ({ kind: 'json', value: { address } }),
};
const get = (path: string, ...headers: readonly string[]): string =>
  [`GET ${path} HTTP/1.1`, 'host: x', 'connection: close', ...headers, '', ''].join('\r\n');
const bodyOf = (said: string): unknown => JSON.parse(said.slice(said.indexOf('\r\n\r\n')));

describe('a path', () => {
  it.each([
    ['/state', '200'],
    ['/state?x=1', '200'],
    ['http://x/state', '200'],
    ['/%73tate', '404'],
    ['/st%61te', '404'],
    ['/x/../state', '404'],
    ['/./state', '404'],
    ['//state', '404'],
    ['/state/', '404'],
    ['/state%2f', '404'],
    ['/State', '404'],
  ])('%s is answered %s: it is what was sent, letter for letter', async (path, status) => {
    const { port } = await start(state);
    expect(statuses(await say(port, get(path)))).toEqual([status]);
  });

  it('may have escapes in its parameters, which are read once', async () => {
    const { port } = await start(echo);
    const ask = (path: string): Promise<string> => say(port, post(path, '{"word":"b"}', 'content-length: 12', 'connection: close'));
    expect(bodyOf(await ask('/echo/%61'))).toEqual(['a', 'b']);
    expect(statuses(await ask('/echo/%2561'))).toEqual(['404']);
  });
});

describe('whatever is refused', () => {
  it.each([
    ['what is not there', get('/nothing'), 404],
    ['a host that is none', get('/state').replace('host: x', 'host: a b'), 400],
    ['what is no HTTP', 'hello\r\n\r\n', 400],
    ['headers without end', get('/state', `x: ${'x'.repeat(20_000)}`), 400],
    [
      'a body of another kind',
      post('/echo/a', '', 'content-length: 0', 'connection: close').replace('application/json', 'text/plain'),
      415,
    ],
    ['a body too large', post('/echo/a', '', `content-length: ${limits.httpBodyBytesMax + 1}`), 413],
  ])('is a refusal in JSON with its own status as its code: %s', async (_, bytes, status) => {
    const { port } = await start(echo, state);
    const said = await say(port, bytes);
    expect(bodyOf(said)).toMatchObject({ code: status, retryable: false });
    expect(statuses(said)).toEqual([String(status)]);
    expect(said.toLowerCase()).toContain('x-content-type-options: nosniff');
  });

  it('says in whole seconds when to come back', async () => {
    const { port } = await start({ ...state, admit: () => refusal('rate-limited', { cost: 1, retryAfterMs: 1_200 }) });
    const said = await say(port, get('/state'));
    expect(said.toLowerCase()).toContain('retry-after: 2\r\n');
    expect(bodyOf(said)).toMatchObject({ details: { cost: 1, retryAfterMs: 1_200 } });
  });
});

describe('the address of a client', () => {
  const asked = async (proxies: readonly string[], ...headers: readonly string[]): Promise<unknown> => {
    const { port } = await startWith({ proxies: new TrustedProxies(proxies) }, state);
    return bodyOf(await say(port, get('/state', ...headers)));
  };

  it('is what a trusted proxy says, and else that of the peer', async () => {
    const forwarded = ['x-forwarded-for: 1.1.1.1', 'x-forwarded-for: 198.51.100.7'];
    expect(await asked(['127.0.0.0/8'], ...forwarded)).toEqual({ address: '198.51.100.7' });
    expect(await asked(['127.0.0.0/8'])).toEqual({ address: '127.0.0.1' });
    expect(await asked([], ...forwarded)).toEqual({ address: '127.0.0.1' });
  });
});

describe('a connection that takes its time', () => {
  /** Bounds one of which ends long before the others, whatever the machine is busy with: the one that a test is about. */
  const hurried: HttpBounds = { patience: { ...PATIENCE, headersMs: 100, requestMs: 200 } };
  const soonIdle: HttpBounds = { patience: { ...PATIENCE, idleMs: 300 } };

  it.each([
    ['that says nothing', ''],
    ['that never ends its headers', 'GET /state HTTP/1.1\r\nhost: x\r\n'],
    ['that never ends its body', post('/echo/a', '{"wo', 'content-length: 12')],
  ])('%s is told so, and closed', async (_, bytes) => {
    const { port } = await startWith(hurried, echo, state);
    const said = await say(port, bytes);
    expect([statuses(said), bodyOf(said)]).toEqual([['408'], expect.objectContaining({ name: 'bad-request' })]);
  });

  it('is closed when nothing has gone either way for a while, though its answer is due', async () => {
    const never: Route = { ...state, handle: () => new Promise(() => undefined) };
    const { port } = await startWith(soonIdle, never);
    expect(await say(port, get('/state'))).toBe('');
  });
});

describe('too many connections', () => {
  const open = async (port: number): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };

  it('of one address are closed before anything is read, and one that goes makes room', async () => {
    const { port } = await startWith({ connections: { ...CONNECTION_COUNTS, perAddressMax: 2 } }, state);
    const [first] = [await open(port), await open(port)];
    expect(await say(port, get('/state')).catch(() => '')).toBe('');
    first.destroy();
    await until(async () => statuses(await say(port, get('/state')).catch(() => ''))[0] === '200');
  });

  it('of a trusted proxy are not counted as those of one client', async () => {
    const bounds = { connections: { ...CONNECTION_COUNTS, perAddressMax: 1 }, proxies: new TrustedProxies(['127.0.0.1']) };
    const { port } = await startWith(bounds, state);
    await open(port);
    expect(statuses(await say(port, get('/state')))).toEqual(['200']);
  });

  it('of all together are closed, too', async () => {
    const { port } = await startWith({ connections: { ...CONNECTION_COUNTS, max: 1 } }, state);
    await open(port);
    expect(await say(port, get('/state')).catch(() => '')).toBe('');
  });
});

describe('an address that pays', () => {
  it('pays for each connection and each request; one that cannot is refused, and then not heard', async () => {
    let tokens = 6;
    const charge = (): Refusal | undefined => (tokens-- > 0 ? undefined : refusal('rate-limited', { cost: 1, retryAfterMs: 500 }));
    const { port } = await startWith({ charge }, state);
    expect(statuses(await say(port, get('/state').replace('connection: close\r\n', '') + get('/nothing')))).toEqual(['200', '404']);
    expect(statuses(await say(port, get('/state')))).toEqual(['200']);
    expect(tokens).toBe(1);
    const [poor] = [await say(port, get('/state'))];
    expect([statuses(poor), poor.toLowerCase().includes('retry-after: 1')]).toEqual([['429'], true]);
    expect(await say(port, get('/state')).catch(() => '')).toBe('');
  });

  it('is that of the client, behind a proxy that is trusted', async () => {
    const charged: string[] = [];
    const charge = (address: string): undefined => void charged.push(address);
    const { port } = await startWith({ charge, proxies: new TrustedProxies(['127.0.0.1']) }, state);
    await say(port, get('/state', 'x-forwarded-for: 198.51.100.7'));
    expect(charged).toEqual(['198.51.100.7']);
  });
});
