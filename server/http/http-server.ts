/**
 * The HTTP server of a node: one Hono app for all routes, each JSON in and JSON out, with a bound
 * on everything that a stranger can send. WebSocket upgrades do not pass through it: Node hands
 * them to whoever listens for `upgrade`.
 *
 * 1. Every answer has the same security headers; web pages of other origins are let in by name,
 *    never with credentials.
 * 2. A request is admitted before its body is read, and its body has a bound. A connection whose
 *    request body was not read to its end is closed after the answer, so that the rest of the body
 *    is never taken for the next request.
 * 3. A handler that throws is reported and answered `internal`; it takes nothing else with it.
 */
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { z } from 'zod';
import { limits } from '#shared/limits.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import { faultOf } from '#shared/schemas.ts';
import type { Platform } from '#server/platform/platform.ts';
import { TrustedProxies } from './client-address.ts';
import { boundConnections, CONNECTION_COUNTS, PATIENCE, patientOptions, type HttpBounds } from './connections.ts';
import type { Operation } from './operations.ts';
import { isOriginAllowed, type OriginRules } from './origins.ts';
import { answerHeaders, httpStatusOf, publicRefusal, SECURITY_HEADERS } from './public-refusal.ts';

/** An answer: a value for the body, with a status of its own (default 200), or a refusal. */
export type HttpAnswer = { readonly kind: 'json'; readonly status?: number; readonly value: unknown } | Refusal;

/** Who sends a request, as far as its connection and its headers tell. */
export interface HttpCaller {
  /** That of the client, as far as proxies are trusted. */
  readonly address: string;
  /** The header of that name. */
  readonly authorization: string | undefined;
}

/** Asked before the body is read: a refusal saves reading it. */
export type Admit = (caller: HttpCaller) => Refusal | undefined;

/**
 * Called with the body as JSON, `undefined` where the operation has none, and the parameters of
 * path and query.
 */
type Handle<Body> = (body: Body, parameters: Readonly<Record<string, string>>, caller: HttpCaller) => HttpAnswer | Promise<HttpAnswer>;

/** An operation and what serves it. */
export interface Route {
  readonly operation: Operation;
  readonly admit?: Admit;
  readonly handle: Handle<unknown>;
}

/**
 * The handler of an operation with a body: it is called with what the body's schema lets through;
 * anything else is refused.
 */
export function withBody<Body>(schema: z.ZodType<Body>, handle: Handle<Body>): Route['handle'] {
  return (json, parameters, caller) => {
    const body = schema.safeParse(json);
    return body.success ? handle(body.data, parameters, caller) : refusal('bad-request', { fault: faultOf(body.error) });
  };
}

type Bindings = { readonly Bindings: HttpBindings };

const PREFLIGHT_HEADERS: Readonly<Record<string, string>> = {
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers': 'content-type, authorization',
  'access-control-max-age': '600',
};

/**
 * A server of these routes that does not listen yet. What fails in it is reported to the platform.
 */
export function createHttpServer(
  platform: Pick<Platform, 'report'>,
  origins: OriginRules,
  routes: readonly Route[],
  { proxies = new TrustedProxies([]), patience = PATIENCE, connections = CONNECTION_COUNTS, charge = () => undefined }: HttpBounds = {},
): Server {
  const app = appOf(platform, origins, routes, { proxies, charge });
  const listener = getRequestListener((request, env) => app.fetch(request, env), {
    overrideGlobalObjects: false,
    autoCleanupIncoming: false,
    hostname: 'localhost',
    // No handler has seen the request, so nothing has read its body.
    errorHandler: () => {
      const response = responseOf(refusal('bad-request', { fault: 'the host or the path is malformed' }));
      response.headers.set('connection', 'close');
      return response;
    },
  });
  const server = createServer(patientOptions(patience), (incoming, outgoing) => void listener(incoming, outgoing));
  boundConnections(server, { proxies, patience, connections, charge });
  return server;
}

