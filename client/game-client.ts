/**
 * The typed game client, over the official SDK: one player in one region and mode.
 *
 * 1. A command resolves with its answer, or rejects: `RefusedError` for a no, `NoAnswerError` if
 *    nothing final came in time.
 * 2. A command that changes something has one `op` for its whole life: after a lost connection, a
 *    restart of the server or a `busy` it is sent again with the same one, and so is done once.
 * 3. A lost connection is answered with a fresh session, again and again until `close`; meanwhile
 *    the last state stays readable.
 */
import { EventEmitter } from 'node:events';
import type { Mode } from '#shared/address.ts';
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
import { ClosedError, NoAnswerError, RefusedError } from './errors.ts';
import { decode, openSession, type Credentials, type Session } from './session.ts';
import { pause, within } from './wait.ts';

/** What a client is made with. */
export interface GameClientOptions {
  readonly url: string;
  readonly credentials: Credentials;
  readonly region: string;
  /** Default softcore. */
  readonly mode?: Mode;
  /** How long a command waits for a final word, repeats included. Default 30 s. */
  readonly deadlineMs?: number;
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
  /** The connection was lost, with the code that says why; the client is on its way back. */
  lost: [code: number];
  /** A fresh session is there. */
  back: [];
  /** Nothing final was said: a command is sent again, with the same `op`. */
  repeated: [command: CommandType];
}

/** Refusals that say nothing final: the same `op` is sent again until the deadline. */
const NOT_FINAL: ReadonlySet<RefusalName> = new Set(['busy', 'unavailable', 'rate-limited', 'outcome-unknown']);
/** How long one session or one request may take before it is given up and tried anew. */
const ATTEMPT_MS = 5_000;
const PAUSE_FIRST_MS = 50;
const PAUSE_MAX_MS = 1_000;
const DEADLINE_MS = 30_000;
/** How long a good-bye may take. */
const LEAVE_MS = 1_000;

type Connection =
  | { readonly kind: 'there'; readonly session: Session }
  | { readonly kind: 'on-its-way'; readonly arrival: Promise<Session> }
  | { readonly kind: 'closed' };

