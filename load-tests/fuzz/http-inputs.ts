/** Requests over HTTP as bytes: valid ones of every operation, and all that can be wrong with them. */
import type { Prng } from '#shared/prng.ts';
import { OPERATIONS, type Operation } from '#server/http/operations.ts';
import { BAD_WORDS, badValue, mutated, randomBytesOf, spoilt } from './rubbish.ts';

const OPERATION_LIST: readonly Operation[] = Object.values(OPERATIONS);
const METHODS = [
  'GET',
  'POST',
  'HEAD',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'get',
  'PRI',
  'X'.repeat(300),
  'G\u00e4T',
  '',
];
const PATHS = [
  '/',
  '*',
  '//',
  '/..',
  '/%2e%2e/%2e%2e/etc/passwd',
  '/%00',
  '/%',
  '/%zz',
  '/session/',
  '/SESSION',
  '/session?x=1#y',
  '/matchmake/create/player',
  '/matchmake/joinOrCreate/player',
  '/matchmake/reconnect/',
  '/matchmake/reconnect/../x',
  '/__proto__',
  '/constructor',
  '/metrics',
  '/colyseus',
  '/nobody/nothing?sessionId=none',
  'http://elsewhere.example/livez',
  'http://[::1',
  `/${'x'.repeat(9_000)}`,
  `/livez?${'a=1&'.repeat(500)}`,
];
const HEADERS = [
  'Content-Length: 0',
  'Content-Length: -1',
  'Content-Length: 5, 6',
  'Content-Length: 99999999999999999999',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding:\tchunked',
  'Connection: close',
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__',
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x',
  'Expect: 100-continue',
  'Expect: 200-ok',
  'Origin: null',
  'Origin: http://evil.example',
  'Origin: https://127.0.0.1',
  'Host: a\r\nHost: b',
  'X-Forwarded-For: 10.0.0.1, unknown, \u00ff',
  'Forwarded: for="[::1]:x"',
  'Authorization: Bearer x',
  'Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.',
  'Content-Type: text/plain',
  'Content-Encoding: gzip',
  'Accept-Encoding: gzip, *;q=0',
  ' folded: header',
  'No-Colon',
  ': no name',
  'Nul: a\0b',
  `Long: ${'x'.repeat(20_000)}`,
  Array.from({ length: 150 }, (_, index) => `H${index}: x`).join('\r\n'),
];
const TOKENS = ['x', 'a.b.c', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.', 'eyJhbGciOiJIUzI1NiJ9.e30.AAAA', 'x'.repeat(4_097)];
/** Few, so that those who come in are few. They live where nobody else does. */
const GUESTS = 12;

/** One request, or what looks like one; `serviceKey` opens what game servers may do. */
export function httpInput(prng: Prng, serviceKey: string): Buffer {
  const kind = prng.next();
  if (kind < 0.1) return upgradeInput(prng);
  const operation = prng.pick(OPERATION_LIST);
  const path = prng.chance(0.25) ? prng.pick(PATHS) : pathOf(prng, operation);
  const method = prng.chance(0.15) ? prng.pick(METHODS) : operation.method.toUpperCase();
  const body = operation.body === undefined && prng.chance(0.8) ? undefined : bodyOf(prng, operation);
  const version = prng.chance(0.05) ? prng.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/9', 'http/1.1', '']) : 'HTTP/1.1';
  const request = Buffer.concat([
    Buffer.from(
      `${method} ${path} ${version}\r\n${[...headersOf(prng, body), ...keyOf(prng, operation, serviceKey)].join('\r\n')}\r\n\r\n`,
      'latin1',
    ),
    body === undefined ? Buffer.alloc(0) : body.bytes,
  ]);
  return prng.chance(0.2) ? mutated(prng, request) : request;
}

/** Mostly the key, so that what is behind it is reached, too. */
function keyOf(prng: Prng, { right }: Operation, serviceKey: string): readonly string[] {
  return right !== undefined && prng.chance(0.8) ? [`Authorization: Bearer ${serviceKey}`] : [];
}

interface Body {
  readonly bytes: Buffer;
  readonly header: string;
}

function headersOf(prng: Prng, body: Body | undefined): readonly string[] {
  const extra = prng.chance(0.3) ? Array.from({ length: prng.integer(1, 3) }, () => prng.pick(HEADERS)) : [];
  return ['Host: 127.0.0.1', ...(body === undefined ? [] : ['Content-Type: application/json', body.header]), ...extra];
}

function pathOf(prng: Prng, { path, query }: Operation): string {
  const asked =
    query === undefined ? '' : prng.pick(['', '?region=asia&mode=hardcore', '?region=%00&mode=x', '?region=asia&region=europe']);
  return `${path}${asked}`.replaceAll(/\{\w+\}/g, () =>
    encodeURIComponent((prng.chance(0.7) ? prng.pick(['room', 'guest-visitor-1']) : prng.pick(BAD_WORDS)).toWellFormed()),
  );
}

function bodyOf(prng: Prng, { path }: Operation): Body {
  const valid = validBody(prng, path);
  const kind = prng.next();
  const one = kind < 0.25 ? valid : kind < 0.8 ? spoilt(prng, valid, true) : badValue(prng, true);
  const value = path.startsWith('/api/') && prng.chance(0.2) ? [one, valid, one] : one;
  const text = prng.chance(0.05) ? `\uFEFF${JSON.stringify(value)}` : (JSON.stringify(value) ?? '');
  const whole = Buffer.from(kind > 0.95 ? 'x'.repeat(prng.pick([10, 8_193, 70_000])) : text);
  const bytes = prng.chance(0.15) ? mutated(prng, whole) : whole;
  if (prng.chance(0.7)) return { bytes, header: `Content-Length: ${bytes.length}` };
  return { bytes: chunked(prng, bytes), header: 'Transfer-Encoding: chunked' };
}

/** Guests of a market of their own, so that nobody's goods are concerned. */
function validBody(prng: Prng, path: string): Readonly<Record<string, unknown>> {
  if (path === '/session') {
    const where = { region: 'asia', mode: 'hardcore' };
    // A session is dear: most are refused for their tokens.
    if (prng.chance(0.2)) return { guest: `visitor-${prng.integer(1, GUESTS)}`, ...where };
    return { token: prng.pick(TOKENS), ...where };
  }
  if (!path.startsWith('/api/')) return { reconnectionToken: 'none' };
  const whom = { player: `guest-visitor-${prng.integer(1, GUESTS)}`, region: 'asia', mode: 'hardcore' };
  return { op: `op-${prng.integer(1, 1_000_000)}`, ...whom, gold: prng.integer(1, 5), reason: 'fuzz' };
}

function chunked(prng: Prng, bytes: Buffer): Buffer {
  const size = prng.integer(1, bytes.length + 1);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    const length = prng.chance(0.03) ? prng.pick(['-1', 'ffffffffffffffff', 'g', '0x5', '']) : part.length.toString(16);
    parts.push(Buffer.from(`${length}${prng.chance(0.1) ? ';ext=1' : ''}\r\n`), part, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from(prng.chance(0.1) ? '0\r\nTrailer: x\r\n\r\n' : '0\r\n\r\n')]);
}

