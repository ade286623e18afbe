/** Deliberate faults of trades, and of the bus that carries them. */
import { durationMs, later, type NodeName } from '#shared/units.ts';
import { completed } from '#server/market/completed/completed.ts';
import type { Bus } from '#server/routing/link.ts';
import type { Handled } from '#server/shard/message.ts';
import { failure } from '#server/shard/failures.ts';
import { onAlarm, onMessage, type AlarmHandler, type Handler, type Powerup } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import { decision, hold } from '#server/trade/entities.ts';
import type { DecisionRow } from '#server/trade/decider.ts';
import { messageKey, type Offer, type Outcome, type Settled } from '#server/trade/messages.ts';
import type { Hold } from '#server/trade/trade-kind.ts';
import type { Violation } from './checker.ts';
import { override } from './override.ts';
import { wrapAlarm, wrapHandler, type Sabotage, type Wrap } from './sabotage.ts';
import { Scenario } from './scenario.ts';
import type { Seams } from './seams.ts';

/** Every sabotage of trades. */
export const TRADE_SABOTAGES: readonly Sabotage[] = [
  { name: 'a doubled command is taken twice', seams: () => ({ bus: doublingCommands() }), isRare: true },
  { name: 'a holder gives up alone after its offer is late', seams: () => tradeAlarm('repeat-offer', givingUpAlone) },
  { name: 'an unanswered offer is never repeated', seams: () => tradeAlarm('repeat-offer', () => onAlarm(hold, neverAgain)) },
  { name: 'an unsettled outcome is never told again', seams: () => tradeAlarm('repeat-outcome', () => onAlarm(decision, neverToldAgain)) },
  {
    name: 'a decider forgets a decision as soon as it is settled',
    seams: () => tradeHandler('settled', () => onMessage<Settled>(forgetting)),
  },
  { name: 'a decider forgets what it decided and decides anew', seams: () => tradeHandler('offer', decidingAnew) },
  { name: 'a decider accepts what comes late', seams: () => tradeHandler('offer', acceptingLate) },
  { name: 'a decider leaves open what it aborts', seams: () => tradeHandler('offer', leavingOpen) },
  { name: 'a decider never forgets what is settled', seams: () => ({ powerups: (all) => all.map(withoutTidying) }) },
  { name: 'an abort leaves no trace', seams: () => tradeHandler('offer', abortingWithoutTrace) },
  { name: 'an offer to nobody is aborted at once', seams: () => ({ bus: hurryingOffersToNobody }) },
  { name: 'a doubled outcome is applied twice', seams: () => tradeHandler('outcome', applyingTwice) },
  { name: 'a lost outcome is taken for an abort', seams: () => tradeHandler('outcome', takingForAbort) },
  {
    name: 'an outcome that cannot be known is settled (T6)',
    seams: () => tradeHandler('outcome', settlingAnything),
    show: hearOfTheUnknown,
  },
];

function tradeHandler(kind: string, wrap: Wrap<Handler>): Seams {
  return wrapHandler('trades', kind, wrap);
}

function tradeAlarm(alarm: string, wrap: Wrap<AlarmHandler>): Seams {
  return wrapAlarm('trades', alarm, wrap);
}

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

/** So many commands come before the copy of one does. */
const COPIES_MAX = 6;

function givingUpAlone(real: AlarmHandler, trades: Powerup): AlarmHandler {
  return onAlarm(hold, (turn, held) => {
    if (turn.now <= held.offerUntil) return real(turn, held);
    const outcome: Outcome = {
      kind: 'outcome',
      key: held.tx,
      tx: held.tx,
      decider: held.decider,
      verdict: { kind: 'aborted', reason: 'unavailable' },
    };
    trades.handlers?.['outcome']?.(turn, outcome);
  });
}

const A_LONG_TIME = durationMs(1_000_000_000);

function neverAgain(turn: Turn, held: Hold): void {
  turn.put(hold, { ...held, repeatAt: later(turn.now, A_LONG_TIME) });
}

function neverToldAgain(turn: Turn, known: DecisionRow): void {
  turn.put(decision, { ...known, repeatAt: later(turn.now, A_LONG_TIME) });
}

