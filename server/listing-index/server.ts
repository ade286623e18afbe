/**
 * The listing index over the network: it listens, and serves one index to whoever has the key.
 *
 * Owns the index and all connections. A connection says hello once; after that its questions are answered, feeds at
 * once and in order, searches when they are ready.
 *
 * 1. Nothing is decoded of whoever has not proved to have the key.
 * 2. A frame that is not as it must be ends its connection, with a stated code and a line in the log, and does nothing.
 * 3. A connection feeds in the name of one node only.
 * 4. All connected nodes search by the same item classes. One with others is refused while another is connected;
 *    otherwise the index begins anew with them.
 * 5. What one connection can make the index hold is bounded: searches under way, and bytes that it does not read.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import type { SearchedClass } from '#shared/search.ts';
import type { NodeName } from '#shared/units.ts';
import type { Cancel, Machine } from '#server/platform/platform.ts';
import { challengeMessage, indexProofMessage, NONCE_BYTES, otherVersionOf, readNodeProof, WIRE_VERSION } from './handshake.ts';
import { watchLiveness } from './liveness.ts';
import { ListingIndex } from './listing-index.ts';
import { localListingIndex } from './local.ts';
import type { ListingIndexService } from './service.ts';
import {
  decodeQuestion,
  encodeAnswer,
  foreignVersionOf,
  FRAME_BYTES_MAX,
  INDEX_CLOSE_CODES,
  SEARCHES_MAX,
  type IndexAnswer,
  type IndexQuestion,
} from './wire.ts';

/** What a server is started with. */
export interface IndexServerOptions {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  readonly key: string;
  readonly machine: Pick<Machine, 'timers' | 'random' | 'report'>;
}

/** A server that listens. */
export interface IndexServer {
  /** `ws://host:port`. */
  readonly url: string;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** Connections at once: a world has a handful of nodes, and strangers must not take the memory of all. */
const CONNECTIONS_MAX = 64;
/** From the connection to the hello. */
const HELLO_MS = 3_000;
/** How often Node looks for connections that take longer to ask for a WebSocket. */
const CHECK_MS = 500;
/** Bytes that a node does not read until its connection is cut: more than the answers to all of its searches. */
const UNREAD_BYTES_MAX = 64 * 1_024 * 1_024;

/** From the word that a connection ends to its end, if the other side does not answer. */
const FAREWELL_MS = 1_000;

/** How far a connection has come. */
type Phase =
  | { readonly kind: 'challenged'; readonly nonce: Uint8Array; readonly cancelDeadline: Cancel }
  | { readonly kind: 'proved'; readonly cancelDeadline: Cancel }
  | { readonly kind: 'serving'; readonly node: NodeName; readonly service: ListingIndexService; searches: number }
  | { readonly kind: 'closed' };

/** Starts a server with an empty index. Rejects if it cannot listen. */
export async function startIndexServer(options: IndexServerOptions): Promise<IndexServer> {
  const { host, port } = options;
  const patience = { headersTimeout: HELLO_MS, requestTimeout: HELLO_MS, connectionsCheckingInterval: CHECK_MS };
  const http = createServer(patience, (_request, response) => response.writeHead(426, { connection: 'close' }).end());
  http.maxConnections = CONNECTIONS_MAX;
  const shared = new SharedIndex(options);
  const sockets = new WebSocketServer({ server: http, maxPayload: FRAME_BYTES_MAX, perMessageDeflate: false });
  sockets.on('connection', (socket, request) => new Connection(socket, request.socket.remoteAddress ?? 'somebody', options, shared));
  sockets.on('error', () => undefined); // Those of the HTTP server, which `listening` hears as well.
  await listening(http, host, port);
  return {
    url: urlOf(http),
    close: () => {
      for (const socket of sockets.clients) socket.terminate();
      return new Promise((resolve) => http.close(() => resolve()));
    },
  };
}

function listening(http: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, host, () => {
      http.off('error', reject);
      resolve();
    });
  });
}

