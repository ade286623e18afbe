/**
 * The door of the game: one player whose client sends whatever it likes.
 *
 * 1. Each answer goes into the books. A command without one (its connection was closed for another frame) is asked again with the same
 *    `op`, until its outcome is known: so in the end the books say what everybody must have.
 * 2. What was refused or not understood must have had no effect: the books do not know of it.
 */
import { Protocol, ResponseStatus } from '@colyseus/core';
import { decode } from '@colyseus/schema';
import { unpack } from 'msgpackr';
import type WebSocket from 'ws';
import { GameClient } from '#client/game-client.ts';
import { pause } from '#client/wait.ts';
import type { Prng } from '#shared/prng.ts';
import { commands, isCommandType, parseCommand, refusalSchema, serverMessages, type ClientCommand } from '#shared/protocol.ts';
import { CLOSE_CODES } from '#shared/close-codes.ts';
import { holdingsOf, type Books, type Holdings } from '../books.ts';
import { frameInput, readPayload, readRequest, readResponse, requestFrame, type Knowledge } from './frames.ts';
import { takeSeat, type Visitor } from './seat.ts';
import type { Findings } from './findings.ts';

const BATCH = 8;
/** As many requests as a client may keep up: more would only be refused for haste. */
const BATCH_MS = 450;
const ANSWERS_MS = 2_000;
const LOOK_MS = 5;
/** How often a command is asked again before its silence is a violation. */
const TIMES_MAX = 10;
const KNOWN_MAX = 300;
/** The codes with which the server may close a connection: ours, WebSocket's for its rules, Colyseus' for its seats. */
const CODES = new Set<number>([...Object.values(CLOSE_CODES), 1000, 1002, 1003, 1007, 1009, 4000, 4002, 4003]);
/** Refusals after which the same command may still be carried out. */
const NOT_FINAL = new Set(['busy', 'unavailable', 'rate-limited', 'outcome-unknown']);

/** A request that was sent. `command` is what it means, if anything. */
interface Sent {
  readonly frame: Buffer;
  readonly type: string | undefined;
  readonly command: ClientCommand | undefined;
}

/** What all players share. */
export interface FuzzMarket {
  readonly books: Books;
  readonly findings: Findings;
  readonly listings: { readonly id: string; readonly price: number }[];
  readonly counts: { answered: number; refused: number; closed: number; failed: number };
}

export class FuzzPlayer {
  readonly #visitor: Visitor;
  readonly #prng: Prng;
  readonly #market: FuzzMarket;
  readonly #items: string[] = [];
  readonly #ops: string[] = [];
  /** Commands with an effect that have no answer yet, each with the times that it was asked again. */
  readonly #open = new Map<Sent, number>();
  readonly #known = new Set<string>();
  /** What was sent on the connection, by its number. */
  #sentById = new Map<number, Sent>();
  #lastId = 0;
  #socket: WebSocket | undefined;
  #shard = '';
  #lastOp = 0;
  /** The id of the request that ends a batch, until it is answered. */
  #mark: number | undefined;

  constructor(visitor: Visitor, prng: Prng, market: FuzzMarket) {
    this.#visitor = visitor;
    this.#prng = prng;
    this.#market = market;
  }

