/**
 * What is known of connections before a byte of them is parsed: how many there are, in all and of one address, and how long
 * one may take its time.
 *
 * 1. Beyond `limits.connectionsMax`, and beyond `limits.httpConnectionsPerAddressMax` of one address, a connection is
 *    closed at once, and so is one whose address cannot pay for it. Trusted proxies have no bound of their own: their clients are charged by
 *    the addresses that they name. A WebSocket is no HTTP connection any more, and is counted where it is made.
 * 2. A connection that does not bring its request in time, or does not take its answer, is closed.
 * 3. Whatever Node itself refuses is answered as all other refusals are: JSON, with the security headers.
 */
import { STATUS_CODES, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { limits } from '#shared/limits.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import { networkOf, type TrustedProxies } from './client-address.ts';
import { answerHeaders, httpStatusOf, publicRefusal } from './public-refusal.ts';

/** Whom a server believes, how long it waits, and who pays. */
export interface HttpBounds {
  /** None unless given. */
  readonly proxies?: TrustedProxies;
  readonly patience?: ConnectionPatience;
  readonly connections?: ConnectionCounts;
  /** Nobody pays unless given. */
  readonly charge?: ChargeAddress;
}

/** Counts what each address has open. */
export class OpenByAddress {
  readonly #max: number;
  readonly #countByNetwork = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Counts one more, and returns what takes it back, once; `undefined` if the address has as many as it may. */
  open(address: string): (() => void) | undefined {
    const network = networkOf(address);
    const count = this.#countByNetwork.get(network) ?? 0;
    if (count >= this.#max) return undefined;
    this.#countByNetwork.set(network, count + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const left = (this.#countByNetwork.get(network) ?? 1) - 1;
      if (left === 0) this.#countByNetwork.delete(network);
      else this.#countByNetwork.set(network, left);
    };
  }
}

/** How patient a server is, in milliseconds. */
export interface ConnectionPatience {
  readonly headersMs: number;
  readonly requestMs: number;
  readonly keepAliveMs: number;
  /** Without a byte in either direction. */
  readonly idleMs: number;
}

/** How many connections a server has, in all and of one address. */
export interface ConnectionCounts {
  readonly max: number;
  readonly perAddressMax: number;
}

/** As `limits` says. */
export const CONNECTION_COUNTS: ConnectionCounts = { max: limits.connectionsMax, perAddressMax: limits.httpConnectionsPerAddressMax };

/** As `limits` says. */
export const PATIENCE: ConnectionPatience = {
  headersMs: limits.httpHeadersMs,
  requestMs: limits.httpRequestMs,
  keepAliveMs: limits.httpKeepAliveMs,
  idleMs: limits.httpIdleMs,
};

/** How often Node looks for connections that take too long: what it adds to any of the times above. */
const CHECK_MS = 500;

/** What makes Node's server look often enough, as options of `createServer`. */
export function patientOptions({ headersMs, requestMs, keepAliveMs }: ConnectionPatience) {
  return {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: Math.min(CHECK_MS, headersMs),
  };
}

/** Charges an address for a connection or a request; a refusal if it cannot pay. */
export type ChargeAddress = (address: string) => Refusal | undefined;

/** Puts a server under these bounds, before it listens. */
export function boundConnections(
  server: Server,
  { proxies, patience: { idleMs }, connections: { max, perAddressMax }, charge }: Required<HttpBounds>,
): void {
  const peers = new OpenByAddress(perAddressMax);
  const releaseBySocket = new WeakMap<Duplex, () => void>();
  server.maxConnections = max;
  server.maxRequestsPerSocket = limits.httpRequestsPerConnectionMax;
  server.timeout = idleMs;
  server.prependListener('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    if (proxies.has(address)) return;
    const release = charge(address) === undefined ? peers.open(address) : undefined;
    if (release === undefined) {
      socket.destroy();
      return;
    }
    releaseBySocket.set(socket, release);
    socket.once('close', release);
  });
  server.on('upgrade', (_request, socket) => releaseBySocket.get(socket)?.());
  server.on('clientError', (error, socket) =>
    endWith(socket, 'code' in error && error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? TOO_LATE : NOT_HTTP),
  );
}

// Made once: who holds hundreds of connections open gets hundreds of them in one instant.
const TOO_LATE = rawAnswer(408, refusal('bad-request', { fault: 'the request took too long' }));
const NOT_HTTP = rawAnswer(400, refusal('bad-request', { fault: 'the request is not HTTP' }));

/** Answers an upgrade, and closes the connection. */
export function refuseUpgrade(socket: Duplex, refused: Refusal): void {
  endWith(socket, rawAnswer(httpStatusOf(refused), refused));
}

/** Writes to a connection that is in nobody's hands, and closes it. */
function endWith(socket: Duplex, answer: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.once('error', () => socket.destroy());
  // Whatever comes after it is not read.
  socket.end(answer, () => socket.destroy());
}

function rawAnswer(status: number, refused: Refusal): string {
  const body = JSON.stringify(publicRefusal(refused));
  const headers = {
    ...answerHeaders(refused),
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
