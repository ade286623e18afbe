/**
 * The guard of one WebSocket: it stands between the wire and Colyseus, whose decoder trusts its
 * input and would take the process down with a throw.
 *
 * 1. Only requests and Colyseus' own three words pass; anything else closes this connection, with a
 *    stated code, and no other.
 * 2. Whatever Colyseus throws on a message ends here.
 * 3. A client that floods is refused, then closed; one that does not read is closed before it costs
 *    memory.
 * 4. Every frame out is a copy: Colyseus encodes the next state into the same buffer while a slow
 *    socket still holds this one.
 */
import { getMessageBytes, Protocol, ResponseStatus } from '@colyseus/core';
import { isCommandType } from '#shared/protocol.ts';
import { limits } from '#shared/limits.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import { publicRefusal } from '#server/http/public-refusal.ts';
import { TokenBucket } from '#server/http/token-bucket.ts';
import type { Platform } from '#server/platform/platform.ts';
import { CLOSE_CODES } from '#shared/close-codes.ts';
import { isFaultResponse, readFrame } from './frame.ts';

/** What the guard uses of a WebSocket of the package `ws`. */
export interface GuardedSocket {
  readonly bufferedAmount: number;
  emit: (event: string | symbol, ...values: unknown[]) => boolean;
  send: (data: Uint8Array, ...rest: unknown[]) => void;
  close(code: number, reason: string): void;
  listenerCount(event: string): number;
}

/** A client's own frames (its join, pings) may come beside its requests. */
const RATE = { perSecond: limits.clientRequestsPerSecond, burst: limits.clientRequestsBurst };
/**
 * Refusals for haste that a client may collect, ten times what it may send at once; beyond them it
 * is no haste but an attack.
 */
const REFUSAL_RATE = { perSecond: limits.clientRequestsPerSecond, burst: limits.clientRequestsBurst * 10 };

/** Puts a socket under guard, for as long as it lives. Before anybody listens to it. */
export function guardSocket(socket: GuardedSocket, platform: Pick<Platform, 'readings' | 'report'>): void {
  const emit = socket.emit.bind(socket);
  const send = socket.send.bind(socket);
  const bucket = new TokenBucket(RATE, platform.readings.monotonicMs());
  const refusals = new TokenBucket(REFUSAL_RATE, platform.readings.monotonicMs());
  let isClosing = false;

  const close = (code: number, reason: string): void => {
    if (isClosing) return;
    isClosing = true;
    socket.close(code, reason);
  };

  /**
   * Counts a frame that is not served; closes if there were too many. Returns whether the client is
   * still there.
   */
  const tolerates = (): boolean => {
    const isTolerable = refusals.take(platform.readings.monotonicMs());
    if (!isTolerable) close(CLOSE_CODES.tooManyMessages, 'too many messages');
    return isTolerable;
  };

  const refuse = (id: number, refused: Refusal): false => {
    if (tolerates()) socket.send(getMessageBytes[Protocol.ROOM_RESPONSE](id, ResponseStatus.REJECTED, publicRefusal(refused)));
    return false;
  };

  const receive = (values: readonly unknown[]): boolean => {
    const [bytes, isBinary] = values;
    if (isClosing) return false;
    const frame = bytes instanceof Uint8Array && isBinary !== false ? readFrame(bytes) : undefined;
    if (frame === undefined) {
      close(CLOSE_CODES.badMessage, 'only requests are understood');
      return false;
    }
    const isInTime = bucket.take(platform.readings.monotonicMs());
    if (frame.kind === 'control') {
      if (isInTime) return emit('message', ...values);
      tolerates();
      return false;
    }
    // Before its join and after its leave nobody listens to a client.
    if (socket.listenerCount('message') === 0) return false;
    if (!isInTime) return refuse(frame.id, refusal('rate-limited'));
    if (frame.type === undefined || !isCommandType(frame.type))
      return refuse(frame.id, refusal('bad-request', { fault: 'unknown command' }));
    return emit('message', ...values);
  };

  socket.emit = (event, ...values) => {
    if (event !== 'message') return emit(event, ...values);
    try {
      return receive(values);
    } catch (error) {
      platform.report({ level: 'warning', message: 'a message of a client could not be decoded', error });
      close(CLOSE_CODES.badMessage, 'only requests are understood');
      return false;
    }
  };

  socket.send = (data, ...rest) => {
    if (isFaultResponse(data)) return close(CLOSE_CODES.badMessage, 'that request cannot be decoded');
    if (socket.bufferedAmount > limits.clientBufferedBytesMax) return close(CLOSE_CODES.slowReader, 'too slow a reader');
    send(new Uint8Array(data), ...rest);
  };
}
