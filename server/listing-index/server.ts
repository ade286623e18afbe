/**
 * The listing index over the network: it listens, and serves one index to whoever has the key.
 *
 * Owns the index and all connections. A connection says hello once; after that its questions are answered, feeds at
 * once and in order, searches when they are ready.
 *
 * 1. Nothing is decoded of whoever has not proved to have the key.
 * 2. A frame that is not as it must be ends its connection, with a stated code and a line in the log, and does nothing.
 * 3. A connection feeds in the name of one node only, and a node has one connection: a later one of the same life takes the place of
 *    the earlier, and one of another life, which would empty what the first feeds, is refused as long as that is there.
 * 4. All connected nodes search by the same item classes. One with others is refused while another is connected;
 *    otherwise the index begins anew with them.
 * 5. Strangers have so many connections; the next one is for the oldest of them, and never for one that is served.
 * 6. What one connection can make the index hold is bounded: searches under way, and bytes that it does not read.
 */
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import type { NodeName } from '#shared/units.ts';
import { listen } from '#server/platform/listen.ts';
import type { Cancel, Machine } from '#server/platform/platform.ts';
import { TokenBucket, type Rate } from '#server/platform/token-bucket.ts';
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
  readonly machine: Pick<Machine, 'readings' | 'timers' | 'random' | 'report'>;
}

/** A server that listens. */
export interface IndexServer {
  /** `ws://host:port`. */
  readonly url: string;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** Connections at once of those who have not said hello: a hello takes milliseconds, and strangers must not take the memory of all. */
const STRANGERS_MAX = 64;
/** From the connection to the hello. */
const HELLO_MS = 3_000;
/** How often Node looks for connections that take longer to ask for a WebSocket. */
const CHECK_MS = 500;
/** Bytes that a node does not read until its connection is cut: more than the answers to all of its searches. */
const UNREAD_BYTES_MAX = 64 * 1_024 * 1_024;

/** From the word that a connection ends to its end, if the other side does not answer. */
const FAREWELL_MS = 1_000;

/** Refused connections that are told of: a log is no target for floods. */
const LOG_RATE: Rate = { perSecond: 0.2, burst: 20 };

/** Why a node that has the key is refused. */
const MISFITS = {
  otherClasses: 'its catalogue has other item classes than that of the nodes which are connected',
  sameName: 'another server is connected as the same node: an index is for one world',
} as const;

type Hello = Extract<IndexQuestion, { readonly kind: 'hello' }>;

/** What a connection is made with. */
interface ConnectionParts {
  readonly from: string;
  readonly shared: SharedIndex;
  /** Called when its node has said hello. */
  readonly onServed: () => void;
}

/** How far a connection has come. */
type Phase =
  | { readonly kind: 'challenged'; readonly nonce: Uint8Array; readonly cancelDeadline: Cancel }
  | { readonly kind: 'proved'; readonly cancelDeadline: Cancel }
  | { readonly kind: 'serving'; readonly node: NodeName; readonly life: string; readonly service: ListingIndexService; searches: number }
  | { readonly kind: 'closed' };

/** Starts a server with an empty index. Rejects if it cannot listen. */
export async function startIndexServer(options: IndexServerOptions): Promise<IndexServer> {
  const { host, port } = options;
  const patience = { headersTimeout: HELLO_MS, requestTimeout: HELLO_MS, connectionsCheckingInterval: CHECK_MS };
  const http = createServer(patience, (_request, response) => response.writeHead(426, { connection: 'close' }).end());
  const strangers = new Strangers();
  http.on('connection', (socket) => strangers.add(socket));
  const shared = new SharedIndex(options);
  const sockets = new WebSocketServer({ server: http, maxPayload: FRAME_BYTES_MAX, perMessageDeflate: false });
  sockets.on('connection', (socket, { socket: wire }) => {
    const parts: ConnectionParts = { from: wire.remoteAddress ?? 'somebody', shared, onServed: () => strangers.delete(wire) };
    return new Connection(socket, parts, options);
  });
  sockets.on('error', () => undefined); // Those of the HTTP server, which `listen` hears as well.
  const { url } = await listen(http, host, port);
  return {
    url: url.replace(/^http/, 'ws'),
    close: () => {
      for (const socket of sockets.clients) socket.terminate();
      return new Promise((resolve) => http.close(() => resolve()));
    },
  };
}

/** The sockets of those who have not said hello, the oldest first: whoever comes when there are too many takes the place of that. */
class Strangers {
  readonly #sockets = new Set<Socket>();

