/**
 * The protocol as two tables, walked completely: what a holder does with each message in each of its states, and what a decider does.
 * The types make the compiler refuse a table with a hole.
 */
import { describe, expect, it } from '@jest/globals';
import { limits } from '#shared/limits.ts';
import { transactionId } from './transaction.ts';
import { instant, type ShardId } from '#shared/units.ts';
import type { Message } from '#server/shard/message.ts';
import { failure } from '#server/shard/failures.ts';
import { operation } from '#server/shard/operations.ts';
import type { TurnResult } from '#server/shard/shard.ts';
import { ADA, BOB, command, ShardDriver, TEST_START } from '#server/shard/testing/shard-driver.ts';
import { decision, hold } from './entities.ts';
import { messageKey, type Offer, type Outcome, type Pending, type Settled, type Verdict } from './messages.ts';
import { DECIDES_WITHIN_MS, pursePowerups, purse, STANDING, WAITING, type Wish } from './testing/purse.ts';

const TX = transactionId({ holder: ADA, generation: 1, seq: 1 });
const COMMITTED: Verdict = { kind: 'committed', result: { paid: 100 } };
const ABORTED: Verdict = { kind: 'aborted', reason: 'listing-gone' };

const outcome = (verdict: Verdict, tx = TX, decider: ShardId = BOB): Outcome => ({
  kind: 'outcome',
  key: messageKey('outcome', tx),
  tx: tx,
  decider,
  verdict,
});
const settled = (tx = TX): Settled => ({ kind: 'settled', key: messageKey('settled', tx), tx: tx });
const pending = (afterMs: number): Pending => ({
  kind: 'pending',
  key: messageKey('pending', TX),
  tx: TX,
  askAgainAt: instant(TEST_START + afterMs),
});
const offer = (wish: Wish, tx = TX): Offer => ({
  kind: 'offer',
  key: messageKey('offer', tx),
  tx: tx,
  trade: STANDING,
  offerUntil: instant(TEST_START + limits.offerWindowMs),
  terms: { wish, amount: 100 },
});

/** What a turn said, in words. */
function said({ emitted, completed, failed, changes }: TurnResult): string {
  const words = emitted.map(({ to, message }) => `${spoken(message)} to ${to.split('@')[0]}`);
  for (const { reply } of completed) words.push(reply.kind === 'refusal' ? `tells its player ${reply.name}` : 'tells its player');
  if (failed !== undefined) words.push(`fails: ${failed.name}`);
  if (changes === undefined) words.push('no change');
  return words.join(', ');
}

function spoken(message: Message): string {
  if (message.kind !== 'outcome') return message.kind;
  return (message as Outcome).verdict.kind;
}

