/**
 * One connection of a node to a listing index, from the attempt to its end: handshake, hello, questions and answers.
 *
 * Owns its socket, and what was asked and not answered.
 */
import { WebSocket } from 'ws';
import type { SearchedClass } from '#shared/search.ts';
import type { NodeName } from '#shared/units.ts';
import type { Cancel, Machine } from '#server/platform/platform.ts';
import { isIndexProof, nodeProofMessage, NONCE_BYTES, otherVersionOf, readChallenge, WIRE_VERSION, type Nonces } from './handshake.ts';
import { watchLiveness } from './liveness.ts';
import { decodeAnswer, encodeQuestion, FRAME_BYTES_MAX, INDEX_CLOSE_CODES, type IndexAnswer, type IndexQuestion } from './wire.ts';

/** Who connects, and with what. */
export interface IndexLinkOptions {
  readonly key: string;
  readonly node: NodeName;
  /** Random per start of the node: whoever comes with another one is somebody else, whatever its name. */
  readonly life: string;
  /** What searches go by: those of the catalogue. */
  readonly itemClasses: readonly SearchedClass[];
  readonly machine: Pick<Machine, 'timers' | 'random' | 'report'>;
}

/** Who hears of a link. */
export interface LinkEvents {
  /** It may be asked. */
  readonly onOpen: () => void;
  /** Once: it is over, and why; `isRefusal` if one of the two sides wants nothing of the other. */
  readonly onEnd: (reason: string, isRefusal: boolean) => void;
}

/** The codes with which an index, or this end, refuses; any other end may be better the next time. */
const { unknown, version, otherClasses, sameName } = INDEX_CLOSE_CODES;
const REFUSALS: ReadonlySet<number> = new Set([unknown, version, otherClasses, sameName]);
/** From the attempt to the welcome. */
const CONNECT_MS = 3_000;
/** From the word that it ends to its end, if the index does not answer. */
const FAREWELL_MS = 1_000;
const NORMAL_CLOSE = 1_000;

type Phase =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'proving'; readonly nonces: Nonces }
  | { readonly kind: 'proved' }
  | { readonly kind: 'over' };

/** Takes the answer, or that there will be none; returns whether it was of the kind that was asked for. */
type Waiting = (answer: IndexAnswer | undefined) => boolean;

/** A link, which begins to connect at once. */
export class IndexLink {
  readonly #options: IndexLinkOptions;
  readonly #events: LinkEvents;
  readonly #socket: WebSocket;
  readonly #cancelDeadline: Cancel;
  readonly #waitingByNumber = new Map<number, Waiting>();
  #phase: Phase = { kind: 'connecting' };
  #lastNumber = 0;

  constructor(address: string, options: IndexLinkOptions, events: LinkEvents) {
    const { timers } = options.machine;
    this.#options = options;
    this.#events = events;
    // Masks are for proxies that browsers reach: of zeros they cost nothing.
    const generateMask = (mask: Buffer): void => void mask.fill(0);
    const socket = new WebSocket(address, { perMessageDeflate: false, maxPayload: FRAME_BYTES_MAX, generateMask });
    this.#socket = socket;
    this.#cancelDeadline = timers.after(CONNECT_MS, () => this.#end('it does not answer', false));
    socket.on('open', () => watchLiveness(socket, timers));
    socket.on('message', (data, isBinary) => this.#receive(isBinary && data instanceof Uint8Array ? data : new Uint8Array()));
    socket.on('error', (error) => this.#end(error.message === '' ? 'it cannot be reached' : error.message, false));
    socket.on('close', (code, reason) => this.#end(reason.length === 0 ? 'the connection was cut' : String(reason), REFUSALS.has(code)));
  }

  /** The answer to a question, of that kind; `undefined` if the link ends before it comes. */
  ask<Kind extends IndexAnswer['kind']>(
    question: IndexQuestion,
    kind: Kind,
  ): Promise<Extract<IndexAnswer, { readonly kind: Kind }> | undefined> {
    if (this.#phase.kind !== 'proved') return Promise.resolve(undefined);
    const number = ++this.#lastNumber;
    return new Promise((resolve) => {
      this.#waitingByNumber.set(number, (answer) => {
        if (answer !== undefined && !isOfKind(answer, kind)) return false;
        resolve(answer);
        return true;
      });
      this.#socket.send(encodeQuestion(number, question));
    });
  }

  /** Ends it, for a reason of this side. */
  close(reason: string): void {
    this.#end(reason, false);
  }

  #receive(bytes: Uint8Array): void {
    const phase = this.#phase;
    if (phase.kind === 'over') return;
    if (phase.kind === 'proved') return this.#take(bytes);
    const version = otherVersionOf(bytes);
    if (version !== undefined) return this.#refuse('version', `it speaks version ${version}, and this node ${WIRE_VERSION}`);
    if (phase.kind === 'connecting') return this.#prove(bytes);
    if (!isIndexProof(this.#options.key, phase.nonces, bytes)) return this.#refuse('unknown', 'it has not the key of this node');
    this.#phase = { kind: 'proved' };
    void this.#greet();
  }

  #prove(challenge: Uint8Array): void {
    const index = readChallenge(challenge);
    if (index === undefined) return this.#refuse('badFrame', 'it is no listing index');
    const nonces = { index, node: this.#options.machine.random.bytes(NONCE_BYTES) };
    this.#phase = { kind: 'proving', nonces };
    this.#socket.send(nodeProofMessage(this.#options.key, nonces));
  }

  async #greet(): Promise<void> {
    const { node, life, itemClasses } = this.#options;
    if ((await this.ask({ kind: 'hello', node, life, itemClasses }, 'welcome')) === undefined) return;
    this.#cancelDeadline();
    this.#events.onOpen();
  }

  #take(bytes: Uint8Array): void {
    const answer = decodeAnswer(bytes);
    if (answer === undefined) return this.#refuse('badFrame', 'it sent a frame that is none');
    const waiting = this.#waitingByNumber.get(answer.number);
    if (waiting === undefined) return this.#refuse('badFrame', `it answered question ${answer.number}, which was not asked`);
    if (waiting(answer.body)) this.#waitingByNumber.delete(answer.number);
    else this.#refuse('badFrame', `it answered question ${answer.number} with a ${answer.body.kind}`);
  }

  #refuse(code: 'badFrame' | 'unknown' | 'version', reason: string): void {
    this.#end(reason, code !== 'badFrame', INDEX_CLOSE_CODES[code]);
  }

  #end(reason: string, isRefusal: boolean, code: number = NORMAL_CLOSE): void {
    if (this.#phase.kind === 'over') return;
    this.#phase = { kind: 'over' };
    this.#cancelDeadline();
    const socket = this.#socket;
    if (socket.readyState === WebSocket.OPEN) {
      socket.close(code, reason);
      socket.once(
        'close',
        this.#options.machine.timers.after(FAREWELL_MS, () => socket.terminate()),
      );
    } else socket.terminate();
    for (const waiting of this.#waitingByNumber.values()) waiting(undefined);
    this.#waitingByNumber.clear();
    this.#events.onEnd(reason, isRefusal);
  }
}

function isOfKind<Kind extends IndexAnswer['kind']>(
  answer: IndexAnswer,
  kind: Kind,
): answer is Extract<IndexAnswer, { readonly kind: Kind }> {
  return answer.kind === kind;
}
