/**
 * The guard of one WebSocket: it stands between the wire and Colyseus, whose decoder trusts its
 * input and would take the process down with a throw.
 *
 * 1. Only requests and Colyseus' own three words pass; anything else closes this connection, with a
 *    stated code, and no other.
 * 2. Whatever Colyseus throws on a message ends here.
 * 3. A request is charged to its player and address before it is decoded. A client that floods is refused, then closed; one
 *    that does not read is closed before it costs memory; one that does not join in time, or does not
 *    hear that it is closed, is destroyed.
 * 4. Every frame out is a copy: Colyseus encodes the next state into the same buffer while a slow
 *    socket still holds this one.
 */
import { getMessageBytes, Protocol, ResponseStatus } from '@colyseus/core';
import { commands, isCommandType } from '#shared/protocol.ts';
import { limits } from '#shared/limits.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import { publicRefusal } from '#server/http/public-refusal.ts';
import type { Cancel, Platform } from '#server/platform/platform.ts';
import type { Account } from './budgets/accounts.ts';
import { CLOSE_CODES } from '#shared/close-codes.ts';
import { isFaultResponse, readFrame, type Frame } from './frame.ts';

/** What the guard uses of a WebSocket of the package `ws`. */
export interface GuardedSocket {
  readonly bufferedAmount: number;
  emit: (event: string | symbol, ...values: unknown[]) => boolean;
  send(data: Uint8Array, ...rest: unknown[]): void;
  close(code: number, reason: string): void;
  /** Reads nothing more. */
  pause(): void;
  /** Ends the connection without a word. */
  terminate(): void;
  listenerCount(event: string): number;
}

/** What is charged for a request that is no command. */
const UNKNOWN_COST = 1;

type State = { readonly kind: 'joining' | 'closing'; readonly cancel: Cancel } | { readonly kind: 'joined' | 'gone' };

/** Puts a socket under guard, for as long as it lives. Before anybody listens to it. */
export function guardSocket(socket: GuardedSocket, account: Account, platform: Pick<Platform, 'timers' | 'report'>): void {
  new SocketGuard(socket, account, platform);
}

class SocketGuard {
  readonly #socket: GuardedSocket;
  readonly #account: Account;
  readonly #platform: Pick<Platform, 'timers' | 'report'>;
  readonly #emit: GuardedSocket['emit'];
  readonly #send: GuardedSocket['send'];
  #state: State;

  constructor(socket: GuardedSocket, account: Account, platform: Pick<Platform, 'timers' | 'report'>) {
    this.#socket = socket;
    this.#account = account;
    this.#platform = platform;
    this.#emit = socket.emit.bind(socket);
    this.#send = socket.send.bind(socket);
    this.#state = { kind: 'joining', cancel: platform.timers.after(limits.joinMs, () => socket.terminate()) };
    Object.assign(socket, {
      emit: (event: string | symbol, ...values: unknown[]) => this.#hear(event, values),
      send: (data: Uint8Array, ...rest: unknown[]) => this.#say(data, rest),
    });
  }

  #hear(event: string | symbol, values: readonly unknown[]): boolean {
    switch (event) {
      case 'message':
        return this.#receive(values);
      case 'ping':
      case 'pong':
        this.#strike();
        // The answer to a ping has been written by now.
        if (this.#socket.bufferedAmount > limits.clientBufferedBytesMax) this.#close(CLOSE_CODES.slowReader, 'too slow a reader');
        return this.#emit(event, ...values);
      case 'close':
        this.#enter({ kind: 'gone' });
        return this.#emit(event, ...values);
      default:
        return this.#emit(event, ...values);
    }
  }

  #receive(values: readonly unknown[]): boolean {
    if (this.#state.kind === 'closing' || this.#state.kind === 'gone') return false;
    const [bytes, isBinary] = values;
    try {
      const frame = bytes instanceof Uint8Array && isBinary !== false ? readFrame(bytes) : undefined;
      if (frame === undefined) return this.#close(CLOSE_CODES.badMessage, 'only requests are understood');
      // Before its join and after its leave nobody listens to a client, and nothing is charged to whom it says it is.
      if (this.#socket.listenerCount('message') === 0) return this.#strike();
      return this.#admits(frame) && this.#emit('message', ...values);
    } catch (error) {
      this.#platform.report({ level: 'warning', message: 'a message of a client could not be decoded', error });
      return this.#close(CLOSE_CODES.badMessage, 'only requests are understood');
    }
  }

  #admits(frame: Frame): boolean {
    if (frame.kind === 'control') {
      this.#strike();
      if (this.#state.kind === 'joining' && frame.code === Protocol.JOIN_ROOM) this.#enter({ kind: 'joined' });
      return this.#state.kind === 'joining' || this.#state.kind === 'joined';
    }
    const { id, type } = frame;
    const command = type !== undefined && isCommandType(type) ? commands[type] : undefined;
    const refused =
      this.#account.charge(command?.cost ?? UNKNOWN_COST) ??
      (command === undefined ? refusal('bad-request', { fault: 'unknown command' }) : undefined);
    if (refused !== undefined) this.#refuse(id, refused);
    return refused === undefined;
  }

  /** Counts a frame that is not served, and closes if there were too many. */
  #strike(): false {
    if (this.#account.strike()) {
      this.#close(CLOSE_CODES.tooManyMessages, 'too many messages');
      this.#socket.pause();
    }
    return false;
  }

  #refuse(id: number, refused: Refusal): void {
    if (refused.name === 'rate-limited') this.#strike();
    if (this.#state.kind !== 'closing')
      this.#socket.send(getMessageBytes[Protocol.ROOM_RESPONSE](id, ResponseStatus.REJECTED, publicRefusal(refused)));
  }

  #say(data: Uint8Array, rest: readonly unknown[]): void {
    if (isFaultResponse(data)) this.#close(CLOSE_CODES.badMessage, 'that request cannot be decoded');
    else if (this.#socket.bufferedAmount > limits.clientBufferedBytesMax) this.#close(CLOSE_CODES.slowReader, 'too slow a reader');
    else this.#send(new Uint8Array(data), ...rest);
  }

  #close(code: number, reason: string): false {
    if (this.#state.kind === 'closing' || this.#state.kind === 'gone') return false;
    this.#enter({ kind: 'closing', cancel: this.#platform.timers.after(limits.closeMs, () => this.#socket.terminate()) });
    this.#socket.close(code, reason);
    return false;
  }

  #enter(state: State): void {
    if ('cancel' in this.#state) this.#state.cancel();
    this.#state = state;
  }
}
