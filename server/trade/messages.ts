/**
 * The messages of a trade. Three are enough: `offer`, `outcome` (or `pending`), `settled`. Each is safe twice, late, out of order,
 * or at a restarted node (T5), because each names its transaction and says all that its receiver needs.
 */
import { z } from 'zod';
import { limits } from '#shared/limits.ts';
import { REFUSAL_NAMES, type RefusalName } from '#shared/refusals.ts';
import type { Message } from '#server/shard/message.ts';
import { parseShardId } from '#shared/address.ts';
import { instant, type Instant, isName, type ShardId, type TransactionId } from '#shared/units.ts';
import { isTransactionId } from './transaction.ts';

/** Data of one kind of trade, in JSON: what is offered, what is given for it. Its kind knows the shape. */
export type TradeData = Readonly<Record<string, unknown>>;

/** How a trade ended, for its holder. */
export type Verdict =
  { readonly kind: 'committed'; readonly result: TradeData } | { readonly kind: 'aborted'; readonly reason: RefusalName };

/** Holder to decider: I hold what this takes; decide by `offerUntil`. */
export interface Offer extends Message {
  readonly kind: 'offer';
  readonly key: string;
  readonly tx: TransactionId;
  readonly trade: string;
  readonly offerUntil: Instant;
  readonly terms: TradeData;
}

/** Decider to holder: so it was decided. Repeated until `settled`. */
export interface Outcome extends Message {
  readonly kind: 'outcome';
  readonly key: string;
  readonly tx: TransactionId;
  /** Who says so, and wants to hear `settled`. */
  readonly decider: ShardId;
  readonly verdict: Verdict;
}

/** Decider to holder: accepted, not decided; ask again then. */
export interface Pending extends Message {
  readonly kind: 'pending';
  readonly key: string;
  readonly tx: TransactionId;
  readonly askAgainAt: Instant;
}

/** Holder to decider: I have acted on the outcome; forget it when its time is over. */
export interface Settled extends Message {
  readonly kind: 'settled';
  readonly key: string;
  readonly tx: TransactionId;
}

/** Any message of a trade. */
export type TradeMessage = Offer | Outcome | Pending | Settled;

/** Whether a message is an offer. */
export function isOffer(message: Message): message is Offer {
  return message.kind === 'offer';
}

/** What the failures of a message are counted under, at its receiver. */
export function messageKey(kind: TradeMessage['kind'], tx: TransactionId): string {
  return `${kind}/${tx}`;
}

const transaction = z.string().max(limits.transactionTextLengthMax).refine(isTransactionId, 'must be a transaction');
const shard = z.string().refine((text): text is ShardId => parseShardId(text) !== undefined, 'must be a shard');
const time = z.number().int().nonnegative().transform(instant);
const data = z.record(z.string(), z.unknown());
const verdict = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('committed'), result: data }),
  z.strictObject({ kind: z.literal('aborted'), reason: z.enum(REFUSAL_NAMES) }),
]);
/** Whether a value is the end of a trade. */
export const isVerdict = (value: unknown): value is Verdict => verdict.safeParse(value).success;
/** The key is made anew from the transaction: what failures are counted under is no affair of the sender. */
const common = { key: z.string(), tx: transaction };
const word = z.string().refine(isName, 'must be a word');

const schema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('offer'), ...common, trade: word, offerUntil: time, terms: data }),
  z.strictObject({ kind: z.literal('outcome'), ...common, decider: shard, verdict }),
  z.strictObject({ kind: z.literal('pending'), ...common, askAgainAt: time }),
  z.strictObject({ kind: z.literal('settled'), ...common }),
]);

/** The message of a trade that a value from another node is, or `undefined`. */
export function decodeTradeMessage(value: unknown): TradeMessage | undefined {
  const parsed = schema.safeParse(value);
  if (!parsed.success) return undefined;
  const message = parsed.data;
  return { ...message, key: messageKey(message.kind, message.tx) };
}