function appOf(
  platform: Pick<Platform, 'report'>,
  origins: OriginRules,
  routes: readonly Route[],
  { proxies, charge }: Pick<Required<HttpBounds>, 'proxies' | 'charge'>,
): Hono<Bindings> {
  const app = new Hono<Bindings>();
  app.use(async (context, next) => {
    const { incoming } = context.env;
    const { origin, host } = incoming.headers;
    const isAllowed = isOriginAllowed(origins, origin, host);
    const poor = charge(proxies.clientOf(incoming));
    if (poor !== undefined) context.res = responseOf(poor);
    else if (!isAllowed) context.res = responseOf(refusal('unauthorized', { reason: 'this origin is not allowed' }));
    else if (context.req.method === 'OPTIONS') context.res = new Response(null, { status: 204, headers: PREFLIGHT_HEADERS });
    else await next();
    const headers = {
      ...SECURITY_HEADERS,
      ...(isAllowed && origin !== undefined ? { 'access-control-allow-origin': origin, vary: 'origin' } : {}),
      ...(incoming.complete || !hasBody(incoming) ? {} : { connection: 'close' }),
    };
    for (const [name, value] of Object.entries(headers)) context.res.headers.set(name, value);
  });
  for (const route of routes) {
    const path = route.operation.path.replaceAll(/\{(\w+)\}/g, ':$1');
    app.on(route.operation.method.toUpperCase(), path, async (context) => responseOf(await answerOf(route, context, proxies)));
  }
  app.notFound(() => responseOf(refusal('not-found')));
  app.onError((error, { env: { incoming }, req }) => {
    // A caller that has hung up in the middle of its request hears no answer, and is no fault of
    // the server.
    const isGone = incoming.destroyed && !incoming.complete;
    if (!isGone) platform.report({ level: 'error', message: `${req.method} ${req.path} failed`, error });
    return responseOf(refusal('internal'));
  });
  return app;
}

async function answerOf({ operation, admit, handle }: Route, context: Context<Bindings>, proxies: TrustedProxies): Promise<HttpAnswer> {
  const parameters: Record<string, string> = context.req.param();
  const { incoming } = context.env;
  const isFound = Object.entries(operation.parameters ?? {}).every(([name, schema]) => schema.safeParse(parameters[name]).success);
  if (!isFound || !isAsSent(operation.path, incoming.url ?? '')) return refusal('not-found');
  const caller: HttpCaller = { address: proxies.clientOf(incoming), authorization: incoming.headers.authorization };
  const refused = admit?.(caller);
  if (refused !== undefined) return refused;
  const asked = queryOf(operation, context.req.query());
  if ('kind' in asked) return asked;
  Object.assign(parameters, asked.query);
  if (operation.body === undefined) return handle(undefined, parameters, caller);
  if (!/^application\/json\b/i.test(incoming.headers['content-type'] ?? '')) return refusal('not-json');
  const { bodyBytesMax = limits.httpBodyBytesMax } = operation;
  const text = await readBody(incoming, bodyBytesMax);
  if (text === undefined) return refusal('too-large', { bytesMax: bodyBytesMax });
  const body = parseJson(text);
  return body === undefined ? refusal('bad-request', { fault: 'the body is not JSON' }) : handle(body, parameters, caller);
}

/** The query of an operation: exactly what the operation describes. What has no query reads none. */
function queryOf(
  { query: described }: Operation,
  sent: Readonly<Record<string, string>>,
): { readonly query: Readonly<Record<string, string>> } | Refusal {
  if (described === undefined) return { query: {} };
  const query = z.strictObject(described).safeParse(sent);
  return query.success ? { query: query.data } : refusal('bad-request', { fault: faultOf(query.error) });
}

/**
 * Whether the fixed parts of a path are what was sent, letter for letter: `/%6civez` and `/x/../livez` are not `/livez`, whatever the
 * library makes of them, so that a proxy's rule for a path holds for all that comes here as that path. Only parameters may have escapes.
 */
function isAsSent(path: string, url: string): boolean {
  const [sent = ''] = url.replace(/^https?:\/\/[^/?#]*/i, '').split(/[?#]/);
  const parts = sent.split('/');
  const expected = path.split('/');
  return parts.length === expected.length && expected.every((part, index) => part.startsWith('{') || part === parts[index]);
}

/**
 * Whether the head of a request announces a body. Node tells that a request without one is complete
 * only after its headers have been handled.
 */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

/** The body as text, or `undefined` if there is too much of it; the rest is then not read. */
async function readBody(incoming: IncomingMessage, bytesMax: number): Promise<string | undefined> {
  if (Number(incoming.headers['content-length'] ?? 0) > bytesMax) return undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of incoming) {
    if (!(chunk instanceof Uint8Array)) continue;
    length += chunk.length;
    if (length > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** `undefined`, which JSON cannot say, if the text is none. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function responseOf(answered: HttpAnswer): Response {
  if (answered.kind === 'json') return Response.json(answered.value, { status: answered.status ?? 200 });
  const refused = publicRefusal(answered);
  return Response.json(refused, { status: httpStatusOf(refused), headers: answerHeaders(refused) });
}