function forgetting(turn: Turn, { tx }: Settled): Handled {
  const known = turn.table(decision).find('tx', tx);
  if (known !== undefined) turn.remove(decision, known.id);
  return { kind: 'done' };
}

function decidingAnew(real: Handler): Handler {
  return onMessage<Offer>((turn, offer) => {
    const known = turn.table(decision).find('tx', offer.tx);
    if (known !== undefined) turn.remove(decision, known.id);
    return real(turn, offer);
  });
}

function acceptingLate(real: Handler): Handler {
  return onMessage<Offer>((turn, offer) => real(turn, offer.offerUntil < turn.now ? { ...offer, offerUntil: turn.now } : offer));
}

function leavingOpen(real: Handler): Handler {
  return onMessage<Offer>((turn, offer) => {
    const handled = real(turn, offer);
    const known = turn.table(decision).find('tx', offer.tx);
    if (known?.state === 'aborted')
      turn.put(decision, { ...known, state: 'accepted', verdict: null, askAgainAt: turn.now, repeatAt: null });
    return handled;
  });
}

function abortingWithoutTrace(real: Handler): Handler {
  return onMessage<Offer>((turn, offer) => {
    const handled = real(turn, offer);
    const known = turn.table(decision).find('tx', offer.tx);
    if (known?.state === 'aborted') turn.remove(decision, known.id);
    return handled;
  });
}

function applyingTwice(real: Handler): Handler {
  return onMessage<Outcome>((turn, outcome) => {
    const isDouble = turn.table(hold).find('tx', outcome.tx) === undefined && outcome.verdict.kind === 'committed';
    const entry = turn
      .table(completed)
      .rows()
      .find(({ tx }) => tx === outcome.tx);
    if (isDouble && entry !== undefined) turn.insert(completed, { ...withoutId(entry) });
    return real(turn, outcome);
  });
}

function withoutId<Row extends { readonly id: number }>({ id: _id, ...values }: Row): Omit<Row, 'id'> {
  return values;
}

/** Forgets the decider's word when it had to be asked for more than once. */
function takingForAbort(real: Handler): Handler {
  return onMessage<Outcome>((turn, outcome) => {
    const held = turn.table(hold).find('tx', outcome.tx);
    const isLost = held !== undefined && held.attempts > 0;
    const told: Outcome = isLost ? { ...outcome, verdict: { kind: 'aborted', reason: 'unavailable' } } : outcome;
    return real(turn, told);
  });
}

/** Offers to shards that come late, if ever, come too late, wherever nobody has come yet. */
function hurryingOffersToNobody(bus: Bus): Bus {
  return override(bus, {
    send: (to, bytes) => {
      const text = new TextDecoder().decode(bytes);
      const isToNobody = text.includes('"to":"late-') && text.includes('"kind":"offer"');
      bus.send(to, isToNobody ? new TextEncoder().encode(text.replace(/"offerUntil":\d+/, '"offerUntil":1')) : bytes);
    },
  });
}

function withoutTidying({ tidy, ...powerup }: Powerup): Powerup {
  return powerup.name === 'trades' || tidy === undefined ? powerup : { ...powerup, tidy };
}

/** Says of any outcome that it was acted on. */
function settlingAnything(real: Handler): Handler {
  return onMessage<Outcome>((turn, outcome) => {
    if (turn.table(hold).find('tx', outcome.tx) !== undefined) return real(turn, outcome);
    const settled: Settled = { kind: 'settled', key: messageKey('settled', outcome.tx), tx: outcome.tx };
    turn.emit(outcome.decider, settled);
    return { kind: 'done' };
  });
}

/** A shard hears of an outcome that it cannot know: it has lost its state, and must not go on. */
async function hearOfTheUnknown(seams: Seams): Promise<readonly Violation[]> {
  const scenario = await Scenario.begin({ seams, isExpected: ({ message }) => message.includes('failed on outcome') });
  const { buyer, world } = scenario;
  scenario.hearOf(`7.1.${buyer}`);
  await scenario.run(50);
  if (world.model.rows(buyer, failure).some(({ key }) => key === 'quarantine')) return [];
  const detail = `${buyer} has heard of an outcome that it never offered, and goes on`;
  return [{ checker: 'T6 lost state is found out', sentence: 'a shard that lost its state is closed', detail, atMs: 0 }];
}
