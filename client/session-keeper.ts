/**
 * Keeps one player in session: what is lost is replaced by a fresh session, again and again.
 *
 * 1. It is in one of four states; the watches over a connection live and end with it.
 * 2. A connection is lost when it is closed, by either side, or when it is silent (`Pulse`).
 * 3. While it is there, its token is renewed, so that the way back is open at any time.
 * 4. Where the server lets the player in no longer, it stops: nothing is tried until `signIn`.
 */
import { CloseCode } from '@colyseus/sdk';
import { CLOSE_CODES } from '#shared/close-codes.ts';
import type { CredentialSource, Door } from './door.ts';
import { ClosedError, isRefusal, NoConnectionError, ProtocolError, RefusedError, retryAfterMs } from './errors.ts';
import { Pulse, type Patience } from './pulse.ts';
import type { Session } from './session.ts';
import { pauseAfter, PAUSE_MAX_MS, within } from './wait.ts';

/** Who is told of what happens. */
export interface SessionListener {
  /** A session is there, the first one among them, and nothing of it was told yet. */
  attend(session: Session): void;
  lost(code: number): void;
  back(): void;
  /** The last that the player could show was refused. */
  signIn(refused: RefusedError): void;
}

/** A session with what watches over it. */
interface Line {
  readonly session: Session;
  readonly pulse: Pulse;
  renewal: ReturnType<typeof setTimeout> | undefined;
  /** The code of its end. */
  closedWith: number | undefined;
}

type State =
  | { readonly kind: 'there'; readonly line: Line }
  | { readonly kind: 'on-its-way'; readonly arrival: Promise<Line> }
  | { readonly kind: 'signed-out'; readonly refused: RefusedError }
  | { readonly kind: 'closed' };

/** How long a good-bye may take. */
const LEAVE_MS = 1_000;
/** A renewal that failed is tried again after this share of `renewMs`. */
const RENEWAL_RETRY = 0.2;

/** The server goes: it is no use to begin with the same one. */
const ELSEWHERE: ReadonlySet<number> = new Set([1001, 1012, 1013, CloseCode.SERVER_SHUTDOWN]);
/** The client was too fast, or too slow a reader: it takes its time. */
const SLOWER: ReadonlySet<number> = new Set([CLOSE_CODES.tooManyMessages, CLOSE_CODES.slowReader]);
/** What the client sent is no good, and would not be the next time. */
const BLAMED: ReadonlySet<number> = new Set([1002, 1003, 1007, 1009, CLOSE_CODES.badMessage]);

export class SessionKeeper {
  readonly #door: Door;
  readonly #patience: Patience;
  readonly #listener: SessionListener;
  #state: State;
  #last: Session;
  /** Why the last try to come back failed. */
  #failure: unknown;
  /** Ends the pause before the next try. */
  #hurry: () => void = () => undefined;

  /** Keeps the session that the door has opened, and those after it. */
  constructor(door: Door, session: Session, patience: Patience, listener: SessionListener) {
    this.#door = door;
    this.#patience = patience;
    this.#listener = listener;
    this.#last = session;
    this.#state = { kind: 'there', line: this.#attend(session) };
  }

  /** The session that is there, or was there last. */
  get last(): Session {
    return this.#last;
  }

  /** Whether a session is there, nobody is let in, or it is over. */
  get state(): State['kind'] {
    return this.#state.kind;
  }

  /**
   * Asks once, over the session that is there or as soon as one is. Rejects with `ClosedError`, with
   * `RefusedError` where nobody is let in, with `NoConnectionError` if it never left, or with what
   * the SDK says.
   */
  async request(type: string, payload: object, timeoutMs: number): Promise<unknown> {
    const line = await this.#line(timeoutMs);
    const { room } = line.session;
    if (!room.connection.isOpen) throw new NoConnectionError(undefined);
    try {
      return await line.pulse.during(room.request<unknown, unknown>(type, payload, { timeout: timeoutMs }));
    } catch (error) {
      const code = line.closedWith;
      if (code === undefined || !BLAMED.has(code)) throw error;
      throw new ProtocolError(`the server closed the connection for what was sent (${code})`, { cause: error });
    }
  }

  /** Shows other credentials from now on; where nobody was let in, tries again. */
  signIn(credentials: CredentialSource): void {
    const before = this.#state;
    this.#door.show(credentials);
    if (before.kind === 'on-its-way') this.#hurry();
    if (before.kind === 'signed-out') this.#comeBack(0);
    if (before.kind === 'there') this.#renewIn(before.line, 0);
  }

