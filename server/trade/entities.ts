/** The durable rows of trades: what a holder has promised, what a decider has decided. */
import { limits } from '#shared/limits.ts';
import type { ShardId, TransactionId } from '#shared/units.ts';
import { defineEntity, goldAmount, integer, json, nullable, oneOf, reference, text, timestamp } from '#server/shard/entity.ts';
import { isVerdict, type TradeData, type Verdict } from './messages.ts';

const tx = text<TransactionId>({ maxLength: limits.transactionTextLengthMax, indexed: 'unique' });

/**
 * A promise: gold (or goods) that left the player's hands and waits for the outcome of one
 * transaction. Never a lock (T1).
 */
export const hold = defineEntity('hold', {
  version: 1,
  attributes: {
    tx,
    trade: text({ maxLength: 64 }),
    decider: text<ShardId>({ maxLength: 128 }),
    gold: goldAmount(),
    terms: json<TradeData>(),
    /** The last instant at which the offer may be accepted. */
    offerUntil: timestamp(),
    /** When the offer is repeated, as long as the hold stands. */
    repeatAt: timestamp({ alarm: 'repeat-offer' }),
    attempts: integer({ min: 0 }),
    /** The operation that waits for the outcome, if it was not answered yet. */
    operation: nullable(reference()),
  },
});

/**
 * What the decider knows of a transaction. No row means unknown. Once `settled`, the holder has
 * acted, and the row only keeps a late offer from being taken for a new one. At most
 * `decisionsMax`.
 */
export const decision = defineEntity('decision', {
  version: 1,
  isMadeByOthers: true,
  attributes: {
    tx,
    state: oneOf(['accepted', 'committed', 'aborted', 'settled'], { indexed: 'plain' }),
    /** The outcome as told, from the decision until it is settled. */
    verdict: nullable(json<Verdict>({ holds: isVerdict })),
    /** While accepted: when the holder may ask again. */
    askAgainAt: nullable(timestamp()),
    offerUntil: timestamp(),
    /** When the outcome is repeated, until it is settled. */
    repeatAt: nullable(timestamp({ alarm: 'repeat-outcome' })),
    attempts: integer({ min: 0 }),
  },
});
