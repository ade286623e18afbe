/**
 * The smallest market that trades can be tested with: a purse on each shard, and a kind of trade whose decider does as the offer says.
 * Purse and ledger move together, so that sums can be taken of both.
 */
import { refusal, type RefusalName } from '#shared/refusals.ts';
import { addGold, gold, type Gold, instant, type ShardId, subtractGold, type TransactionId } from '#shared/units.ts';
import { defineEntity, goldAmount, text } from '#server/shard/entity.ts';
import { answer, type Handled } from '#server/shard/message.ts';
import { onCommand, type Powerup } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import { decideAccepted } from '../decider.ts';
import { beginTrade } from '../holder.ts';
import type { Verdict } from '../messages.ts';
import type { TradeKind, TradeKinds } from '../trade-kind.ts';
import { trades } from '../trades.ts';

/** What a shard starts with. */
export const PURSE_START = 1_000;
/** How long a decider that accepts puts off its decision. */
export const DECIDES_WITHIN_MS = 30_000;

/** One per shard: what can be spent, and what is promised. */
export const purse = defineEntity('purse', { version: 1, attributes: { coins: goldAmount(), held: goldAmount() } });
/** What a holder got for its coins. One per committed transaction, or something went wrong. */
export const purchase = defineEntity('purchase', { version: 1, attributes: { tx: text<TransactionId>({ maxLength: 160 }) } });
/** What a decider gave. Likewise. */
export const sale = defineEntity('sale', { version: 1, attributes: { tx: text<TransactionId>({ maxLength: 160 }) } });

/** What the decider shall do. */
export type Wish = 'commit' | 'abort' | 'accept' | 'throw';
/** The body of `promise`. */
export interface PromiseBody {
  readonly decider: ShardId;
  readonly amount: number;
  readonly wish: Wish;
}
/** The body of `decide`. */
export interface DecideBody {
  readonly tx: TransactionId;
  readonly verdict: 'commit' | 'abort';
}

/** The name of the kind of trade whose holder is answered while its offer stands. */
export const STANDING = 'standing';
/** The name of the kind of trade whose holder waits for the end. */
export const WAITING = 'waiting';

/** The list of powerups for a shard with a purse. */
export function pursePowerups(kinds: Readonly<Record<string, TradeKind>> = {}): readonly Powerup[] {
  const all: TradeKinds = { [STANDING]: standingTrade, [WAITING]: testTrade, ...kinds };
  return [trades(all), pursesOf(all)];
}

/** The kind of trade itself. */
export const testTrade: TradeKind = {
  isHold: ({ terms, gold: held }) => terms.value['amount'] === held,
  promise: (turn, { tx, gold: amount }) => {
    changePurse(turn, 0 - amount, amount);
    turn.post({ cause: 'promise', tx, balance: coinsOf(turn), postings: between('wallet', 'hold', amount) });
  },
  decide: (turn, { tx, terms }) => {
    switch (terms['wish']) {
      case 'commit':
        sell(turn, tx, gold(Number(terms['amount'])));
        return { kind: 'commit', result: { paid: terms['amount'] } };
      case 'accept':
        return { kind: 'accept', askAgainAt: instant(turn.now + DECIDES_WITHIN_MS) };
      case 'abort':
        return { kind: 'abort', reason: 'listing-gone' };
      default:
        throw new Error('the decider cannot decide');
    }
  },
  commit: (turn, { tx, gold: held }) => {
    turn.insert(purchase, { tx });
    changePurse(turn, 0, 0 - held);
    turn.post({ cause: 'purchase', tx, balance: coinsOf(turn), postings: between('hold', 'clearing', held) });
    return answer({ bought: tx });
  },
  abort: (turn, { tx, gold: held }, reason: RefusalName) => {
    changePurse(turn, held, 0 - held);
    turn.post({ cause: 'release', tx, balance: coinsOf(turn), postings: between('hold', 'wallet', held) });
    return refusal(reason);
  },
};

const standingTrade: TradeKind = { ...testTrade, stand: (_turn, { tx }) => answer({ standing: tx }) };

function pursesOf(kinds: TradeKinds): Powerup {
  return {
    name: 'purses',
    entities: [purse, purchase, sale],
    install: (turn) => {
      turn.insert(purse, { coins: gold(PURSE_START), held: gold(0) });
      turn.post({ cause: 'start', tx: null, balance: gold(PURSE_START), postings: between('minted', 'wallet', PURSE_START) });
    },
    handlers: {
      open: onCommand((turn) => answer(coinsOf(turn))),
      promise: onCommand<PromiseBody>((turn, body) => promise(kinds, turn, WAITING, body)),
      'promise-standing': onCommand<PromiseBody>((turn, body) => promise(kinds, turn, STANDING, body)),
      'promise-as': onCommand<PromiseBody & { readonly trade: string }>((turn, body) => promise(kinds, turn, body.trade, body)),
      decide: onCommand<DecideBody>((turn, { tx, verdict }) => {
        const amount = Number(tx.split('.')[0]);
        if (verdict === 'commit') sell(turn, tx, gold(amount));
        const decided: Verdict =
          verdict === 'commit' ? { kind: 'committed', result: { paid: amount } } : { kind: 'aborted', reason: 'not-enough-supply' };
        decideAccepted(turn, tx, decided);
        return answer(verdict);
      }),
    },
  };
}

function promise(kinds: TradeKinds, turn: Turn, trade: string, { decider, amount, wish }: PromiseBody): Handled {
  if (coinsOf(turn) < amount) return refusal('not-enough-gold');
  // A kind that nobody knows is found out by the decider.
  const kind = kinds[trade] ?? testTrade;
  return beginTrade(turn, { trade, kind, decider, gold: gold(amount), terms: { wish, amount } });
}

function sell(turn: Turn, tx: TransactionId, amount: Gold): void {
  turn.insert(sale, { tx });
  changePurse(turn, amount, 0);
  turn.post({ cause: 'sale', tx, balance: coinsOf(turn), postings: between('clearing', 'wallet', amount) });
}

function coinsOf(turn: Turn): Gold {
  return turn.table(purse).first()?.coins ?? gold(0);
}

function changePurse(turn: Turn, coins: number, held: number): void {
  const row = turn.table(purse).first();
  if (row === undefined) throw new Error('there is no purse');
  turn.put(purse, { ...row, coins: changed(row.coins, coins), held: changed(row.held, held) });
}

function changed(part: Gold, by: number): Gold {
  const result = by < 0 ? subtractGold(part, gold(-by)) : addGold(part, gold(by));
  if (result === undefined) throw new Error('a purse cannot hold less than nothing');
  return result;
}

function between(from: 'wallet' | 'hold' | 'clearing' | 'minted', to: 'wallet' | 'hold' | 'clearing', amount: number) {
  return [
    { place: from, asset: 'gold', amount: -amount },
    { place: to, asset: 'gold', amount },
  ] as const;
}
