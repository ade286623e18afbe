/**
 * The door of the listing index: whoever reaches its port, with the key and without it.
 *
 * 1. What is a good frame is answered, once; anything else ends its connection with the stated code, and nothing after it is answered.
 * 2. A node that uses the index all the while finds exactly its own rows, within a second each time, and is never cut.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { pause } from '#client/wait.ts';
import type { Prng } from '#shared/prng.ts';
import { compareListings, matches } from '#shared/search.ts';
import { nodeName, position } from '#shared/units.ts';
import { indexProofMessage, nodeProofMessage, NONCE_BYTES } from '#server/listing-index/handshake.ts';
import { RemoteListingIndex } from '#server/listing-index/remote.ts';
import type { SearchAnswer, SearchQuery } from '#server/listing-index/service.ts';
import { decodeAnswer, FRAME_BYTES_MAX, INDEX_CLOSE_CODES } from '#server/listing-index/wire.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import type { Findings } from './findings.ts';
import { exchangeRubbish } from './http-door.ts';
import { httpInput } from './http-inputs.ts';
import * as inputs from './index-inputs.ts';
import { mutated, randomBytesOf } from './rubbish.ts';

const MAIN = fileURLToPath(new URL('../../server/listing-index/main.ts', import.meta.url));
/** Within this a good frame is answered and a bad one closes; sockets that say nothing are closed after three seconds. */
const ANSWER_MS = 5_000;
const START_MS = 10_000;
const HONEST_ROWS = 20;
const HONEST_MS = 20;
/** How often an honest search may fail in a row, each after a second: this machine has other things to do. */
const TRIES_MAX = 3;
/** The heap is enough for a few of the largest frames at once: an index that keeps what it should not comes to its end. Arrays are beside it. */
const HEAP_MB = 768;
const MEMORY_MB_MAX = 1_500;
const FRAMES_MAX = 50;
const STRANGERS = 0.06;
const SILENT = 0.000_3;
const INPUT_LENGTH_MAX = 4_000;

/** An index of its own, in a process whose complaints are looked through. */
export class FuzzedIndex {
  readonly #child: ChildProcess;
  readonly #findings: Findings;
  readonly url: string;
  readonly key: string;
  #isStopped = false;

  private constructor(child: ChildProcess, url: string, key: string, findings: Findings) {
    this.#child = child;
    this.#findings = findings;
    this.url = url;
    this.key = key;
    let said = '';
    child.stderr?.on('data', (chunk) => {
      said = (said + String(chunk)).slice(-10_000);
      const fault = /^gavel (?:error|alert): .*$|^\s+at .*$|^.*Warning: .*$/m.exec(said)?.[0];
      if (fault !== undefined) findings.violation(`the index reports: ${fault}`);
      said = said.slice(said.lastIndexOf('\n') + 1);
    });
    child.once('exit', (code, signal) => {
      if (!this.#isStopped) findings.violation(`the index ended with ${code ?? signal ?? 'nothing'}: ${said}`);
    });
    process.once('exit', () => void child.kill('SIGKILL'));
  }

  /** Starts one. Rejects if it does not listen. */
  static async start(key: string, findings: Findings): Promise<FuzzedIndex> {
    const env = { ...process.env, GAVEL_INDEX_KEY: key };
    const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, MAIN, '--port', '0'], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said: readonly unknown[] = await once(child.stdout, 'data', { signal: AbortSignal.timeout(START_MS) });
    const url = /ws:\/\/\S+(?=\.$)/m.exec(String(said[0]))?.[0];
    if (url === undefined) throw new Error(`the index does not listen: ${String(said[0])}`);
    return new FuzzedIndex(child, url, key, findings);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What its process takes; 0 where nobody can say. */
  memoryMb(): number {
    const path = `/proc/${this.#child.pid}/status`;
    if (!this.isRunning || !existsSync(path)) return 0;
    const mb = Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(path, 'utf8'))?.[1] ?? 0) / 1_024);
    if (mb > MEMORY_MB_MAX) this.#findings.violation(`the index takes ${mb} MB`);
    return mb;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    if (!this.isRunning) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** A node that means well, and looks all the while at whether the index has exactly its rows. */
