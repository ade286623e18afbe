/** The invariants T1 to T9 of a trade, each with a test that fails without it, and the holes of two-phase commit that others fell into. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { limits } from '#shared/limits.ts';
import { createPrng } from '#shared/prng.ts';
import { shardId } from '#shared/address.ts';
import { refusal } from '#shared/refusals.ts';
import { transactionId } from './transaction.ts';
import { instant, type ShardId, type TransactionId } from '#shared/units.ts';
import { failure } from '#server/shard/failures.ts';
import { answer, type Absence } from '#server/shard/message.ts';
import { ADA, BOB, command, ShardDriver, TEST_START } from '#server/shard/testing/shard-driver.ts';
import { outcomeInPlaceOf } from './decider.ts';
import { decision, hold } from './entities.ts';
import { messageKey, type Offer } from './messages.ts';
import { pursePowerups, purchase, purse, PURSE_START, sale, testTrade, WAITING, type Wish } from './testing/purse.ts';
import { ShardNetwork, type BusFaults, type NetworkLine } from './testing/shard-network.ts';

const CAT: ShardId = shardId('cat', 'europe', 'softcore');
const TX = transactionId({ holder: ADA, generation: 1, seq: 1 });
const WAITING_BROKEN = 'broken';
const failing = (): never => {
  throw new Error('the goods do not fit');
};

function network(faults?: BusFaults, seed = 'trade', shards: readonly ShardId[] = [ADA, BOB, CAT]): ShardNetwork {
  const net = new ShardNetwork(pursePowerups(), shards, createPrng(seed), faults);
  for (const shard of shards) net.command(shard, 'open', {});
  return net;
}

function promise(net: ShardNetwork, op: string, wish: Wish = 'commit', from = ADA, to = BOB, amount = 100) {
  return net.command(from, 'promise', { decider: to, amount, wish }, op);
}

const coins = (net: ShardNetwork, shard: ShardId) => net.driver(shard).rows(purse)[0];
const text = (message: unknown): string => JSON.stringify(message);
const offer = (wish: Wish, tx = TX): Offer => ({
  kind: 'offer',
  key: messageKey('offer', tx),
  tx: tx,
  trade: WAITING,
  offerUntil: instant(TEST_START + limits.offerWindowMs),
  terms: { wish, amount: 100 },
});

describe('T1: a hold is a row', () => {
  it('so it survives eviction and restart, and the trade goes on (H17)', () => {
    const net = network();
    promise(net, 'a');
    net.driver(ADA).reload();
    expect(net.driver(ADA).rows(hold)).toHaveLength(1);
    net.settle();
    expect(net.replyTo(ADA, 'a')).toEqual(answer({ bought: TX }));
  });

  it('so it is in nobody’s way: the same shard offers, decides and answers meanwhile', () => {
    const net = network();
    promise(net, 'a');
    promise(net, 'b');
    promise(net, 'c', 'commit', CAT, ADA);
    net.intercept();
    expect(net.driver(ADA).rows(hold)).toHaveLength(2);
    expect(net.inject(ADA, text(offer('commit', transactionId({ holder: CAT, generation: 1, seq: 1 })))).emitted).toHaveLength(1);
    expect(net.command(ADA, 'open', {}).handled).toEqual(answer(PURSE_START - 200 + 100));
  });
});

describe('T2: a holder never decides alone', () => {
  it('but repeats the same offer, with its first time limit, for as long as it takes, also after a restart', () => {
    const net = network();
    promise(net, 'a');
    const [first] = net.intercept();
    for (let hour = 0; hour < 48; hour++) {
      net.wait(3_600_000);
      if (hour % 7 === 0) net.driver(ADA).reload();
      expect(net.intercept().map((letter) => letter.text)).toEqual([first?.text]);
    }
    expect(coins(net, ADA)).toMatchObject({ coins: 900, held: 100 });
    expect(net.replyTo(ADA, 'a')).toBeUndefined();
    net.wait(3_600_000);
    net.settle();
    expect(net.replyTo(ADA, 'a')).toEqual(refusal('offer-expired'));
    expect(coins(net, ADA)).toMatchObject({ coins: 1_000, held: 0 });
  });

  it('and asks more and more rarely', () => {
    const net = network();
    promise(net, 'a');
    const at: number[] = [];
    for (let second = 1; second <= 200; second++) {
      net.intercept();
      net.wait(1_000);
      if (net.underWay.length > 0) at.push(second);
    }
    // Of these, the one at 11 comes because the window is over.
    expect(at).toEqual([1, 3, 7, 11, 19, 35, 67, 127, 187]);
  });
});

describe('T3: an abort leaves a trace before it is told', () => {
  it.each<[string, Wish, number]>([
    ['for a reason', 'abort', 0],
    ['for being late', 'commit', limits.offerWindowMs + 1],
  ])('when the offer is aborted %s', (_name, wish, waitMs) => {
    const driver = new ShardDriver(pursePowerups(), BOB);
    driver.command('open');
    driver.wait(waitMs);
    const { changes, emitted } = driver.send(offer(wish));
    expect(emitted).toHaveLength(1);
    expect(changes?.puts.some(({ entity, row }) => entity === decision && row['state'] === 'aborted')).toBe(true);
  });

  it('so an offer that was overtaken by its abort can never commit, not even when the clock steps back (H2)', () => {
    const driver = new ShardDriver(pursePowerups(), BOB);
    driver.command('open');
    driver.wait(limits.offerWindowMs + 1);
    driver.send(offer('commit'));
    driver.send({ kind: 'settled', key: messageKey('settled', TX), tx: TX } as never);
    expect(driver.rows(decision)).toEqual([]);
    driver.reload();
    driver.wait(-2 * limits.offerWindowMs);
    driver.send(offer('commit'));
    expect(driver.rows(decision)).toMatchObject([{ state: 'aborted' }]);
    expect(driver.rows(sale)).toEqual([]);
  });

  it('so a shard that was never created aborts only what is late', () => {
    const late = instant(TEST_START + limits.offerWindowMs + 1);
    const nobody: Absence = { kind: 'never-created' };
    expect(outcomeInPlaceOf(offer('commit'), BOB, instant(late - 1), nobody)).toBeUndefined();
    expect(outcomeInPlaceOf(offer('commit'), BOB, late, nobody)).toMatchObject({
      kind: 'outcome',
      tx: TX,
      decider: BOB,
      verdict: { kind: 'aborted', reason: 'listing-gone' },
    });
  });

  it.each<[string, number, number | undefined, boolean]>([
    ['in time', 0, -1, false],
    ['late, and its last turn was before the hold', 1, -1, true],
    ['late, and its last turn was at the instant of the hold', 1, 0, false],
    ['late, and its last turn was after the hold', 1, 5_000, false],
    ['late, and its last turn is not known', 1, undefined, false],
  ])('so for a shard that cannot be loaded nobody says more than is certain: %s', (_name, lateMs, lastTurnMs, isAborted) => {
    const now = instant(TEST_START + limits.offerWindowMs + lateMs);
    const lastTurnAt = lastTurnMs === undefined ? undefined : instant(TEST_START + lastTurnMs);
    const outcome = outcomeInPlaceOf(offer('commit'), BOB, now, { kind: 'unloadable', lastTurnAt });
    expect(outcome?.verdict).toEqual(isAborted ? { kind: 'aborted', reason: 'offer-expired' } : undefined);
  });
});

describe('T4: a late offer is answered from what is known', () => {
  it('with the commit, if it was committed in time', () => {
    const net = network();
    promise(net, 'a');
    while (net.driver(BOB).rows(decision).length === 0) net.deliverOne();
    net.intercept();
    net.wait(limits.offerWindowMs * 5);
    net.settle();
    expect(net.replyTo(ADA, 'a')).toEqual(answer({ bought: TX }));
    expect(net.driver(BOB).rows(sale)).toHaveLength(1);
  });

  it('else with an abort, for good, however often it comes', () => {
    const net = network();
    promise(net, 'a');
    const letters = net.intercept();
    net.wait(limits.offerWindowMs + 1);
    for (let round = 0; round < 3; round++) for (const { to, text: sent } of letters) net.inject(to, sent);
    net.settle();
    for (const { to, text: sent } of letters) net.inject(to, sent);
    net.settle();
    expect(net.driver(BOB).rows(sale)).toEqual([]);
    expect(net.replyTo(ADA, 'a')).toEqual(refusal('offer-expired'));
  });
});

describe('T5: every message is safe twice, late, out of order, or at a restarted node', () => {
  const fate = fc.record({
    seed: fc.integer(),
    loss: fc.constantFrom(0, 0.1, 0.5),
    doubling: fc.constantFrom(0, 0.3, 0.6),
    trades: fc.array(
      fc.record({
        from: fc.constantFrom(ADA, BOB, CAT),
        to: fc.constantFrom(ADA, BOB, CAT),
        wish: fc.constantFrom<Wish>('commit', 'commit', 'abort'),
        amount: fc.integer({ min: 1, max: 400 }),
        waitMs: fc.constantFrom(0, 0, 0, 700, 12_000),
        deliveries: fc.integer({ min: 0, max: 4 }),
        reloads: fc.constantFrom(null, null, ADA, BOB),
        stray: fc.boolean(),
      }),
      { minLength: 1, maxLength: 30 },
    ),
  });

  it('as random trades over a bad bus show: nothing is lost, made or left behind', () => {
    fc.assert(
      fc.property(fate, ({ seed, loss, doubling, trades }) => {
        const net = network({ loss, doubling }, String(seed));
        const strays: { readonly to: ShardId; readonly text: string }[] = [];
        for (const [index, { from, to, wish, amount, waitMs, deliveries, reloads, stray }] of trades.entries()) {
          if (from !== to) promise(net, `t${index}`, wish, from, to, amount);
          for (let delivery = 0; delivery < deliveries; delivery++) net.deliverOne();
          if (stray) strays.push(...net.underWay);
          if (reloads !== null) net.driver(reloads).reload();
          net.wait(waitMs);
        }
        net.settle();
        // Doubles that come when everything is long over (H10) change nothing.
        net.wait(10_000_000);
        const before = [...net.drivers.values()].map((driver) => [driver.rows(purse), driver.rows(purchase), driver.rows(sale)]);
        for (const { to, text: sent } of strays) net.inject(to, sent);
        net.settle();
        expect([...net.drivers.values()].map((driver) => [driver.rows(purse), driver.rows(purchase), driver.rows(sale)])).toEqual(before);
        checkQuiet(net);
      }),
      { numRuns: 150 },
    );
  });

  it('and a message that is long delayed never applies to a later trade (H10)', () => {
    const net = network();
    promise(net, 'a', 'abort');
    while (net.driver(ADA).rows(hold).length > 0 && net.deliverOne());
    const outcomeOfFirst = text({
      kind: 'outcome',
      key: messageKey('outcome', TX),
      tx: TX,
      decider: BOB,
      verdict: { kind: 'aborted', reason: 'listing-gone' },
    });
    net.settle();
    promise(net, 'b');
    net.inject(ADA, outcomeOfFirst);
    expect(net.driver(ADA).rows(hold)).toHaveLength(1);
    net.settle();
    expect(net.replyTo(ADA, 'b')?.kind).toBe('answer');
  });

  it('and no message decides what it was not sent for: another decider, another holder', () => {
    const net = network();
    promise(net, 'a');
    net.intercept();
    const verdict = { kind: 'committed', result: { paid: 100 } } as const;
    expect(net.inject(ADA, text({ kind: 'outcome', key: 'outcome/x', tx: TX, decider: CAT, verdict })).failed?.message).toContain(
      'was offered to bob',
    );
    expect(net.inject(CAT, text({ kind: 'outcome', key: 'outcome/y', tx: TX, decider: BOB, verdict })).failed?.message).toContain(
      'is not of cat',
    );
    expect(net.driver(ADA).rows(hold)).toHaveLength(1);
    expect(
      net
        .driver(CAT)
        .rows(failure)
        .some(({ key }) => key === 'quarantine'),
    ).toBe(false);
  });
});

describe('T6: an outcome that nobody waits for', () => {
  it('of a transaction that was resolved before is answered settled (H1)', () => {
    const net = network();
    promise(net, 'a');
    net.settle();
    const result = net.inject(
      ADA,
      text({ kind: 'outcome', key: 'outcome/x', tx: TX, decider: BOB, verdict: { kind: 'committed', result: {} } }),
    );
    expect(result).toMatchObject({ changes: undefined, emitted: [{ to: BOB, message: { kind: 'settled', tx: TX } }] });
  });

  it('above the counter means that state was lost: the shard closes, answers nothing, and says so', () => {
    const net = network();
    const old = net.driver(ADA).image();
    promise(net, 'a');
    while (net.driver(BOB).rows(decision).length === 0) net.deliverOne();
    net.driver(ADA).loadFrom(old);
    while (net.deliverOne());
    expect(net.failures.map(({ name }) => name)).toEqual(['StateLost']);
    expect(net.command(ADA, 'open', {}).handled).toEqual(refusal('unavailable'));
    net.wait(100_000);
    while (net.deliverOne());
    expect(net.driver(BOB).rows(decision)).toMatchObject([{ state: 'committed' }]);
    expect(net.failures).toHaveLength(1);
  });
});

describe('T7: the ledger', () => {
  it('sums to nothing over the world on every prefix, and every clearing account is empty once its trade is settled', () => {
    const net = network({ loss: 0.2, doubling: 0.3 }, 'ledger');
    for (let index = 0; index < 40; index++) {
      const [from, to] = index % 2 === 0 ? [ADA, BOB] : [BOB, CAT];
      promise(net, `t${index}`, index % 3 === 0 ? 'abort' : 'commit', from, to, 10 + index);
      net.deliverOne();
    }
    net.settle();
    checkQuiet(net);
    expect(net.lines.filter(({ entry }) => entry.cause === 'sale').length).toBeGreaterThan(10);
  });
});

describe('T8: only one place ever gives', () => {
  it('so however often an offer and its outcome come, there is one sale and one purchase', () => {
    const net = network();
    promise(net, 'a');
    const letters: { readonly to: ShardId; readonly text: string }[] = [];
    for (let round = 0; round < 4; round++) {
      letters.push(...net.underWay);
      for (const { to, text: sent } of letters) net.inject(to, sent);
    }
    net.settle();
    expect(net.driver(BOB).rows(sale)).toHaveLength(1);
    expect(net.driver(ADA).rows(purchase)).toHaveLength(1);
    expect(coins(net, ADA)).toMatchObject({ coins: 900, held: 0 });
    expect(coins(net, BOB)).toMatchObject({ coins: 1_100, held: 0 });
  });
});

describe('T9: no decision outlives its use', () => {
  it('so one that is settled at the last instant of its offer still stands for a double that comes then', () => {
    const driver = new ShardDriver(pursePowerups(), BOB);
    driver.command('open');
    const last = offer('commit', TX);
    driver.send(offer('abort', TX));
    driver.wait(last.offerUntil - driver.now);
    driver.send({ kind: 'settled', key: messageKey('settled', TX), tx: TX } as never);
    expect(driver.rows(decision)).toMatchObject([{ state: 'settled' }]);
    expect(driver.send(last)).toMatchObject({ changes: undefined, emitted: [] });
  });

  it('so the log of a busy seller stays bounded: it holds what was decided within one window, and goes a few per turn (H14)', () => {
    const net = network();
    const perSecond = 20;
    const rounds = 2_000;
    let most = 0;
    for (let index = 0; index < rounds; index++) {
      promise(net, `t${index}`, index % 2 === 0 ? 'commit' : 'abort', index % 4 < 2 ? ADA : CAT, BOB, 1);
      while (net.deliverOne());
      net.wait(1_000 / perSecond);
      most = Math.max(most, net.driver(BOB).rows(decision).length);
    }
    // A window of 10 s at 20 trades per second is 200 decisions, whether 2,000 trades were made or a million.
    expect(most).toBeLessThanOrEqual((limits.offerWindowMs / 1_000) * perSecond + limits.tidyEveryTurns);
    expect(most).toBeGreaterThan(150);
    net.wait(limits.offerWindowMs + 1);
    for (let turn = 0; turn < 30 * limits.tidyEveryTurns; turn++)
      net.command(BOB, 'promise', { decider: ADA, amount: 1, wish: 'abort' }, `turn${turn}`);
    net.settle();
    expect(net.driver(BOB).rows(decision).length).toBeLessThanOrEqual(limits.tidiedRowsMax);
  });

  it('so strangers cannot make it grow without bound: past it an unknown offer waits until it is late, and what is known is answered', () => {
    const driver = new ShardDriver(pursePowerups(), BOB);
    driver.command('open');
    const txOf = (index: number): TransactionId => transactionId({ holder: CAT, generation: 1, seq: index + 1 });
    for (let index = 0; index < limits.decisionsMax; index++) driver.send(offer('abort', txOf(index)));
    expect(driver.rows(decision)).toHaveLength(limits.decisionsMax);
    const expired = [{ to: ADA, message: { tx: TX, verdict: { kind: 'aborted', reason: 'offer-expired' } } }];
    for (const [waitMs, emitted] of [
      [limits.offerWindowMs, []],
      [1, expired],
    ] as const) {
      driver.wait(waitMs);
      expect(driver.send(offer('commit', TX))).toMatchObject({ changes: undefined, emitted, handled: { kind: 'done' } });
      expect(driver.send(offer('abort', txOf(0))).emitted).toHaveLength(1);
    }
    expect(driver.rows(failure)).toEqual([]);
    driver.send({ kind: 'settled', key: messageKey('settled', txOf(0)), tx: txOf(0) } as never);
    // There is room now: the copy of what was aborted without a row is late for ever.
    expect(driver.send(offer('commit', TX)).emitted).toMatchObject(expired);
  });

  it('so what is settled makes room as soon as its window is over, although nothing has an effect meanwhile', () => {
    const driver = new ShardDriver(pursePowerups(), BOB);
    driver.command('open');
    for (let index = 0; index < limits.decisionsMax; index++) {
      const tx = transactionId({ holder: CAT, generation: 1, seq: index + 1 });
      driver.send(offer('abort', tx));
      driver.send({ kind: 'settled', key: messageKey('settled', tx), tx } as never);
    }
    driver.wait(limits.offerWindowMs);
    expect(driver.send(offer('commit', TX)).changes).toBeUndefined();
    driver.wait(1);
    expect(driver.send(offer('commit', TX)).emitted).toHaveLength(1);
    expect(driver.rows(decision).length).toBeLessThan(limits.decisionsMax);
  });

  it('and none goes while its holder may still ask', () => {
    const net = network();
    promise(net, 'a');
    while (net.driver(BOB).rows(decision).length === 0) net.deliverOne();
    net.intercept();
    for (let day = 0; day < 30; day++) {
      net.intercept();
      net.wait(86_400_000);
      net.command(BOB, 'promise', { decider: CAT, amount: 1, wish: 'abort' }, `d${day}`);
    }
    expect(
      net
        .driver(BOB)
        .rows(decision)
        .some(({ tx, state }) => tx === TX && state === 'committed'),
    ).toBe(true);
    net.wait(86_400_000);
    net.settle();
    expect(net.driver(ADA).rows(purchase)).toHaveLength(1);
  });

  it('and nobody is woken for a decision that is settled', () => {
    const net = network();
    promise(net, 'a');
    net.settle();
    expect(net.driver(BOB).rows(decision)).toMatchObject([{ state: 'settled' }]);
    expect(net.driver(BOB).shard.header.wakeAt).toBe(0);
  });
});

describe('a trade', () => {
  it('that aborts a hundred times leaves its shards able to trade (H8)', () => {
    const net = network();
    for (let index = 0; index < 100; index++) promise(net, `t${index}`, 'abort');
    promise(net, 'over', 'commit', ADA, BOB, 1_000);
    net.settle();
    promise(net, 'last', 'commit', ADA, BOB, PURSE_START);
    net.settle();
    expect(net.replyTo(ADA, 'last')?.kind).toBe('answer');
    expect(coins(net, ADA)).toMatchObject({ coins: 0, held: 0 });
  });

  it('of a shard with itself is a bug, and is taken back', () => {
    const net = network();
    expect(promise(net, 'a', 'commit', ADA, ADA).failed?.message).toBe('a shard cannot trade with itself');
    expect(coins(net, ADA)).toMatchObject({ coins: PURSE_START, held: 0 });
  });

  it('without an operation is a bug: nobody could hear of its end', () => {
    const net = network();
    const { failed } = net.command(ADA, 'promise', { decider: BOB, amount: 1, wish: 'commit' });
    expect(failed?.message).toBe('a hold belongs to an operation');
  });

  it('that the decider cannot decide fails, backs off, and is aborted once it is late: nothing stays held', () => {
    const net = network();
    promise(net, 'a', 'throw');
    net.settle();
    expect(new Set(net.failures.map(({ message }) => message))).toEqual(new Set(['the decider cannot decide']));
    expect(net.failures.length).toBeLessThan(limits.turnAttemptsMax);
    expect(net.driver(BOB).rows(failure)).toEqual([]);
    expect(net.replyTo(ADA, 'a')).toEqual(refusal('offer-expired'));
    expect(coins(net, ADA)).toMatchObject({ coins: PURSE_START, held: 0 });
  });

  it('whose holder cannot take the outcome is stuck there in the end, for an operator, and the decider keeps its decision', () => {
    const net = new ShardNetwork(pursePowerups({ [WAITING_BROKEN]: { ...testTrade, commit: failing } }), [ADA, BOB], createPrng('stuck'));
    for (const shard of [ADA, BOB]) net.command(shard, 'open', {});
    net.command(ADA, 'promise-as', { decider: BOB, amount: 1, wish: 'commit', trade: WAITING_BROKEN }, 'a');
    for (let step = 0; step < 60; step++) {
      while (net.deliverOne());
      net.wait(10_000);
    }
    expect(net.failures).toHaveLength(limits.turnAttemptsMax);
    expect(net.driver(ADA).rows(failure)).toMatchObject([{ key: messageKey('outcome', TX), stuck: true }]);
    expect(coins(net, ADA)).toMatchObject({ coins: 999, held: 1 });
    expect(net.driver(BOB).rows(decision)).toMatchObject([{ state: 'committed' }]);
  });

  it('of a kind that the decider does not know fails likewise, and others pass', () => {
    const net = network();
    net.command(ADA, 'promise-as', { decider: BOB, amount: 1, wish: 'commit', trade: 'nobody-knows-it' }, 'a');
    promise(net, 'b');
    while (net.deliverOne());
    expect(net.failures.map(({ message }) => message)).toEqual(['no kind of trade is called nobody-knows-it']);
    expect(net.replyTo(ADA, 'b')?.kind).toBe('answer');
  });
});

describe('a trade that is accepted first', () => {
  const standing = (net: ShardNetwork, op: string) => net.command(ADA, 'promise-standing', { decider: BOB, amount: 1, wish: 'accept' }, op);

  it('answers its command at once, and asks again only when it may', () => {
    const net = network();
    standing(net, 'a');
    while (net.deliverOne());
    expect(net.replyTo(ADA, 'a')).toEqual(answer({ standing: TX }));
    net.wait(29_000);
    expect(net.underWay).toEqual([]);
    net.wait(2_000);
    expect(net.underWay).toMatchObject([{ to: BOB, text: expect.stringContaining('"kind":"offer"') }]);
    while (net.deliverOne());
    expect(net.driver(BOB).rows(decision)).toMatchObject([{ state: 'accepted' }]);
  });

  it.each(['commit', 'abort'] as const)('ends when the decider decides to %s, once', (verdict) => {
    const net = network();
    standing(net, 'a');
    while (net.deliverOne());
    net.command(BOB, 'decide', { tx: TX, verdict }, 'd');
    expect(net.command(BOB, 'decide', { tx: TX, verdict }).failed?.message).toBe(`${TX} is not accepted`);
    net.settle();
    const isCommitted = verdict === 'commit';
    expect(net.driver(ADA).rows(purchase)).toHaveLength(isCommitted ? 1 : 0);
    expect(net.driver(BOB).rows(sale)).toHaveLength(isCommitted ? 1 : 0);
    expect(coins(net, ADA)).toMatchObject({ coins: isCommitted ? 999 : 1_000, held: 0 });
  });

  it('is decided also long after its offer’s time, for it was accepted in time', () => {
    const net = network();
    standing(net, 'a');
    while (net.deliverOne());
    net.wait(limits.offerWindowMs * 100);
    while (net.deliverOne());
    net.command(BOB, 'decide', { tx: TX, verdict: 'commit' }, 'd');
    net.settle();
    expect(net.driver(ADA).rows(purchase)).toHaveLength(1);
  });

  it('holds its promise over restarts of both sides', () => {
    const net = network();
    standing(net, 'a');
    while (net.deliverOne());
    net.driver(ADA).reload();
    net.driver(BOB).reload();
    net.command(BOB, 'decide', { tx: TX, verdict: 'commit' }, 'd');
    net.driver(BOB).reload();
    net.intercept();
    net.wait(2_000);
    net.settle();
    expect(net.driver(ADA).rows(purchase)).toHaveLength(1);
  });
});

describe('transaction numbers', () => {
  it('are never given twice, also after refusals and a restart', () => {
    const net = network();
    promise(net, 'a');
    expect(promise(net, 'poor', 'commit', ADA, BOB, 5_000).handled).toEqual(refusal('not-enough-gold'));
    net.driver(ADA).reload();
    promise(net, 'b');
    expect(
      net
        .driver(ADA)
        .rows(hold)
        .map(({ tx }) => tx),
    ).toEqual([TX, `2.1.${ADA}`]);
  });

  it('start anew in the next generation only', () => {
    const driver = new ShardDriver(pursePowerups());
    driver.command('open');
    driver.loadFrom({ ...driver.image(), generation: 2, seq: 0 });
    driver.send(command('promise', { decider: BOB, amount: 1, wish: 'commit' }, 'a'));
    expect(driver.rows(hold).map(({ tx }) => tx)).toEqual([`1.2.${ADA}`]);
  });
});

/** What must hold at every quiet point: coins conserved, purses as the ledger says, one sale per purchase, nothing open, clearing empty. */
function checkQuiet(net: ShardNetwork): void {
  const drivers = [...net.drivers.values()];
  expect(net.failures).toEqual([]);
  expect(net.openTrades()).toBe(0);
  const total = drivers.reduce((sum, driver) => sum + (driver.rows(purse)[0]?.coins ?? 0) + (driver.rows(purse)[0]?.held ?? 0), 0);
  expect(total).toBe(drivers.length * PURSE_START);
  const purchases = drivers.flatMap((driver) => driver.rows(purchase).map(({ tx }) => tx));
  const sales = drivers.flatMap((driver) => driver.rows(sale).map(({ tx }) => tx));
  expect(purchases.toSorted()).toEqual(sales.toSorted());
  expect(new Set(sales).size).toBe(sales.length);
  for (const driver of drivers)
    expect(balanceOf(net.lines, driver.id)).toEqual({ wallet: driver.rows(purse)[0]?.coins, hold: driver.rows(purse)[0]?.held });
  for (const sum of prefixSums(net.lines)) expect(sum).toBe(0);
  for (const [, amount] of clearingByTransaction(net.lines)) expect(amount).toBe(0);
}

function balanceOf(lines: readonly NetworkLine[], shard: ShardId): { wallet: number; hold: number } {
  const balance = { wallet: 0, hold: 0 };
  for (const { shard: of, entry } of lines) {
    if (of !== shard) continue;
    for (const { place, amount } of entry.postings) if (place === 'wallet' || place === 'hold') balance[place] += amount;
  }
  return balance;
}

/** The sum over the world after each line, the edge of the world (minted, burned) and clearing included. */
function prefixSums(lines: readonly NetworkLine[]): readonly number[] {
  let sum = 0;
  return lines.map(({ entry }) => (sum += entry.postings.reduce((part, { amount }) => part + amount, 0)));
}

function clearingByTransaction(lines: readonly NetworkLine[]): ReadonlyMap<string, number> {
  const clearing = new Map<string, number>();
  for (const { entry } of lines) {
    for (const { place, amount } of entry.postings) {
      if (place === 'clearing' && entry.tx !== null) clearing.set(entry.tx, (clearing.get(entry.tx) ?? 0) + amount);
    }
  }
  return clearing;
}
