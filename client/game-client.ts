/**
 * The typed game client, over the official SDK: one player in one region and mode. It runs in
 * browsers and in Node.
 *
 * 1. A command resolves with its answer, or rejects: `RefusedError` for a no, `NoAnswerError` if
 *    nothing final came in time.
 * 2. A command that changes something has one `op` for its whole life: after a lost connection, a
 *    restart of the server or a `busy` it is sent again with the same one, and so is done once.
 * 3. A lost connection is answered with a fresh session, again and again until `close`, or until
 *    the player has to sign in; meanwhile the last state stays readable.
 */
import { EventEmitter } from 'eventemitter3';
import type { Mode } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import {
  COMMAND_TYPES,
  commands,
  isChangingCommand,
  refusalSchema,
  SERVER_MESSAGE_TYPES,
  serverMessages,
  type CommandAnswer,
  type CommandInput,
  type CommandType,
  type ServerMessagePayload,
  type ServerMessageType,
} from '#shared/protocol.ts';
import type { RefusalName } from '#shared/refusals.ts';
import type { PlayerState } from '#shared/state.ts';
import { Door, type CredentialSource } from './door.ts';
import {
  ClosedError,
  isRefusal,
  NoAnswerError,
  NoConnectionError,
  ProtocolError,
  RefusedError,
  retryAfterMs,
  SignedOutError,
} from './errors.ts';
import type { Patience } from './pulse.ts';
import { SessionKeeper } from './session-keeper.ts';
import { decode, type Session } from './session.ts';
import { pause, pauseAfter } from './wait.ts';

/** What a client is made with. */
export interface GameClientOptions {
  /**
   * The server, such as `https://play.example.org`. Of several the next is tried where one does not
   * answer, or lets nobody in for now.
   */
  readonly url: string | readonly string[];
  /** Who comes. A function is asked each time that the server wants more than its own last token. */
  readonly credentials: CredentialSource;
  readonly region: string;
  /** Default softcore. */
  readonly mode?: Mode;
  /** How long a command waits for a final word, repeats included. Default 30 s. */
  readonly deadlineMs?: number;
  /** For networks out of the ordinary. */
  readonly patience?: Partial<Patience>;
}

/** How one command is carried out. */
export interface RequestOptions {
  /** To ask again for an earlier command: its `op`. */
  readonly op?: string;
  /** 0: once, whatever comes. */
  readonly deadlineMs?: number;
}

/**
 * Each command as a method: `client.sell({ itemId, buyout })`. What each does, its `summary` in the
 * protocol says.
 */
export type CommandMethods = {
  readonly [Type in CommandType]: Record<never, never> extends CommandInput<Type>
    ? (request?: CommandInput<Type>, options?: RequestOptions) => Promise<CommandAnswer<Type>>
    : (request: CommandInput<Type>, options?: RequestOptions) => Promise<CommandAnswer<Type>>;
};

type ServerMessageEvents = { [Type in ServerMessageType]: [ServerMessagePayload<Type>] };

/**
 * What a client tells those who listen: the messages of the server, and what happens to the
 * connection.
 */
export interface GameEvents extends ServerMessageEvents {
  /** The state changed. */
  state: [PlayerState];
  /**
   * The connection was lost, with the code that says why (4010: nothing came any more); the client
   * is on its way back.
   */
  lost: [code: number];
  /** A fresh session is there. */
  back: [];
  /**
   * The server refused the last that the client could show. `signIn` with fresh credentials is the
   * only way back; a connection that is there goes on while it lasts.
   */
  signIn: [refused: RefusedError];
  /** Nothing final was said: a command is sent again, with the same `op`. */
  repeated: [command: CommandType];
}

/** Refusals that say nothing final: the same `op` is sent again until the deadline. */
const NOT_FINAL: ReadonlySet<RefusalName> = new Set(['busy', 'unavailable', 'rate-limited', 'outcome-unknown']);
const DEADLINE_MS = 30_000;
const PATIENCE: Patience = { attemptMs: 5_000, idleMs: 30_000, renewMs: limits.sessionTokenMs / 2 };

/** How one attempt at a command went. */
type Attempt =
  | { readonly kind: 'answered'; readonly value: unknown }
  /** Asking again may help. */
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'final'; readonly error: Error };

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The static block below gives the class a method for each command.
const EmitterWithCommands = EventEmitter as unknown as new () => EventEmitter<GameEvents> & CommandMethods;

export class GameClient extends EmitterWithCommands {
  static {
    for (const type of COMMAND_TYPES) {
      const value = function (this: GameClient, request: CommandInput<typeof type> = {}, options?: RequestOptions): Promise<unknown> {
        return this.call(type, request, options);
      };
      Object.defineProperty(this.prototype, type, { value });
    }
  }

  readonly #patience: Patience;
  readonly #deadlineMs: number;
  readonly #keeper: SessionKeeper;

