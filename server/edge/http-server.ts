/**
 * The HTTP side of the edge: a few routes, each JSON in and JSON out, with a bound on everything that a stranger can send.
 *
 * 1. Every answer has the same security headers; web pages of other origins are let in by name, never with credentials.
 * 2. A handler that throws is reported and answered `internal`; it takes nothing else with it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { refusal, type Refusal } from '#shared/refusals.ts';
import type { Platform } from '#server/platform/platform.ts';
import { isOriginAllowed, type OriginRules } from './origins.ts';
import { httpStatusOf, publicRefusal } from './public-refusal.ts';

/** A request as a route sees it. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  /** The address of the peer; forwarded headers are not believed. */
  readonly address: string;
  /** The body as JSON; `undefined` where there is none. */
  readonly body: unknown;
}

/** An answer: a value for the body, with a status of its own (default 200), or a refusal. */
export type HttpAnswer = { readonly kind: 'json'; readonly status?: number; readonly value: unknown } | Refusal;

/** One route. The last part of its path may be `*`: any one word. */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Asked before the body is read: a refusal saves reading it. */
  readonly admit?: (request: Omit<HttpRequest, 'body'>) => Refusal | undefined;
  readonly handle: (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;
}

/** What the HTTP side needs from its surroundings. */
export interface HttpServices {
  readonly platform: Pick<Platform, 'report'>;
  readonly origins: OriginRules;
  readonly routes: readonly Route[];
}

/** A session needs far less; a token is at most 4 KiB. */
const BODY_BYTES_MAX = 8 * 1_024;
/** How long a client may take for its headers, and for its whole request. */
const HEADERS_MS = 5_000;
const REQUEST_MS = 10_000;
/** How long a connection may idle between two requests. */
const KEEP_ALIVE_MS = 5_000;

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** A server that does not listen yet. */
export function createHttpServer(services: HttpServices): Server {
  const server = createServer((incoming, outgoing) => {
    void respond(services, incoming, outgoing);
  });
  server.headersTimeout = HEADERS_MS;
  server.requestTimeout = REQUEST_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}

async function respond(services: HttpServices, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const headers: Record<string, string> = { ...SECURITY_HEADERS };
  const { origin, host } = incoming.headers;
  if (!isOriginAllowed(services.origins, origin, host))
    return write(outgoing, headers, refusal('unauthorized', { reason: 'this origin is not allowed' }));
  if (origin !== undefined) Object.assign(headers, { 'access-control-allow-origin': origin, vary: 'origin' });
  if (incoming.method === 'OPTIONS') return preflight(outgoing, headers);
  try {
    write(outgoing, headers, await answerOf(services, incoming));
  } catch (error) {
    if (incoming.destroyed && !incoming.complete) return; // The caller has hung up in the middle: nobody to answer, nothing to report.
    services.platform.report({ level: 'error', message: `${incoming.method ?? '?'} ${pathOf(incoming)} failed`, error });
    write(outgoing, headers, refusal('internal'));
  }
}

async function answerOf({ routes }: HttpServices, incoming: IncomingMessage): Promise<HttpAnswer> {
  const path = pathOf(incoming);
  const method = incoming.method ?? '';
  const route = routes.find((each) => each.method === method && isPath(each.path, path));
  if (route === undefined)
    return { kind: 'json', status: 404, value: publicRefusal(refusal('bad-request', { fault: 'there is nothing here' })) };
  const request = { method, path, address: incoming.socket.remoteAddress ?? '' };
  const refused = route.admit?.(request);
  if (refused !== undefined) return refused;
  if (route.method === 'GET') return route.handle({ ...request, body: undefined });
  if (!/^application\/json\b/i.test(incoming.headers['content-type'] ?? '')) return malformed(415, 'the body must be application/json');
  const text = await readBody(incoming);
  if (text === undefined) return malformed(413, `the body must have at most ${BODY_BYTES_MAX} bytes`);
  const body = parseJson(text);
  return body === undefined ? malformed(400, 'the body is not JSON') : route.handle({ ...request, body: body.value });
}

function malformed(status: number, fault: string): HttpAnswer {
  return { kind: 'json', status, value: publicRefusal(refusal('bad-request', { fault })) };
}

function pathOf(incoming: IncomingMessage): string {
  const [path = '/'] = (incoming.url ?? '/').split('?', 1);
  return path;
}

function isPath(pattern: string, path: string): boolean {
  if (!pattern.endsWith('/*')) return pattern === path;
  const start = pattern.slice(0, -1);
  return path.startsWith(start) && /^[A-Za-z0-9_-]{1,64}$/.test(path.slice(start.length));
}

/** The body as text, or `undefined` if there is too much of it; the rest is then not read. */
async function readBody(incoming: IncomingMessage): Promise<string | undefined> {
  if (Number(incoming.headers['content-length'] ?? 0) > BODY_BYTES_MAX) return undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of incoming) {
    if (!(chunk instanceof Uint8Array)) continue;
    length += chunk.length;
    if (length > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function preflight(outgoing: ServerResponse, headers: Readonly<Record<string, string>>): void {
  outgoing.writeHead(204, {
    ...headers,
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers': 'content-type, authorization',
    'access-control-max-age': '600',
  });
  outgoing.end();
}

function write(outgoing: ServerResponse, headers: Readonly<Record<string, string>>, answered: HttpAnswer): void {
  const refused = answered.kind === 'refusal' ? publicRefusal(answered) : undefined;
  const status = answered.kind === 'refusal' ? httpStatusOf(publicRefusal(answered)) : (answered.status ?? 200);
  const body = JSON.stringify(refused ?? (answered.kind === 'json' ? answered.value : null));
  // What is left of a body that was not read must not be taken for the next request.
  const isWholeRead = outgoing.req.complete;
  outgoing.writeHead(status, {
    ...headers,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...(isWholeRead ? {} : { connection: 'close' }),
  });
  outgoing.end(body);
}
