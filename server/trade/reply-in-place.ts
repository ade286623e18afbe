/**
 * What is sent back in the place of a shard that cannot take a message: only an offer that is late
 * may be answered so.
 */
import type { Instant, ShardId } from '#shared/units.ts';
import type { Absence, Emitted } from '#server/shard/message.ts';
import { outcomeInPlaceOf } from './decider.ts';
import { isOffer } from './messages.ts';
import { holderOf } from './transaction.ts';

/**
 * The message for the sender, if there is anything to tell. `isOwn` tells whether a shard lives on
 * this node.
 */
export function replyInPlaceOf(
  { to, message }: Emitted,
  now: Instant,
  absence: Absence,
  isOwn: (shard: ShardId) => boolean,
): Emitted | undefined {
  if (!isOffer(message)) return undefined;
  const holder = holderOf(message.tx);
  // Times of turns can be compared only within a node: clocks of others may differ.
  const known: Absence = absence.kind === 'never-created' || isOwn(holder) ? absence : { ...absence, lastTurnAt: undefined };
  const outcome = outcomeInPlaceOf(message, to, now, known);
  return outcome === undefined ? undefined : { to: holder, message: outcome };
}