describe('the holder', () => {
  type State = 'never offered' | 'waits' | 'stands' | 'resolved' | 'offered in an older generation';
  type Event = 'committed' | 'aborted' | 'pending' | 'settled' | 'alarm';

  const states: Readonly<Record<State, () => ShardDriver>> = {
    'never offered': () => opened(),
    waits: () => holding(WAITING),
    stands: () => {
      const driver = holding(STANDING);
      driver.send(pending(DECIDES_WITHIN_MS));
      return driver;
    },
    resolved: () => {
      const driver = holding(WAITING);
      driver.send(outcome(ABORTED));
      return driver;
    },
    'offered in an older generation': () => {
      const driver = holding(WAITING);
      driver.send(outcome(ABORTED));
      driver.loadFrom({ ...driver.image(), generation: 2, seq: 0 });
      return driver;
    },
  };

  const events: Readonly<Record<Event, (driver: ShardDriver) => TurnResult>> = {
    committed: (driver) => driver.send(outcome(COMMITTED)),
    aborted: (driver) => driver.send(outcome(ABORTED)),
    pending: (driver) => driver.send(pending(DECIDES_WITHIN_MS)),
    settled: (driver) => driver.send(settled()),
    alarm: (driver) => {
      driver.wait(DECIDES_WITHIN_MS * 3);
      return driver.wake()[0] ?? nothing;
    },
  };

  /** hold, operation, purse (spendable + held); then what was said. */
  const table: Readonly<Record<State, Readonly<Record<Event, string>>>> = {
    'never offered': {
      committed: 'no hold, no operation, 1000+0: fails: StateLost',
      aborted: 'no hold, no operation, 1000+0: fails: StateLost',
      pending: 'no hold, no operation, 1000+0: no change',
      settled: 'no hold, no operation, 1000+0: no change',
      alarm: 'no hold, no operation, 1000+0: no change',
    },
    waits: {
      committed: 'no hold, answered, 900+0: settled to bob, tells its player',
      aborted: 'no hold, answered, 1000+0: settled to bob, tells its player listing-gone',
      pending: 'hold, open, 900+100: ',
      settled: 'hold, open, 900+100: no change',
      alarm: 'hold, open, 900+100: offer to bob',
    },
    stands: {
      committed: 'no hold, answered, 900+0: settled to bob',
      aborted: 'no hold, answered, 1000+0: settled to bob',
      pending: 'hold, answered, 900+100: ',
      settled: 'hold, answered, 900+100: no change',
      alarm: 'hold, answered, 900+100: offer to bob',
    },
    resolved: {
      committed: 'no hold, answered, 1000+0: settled to bob, no change',
      aborted: 'no hold, answered, 1000+0: settled to bob, no change',
      pending: 'no hold, answered, 1000+0: no change',
      settled: 'no hold, answered, 1000+0: no change',
      alarm: 'no hold, answered, 1000+0: no change',
    },
    'offered in an older generation': {
      committed: 'no hold, answered, 1000+0: settled to bob, no change',
      aborted: 'no hold, answered, 1000+0: settled to bob, no change',
      pending: 'no hold, answered, 1000+0: no change',
      settled: 'no hold, answered, 1000+0: no change',
      alarm: 'no hold, answered, 1000+0: no change',
    },
  };

  const cases = rowsOf(table);
  it.each(cases)('that %s, on %s: %s', (state, event, expected) => {
    const driver = states[state]();
    const result = events[event](driver);
    const [row] = driver.rows(purse);
    const holds = driver.rows(hold).length === 0 ? 'no hold' : 'hold';
    const operations = driver.rows(operation)[0]?.state ?? 'no operation';
    expect(`${holds}, ${operations}, ${row?.coins}+${row?.held}: ${said(result)}`).toBe(expected);
  });

  it.each(cases)('that %s, on %s twice, is as if it came once', (state, event) => {
    const driver = states[state]();
    events[event](driver);
    const before = contentOf(driver);
    if (event === 'alarm') return;
    events[event](driver);
    expect(contentOf(driver)).toEqual(before);
  });

  function holding(trade: string): ShardDriver {
    const driver = opened();
    driver.send(command(trade === WAITING ? 'promise' : 'promise-standing', { decider: BOB, amount: 100, wish: 'commit' }, 'a'));
    return driver;
  }
});

