/**
 * The door of the listing index: whoever reaches its port, with the key and without it. What is a good frame is answered, once; anything
 * else ends its connection with the stated code, and nothing after it is answered. Who comes under the name of another that is connected is
 * refused as well, and nobody here knows who is.
 */
import WebSocket from 'ws';
import type { Prng } from '#shared/prng.ts';
import { indexProofMessage, nodeProofMessage, NONCE_BYTES } from '#server/listing-index/handshake.ts';
import { decodeAnswer, FRAME_BYTES_MAX, INDEX_CLOSE_CODES } from '#server/listing-index/wire.ts';
import type { Findings } from './findings.ts';
import type { FuzzedIndex } from './fuzzed-index.ts';
import { exchangeRubbish } from './http-door.ts';
import { httpInput } from './http-inputs.ts';
import * as inputs from './index-inputs.ts';
import { mutated, randomBytesOf } from './rubbish.ts';

/** Within this a good frame is answered and a bad one closes; sockets that say nothing are closed after three seconds. */
const ANSWER_MS = 5_000;
/** Who waits for longer may be cut for that, too, as by the deadline of a hello; that the index stands still is for the honest node to tell. */
const SLOW_MS = 900;
const CODES_IF_SLOW: ReadonlySet<number> = new Set([INDEX_CLOSE_CODES.silent, 1_006]);
const FRAMES_MAX = 50;
const STRANGERS = 0.06;
const SILENT = 0.000_3;
const INPUT_LENGTH_MAX = 4_000;

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
    const startedAt = performance.now();
    let found: number | undefined;
    void link.closed.then((code) => (found = code));
    while (performance.now() < startedAt + ANSWER_MS && found === undefined && (code !== undefined || link.frames.length < asked.size))
      await heard(link);
    for (const frame of link.frames.splice(0)) {
      this.#findings.inspect(frame.toString('latin1'), Buffer.from(input));
      const answer = decodeAnswer(frame);
      const wanted = answer === undefined ? undefined : asked.get(answer.number);
      if (answer === undefined || answer.body.kind !== wanted)
        this.#findings.violation(`answered with ${frame.toString('latin1')}, not ${wanted ?? 'at all'}`, input);
      else asked.delete(answer.number);
    }
    const isCutForSlowness = performance.now() - startedAt > SLOW_MS && found !== undefined && CODES_IF_SLOW.has(found);
    const isNameTaken = found === INDEX_CLOSE_CODES.sameName && asked.values().next().value === 'welcome';
    // Who is refused in the middle of a frame that is too large may find the connection reset.
    const isAsItMust = code === undefined ? asked.size === 0 : found === code || (code === 1_009 && found === 1_006);
    if (!isAsItMust && !isCutForSlowness && !isNameTaken)
      this.#findings.violation(`closed with ${found ?? 'nothing'}, not ${code ?? `answered ${asked.size} times`}`, input);
    if (code !== undefined) link.socket.terminate();
    if (found !== undefined) this.#session = undefined;
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