  add(socket: Socket): void {
    const [oldest] = this.#sockets;
    if (oldest !== undefined && this.#sockets.size >= STRANGERS_MAX) {
      this.#sockets.delete(oldest);
      oldest.destroy();
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** It is none any more. */
  delete(socket: Socket): void {
    this.#sockets.delete(socket);
  }
}

/** The one index, and who uses it, with the item classes by which the connected nodes search. */
class SharedIndex {
  readonly #options: IndexServerOptions;
  readonly #log: TokenBucket;
  readonly #userByNode = new Map<NodeName, Connection>();
  #current: { readonly classes: string; readonly service: ListingIndexService } | undefined;

  constructor(options: IndexServerOptions) {
    this.#options = options;
    this.#log = new TokenBucket(LOG_RATE, options.machine.readings.monotonicMs());
  }

  /** The index, for somebody who says this hello; the code to refuse with, if it does not fit those who are connected. */
  join(user: Connection, { node, life, itemClasses }: Hello): ListingIndexService | 'otherClasses' | 'sameName' {
    const former = this.#userByNode.get(node);
    if (former !== undefined && !former.isOf(life)) return 'sameName';
    former?.giveWay();
    const classes = JSON.stringify(itemClasses);
    if (this.#current?.classes !== classes) {
      if (this.#userByNode.size > 0) return 'otherClasses';
      this.#current = { classes, service: localListingIndex(new ListingIndex(itemClasses), this.#options.machine.timers) };
    }
    this.#userByNode.set(node, user);
    return this.#current.service;
  }

  /** Tells the log why somebody was refused, unless it has been told too often. */
  tell(reason: string, from: string): void {
    const { readings, report } = this.#options.machine;
    if (!this.#log.take(readings.monotonicMs())) return;
    report({ level: 'warning', message: `a connection to the listing index was refused: ${reason}`, details: { from } });
  }

  leave(user: Connection, node: NodeName): void {
    if (this.#userByNode.get(node) === user) this.#userByNode.delete(node);
  }
}

/** One connection, until its socket closes. */
class Connection {
  readonly #socket: WebSocket;
  readonly #parts: ConnectionParts;
  readonly #options: IndexServerOptions;
  #phase: Phase;
  #lastNumber = 0;

  constructor(socket: WebSocket, parts: ConnectionParts, options: IndexServerOptions) {
    const { timers, random } = options.machine;
    this.#socket = socket;
    this.#parts = parts;
    this.#options = options;
    const nonce = random.bytes(NONCE_BYTES);
    const cancelDeadline = timers.after(HELLO_MS, () => this.#close('silent', 'no hello came'));
    this.#phase = { kind: 'challenged', nonce, cancelDeadline };
    socket.on('error', () => undefined); // `close` follows.
    socket.on('close', () => this.#leave());
    socket.on('message', (data, isBinary) => this.#receive(isBinary && data instanceof Uint8Array ? data : new Uint8Array()));
    watchLiveness(socket, timers);
    socket.send(challengeMessage(nonce));
  }

  /** Whether it serves that life of its node. */
  isOf(life: string): boolean {
    return this.#phase.kind === 'serving' && this.#phase.life === life;
  }

  /** Ends without a word: its node has left it for another connection. */
  giveWay(): void {
    this.#leave();
    this.#socket.terminate();
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
    const { node, life } = question;
    const service = this.#parts.shared.join(this, question);
    if (typeof service === 'string') return this.#close(service, MISFITS[service]);
    cancelDeadline();
    this.#parts.onServed();
    this.#phase = { kind: 'serving', node, life, service, searches: 0 };
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
    this.#parts.shared.tell(reason, this.#parts.from);
    this.#leave();
    this.#socket.close(INDEX_CLOSE_CODES[code], reason);
    const cancel = this.#options.machine.timers.after(FAREWELL_MS, () => this.#socket.terminate());
    this.#socket.once('close', cancel);
  }

  #leave(): void {
    if (this.#phase.kind === 'challenged' || this.#phase.kind === 'proved') this.#phase.cancelDeadline();
    else if (this.#phase.kind === 'serving') this.#parts.shared.leave(this, this.#phase.node);
    this.#phase = { kind: 'closed' };
  }
}