  private constructor({ deadlineMs = DEADLINE_MS }: GameClientOptions, patience: Patience, door: Door, session: Session) {
    super();
    this.#deadlineMs = deadlineMs;
    this.#patience = patience;
    this.#keeper = new SessionKeeper(door, session, patience, {
      attend: (next) => this.#attend(next),
      lost: (code) => this.emit('lost', code),
      back: () => this.emit('back'),
      signIn: (refused) => this.emit('signIn', refused),
    });
  }

  /**
   * Joins, at the first server that lets the player in. Rejects with `RefusedError` if the server
   * says no, with another error if none can be reached.
   */
  static async connect(options: GameClientOptions): Promise<GameClient> {
    const { url, region, mode = 'softcore', credentials } = options;
    const patience = { ...PATIENCE, ...options.patience };
    const door = new Door({ urls: typeof url === 'string' ? [url] : url, region, mode, credentials }, patience.attemptMs);
    return new GameClient(options, patience, door, await door.enterAnywhere());
  }

  /** The player's own view, as of the last durable change that arrived. */
  get state(): PlayerState {
    return this.#keeper.last.room.state;
  }

  /** The player's id. */
  get player(): string {
    return this.#keeper.last.player;
  }

  /** The address of the player's shard. */
  get shard(): string {
    return this.#keeper.last.shard;
  }

  /** Whether a session is there right now. */
  get isConnected(): boolean {
    return this.#keeper.state === 'there';
  }

  /** Whether `close` was called. */
  get isClosed(): boolean {
    return this.#keeper.state === 'closed';
  }

  /** Shows these credentials from now on, and comes back if the client had stopped trying. */
  signIn(credentials: CredentialSource): void {
    this.#keeper.signIn(credentials);
  }

  /** Leaves, and stays away. Commands under way reject. */
  close(): Promise<void> {
    return this.#keeper.close();
  }

  /** Sends a command until something final is said. Rejects as the head of this file says. */
  async call<Type extends CommandType>(
    type: Type,
    request: CommandInput<Type>,
    options: RequestOptions = {},
  ): Promise<CommandAnswer<Type>> {
    const op = isChangingCommand(type) ? (options.op ?? newOp()) : undefined;
    const payload = { ...withoutUndefined(request), ...(op === undefined ? {} : { op }) };
    const deadlineMs = options.deadlineMs ?? this.#deadlineMs;
    const deadline = performance.now() + deadlineMs;
    // Whether an earlier attempt may have been carried out: from then on only an answer, or a final refusal, is the truth.
    let isInDoubt = false;
    for (let attempt = 0; ; attempt++) {
      const { attemptMs } = this.#patience;
      const leftMs = deadlineMs === 0 ? attemptMs : Math.min(attemptMs, Math.max(1, deadline - performance.now()));
      const outcome = await this.#attempt(type, payload, leftMs);
      if (outcome.kind === 'answered') {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This type's own schema has just decoded it; TypeScript cannot relate the two.
        return decode(commands[type].answer, outcome.value) as CommandAnswer<Type>;
      }
      const { error } = outcome;
      if (outcome.kind === 'final') throw finalError(outcome.error, type, op, isInDoubt);
      const isRefused = error instanceof RefusedError && error.refusal.name !== 'outcome-unknown';
      isInDoubt ||= !isRefused && !(error instanceof NoConnectionError);
      const pauseMs = Math.max(pauseAfter(attempt), retryAfterMs(error));
      if (performance.now() + pauseMs > deadline) throw isRefused && !isInDoubt ? error : new NoAnswerError(type, op, error);
      await pause(pauseMs);
      this.emit('repeated', type);
    }
  }

  async #attempt(type: CommandType, payload: object, timeoutMs: number): Promise<Attempt> {
    try {
      return { kind: 'answered', value: await this.#keeper.request(type, payload, timeoutMs) };
    } catch (error) {
      if (this.isClosed) return { kind: 'final', error: new ClosedError() };
      if (error instanceof ProtocolError) return { kind: 'final', error };
      const refused = error instanceof RefusedError ? error : refusalOf(error);
      if (refused === undefined) return { kind: 'failed', error };
      return { kind: NOT_FINAL.has(refused.refusal.name) ? 'failed' : 'final', error: refused };
    }
  }

  #attend({ room }: Session): void {
    room.onStateChange((state) => this.emit('state', state));
    for (const type of SERVER_MESSAGE_TYPES) room.onMessage(type, (payload: unknown) => tell(this, type, payload));
  }
}

/**
 * TypeScript cannot relate a type of messages to its payload where both are one of several: here
 * both are of any emitter.
 */
function tell(emitter: Pick<EventEmitter, 'emit'>, type: ServerMessageType, payload: unknown): void {
  emitter.emit(type, decode(serverMessages[type].payload, payload));
}

/** The refusal that the SDK wraps into the error of a request, if it is one. */
function refusalOf(error: unknown): RefusedError | undefined {
  const reason: unknown = error instanceof Error && 'reason' in error ? error.reason : undefined;
  const parsed = refusalSchema.safeParse(reason);
  return parsed.success ? new RefusedError(parsed.data) : undefined;
}

/** What a command ends with where asking again is of no use. One that may have been carried out keeps its `op`. */
function finalError(error: Error, type: CommandType, op: string | undefined, isInDoubt: boolean): Error {
  if (op === undefined) return error;
  if (error instanceof ProtocolError) return new NoAnswerError(type, op, error);
  return isInDoubt && isRefusal(error, 'unauthorized') ? new SignedOutError(type, op, error) : error;
}

/** MessagePack would send `undefined`, which the protocol does not know. */
function withoutUndefined(request: object): object {
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
}

/**
 * An id that nobody else makes. `crypto.randomUUID` is missing on pages that came without TLS, as in
 * development on another machine.
 */
function newOp(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
