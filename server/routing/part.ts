/**
 * "The whole accepts requests, the parts accept requests, the parts of the parts accept requests":
 * the one interface.
 */
import type { ShardId } from '#shared/units.ts';
import { refusal } from '#shared/refusals.ts';
import { answer, type Message, type Reply } from '#server/shard/message.ts';

/** A message with its address. */
export interface Envelope {
  readonly to: ShardId;
  readonly message: Message;
  /** Only sessions and grants create the shard if there is none; an offer never does. */
  readonly creates?: boolean;
}

/**
 * World, region, cell and shard. Each hands the envelope to the part that its address names.
 *
 * Resolves with the final word to a command, durable by then; a message between shards is answered
 * `answer(undefined)` as soon as it is taken, or `busy` or `unavailable`, which are the outcome of
 * nothing. Never rejects.
 */
export interface Part {
  accept(envelope: Envelope): Promise<Reply>;
}

/** What a message between shards is answered with, by whatever part takes it. */
export const TAKEN: Promise<Reply> = Promise.resolve(answer(undefined));

/** What any message is answered with by a part that is not there for now. */
export const UNAVAILABLE: Promise<Reply> = Promise.resolve(refusal('unavailable'));