/** An upgrade to WebSocket, valid or nearly, and frames after it that nobody has joined for. */
function upgradeInput(prng: Prng): Buffer {
  const path = prng.pick(['/', '/nobody/nothing?sessionId=none', '/x/y', '/x/y?sessionId=', `/x/${'y'.repeat(500)}?sessionId=%00`]);
  const lines = [
    `GET ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Connection: Upgrade',
    `Upgrade: ${prng.pick(['websocket', 'websocket', 'websocket', 'WebSocket', 'h2c', ''])}`,
    `Sec-WebSocket-Version: ${prng.pick(['13', '13', '13', '8', '0', 'x'])}`,
    `Sec-WebSocket-Key: ${prng.pick(['AAAAAAAAAAAAAAAAAAAAAA==', 'AAAAAAAAAAAAAAAAAAAAAA==', '', 'x'])}`,
    ...(prng.chance(0.2) ? ['Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99'] : []),
    ...(prng.chance(0.2) ? [`Sec-WebSocket-Protocol: ${prng.pick(['a, a', ',', 'x'.repeat(500)])}`] : []),
    ...(prng.chance(0.1) ? ['Origin: http://evil.example'] : []),
  ];
  const frames = Array.from({ length: prng.integer(0, 3) }, () => rawFrame(prng));
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), ...frames]);
}

function rawFrame(prng: Prng): Buffer {
  const payload = randomBytesOf(prng, prng.integer(0, 40));
  const isMasked = prng.chance(0.8);
  const length = prng.chance(0.9)
    ? [payload.length]
    : prng.pick([
        [126, 0xff, 0xff],
        [127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        [126, 0, 1],
      ]);
  const [first = 0, ...rest] = length;
  const head = [prng.chance(0.7) ? 0x82 : prng.integer(0, 255), (isMasked ? 0x80 : 0) | first, ...rest, ...(isMasked ? [0, 0, 0, 0] : [])];
  return Buffer.concat([Buffer.from(head), payload]);
}
