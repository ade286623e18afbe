/**
 * The messages of a trade. Three are enough: `offer`, `outcome` (or `pending`), `settled`. Each is
 * safe twice, late, out of order, or at a restarted node (T5), because each names its transaction
 * and says all that its receiver needs.
 */
import { z } from 'zod';
import { limits } from '#shared/limits.ts';
import { REFUSAL_NAMES } from '#shared/refusals.ts';
import { isShardId } from '#shared/address.ts';
import type { Parsed } from '#shared/schemas.ts';
import { instant, isName, type TransactionId } from '#shared/units.ts';
import type { Message } from '#server/shard/message.ts';
import { isTransactionId } from './transaction.ts';

const data = z.record(z.string(), z.unknown());
/**
 * Data of one kind of trade, in JSON: what is offered, what is given for it. Its kind knows the
 * shape.
 */
export type TradeData = Parsed<typeof data>;

const verdict = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('committed'), result: data }),
  z.strictObject({ kind: z.literal('aborted'), reason: z.enum(REFUSAL_NAMES) }),
]);
/** How a trade ended, for its holder. */
export type Verdict = Parsed<typeof verdict>;

/** Whether a value is the end of a trade. */
export const isVerdict = (value: unknown): value is Verdict => verdict.safeParse(value).success;

const transaction = z.string().max(limits.transactionTextLengthMax).refine(isTransactionId, 'must be a transaction');
const shard = z.string().refine(isShardId, 'must be a shard');
const time = z.number().int().nonnegative().transform(instant);
const word = z.string().refine(isName, 'must be a word');
/**
 * The key is made anew from the transaction: what failures are counted under is no affair of the
 * sender.
 */
const common = { key: z.string(), tx: transaction };

const offer = z.strictObject({ kind: z.literal('offer'), ...common, trade: word, offerUntil: time, terms: data });
/** Holder to decider: I hold what this takes; decide by `offerUntil`. */
export type Offer = Parsed<typeof offer>;

const outcome = z.strictObject({ kind: z.literal('outcome'), ...common, decider: shard, verdict });
/**
 * Decider to holder: so it was decided. Repeated until `settled`, which `decider` wants to hear.
 */
export type Outcome = Parsed<typeof outcome>;

const pending = z.strictObject({ kind: z.literal('pending'), ...common, askAgainAt: time });
/** Decider to holder: accepted, not decided; ask again then. */
export type Pending = Parsed<typeof pending>;

const settled = z.strictObject({ kind: z.literal('settled'), ...common });
/** Holder to decider: I have acted on the outcome; forget it when its time is over. */
export type Settled = Parsed<typeof settled>;

const schema = z.discriminatedUnion('kind', [offer, outcome, pending, settled]);
/** Any message of a trade. */
export type TradeMessage = Parsed<typeof schema>;

/** Whether a message is an offer. */
export function isOffer(message: Message): message is Offer {
  return message.kind === 'offer';
}

/** What the failures of a message are counted under, at its receiver. */
export function messageKey(kind: TradeMessage['kind'], tx: TransactionId): string {
  return `${kind}/${tx}`;
}

/** The message of a trade that a value from another node is, or `undefined`. */
export function decodeTradeMessage(value: unknown): TradeMessage | undefined {
  const parsed = schema.safeParse(value);
  if (!parsed.success) return undefined;
  const message = parsed.data;
  return { ...message, key: messageKey(message.kind, message.tx) };
}
