/**
 * Deliberate faults, each put in at a seam of the real code: what the checkers are for. A simulator that finds none of them would find
 * nothing of ours either.
 */
import { durationMs, later } from '#shared/units.ts';
import { completed, listing } from '#server/market/entities.ts';
import type { InlineStores } from '#server/journal/backend-inline.ts';
import type { Persister } from '#server/journal/persister.ts';
import type { Batch } from '#server/journal/storage.ts';
import type { Machine } from '#server/platform/platform.ts';
import type { Bus } from '#server/routing/link.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import type { Handled } from '#server/shard/message.ts';
import { operation } from '#server/shard/operations.ts';
import { onAlarm, onMessage, type AlarmHandler, type Handler, type Powerup } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import { decision, hold } from '#server/trade/entities.ts';
import type { DecisionRow } from '#server/trade/decider.ts';
import type { Offer, Outcome, Settled } from '#server/trade/messages.ts';
import type { Hold } from '#server/trade/trade-kind.ts';
import { persisterWith } from './persister-with.ts';
import type { Seams } from './seams.ts';
import { withCommit } from './stores.ts';

/** One deliberate fault. */
export interface Sabotage {
  readonly name: string;
  /** New for each simulation: some remember what they did. */
  readonly seams: () => Seams;
}

/** All of them: the ways in which such systems have lost others' gold. */
export const SABOTAGES: readonly Sabotage[] = [
  { name: 'the output gate lets out what is not durable', seams: () => ({ persister: withoutGate }) },
  { name: 'the journal acknowledges before it has written', seams: () => ({ stores: acknowledgingEarly }) },
  { name: 'operations are not written down', seams: () => ({ persister: (real) => appending(real, withoutOperations) }) },
  { name: 'transaction numbers start anew', seams: () => ({ persister: (real) => appending(real, withoutCounter) }) },
  { name: 'alarms of shards on disk are not looked up', seams: () => ({ persister: withoutDue }) },
  { name: 'published images are not made durable', seams: () => ({ stores: withoutDirectorySync }) },
  { name: 'the fold forgets a row now and then', seams: () => ({ stores: foldingCarelessly() }) },
  { name: 'a clock starts at the wall and ignores the lease', seams: () => ({ persister: withoutLease }) },
  { name: 'a lease is believed that is not durable', seams: () => ({ persister: leasingInMemory }) },
  { name: 'ids are the same in every life', seams: () => ({ machine: withoutIds }) },
  { name: 'a doubled command is taken twice', seams: () => ({ bus: doublingCommands() }) },
  { name: 'a holder gives up alone after its offer is late', seams: () => tradeAlarm('repeat-offer', givingUpAlone) },
  { name: 'an unanswered offer is never repeated', seams: () => tradeAlarm('repeat-offer', () => onAlarm(hold, neverAgain)) },
  { name: 'an unsettled outcome is never told again', seams: () => tradeAlarm('repeat-outcome', () => onAlarm(decision, neverToldAgain)) },
  {
    name: 'a decider forgets a decision as soon as it is settled',
    seams: () => tradeHandler('settled', () => onMessage<Settled>(forgetting)),
  },
  { name: 'a decider forgets what it decided and decides anew', seams: () => tradeHandler('offer', decidingAnew) },
  { name: 'a decider accepts what comes late', seams: () => tradeHandler('offer', acceptingLate) },
  { name: 'an abort leaves no trace', seams: () => tradeHandler('offer', abortingWithoutTrace) },
  { name: 'a doubled outcome is applied twice', seams: () => tradeHandler('outcome', applyingTwice) },
  { name: 'a lost outcome is taken for an abort', seams: () => tradeHandler('outcome', takingForAbort) },
  {
    name: 'cancelling leaves the listing where it is',
    seams: () => ({ powerups: (all) => wrapping(all, 'stall', 'cancel', leavingListing) }),
  },
];

type Wrap<T> = (real: T, powerup: Powerup) => T;

function tradeHandler(kind: string, wrap: Wrap<Handler>): Seams {
  return { powerups: (all) => wrapping(all, 'trades', kind, wrap) };
}

function tradeAlarm(alarm: string, wrap: Wrap<AlarmHandler>): Seams {
  return {
    powerups: (all) =>
      all.map((powerup) => {
        const real = powerup.alarms?.[alarm];
        return powerup.name === 'trades' && real !== undefined
          ? { ...powerup, alarms: { ...powerup.alarms, [alarm]: wrap(real, powerup) } }
          : powerup;
      }),
  };
}

function wrapping(all: readonly Powerup[], name: string, kind: string, wrap: Wrap<Handler>): readonly Powerup[] {
  return all.map((powerup) => {
    const real = powerup.handlers?.[kind];
    return powerup.name === name && real !== undefined
      ? { ...powerup, handlers: { ...powerup.handlers, [kind]: wrap(real, powerup) } }
      : powerup;
  });
}

