/**
 * A kind of trade: what the market says about it to the two roles. The protocol between them is the
 * same for all kinds.
 */
import type { RefusalName } from '#shared/refusals.ts';
import type { Instant } from '#shared/units.ts';
import type { Row } from '#server/shard/entity.ts';
import type { Reply } from '#server/shard/message.ts';
import type { Turn } from '#server/shard/turn.ts';
import type { hold } from './entities.ts';
import type { Offer, TradeData } from './messages.ts';

/** A hold, as a row. */
export type Hold = Row<typeof hold>;

/**
 * The decider's word to an offer. `commit` and `abort` are final; with `commit`, the decider's own
 * effects are already made in this turn. `accept` promises a decision later.
 */
export type Decision =
  | { readonly kind: 'commit'; readonly result: TradeData }
  | { readonly kind: 'abort'; readonly reason: RefusalName }
  | { readonly kind: 'accept'; readonly askAgainAt: Instant };

/** One kind of trade. */
export interface TradeKind {
  /**
   * Whether a hold is one of this kind: what its outcome will ask of it, it must be able to give.
   * Asked of what somebody has edited.
   */
  readonly isHold: (hold: Hold) => boolean;
  /**
   * At the holder, first of all: what is promised leaves the player's hands for the hold. Must not
   * fail: the caller has checked.
   */
  readonly promise: (turn: Turn, hold: Hold) => void;
  /**
   * At the decider: refusals first, then all effects of its side. Called once per transaction, in
   * time, unless it threw.
   */
  readonly decide: (turn: Turn, offer: Offer) => Decision;
  /**
   * At the holder, committed: the hold becomes spend plus goods, the rest is released. Must not
   * fail.
   */
  readonly commit: (turn: Turn, hold: Hold, result: TradeData) => Reply;
  /** At the holder, aborted: everything held is released. Must not fail. */
  readonly abort: (turn: Turn, hold: Hold, reason: RefusalName) => Reply;
  /** At the holder, accepted: what the command is answered while the offer stands. */
  readonly stand?: (turn: Turn, hold: Hold) => Reply;
}

/** All kinds of trade of a world, by name. */
export type TradeKinds = Readonly<Record<string, TradeKind>>;

/** The kind of that name; throws `Error` if this world has none. */
export function kindOf(kinds: TradeKinds, name: string): TradeKind {
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (kind === undefined) throw new Error(`no kind of trade is called ${name}`);
  return kind;
}