  /** Ends the session, and keeps none from now on. */
  async close(): Promise<void> {
    const before = this.#state;
    this.#state = { kind: 'closed' };
    this.#hurry();
    if (before.kind !== 'there') return;
    this.#end(before.line);
    await leave(before.line.session);
  }

  async #line(timeoutMs: number): Promise<Line> {
    const state = this.#state;
    if (state.kind === 'there') return state.line;
    if (state.kind === 'closed') throw new ClosedError();
    if (state.kind === 'signed-out') throw state.refused;
    try {
      return await within(state.arrival, timeoutMs);
    } catch (error) {
      throw error instanceof ClosedError || error instanceof RefusedError ? error : new NoConnectionError(this.#failure ?? error);
    }
  }

  #attend(session: Session): Line {
    const { room } = session;
    const pulse = new Pulse(room, this.#patience, () => room.connection.close(CloseCode.MAY_TRY_RECONNECT));
    const line: Line = { session, pulse, renewal: undefined, closedWith: undefined };
    this.#last = session;
    this.#renewIn(line, this.#patience.renewMs);
    room.onLeave((code) => this.#lost(line, code));
    // A drop that no reconnection follows comes as `onLeave` too; errors alone change nothing.
    room.onError(() => undefined);
    this.#listener.attend(session);
    return line;
  }

  #end(line: Line): void {
    line.pulse.stop();
    clearTimeout(line.renewal);
  }

  #lost(line: Line, code: number): void {
    line.closedWith = code;
    if (!this.#isThere(line)) return;
    this.#end(line);
    if (ELSEWHERE.has(code)) this.#door.goElsewhere();
    this.#comeBack(SLOWER.has(code) ? PAUSE_MAX_MS : 0);
    this.#listener.lost(code);
  }

  #comeBack(pauseMs: number): void {
    const arrival = this.#arrive(pauseMs);
    this.#state = { kind: 'on-its-way', arrival };
    arrival.then(
      () => this.#listener.back(),
      (error: unknown) => {
        if (error instanceof RefusedError) this.#listener.signIn(error);
      },
    );
  }

  /** Tries until it is let in, or not any more. All servers are tried before the next pause. */
  async #arrive(pauseMs: number): Promise<Line> {
    let leastMs = pauseMs;
    for (let attempt = 0; ; attempt++) {
      if (attempt % this.#door.servers === 0) {
        await this.#pause(Math.max(leastMs, pauseAfter(attempt / this.#door.servers)));
        leastMs = 0;
      }
      if (this.#isOver()) throw new ClosedError();
      const { credentials } = this.#door;
      try {
        const session = await this.#door.enter();
        if (this.#isOver()) {
          await leave(session);
          throw new ClosedError();
        }
        const line = this.#attend(session);
        this.#state = { kind: 'there', line };
        return line;
      } catch (error) {
        if (this.#isOver()) throw new ClosedError();
        if (isRefusal(error, 'unauthorized') && this.#door.credentials === credentials) {
          this.#state = { kind: 'signed-out', refused: error };
          throw error;
        }
        this.#failure = error;
        leastMs = Math.max(leastMs, retryAfterMs(error));
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #renewIn(line: Line, ms: number): void {
    clearTimeout(line.renewal);
    line.renewal = setTimeout(() => void this.#renew(line), ms);
  }

  async #renew(line: Line): Promise<void> {
    const { renewMs } = this.#patience;
    try {
      await this.#door.renew();
      if (this.#isThere(line)) this.#renewIn(line, renewMs);
    } catch (error) {
      if (!this.#isThere(line)) return;
      // The connection goes on while it lasts; only the way back is closed.
      if (isRefusal(error, 'unauthorized')) this.#listener.signIn(error);
      else this.#renewIn(line, Math.max(renewMs * RENEWAL_RETRY, retryAfterMs(error)));
    }
  }

  #isOver(): boolean {
    return this.#state.kind === 'closed';
  }

  #isThere(line: Line): boolean {
    return this.#state.kind === 'there' && this.#state.line === line;
  }
}

async function leave({ room }: Session): Promise<void> {
  try {
    await within(room.leave(), LEAVE_MS);
  } catch {
    // The server is gone, and so are we.
  }
}