function withoutIds(real: Machine): Machine {
  return { ...real, random: { ...real.random, id: () => 'always-the-same-life' } };
}

function withoutGate(real: Persister): Persister {
  return persisterWith(real, { durable: () => real.appended });
}

function withoutLease(real: Persister): Persister {
  return persisterWith(real, { recovered: { ...real.recovered, lease: 0 } });
}

function leasingInMemory(real: Persister): Persister {
  return persisterWith(real, { extendLease: () => Promise.resolve() });
}

function withoutDue(real: Persister): Persister {
  return persisterWith(real, { due: () => Promise.resolve([]) });
}

function appending(real: Persister, change: (changes: ChangeSet) => ChangeSet): Persister {
  return persisterWith(real, { append: (changes) => real.append(change(changes)) });
}

function withoutOperations(changes: ChangeSet): ChangeSet {
  return { ...changes, puts: changes.puts.filter(({ entity }) => entity.name !== operation.name) };
}

function withoutCounter(changes: ChangeSet): ChangeSet {
  return { ...changes, seq: 0 };
}

function acknowledgingEarly(stores: InlineStores): InlineStores {
  const { journal } = stores;
  const waiting: Batch[] = [];
  const write = (): void => {
    for (const batch of waiting.splice(0)) journal.commit(batch);
  };
  const late = withCommit(journal, (batch) => {
    write();
    waiting.push({ ...batch, records: batch.records.slice() });
  });
  const afterWriting = <T>(read: () => T): T => {
    write();
    return read();
  };
  const read: InlineStores['journal'] = {
    ...late,
    get state() {
      return journal.state;
    },
    commit: (batch) => late.commit(batch),
    read: (after, bytesMax) => afterWriting(() => journal.read(after, bytesMax)),
    batch: (first) => afterWriting(() => journal.batch(first)),
    drop: (through, recordsMax) => afterWriting(() => journal.drop(through, recordsMax)),
  };
  return { ...stores, journal: read, clearStaging: () => stores.clearStaging() };
}

function withoutDirectorySync(stores: InlineStores): InlineStores {
  const { images } = stores;
  return {
    ...stores,
    images: {
      read: (shard) => images.read(shard),
      draft: (shard) => images.draft(shard),
      sync: (shards) => images.sync(shards),
      publish: (shards) => images.publish(shards),
      syncDirectories: () => Promise.resolve(),
    },
    clearStaging: () => stores.clearStaging(),
  };
}

function foldingCarelessly(): (stores: InlineStores) => InlineStores {
  let folds = 0;
  return (stores) => {
    const { projections } = stores;
    return {
      ...stores,
      projections: {
        get folded() {
          return projections.folded;
        },
        apply: (delta) => projections.apply(++folds % 4 === 0 ? { ...delta, rows: delta.rows.slice(1) } : delta),
        due: (now, limit) => projections.due(now, limit),
        segments: (shard, before, lines) => projections.segments(shard, before, lines),
        segmentsWith: (shard, fingerprint) => projections.segmentsWith(shard, fingerprint),
        rows: (entity) => projections.rows(entity),
        totals: () => projections.totals(),
        close: () => projections.close(),
      },
      clearStaging: () => stores.clearStaging(),
    };
  };
}

/** Every command comes a second time, a little later and as another call. */
function doublingCommands(): (bus: Bus) => Bus {
  const copies: { readonly to: string; readonly bytes: Uint8Array }[] = [];
  return (bus) => ({
    send: (to, bytes) => {
      bus.send(to, bytes);
      const oldest = copies.length > COPIES_MAX ? copies.shift() : undefined;
      if (oldest !== undefined) bus.send(oldest.to, oldest.bytes);
      const text = new TextDecoder().decode(bytes);
      if (text.includes('"issuer"')) copies.push({ to, bytes: new TextEncoder().encode(text.replace('"number":', '"number":9')) });
    },
    onReceive: (listener) => bus.onReceive(listener),
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
    const entry = turn.table(completed).query().where({ tx: outcome.tx }).first();
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

/** The turn as it is, but that no listing can be removed. */
function leavingListing(real: Handler): Handler {
  return (turn, message) => {
    const careless: Turn = {
      shard: turn.shard,
      now: turn.now,
      operation: turn.operation,
      minted: turn.minted,
      table: (entity) => turn.table(entity),
      isEmpty: (entity) => turn.isEmpty(entity),
      insert: (entity, values) => turn.insert(entity, values),
      put: (entity, row) => turn.put(entity, row),
      remove: (entity, id) => {
        if (entity.name !== listing.name) turn.remove(entity, id);
      },
      emit: (to, sent) => turn.emit(to, sent),
      post: (draft) => turn.post(draft),
      mintSequence: () => turn.mintSequence(),
      complete: (operationId, reply) => turn.complete(operationId, reply),
    };
    return real(careless, message);
  };
}
