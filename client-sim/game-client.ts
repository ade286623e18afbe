/**
 * The typed game client, over the official SDK: one player in one region and mode.
 *
 * 1. A command resolves with its answer, or rejects: `RefusedError` for a no, `NoAnswerError` if nothing final came in time.
 * 2. A command that changes something has one `op` for its whole life: after a lost connection, a restart of the server or a `busy`
 *    it is sent again with the same one, and so is done once.
 * 3. A lost connection is answered with a fresh session, again and again until `close`; meanwhile the last state stays readable.
 */
import { EventEmitter } from 'node:events';
import type { z } from 'zod';
import type { Mode } from '#shared/address.ts';
import { commands, refusalSchema, type ChangingCommandType, type CommandAnswer, type CommandType } from '#shared/protocol.ts';
import type { RefusalName } from '#shared/refusals.ts';
import { serverMessages, type ServerMessagePayload, type ServerMessageType } from '#shared/server-messages.ts';
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

/** What a command carries, as it is written: without `op`, which the client makes unless it is given. */
export type Request<Type extends CommandType> = Omit<z.input<(typeof commands)[Type]['request']>, 'op'>;

/** How one command is carried out. */
export interface RequestOptions {
  /** To ask again for an earlier command: its `op`. */
  readonly op?: string;
  /** 0: once, whatever comes. */
  readonly deadlineMs?: number;
}

/** What a client tells whoever listens. */
export interface GameEvents extends Record<ServerMessageType, unknown[]> {
  sold: [ServerMessagePayload<'sold'>];
  expired: [ServerMessagePayload<'expired'>];
  notice: [ServerMessagePayload<'notice'>];
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

/** See the head of this file. */
export class GameClient extends EventEmitter<GameEvents> {
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

  /** Joins. Rejects with `RefusedError` if the server says no, with another error if it cannot be reached. */
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

  /** Finds listings of the market. */
  search(request: Request<'search'>, options?: RequestOptions): Promise<CommandAnswer<'search'>> {
    return this.#command('search', request, options);
  }

  /** Shows one listing as its owner knows it now. */
  listing(request: Request<'listing'>, options?: RequestOptions): Promise<CommandAnswer<'listing'>> {
    return this.#command('listing', request, options);
  }

  /** Puts an item of the stash up for sale. */
  sell(request: Request<'sell'>, options?: RequestOptions): Promise<CommandAnswer<'sell'>> {
    return this.#command('sell', request, options);
  }

  /** Buys a listing at once, for at most the price that was seen. */
  buyout(request: Request<'buyout'>, options?: RequestOptions): Promise<CommandAnswer<'buyout'>> {
    return this.#command('buyout', request, options);
  }

  /** Takes back an own listing. */
  cancel(request: Request<'cancel'>, options?: RequestOptions): Promise<CommandAnswer<'cancel'>> {
    return this.#command('cancel', request, options);
  }

  /** Moves completed entries to stash and wallet. */
  claim(request: Request<'claim'>, options?: RequestOptions): Promise<CommandAnswer<'claim'>> {
    return this.#command('claim', request, options);
  }

  /** Reads the player's own ledger, newest first. */
  history(request: Request<'history'> = {}, options?: RequestOptions): Promise<CommandAnswer<'history'>> {
    return this.#command('history', request, options);
  }

  /** Reads the rules in force. */
  rules(options?: RequestOptions): Promise<CommandAnswer<'rules'>> {
    return this.#command('rules', {}, options);
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

  async #command<Type extends CommandType>(type: Type, request: Request<Type>, options: RequestOptions = {}): Promise<CommandAnswer<Type>> {
    const op = isChanging(type) ? (options.op ?? newOp()) : undefined;
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

  /** Asks once. Throws what is final; resolves with the answer, or with what went wrong if asking again may help. */
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
    for (const type of ['sold', 'expired', 'notice'] as const) {
      room.onMessage(type, (payload: unknown) => this.#tell(type, payload));
    }
    room.onLeave((code) => this.#lost(session, code));
    // A drop that no reconnection follows comes as `onLeave` too; errors alone change nothing.
    room.onError(() => undefined);
  }

  #tell(type: ServerMessageType, payload: unknown): void {
    switch (type) {
      case 'sold':
        return void this.emit('sold', decode(serverMessages.sold.payload, payload));
      case 'expired':
        return void this.emit('expired', decode(serverMessages.expired.payload, payload));
      case 'notice':
        return void this.emit('notice', decode(serverMessages.notice.payload, payload));
    }
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

function isChanging(type: CommandType): type is ChangingCommandType {
  return commands[type].changes;
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

/** How long to wait after so many attempts in vain; spread, so that a thousand clients do not come back in one instant. */
function pauseAfter(attempt: number): number {
  return Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** attempt) * (0.5 + Math.random() / 2);
}

function newOp(): string {
  return crypto.randomUUID();
}
