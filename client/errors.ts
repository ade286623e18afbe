/** How a command can end without its answer. */
import type { z } from 'zod';
import type { refusalSchema } from '#shared/protocol.ts';
import type { RefusalName } from '#shared/refusals.ts';

/** A refusal as the server sends it. */
type ReceivedRefusal = z.output<typeof refusalSchema>;

/**
 * The server said no: the command changed nothing (with `op-done`: nothing more than it did long ago). The message is the sentence for
 * the player.
 */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly refusal: ReceivedRefusal;

  constructor(refusal: ReceivedRefusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/**
 * Nobody said anything final before the deadline. A command that changes something may have been carried out or not: asking again
 * with the same `op` tells. Reads have no `op`, and have changed nothing.
 */
export class NoAnswerError extends Error {
  override readonly name: string = 'NoAnswerError';
  readonly op: string | undefined;

  constructor(command: string, op: string | undefined, cause: unknown) {
    super(`${command} was not answered`, { cause });
    this.op = op;
  }
}

/**
 * The server no longer lets this player in, and a command that changes something was under way: it may have been carried out or not.
 * After a new sign-in the same `op` tells. A command that was never sent ends with `RefusedError` instead.
 */
export class SignedOutError extends NoAnswerError {
  override readonly name = 'SignedOutError';
  /** Why nobody is let in: `unauthorized`. */
  readonly refusal: ReceivedRefusal;

  constructor(command: string, op: string, cause: RefusedError) {
    super(command, op, cause);
    this.refusal = cause.refusal;
  }
}

/** There was nothing to send over: the command never left. The cause is why the last try to come back failed. */
export class NoConnectionError extends Error {
  override readonly name = 'NoConnectionError';

  constructor(cause: unknown) {
    super('there is no connection', { cause });
  }
}

/** The server, or something between, does not speak the protocol; or says that this client does not. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** The client was closed by its owner, while or before the call. */
export class ClosedError extends Error {
  override readonly name = 'ClosedError';

  constructor() {
    super('this client is closed');
  }
}

/** Whether an error is a refusal of that name. */
export function isRefusal(error: unknown, name: RefusalName): error is RefusedError {
  return error instanceof RefusedError && error.refusal.name === name;
}

/** How long a refusal asks to wait before the next attempt; 0 if it says nothing of it. */
export function retryAfterMs(error: unknown): number {
  const ms = error instanceof RefusedError ? error.refusal.details?.['retryAfterMs'] : undefined;
  return typeof ms === 'number' && ms > 0 ? ms : 0;
}