  /** Looks at the own goods, with which its books begin. */
  async open(): Promise<void> {
    await this.#look(async ({ state, shard }) => {
      this.#shard = shard;
      this.#items.push(...state.stash.keys());
      this.#market.books.open(shard, holdingsOf(state));
    });
  }

  /** What it has now, once nothing of it is held for a trade under way. */
  async holdings(): Promise<readonly [shard: string, holdings: Holdings]> {
    return this.#look(async ({ state, shard }) => {
      for (let waits = 0; state.held > 0 && waits < 300; waits++) await pause(100);
      return [shard, holdingsOf(state)];
    });
  }

  /** Sends so many frames, or fewer, and waits for what comes of them. Returns how many. */
  async play(count: number): Promise<number> {
    const socket = await this.#connected();
    const frames = Array.from({ length: Math.min(count, BATCH) }, () => frameInput(this.#prng, this.#knowledge()));
    for (const frame of frames) this.#send(socket, frame);
    await this.#answers(socket);
    await pause(BATCH_MS);
    return frames.length;
  }

  /** Asks until every command has its answer, and leaves. */
  async finish(): Promise<void> {
    while (this.#open.size > 0) {
      const socket = await this.#connected();
      this.#askAgain(socket);
      await this.#answers(socket);
      if (this.#open.size > 0) await pause(BATCH_MS);
    }
    this.#socket?.close(4_000);
  }

  #knowledge(): Knowledge {
    return {
      items: this.#items,
      listings: this.#market.listings,
      ops: this.#ops,
      newOp: () => `${this.#visitor.guest}-${this.#lastOp++}`,
      newId: () => ++this.#lastId,
    };
  }

  async #look<T>(see: (client: GameClient) => Promise<T>): Promise<T> {
    const { url, guest } = this.#visitor;
    const client = await GameClient.connect({ url: url.href, credentials: { guest }, region: 'europe' });
    try {
      return await see(client);
    } finally {
      await client.close();
    }
  }

  /** The connection, made anew if it was lost; first of all it asks for what was not answered. */
  async #connected(): Promise<WebSocket> {
    if (this.#socket?.readyState === 1) return this.#socket;
    const socket = await takeSeat(this.#visitor);
    this.#socket = socket;
    const sentById = new Map<number, Sent>();
    this.#sentById = sentById;
    this.#lastId = 1_000;
    socket.on('message', (data) => this.#hear(Buffer.isBuffer(data) ? data : Buffer.alloc(0), sentById));
    socket.once('close', (code) => {
      this.#market.counts.closed++;
      if (code !== 1006 && !CODES.has(code)) this.#market.findings.violation(`a connection was closed with ${code}`);
    });
    if (this.#prng.chance(0.1)) {
      // The room listens as soon as the seat is taken, before the client says that it has joined.
      this.#send(socket, frameInput(this.#prng, this.#knowledge()));
    }
    socket.send(Buffer.from([Protocol.JOIN_ROOM]));
    this.#askAgain(socket);
    return socket;
  }

  /** Sends what was not answered once more, under numbers of this connection. */
  #askAgain(socket: WebSocket): void {
    for (const [sent, times] of this.#open) {
      const request = readRequest(sent.frame);
      if (request?.type === undefined || times >= TIMES_MAX) {
        this.#open.delete(sent);
        this.#market.findings.violation('a command has never had an answer', sent.frame);
        continue;
      }
      this.#open.set(sent, times + 1);
      const id = ++this.#lastId;
      this.#sentById.set(id, sent);
      socket.send(requestFrame(id, request.type, sent.frame.subarray(request.end)));
    }
  }

  #send(socket: WebSocket, frame: Buffer): void {
    const request = readRequest(frame);
    if (request !== undefined) {
      // Two of one number could not be told apart by their answers.
      if (this.#sentById.has(request.id)) return;
      const { id, type, end } = request;
      const parsed = type !== undefined && isCommandType(type) ? parseCommand(type, readPayload(frame.subarray(end))) : undefined;
      const command = parsed?.kind === 'command' ? parsed : undefined;
      const sent = { frame, type, command };
      this.#sentById.set(id, sent);
      const op = command === undefined ? undefined : opOf(command);
      if (op !== undefined) {
        this.#open.set(sent, 0);
        remember(this.#ops, op);
      }
    }
    socket.send(frame);
  }

  /** Waits until all that was asked is answered, or the connection is closed. */
  async #answers(socket: WebSocket): Promise<void> {
    this.#mark = ++this.#lastId;
    this.#send(socket, requestFrame(this.#mark, 'rules', Buffer.from([0x80])));
    const until = performance.now() + ANSWERS_MS;
    while (socket.readyState === 1 && (this.#mark !== undefined || this.#open.size > 0) && performance.now() < until) {
      await pause(LOOK_MS);
    }
    if (socket.readyState === 1 && this.#mark !== undefined) socket.terminate();
  }

  #hear(frame: Buffer, sentById: ReadonlyMap<number, Sent>): void {
    const { findings } = this.#market;
    findings.inspect(frame.toString('latin1'), frame);
    try {
      if (frame[0] === Protocol.ROOM_RESPONSE) this.#hearResponse(frame, sentById);
      else if (frame[0] === Protocol.ROOM_DATA) this.#hearMessage(frame);
    } catch (error) {
      findings.violation(`an answer cannot be read: ${String(error)}`, frame);
    }
  }

  #hearMessage(frame: Buffer): void {
    const at = { offset: 1 };
    const type = decode.string(frame, at);
    const schema = Object.entries(serverMessages).find(([name]) => name === type)?.[1];
    const isRight = schema?.payload.safeParse(unpack(frame.subarray(at.offset))).success;
    if (isRight !== true) this.#market.findings.violation(`a message ${type} has not its shape`, frame);
  }

  #hearResponse(frame: Buffer, sentById: ReadonlyMap<number, Sent>): void {
    const { findings, counts } = this.#market;
    const { id, status, payload } = readResponse(frame);
    const sent = sentById.get(id);
    if (id === this.#mark) this.#mark = undefined;
    if (sent === undefined) return findings.violation(`an answer to nothing that was asked: ${JSON.stringify(payload)}`, frame);
    if (status === ResponseStatus.REJECTED) {
      counts.refused++;
      const refusal = refusalSchema.safeParse(payload);
      if (!refusal.success || refusal.data.name === 'internal')
        return findings.violation(`refused with ${JSON.stringify(payload)}`, sent.frame);
      if (!NOT_FINAL.has(refusal.data.name)) this.#open.delete(sent);
      return;
    }
    if (status !== ResponseStatus.OK || sent.command === undefined) {
      return findings.violation(`${sent.type ?? 'nothing'} was answered with status ${status}: ${JSON.stringify(payload)}`, sent.frame);
    }
    counts.answered++;
    const answer = commands[sent.command.type].answer.safeParse(payload);
    if (!answer.success) findings.violation(`the answer to ${sent.command.type} has not its shape: ${JSON.stringify(payload)}`, sent.frame);
    else this.#note(sent, payload);
  }

  /**
   * An operation is booked once, however often it is asked for. A claim of nothing has no effect, so it is not remembered, and its `op` is
   * free.
   */
  #note(sent: Sent, payload: unknown): void {
    const { command } = sent;
    this.#open.delete(sent);
    const op = command === undefined ? undefined : opOf(command);
    if (command === undefined || op === undefined || this.#known.has(op)) return;
    if (command.type === 'claim' && commands.claim.answer.parse(payload).claimed.length === 0) return;
    this.#known.add(op);
    book(this.#market, this.#shard, command, payload);
  }
}

/** Books what a command was answered. */
function book({ books, listings }: FuzzMarket, shard: string, command: ClientCommand, payload: unknown): void {
  switch (command.type) {
    case 'sell': {
      const answer = commands.sell.answer.parse(payload);
      books.note(shard, 'sell', command.request, answer);
      if (listings.length >= KNOWN_MAX) listings.shift();
      listings.push({ id: answer.listingId, price: command.request.buyout ?? 0 });
      break;
    }
    case 'buyout':
      books.note(shard, 'buyout', command.request, commands.buyout.answer.parse(payload));
      break;
    case 'cancel':
      books.note(shard, 'cancel', command.request, commands.cancel.answer.parse(payload));
      break;
    case 'claim':
      books.note(shard, 'claim', command.request, commands.claim.answer.parse(payload));
      break;
    default:
  }
}

function opOf({ request }: ClientCommand): string | undefined {
  return 'op' in request ? request.op : undefined;
}

function remember(list: string[], value: string): void {
  if (list.length >= KNOWN_MAX) list.shift();
  list.push(value);
}