function urlOf(http: Server): string {
  const at = http.address();
  if (at === null || typeof at === 'string') throw new Error('the server listens on no port');
  const { address, family, port }: AddressInfo = at;
  return `ws://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** The one index, and who uses it, with the item classes by which the connected nodes search. */
class SharedIndex {
  readonly #options: IndexServerOptions;
  readonly #users = new Set<Connection>();
  #current: { readonly classes: string; readonly service: ListingIndexService } | undefined;

  constructor(options: IndexServerOptions) {
    this.#options = options;
  }

  /** The index, for somebody with these classes; `undefined` if others are connected who have other ones. */
  join(user: Connection, itemClasses: readonly SearchedClass[]): ListingIndexService | undefined {
    const classes = JSON.stringify(itemClasses);
    if (this.#current?.classes !== classes) {
      if (this.#users.size > 0) return undefined;
      this.#current = { classes, service: localListingIndex(new ListingIndex(itemClasses), this.#options.machine.timers) };
    }
    this.#users.add(user);
    return this.#current.service;
  }

  leave(user: Connection): void {
    this.#users.delete(user);
  }
}

/** One connection, until its socket closes. */
class Connection {
  readonly #socket: WebSocket;
  readonly #from: string;
  readonly #options: IndexServerOptions;
  readonly #shared: SharedIndex;
  #phase: Phase;
  #lastNumber = 0;

  constructor(socket: WebSocket, from: string, options: IndexServerOptions, shared: SharedIndex) {
    const { timers, random } = options.machine;
    this.#socket = socket;
    this.#from = from;
    this.#options = options;
    this.#shared = shared;
    const nonce = random.bytes(NONCE_BYTES);
    const cancelDeadline = timers.after(HELLO_MS, () => this.#close('silent', 'no hello came'));
    this.#phase = { kind: 'challenged', nonce, cancelDeadline };
    socket.on('error', () => undefined); // `close` follows.
    socket.on('close', () => this.#leave());
    socket.on('message', (data, isBinary) => this.#receive(isBinary && data instanceof Uint8Array ? data : new Uint8Array()));
    watchLiveness(socket, timers);
    socket.send(challengeMessage(nonce));
  }

  #receive(bytes: Uint8Array): void {
    const phase = this.#phase;
    if (phase.kind === 'closed') return;
    if (phase.kind === 'challenged') return this.#prove(bytes, phase.nonce, phase.cancelDeadline);
    const question = decodeQuestion(bytes);
    if (question === undefined) return this.#refuseFrame(bytes);
    const { number, body } = question;
    if (number !== this.#lastNumber + 1) return this.#close('badFrame', `frame ${number} came after frame ${this.#lastNumber}`);
    this.#lastNumber = number;
    if (phase.kind === 'proved') return this.#greet(number, body, phase.cancelDeadline);
    this.#serve(number, body, phase).catch((error: unknown) => {
      this.#options.machine.report({ level: 'error', message: 'the listing index failed', error });
      this.#close('failed', 'the index failed');
    });
  }

  #prove(bytes: Uint8Array, nonce: Uint8Array, cancelDeadline: Cancel): void {
    const version = otherVersionOf(bytes);
    if (version !== undefined) return this.#refuseVersion(version);
    const node = readNodeProof(this.#options.key, nonce, bytes);
    if (node === undefined) return this.#close('unknown', 'it has not the key of this index');
    this.#phase = { kind: 'proved', cancelDeadline };
    this.#socket.send(indexProofMessage(this.#options.key, { index: nonce, node }));
  }

  #greet(number: number, question: IndexQuestion, cancelDeadline: Cancel): void {
    if (question.kind !== 'hello') return this.#close('badFrame', 'no hello came first');
    const service = this.#shared.join(this, question.itemClasses);
    if (service === undefined) {
      return this.#close('otherClasses', 'its catalogue has other item classes than that of the nodes which are connected');
    }
    cancelDeadline();
    this.#phase = { kind: 'serving', node: question.node, service, searches: 0 };
    this.#answer(number, { kind: 'welcome' });
  }

  async #serve(number: number, question: IndexQuestion, serving: Phase & { readonly kind: 'serving' }): Promise<void> {
    const { node, service } = serving;
    if (question.kind === 'apply') {
      return this.#answer(number, { kind: 'fed', answer: await service.apply({ ...question.batch, node }) });
    }
    if (question.kind === 'search') {
      if (serving.searches >= SEARCHES_MAX) return this.#close('tooMuch', `more than ${SEARCHES_MAX} searches at once`);
      serving.searches++;
      const answer = await service.search(question.query, { atLeast: { node, position: question.atLeast } });
      serving.searches--;
      return this.#answer(number, { kind: 'searched', answer });
    }
    if (question.kind === 'stats') return this.#answer(number, { kind: 'stats', stats: await service.stats() });
    this.#close('badFrame', 'a second hello came');
  }

  #answer(number: number, answer: IndexAnswer): void {
    if (this.#phase.kind !== 'serving') return;
    if (this.#socket.bufferedAmount > UNREAD_BYTES_MAX) return this.#close('tooMuch', 'it does not read its answers');
    this.#socket.send(encodeAnswer(number, answer));
  }

  #refuseFrame(bytes: Uint8Array): void {
    const version = foreignVersionOf(bytes);
    if (version === undefined) this.#close('badFrame', 'a frame that is none came');
    else this.#refuseVersion(version);
  }

  #refuseVersion(version: number): void {
    this.#close('version', `it speaks version ${version}, and this index ${WIRE_VERSION}`);
  }

  /** Ends the connection, and says why to both sides. */
  #close(code: keyof typeof INDEX_CLOSE_CODES, reason: string): void {
    if (this.#phase.kind === 'closed') return;
    const { report, timers } = this.#options.machine;
    report({ level: 'warning', message: `a connection to the listing index was refused: ${reason}`, details: { from: this.#from } });
    this.#leave();
    this.#socket.close(INDEX_CLOSE_CODES[code], reason);
    const cancel = timers.after(FAREWELL_MS, () => this.#socket.terminate());
    this.#socket.once('close', cancel);
  }

  #leave(): void {
    if (this.#phase.kind === 'challenged' || this.#phase.kind === 'proved') this.#phase.cancelDeadline();
    this.#phase = { kind: 'closed' };
    this.#shared.leave(this);
  }
}
