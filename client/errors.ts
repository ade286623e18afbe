/** How a command can end without its answer. */
import type { z } from 'zod';
import type { refusalSchema } from '#shared/protocol.ts';

/**
 * The server said no: the command changed nothing (with `op-done`: nothing more than it did long ago). The message is the sentence for
 * the player.
 */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly refusal: z.output<typeof refusalSchema>;

  constructor(refusal: z.output<typeof refusalSchema>) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/**
 * Nobody said anything final before the deadline. A command that changes something may have been carried out or not: asking again
 * with the same `op` tells. Reads have no `op`, and have changed nothing.
 */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
  readonly op: string | undefined;

  constructor(command: string, op: string | undefined, cause: unknown) {
    super(`${command} was not answered in time`, { cause });
    this.op = op;
  }
}

/** The server, or something between, does not speak the protocol. */
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