/** How one attempt at a command went. */
type Attempt = { readonly kind: 'answered'; readonly value: unknown } | { readonly kind: 'failed'; readonly error: unknown };

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

  readonly #options: GameClientOptions;
  #connection: Connection;
  #last: Session;
  #resumeToken: string | undefined;

  private constructor(options: GameClientOptions, session: Session) {
    super();
    this.#options = options;
    this.#last = session;
    this.#connection = { kind: 'there', session };
    this.#attend(session);
  }

  /**
   * Joins. Rejects with `RefusedError` if the server says no, with another error if it cannot be
   * reached.
   */
  static async connect(options: GameClientOptions): Promise<GameClient> {
    const { url, region, mode = 'softcore', credentials } = options;
    return new GameClient(options, await openSession({ url, region, mode }, credentials, ATTEMPT_MS));
  }

  /** The player's own view, as of the last durable change that arrived. */
  get state(): PlayerState {
    return this.#last.room.state;
  }

  /** The player's id. */
  get player(): string {
    return this.#last.player;
  }

  /** The address of the player's shard. */
  get shard(): string {
    return this.#last.shard;
  }

  /** Whether a session is there right now. */
  get isConnected(): boolean {
    return this.#connection.kind === 'there';
  }

  /** Leaves, and stays away. Commands under way reject. */
  async close(): Promise<void> {
    const before = this.#connection;
    this.#connection = { kind: 'closed' };
    if (before.kind !== 'there') return;
    try {
      await within(before.session.room.leave(), LEAVE_MS);
    } catch {
      // The server is gone, and so are we.
    }
  }

  /** Sends a command until something final is said. Rejects as the head of this file says. */
  async call<Type extends CommandType>(
    type: Type,
    request: CommandInput<Type>,
    options: RequestOptions = {},
  ): Promise<CommandAnswer<Type>> {
    const op = isChangingCommand(type) ? (options.op ?? newOp()) : undefined;
    const payload = { ...withoutUndefined(request), ...(op === undefined ? {} : { op }) };
    const deadlineMs = options.deadlineMs ?? this.#options.deadlineMs ?? DEADLINE_MS;
    const deadline = Date.now() + deadlineMs;
    // Whether an earlier attempt may have been carried out: from then on only an answer, or a final refusal, is the truth.
    let isInDoubt = false;
    for (let attempt = 0; ; attempt++) {
      const attemptMs = deadlineMs === 0 ? ATTEMPT_MS : Math.min(ATTEMPT_MS, Math.max(1, deadline - Date.now()));
      const outcome = await this.#attempt(type, payload, attemptMs);
      if (outcome.kind === 'answered') {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- This type's own schema has just decoded it; TypeScript cannot relate the two.
        return decode(commands[type].answer, outcome.value) as CommandAnswer<Type>;
      }
      const { error } = outcome;
      const isRefused = error instanceof RefusedError && error.refusal.name !== 'outcome-unknown';
      isInDoubt ||= !isRefused;
      const pauseMs = pauseAfter(attempt);
      if (Date.now() + pauseMs > deadline) throw isInDoubt ? new NoAnswerError(type, op, error) : error;
      await pause(pauseMs);
      this.emit('repeated', type);
    }
  }

  /**
   * Asks once. Throws what is final; resolves with the answer, or with what went wrong if asking
   * again may help.
   */
  async #attempt(type: CommandType, payload: object, timeoutMs: number): Promise<Attempt> {
    const connection = this.#connection;
    if (connection.kind === 'closed') throw new ClosedError();
    try {
      const session = connection.kind === 'there' ? connection.session : await within(connection.arrival, timeoutMs);
      const value: unknown = await session.room.request<unknown, unknown>(type, payload, { timeout: timeoutMs });
      return { kind: 'answered', value };
    } catch (error) {
      if (this.#connection.kind === 'closed') throw new ClosedError();
      const refused = refusalOf(error);
      if (refused === undefined) return { kind: 'failed', error };
      if (!NOT_FINAL.has(refused.refusal.name)) throw refused;
      return { kind: 'failed', error: refused };
    }
  }

  #attend(session: Session): void {
    const { room } = session;
    this.#last = session;
    this.#resumeToken = session.token;
    room.onStateChange((state) => this.emit('state', state));
    for (const type of SERVER_MESSAGE_TYPES) room.onMessage(type, (payload: unknown) => tell(this, type, payload));
    room.onLeave((code) => this.#lost(session, code));
    // A drop that no reconnection follows comes as `onLeave` too; errors alone change nothing.
    room.onError(() => undefined);
  }

  #lost(session: Session, code: number): void {
    const connection = this.#connection;
    if (connection.kind !== 'there' || connection.session !== session) return;
    const arrival = this.#comeBack();
    // Whoever waits for the arrival hears of a failure; if nobody does, nobody needs to.
    arrival.catch(() => undefined);
    this.#connection = { kind: 'on-its-way', arrival };
    this.emit('lost', code);
  }

  async #comeBack(): Promise<Session> {
    const { url, region, mode = 'softcore' } = this.#options;
    for (let attempt = 0; ; attempt++) {
      await pause(pauseAfter(attempt));
      if (this.#connection.kind === 'closed') throw new ClosedError();
      try {
        const session = await openSession({ url, region, mode }, this.#credentials(), ATTEMPT_MS);
        if (this.isClosed) {
          await session.room.leave();
          throw new ClosedError();
        }
        this.#attend(session);
        this.#connection = { kind: 'there', session };
        this.emit('back');
        return session;
      } catch (error) {
        if (error instanceof ClosedError) throw error;
        // A server that was restarted may have other keys: then the first credentials decide.
        const isRefused = error instanceof RefusedError && error.refusal.name === 'unauthorized';
        if (isRefused && this.#resumeToken !== undefined) {
          this.#resumeToken = undefined;
          attempt = -1;
        }
      }
    }
  }

  /** Whether `close` was called. */
  get isClosed(): boolean {
    return this.#connection.kind === 'closed';
  }

  #credentials(): Credentials {
    return this.#resumeToken === undefined ? this.#options.credentials : { token: this.#resumeToken };
  }
}

/**
 * TypeScript cannot relate a type of messages to its payload where both are one of several: here
 * both are of any emitter.
 */
function tell(emitter: EventEmitter, type: ServerMessageType, payload: unknown): void {
  emitter.emit(type, decode(serverMessages[type].payload, payload));
}

/** The refusal that the SDK wraps into the error of a request, if it is one. */
function refusalOf(error: unknown): RefusedError | undefined {
  const reason: unknown = error instanceof Error && 'reason' in error ? error.reason : undefined;
  const parsed = refusalSchema.safeParse(reason);
  return parsed.success ? new RefusedError(parsed.data) : undefined;
}

/** MessagePack would send `undefined`, which the protocol does not know. */
function withoutUndefined(request: object): object {
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
}

/**
 * How long to wait after so many attempts in vain; spread, so that a thousand clients do not come
 * back in one instant.
 */
function pauseAfter(attempt: number): number {
  return Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** attempt) * (0.5 + Math.random() / 2);
}

function newOp(): string {
  return crypto.randomUUID();
}