describe('the decider', () => {
  type State = 'unknown' | 'unknown, late' | 'accepted' | 'committed' | 'aborted' | 'settled' | 'removed';
  type Event = 'offer' | 'settled' | 'alarm' | 'decides to commit' | 'decides to abort';

  const late = (driver: ShardDriver): void => driver.wait(limits.offerWindowMs + 1);
  const after = (wish: Wish, then?: (driver: ShardDriver) => void) => (): ShardDriver => {
    const driver = opened(BOB);
    driver.send(offer(wish));
    then?.(driver);
    return driver;
  };
  const states: Readonly<Record<State, () => ShardDriver>> = {
    unknown: () => opened(BOB),
    'unknown, late': () => {
      const driver = opened(BOB);
      late(driver);
      return driver;
    },
    accepted: after('accept'),
    committed: after('commit'),
    aborted: after('abort'),
    settled: after('commit', (driver) => void driver.send(settled())),
    removed: after('commit', (driver) => {
      late(driver);
      driver.send(settled());
    }),
  };

  const events: Readonly<Record<Event, (driver: ShardDriver) => TurnResult>> = {
    offer: (driver) => driver.send(offer('commit')),
    settled: (driver) => driver.send(settled()),
    alarm: (driver) => {
      driver.wait(limits.retryMaxMs);
      return driver.wake()[0] ?? nothing;
    },
    'decides to commit': (driver) => driver.command('decide', { tx: TX, verdict: 'commit' }),
    'decides to abort': (driver) => driver.command('decide', { tx: TX, verdict: 'abort' }),
  };

  const undecidable = 'fails: Error, no change';
  const table: Readonly<Record<State, Readonly<Record<Event, string>>>> = {
    unknown: {
      offer: 'committed, 1100: committed to ada',
      settled: 'unknown, 1000: no change',
      alarm: 'unknown, 1000: no change',
      'decides to commit': `unknown, 1000: ${undecidable}`,
      'decides to abort': `unknown, 1000: ${undecidable}`,
    },
    'unknown, late': {
      offer: 'aborted, 1000: aborted to ada',
      settled: 'unknown, 1000: no change',
      alarm: 'unknown, 1000: no change',
      'decides to commit': `unknown, 1000: ${undecidable}`,
      'decides to abort': `unknown, 1000: ${undecidable}`,
    },
    accepted: {
      offer: 'accepted, 1000: pending to ada, no change',
      settled: 'accepted, 1000: no change',
      alarm: 'accepted, 1000: no change',
      'decides to commit': 'committed, 1001: committed to ada',
      'decides to abort': 'aborted, 1000: aborted to ada',
    },
    committed: {
      offer: 'committed, 1100: committed to ada, no change',
      settled: 'settled, 1100: ',
      alarm: 'committed, 1100: committed to ada',
      'decides to commit': `committed, 1100: ${undecidable}`,
      'decides to abort': `committed, 1100: ${undecidable}`,
    },
    aborted: {
      offer: 'aborted, 1000: aborted to ada, no change',
      settled: 'settled, 1000: ',
      alarm: 'aborted, 1000: aborted to ada',
      'decides to commit': `aborted, 1000: ${undecidable}`,
      'decides to abort': `aborted, 1000: ${undecidable}`,
    },
    settled: {
      offer: 'settled, 1100: no change',
      settled: 'settled, 1100: no change',
      alarm: 'settled, 1100: no change',
      'decides to commit': `settled, 1100: ${undecidable}`,
      'decides to abort': `settled, 1100: ${undecidable}`,
    },
    removed: {
      // A double of an offer that was settled long ago: aborted anew. Its holder has no hold, and says `settled` at once.
      offer: 'aborted, 1100: aborted to ada',
      settled: 'unknown, 1100: no change',
      alarm: 'unknown, 1100: no change',
      'decides to commit': `unknown, 1100: ${undecidable}`,
      'decides to abort': `unknown, 1100: ${undecidable}`,
    },
  };

  const cases = rowsOf(table);
  it.each(cases)('to whom a transaction is %s, on %s: %s', (state, event, expected) => {
    const driver = states[state]();
    const result = events[event](driver);
    const known = driver.rows(decision)[0]?.state ?? 'unknown';
    expect(`${known}, ${driver.rows(purse)[0]?.coins}: ${said(result)}`).toBe(expected);
  });

  it.each(cases.filter(([, event]) => event === 'offer' || event === 'settled'))(
    'to whom a transaction is %s, on %s twice, is as if it came once',
    (state, event) => {
      const driver = states[state]();
      events[event](driver);
      const before = contentOf(driver);
      events[event](driver);
      expect(contentOf(driver)).toEqual(before);
    },
  );

  it('answers a repeated offer at the very last instant, and not one millisecond later', () => {
    for (const [waitMs, state] of [
      [limits.offerWindowMs, 'committed'],
      [limits.offerWindowMs + 1, 'aborted'],
    ] as const) {
      const driver = opened(BOB);
      driver.wait(waitMs);
      driver.send(offer('commit'));
      expect(driver.rows(decision)[0]?.state).toBe(state);
    }
  });
});

const nothing: TurnResult = { handled: { kind: 'done' }, changes: undefined, emitted: [], completed: [] };

function opened(id: ShardId = ADA): ShardDriver {
  const driver = new ShardDriver(pursePowerups(), id);
  driver.command('open');
  return driver;
}

function contentOf(driver: ShardDriver): unknown {
  return [hold, decision, purse, operation, failure].map((entity) => driver.rows<never>(entity as never));
}

function rowsOf<State extends string, Event extends string>(
  table: Readonly<Record<State, Readonly<Record<Event, string>>>>,
): [State, Event, string][] {
  return (Object.keys(table) as State[]).flatMap((state) =>
    (Object.keys(table[state]) as Event[]).map((event): [State, Event, string] => [state, event, table[state][event]]),
  );
}