export class HonestNode {
  readonly #index: FuzzedIndex;
  readonly #remote: RemoteListingIndex;
  readonly #prng: Prng;
  readonly #findings: Findings;
  readonly #rows: readonly ReturnType<typeof inputs.someListing>[];
  #isOver = false;
  #memoryMbMax = 0;
  #worstMs = 0;
  #done: Promise<void> | undefined;

  constructor(index: FuzzedIndex, prng: Prng, findings: Findings) {
    const { url, key } = index;
    const machine = nodeMachine(() => undefined);
    this.#index = index;
    this.#prng = prng;
    this.#findings = findings;
    this.#remote = new RemoteListingIndex({ address: () => url, key, node: HONEST, itemClasses: inputs.itemClasses, machine });
    this.#rows = inputs.HONEST_SHARDS.flatMap((shard) =>
      Array.from({ length: HONEST_ROWS }, (_, place) => inputs.someListing(prng, shard, place + 1)),
    );
  }

  /** Feeds its rows, and begins to look. */
  async start(): Promise<void> {
    const life = { node: HONEST, incarnation: 'only' };
    await this.#remote.reachable();
    void this.#remote.lost().then(() => {
      if (!this.#isOver) this.#findings.violation('the index has cut the connection of an honest node');
    });
    const cells = inputs.HONEST_SHARDS.map((shard) => inputs.cellAt(shard));
    await this.#remote.apply({ ...life, kind: 'open', cells });
    const changes = this.#rows.map((row) => ({ cell: inputs.cellAt(row.shard), changes: [{ kind: 'put', row } as const] }));
    await this.#remote.apply({ ...life, kind: 'rows', cells: changes });
    this.#done = this.#look();
  }

  /** Looks no more; the worst time of a search, and the most memory that the index had. */
  async stop(): Promise<{ readonly indexWorstMs: number; readonly indexMbMax: number }> {
    this.#isOver = true;
    await this.#done;
    this.#remote.close();
    return { indexWorstMs: Math.round(this.#worstMs), indexMbMax: this.#memoryMbMax };
  }

  /** Asks until there is an answer: a search gives itself a second. */
  async #search(query: SearchQuery): Promise<SearchAnswer> {
    const startedAt = performance.now();
    let answer: SearchAnswer = { kind: 'unavailable' };
    for (let tries = 0; tries < TRIES_MAX && answer.kind === 'unavailable'; tries++) {
      answer = await this.#remote.search(query, { atLeast: { node: HONEST, position: position(0) } });
    }
    this.#worstMs = Math.max(this.#worstMs, performance.now() - startedAt);
    return answer;
  }

  async #look(): Promise<void> {
    const findings = this.#findings;
    while (!this.#isOver && this.#index.isRunning) {
      const criteria = inputs.someCriteria(this.#prng);
      const sort = { by: this.#prng.pick(['buyout', 'level', 'might']), descending: this.#prng.chance(0.5) };
      const query = { market: inputs.HONEST_MARKET, criteria, sort, limit: 100, now: inputs.NOW };
      const answer = await this.#search(query);
      const found = answer.kind === 'found' ? answer.rows.map(({ id }) => id) : answer.kind;
      const context = { now: inputs.NOW, itemClasses: inputs.itemClasses };
      const wanted = this.#rows.filter((row) => matches(criteria, row, context)).toSorted((a, b) => compareListings(sort, a, b));
      if (String(found) !== String(wanted.map(({ id }) => id)))
        findings.violation(`an honest search for ${JSON.stringify(query)} finds ${String(found)}`);
      const stats = await this.#remote.stats().catch(() => undefined);
      const own = stats?.feeds.find(({ node }) => node === HONEST);
      if (own?.rows !== this.#rows.length || own.cells !== new Set(this.#rows.map(({ shard }) => shard)).size || own.position !== 0)
        findings.violation(`an honest node's feed has become ${JSON.stringify(own)}`);
      this.#memoryMbMax = Math.max(this.#memoryMbMax, this.#index.memoryMb());
      await pause(HONEST_MS);
    }
  }
}

const HONEST = nodeName('honest');

/** What the index says on a connection, and how that ends. */
interface Link {
  readonly socket: WebSocket;
  readonly frames: Buffer[];
  readonly closed: Promise<number>;
}

/** Somebody who sends rubbish, mostly as a node with the key. */
export class IndexCaller {
  readonly #index: FuzzedIndex;
  readonly #prng: Prng;
  readonly #findings: Findings;
  readonly #name: string;
  #session: { readonly link: Link; readonly node: inputs.FuzzNode; number: number } | undefined;

  constructor(index: FuzzedIndex, name: string, prng: Prng, findings: Findings) {
    this.#index = index;
    this.#prng = prng;
    this.#findings = findings;
    this.#name = name;
  }

  /** Sends at most so many inputs and waits for what comes of them. Returns how many. */
  async send(count: number): Promise<number> {
    if (this.#prng.chance(STRANGERS)) return this.#prng.chance(0.5) ? this.#knock() : this.#prove();
    const session = (this.#session ??= await this.#proved());
    const asked = new Map<number, string>();
    const sent: (Buffer | string)[] = [];
    let code: number | undefined;
    while (sent.length < count && code === undefined) {
      const isFirst = session.number === 1;
      const made = inputs.indexFrame(this.#prng, session.number, session.node, isFirst);
      const frame = inputs.isTakeover(made) ? '' : made;
      const expected = inputs.expectedOf(frame, session.number, isFirst);
      sent.push(frame);
      session.link.socket.send(frame);
      if ('code' in expected) code = expected.code;
      else asked.set(session.number++, expected.answer);
    }
    // What follows a bad frame comes to nothing, however good it is.
    if (code !== undefined && this.#prng.chance(0.3)) {
      const follower = inputs.indexFrame(this.#prng, session.number, session.node, false);
      if (!inputs.isTakeover(follower)) session.link.socket.send(follower);
    }
    const input = sent
      .map((each) => (typeof each === 'string' ? each : each.toString('base64')))
      .join(', ')
      .slice(-INPUT_LENGTH_MAX);
    await this.#hear(session.link, asked, input, code);
    if (code !== undefined || session.number > FRAMES_MAX) this.#leave();
    return sent.length;
  }

  /** Ends the connection. */
  #leave(): void {
    this.#session?.link.socket.close(1_000);
    this.#session = undefined;
  }

  async #hear(link: Link, asked: Map<number, string>, input: Buffer | string, code: number | undefined): Promise<void> {
    const until = performance.now() + ANSWER_MS;
    let isClosed = false;
    void link.closed.then(() => (isClosed = true));
    while (performance.now() < until && !isClosed && (code !== undefined || link.frames.length < asked.size)) await heard(link);
    for (const frame of link.frames.splice(0)) {
      this.#findings.inspect(frame.toString('latin1'), Buffer.from(input));
      const answer = decodeAnswer(frame);
      const wanted = answer === undefined ? undefined : asked.get(answer.number);
      if (answer === undefined || answer.body.kind !== wanted)
        this.#findings.violation(`answered with ${frame.toString('latin1')}, not ${wanted ?? 'at all'}`, input);
      else asked.delete(answer.number);
    }
    if (code === undefined && asked.size > 0)
      this.#findings.violation(`${isClosed ? `closed with ${await link.closed}` : 'silence'} in place of ${asked.size} answers`, input);
    if (code !== undefined) await this.#expectClose(link, input, code, isClosed);
    if (isClosed) this.#session = undefined;
  }

  async #expectClose(link: Link, input: Buffer | string, code: number, isClosed: boolean): Promise<void> {
    const found = isClosed ? await link.closed : 'nothing';
    // Who is refused in the middle of a frame that is too large may find the connection reset.
    if (found !== code && !(code === 1_009 && found === 1_006)) this.#findings.violation(`closed with ${found}, not ${code}`, input);
    link.socket.terminate();
  }

  /** A connection, and the nonce of the index. */
  async #open(): Promise<readonly [Link, Buffer]> {
    const socket = new WebSocket(this.#index.url, { perMessageDeflate: false });
    const frames: Buffer[] = [];
    const closed = new Promise<number>((resolve) => {
      socket.once('close', (code, reason) => {
        this.#findings.inspect(String(reason), Buffer.from('the reason of a close'));
        resolve(code);
      });
    });
    socket.on('error', () => undefined);
    socket.on('message', (data) => frames.push(Buffer.isBuffer(data) ? data : Buffer.alloc(0)));
    const link = { socket, frames, closed };
    while (frames.length === 0 && socket.readyState <= 1) await heard(link);
    return [link, frames.splice(0)[0]?.subarray(1) ?? Buffer.alloc(NONCE_BYTES)];
  }

  async #proved(): Promise<{ link: Link; node: inputs.FuzzNode; number: number }> {
    const [link, index] = await this.#open();
    link.socket.send(nodeProofMessage(this.#index.key, { index, node: randomBytesOf(this.#prng, NONCE_BYTES) }));
    while (link.frames.length === 0 && link.socket.readyState === 1) await heard(link);
    link.frames.splice(0);
    return { link, node: { name: this.#name, incarnation: this.#prng.pick(['first', 'second']) }, number: 1 };
  }

  /** A stranger in the place of a node, who has no proof. */
  async #prove(): Promise<number> {
    const [link, index] = await this.#open();
    const node = randomBytesOf(this.#prng, NONCE_BYTES);
    const proof = Buffer.from(nodeProofMessage(this.#index.key, { index, node }));
    const wrong: readonly (Buffer | string)[] = [
      mutated(this.#prng, proof),
      proof.subarray(0, this.#prng.integer(0, proof.length - 1)),
      Buffer.concat([proof, proof]),
      Buffer.from(nodeProofMessage('another key', { index, node })),
      Buffer.from(nodeProofMessage(this.#index.key, { index: node, node })),
      Buffer.from(indexProofMessage(this.#index.key, { index, node })),
      Buffer.alloc(this.#prng.pick([0, 1, 65, 100_000]), this.#prng.integer(0, 2)),
      inputs.indexFrame(this.#prng, 1, { name: this.#name, incarnation: 'first' }, true),
      proof.toString('latin1'),
    ];
    const { unknown, version, silent } = INDEX_CLOSE_CODES;
    const input = this.#prng.pick(wrong);
    const isGood = typeof input !== 'string' && input.equals(proof);
    const isSilent = isGood || this.#prng.chance(SILENT / STRANGERS);
    if (!isSilent) link.socket.send(input);
    const [head = 1] = typeof input === 'string' ? [] : input;
    const code = input.length > FRAME_BYTES_MAX ? 1_009 : head === 1 ? unknown : version;
    if (isGood) link.socket.terminate();
    else await this.#hear(link, new Map(), input, isSilent ? silent : code);
    return 1;
  }

  /** A stranger who speaks something else than WebSocket, or that badly. */
  async #knock(): Promise<number> {
    const url = new URL(this.#index.url);
    const upgrade = `GET / HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n`;
    const upgraded = Buffer.from(`${upgrade}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`);
    const rubbish = randomBytesOf(this.#prng, this.#prng.integer(0, 60));
    const input = this.#prng.pick([
      rubbish,
      httpInput(this.#prng, 'key'),
      mutated(this.#prng, upgraded),
      Buffer.concat([upgraded, rubbish]),
      Buffer.concat([upgraded, Buffer.from([0x82, 0x80 | rubbish.length, 0, 0, 0, 0]), rubbish, Buffer.from([0x89, 0x80])]),
    ]);
    await exchangeRubbish(url, input, this.#findings);
    return 1;
  }
}

/** Resolves when something comes, or the connection closes, or in a while. */
async function heard({ socket, closed }: Link): Promise<void> {
  let wake = (): void => undefined;
  const woken = new Promise<void>((resolve) => (wake = resolve));
  const timer = setTimeout(wake, ANSWER_MS);
  socket.once('message', wake);
  await Promise.race([woken, closed]);
  socket.off('message', wake);
  clearTimeout(timer);
}
