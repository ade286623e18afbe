/** Deliberate faults of trades, and of the bus that carries them. */
import { durationMs, later, type NodeName, type ShardId } from '#shared/units.ts';
import { completed } from '#server/market/completed/completed.ts';
import type { Bus } from '#server/routing/link.ts';
import type { Command } from '#server/shard/message.ts';
import type { Turn } from '#server/shard/turn.ts';
import { decision, hold } from '#server/trade/entities.ts';
import { messageKey, type Offer, type Outcome, type Settled } from '#server/trade/messages.ts';
import { override } from './override.ts';
import { onHandler, onPowerup, onTradeAlarm, type Sabotages } from './seams.ts';

const A_LONG_TIME = durationMs(1_000_000_000);

/** Every sabotage of trades. */
export const TRADE_SABOTAGES: Sabotages = {
  'a doubled command is taken twice': () => ({ bus: doublingCommands() }),
  'a holder gives up alone after its offer is late': () =>
    onTradeAlarm('repeat-offer', hold, (turn, held, real, trades) => {
      if (turn.now <= held.offerUntil) return real(turn, held);
      const { tx, decider } = held;
      const outcome: Outcome = { kind: 'outcome', key: tx, tx, decider, verdict: { kind: 'aborted', reason: 'unavailable' } };
      trades.handlers?.['outcome']?.(turn, outcome);
    }),
  'an unanswered offer is never repeated': () =>
    onTradeAlarm('repeat-offer', hold, (turn, held) => turn.put(hold, { ...held, repeatAt: later(turn.now, A_LONG_TIME) })),
  'an unsettled outcome is never told again': () =>
    onTradeAlarm('repeat-outcome', decision, (turn, known) => turn.put(decision, { ...known, repeatAt: later(turn.now, A_LONG_TIME) })),
  'a decider forgets a decision as soon as it is settled': () =>
    onHandler<Settled>('trades', 'settled', (turn, { tx }) => {
      const known = turn.table(decision).find('tx', tx);
      if (known !== undefined) turn.remove(decision, known.id);
      return { kind: 'done' };
    }),
  'a decider forgets what it decided and decides anew': () =>
    onHandler<Offer>('trades', 'offer', (turn, offer, real) => {
      const known = turn.table(decision).find('tx', offer.tx);
      if (known !== undefined) turn.remove(decision, known.id);
      return real(turn, offer);
    }),
  'a decider accepts what comes late': () =>
    onHandler<Offer>('trades', 'offer', (turn, offer, real) => {
      const inTime: Offer = offer.offerUntil < turn.now ? { ...offer, offerUntil: turn.now } : offer;
      return real(turn, inTime);
    }),
  'a decider leaves open what it aborts': () =>
    onHandler<Offer>('trades', 'offer', (turn, offer, real) => {
      const handled = real(turn, offer);
      const known = turn.table(decision).find('tx', offer.tx);
      if (known?.state === 'aborted')
        turn.put(decision, { ...known, state: 'accepted', verdict: null, askAgainAt: turn.now, repeatAt: null });
      return handled;
    }),
  'a decider never forgets what is settled': () => onPowerup('trades', ({ tidy: _tidy, ...powerup }) => powerup),
  'an abort leaves no trace': () =>
    onHandler<Offer>('trades', 'offer', (turn, offer, real) => {
      const handled = real(turn, offer);
      const known = turn.table(decision).find('tx', offer.tx);
      if (known?.state === 'aborted') turn.remove(decision, known.id);
      return handled;
    }),
  // Shards of latecomers come after such an offer, if ever.
  'an offer to nobody is aborted at once': () => ({
    bus: (bus) =>
      override(bus, {
        send: (to, bytes) => {
          const text = new TextDecoder().decode(bytes);
          const isToNobody = text.includes('"to":"late-') && text.includes('"kind":"offer"');
          bus.send(to, isToNobody ? new TextEncoder().encode(text.replace(/"offerUntil":\d+/, '"offerUntil":1')) : bytes);
        },
      }),
  }),
  'a unit that is refused is kept': () =>
    onHandler<Command>('purchases', 'buyout', (turn, command, real) => {
      const handled = real(turn, command);
      const isRefused = handled.kind === 'refusal' && (handled.name === 'price-changed' || handled.name === 'listing-gone');
      return isRefused ? { kind: 'answer', value: {} } : handled;
    }),
  'a shard takes part in a turn in the middle of one of its own': () =>
    onHandler<Command>('purchases', 'buyout', (turn, command, real) => {
      let other: ShardId | undefined;
      const join: Turn['join'] = (shard) => turn.join((other = shard));
      const handled = real(override(turn, { join }), command);
      if (other !== undefined) turn.neighbours.partner(other)?.join(turn.now);
      return handled;
    }),
  'a doubled outcome is applied twice': () =>
    onHandler<Outcome>('trades', 'outcome', (turn, outcome, real) => {
      const isDouble = turn.table(hold).find('tx', outcome.tx) === undefined && outcome.verdict.kind === 'committed';
      const entry = turn
        .table(completed)
        .rows()
        .find(({ tx }) => tx === outcome.tx);
      if (isDouble && entry !== undefined) {
        const { id: _id, ...values } = entry;
        turn.insert(completed, values);
      }
      return real(turn, outcome);
    }),
  'a lost outcome is taken for an abort': () =>
    onHandler<Outcome>('trades', 'outcome', (turn, outcome, real) => {
      // The decider's word is forgotten when it had to be asked for more than once.
      const isLost = (turn.table(hold).find('tx', outcome.tx)?.attempts ?? 0) > 0;
      const told: Outcome = isLost ? { ...outcome, verdict: { kind: 'aborted', reason: 'unavailable' } } : outcome;
      return real(turn, told);
    }),
  'an outcome that cannot be known is settled (T6)': () =>
    onHandler<Outcome>('trades', 'outcome', (turn, outcome, real) => {
      const { tx, decider } = outcome;
      if (turn.table(hold).find('tx', tx) !== undefined) return real(turn, outcome);
      const settled: Settled = { kind: 'settled', key: messageKey('settled', tx), tx };
      turn.emit(decider, settled);
      return { kind: 'done' };
    }),
};

/** So many commands come before the copy of one does. */
const COPIES_MAX = 6;

/** Every command comes a second time, a little later and as another call. */
function doublingCommands(): (bus: Bus) => Bus {
  const copies: { readonly to: NodeName; readonly bytes: Uint8Array }[] = [];
  return (bus) =>
    override(bus, {
      send: (to, bytes) => {
        bus.send(to, bytes);
        const oldest = copies.length > COPIES_MAX ? copies.shift() : undefined;
        if (oldest !== undefined) bus.send(oldest.to, oldest.bytes);
        const text = new TextDecoder().decode(bytes);
        if (text.includes('"issuer"')) copies.push({ to, bytes: new TextEncoder().encode(text.replace('"number":', '"number":9')) });
      },
    });
}
