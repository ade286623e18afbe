import { describe, expect, it } from '@jest/globals';
import { limits } from '#shared/limits.ts';
import { instant } from '#shared/units.ts';
import { ADA, BOB, command, TEST_START } from '#server/shard/testing/shard-driver.ts';
import { repeatAt } from './backoff.ts';
import { decodeTradeMessage, messageKey, type TradeMessage } from './messages.ts';
import { parseTransaction, transactionId } from './transaction.ts';

const TX = transactionId({ holder: ADA, generation: 2, seq: 9_007_199_254_740_991 });

describe('a transaction id', () => {
  it('says who holds, in which generation, and which number it was, and is read back', () => {
    expect(TX).toBe('9007199254740991.2.ada@europe.softcore');
    expect(parseTransaction(TX)).toEqual({ holder: ADA, generation: 2, seq: 9_007_199_254_740_991 });
  });

  it('of the longest address still fits its column', () => {
    const longest = `9007199254740991.999999999.${'x'.repeat(64)}@${'r'.repeat(32)}.hardcore`;
    expect(parseTransaction(longest)).toBeDefined();
    expect(longest.length).toBeLessThanOrEqual(limits.transactionTextLengthMax);
  });

  it.each([
    '',
    '1',
    '1.1',
    '0.1.ada@europe.softcore',
    '1.0.ada@europe.softcore',
    '01.1.ada@europe.softcore',
    '-1.1.ada@europe.softcore',
    '1.1.ada',
    '1.1.ada@europe.soft',
    '1.5.1.ada@europe.softcore',
    '1e3.1.ada@europe.softcore',
    ' 1.1.ada@europe.softcore',
    '99999999999999999.1.ada@europe.softcore',
  ])('is not %j', (text) => {
    expect(parseTransaction(text)).toBeUndefined();
  });
});

describe('a message from another node', () => {
  const messages: readonly TradeMessage[] = [
    { kind: 'offer', key: messageKey('offer', TX), tx: TX, trade: 'buyout', offerUntil: TEST_START, terms: { row: 1, price: 2 } },
    { kind: 'outcome', key: messageKey('outcome', TX), tx: TX, decider: BOB, verdict: { kind: 'committed', result: { paid: 1 } } },
    { kind: 'outcome', key: messageKey('outcome', TX), tx: TX, decider: BOB, verdict: { kind: 'aborted', reason: 'listing-gone' } },
    { kind: 'pending', key: messageKey('pending', TX), tx: TX, askAgainAt: TEST_START },
    { kind: 'settled', key: messageKey('settled', TX), tx: TX },
  ];

  it.each(messages)('is what was sent: $kind', (message) => {
    expect(decodeTradeMessage(JSON.parse(JSON.stringify(message)))).toEqual(message);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['text', 'offer'],
    ['a list', []],
    ['an unknown kind', { kind: 'steal', key: 'x', tx: TX }],
    ['the word of the core itself', { kind: 'alarm', alarm: 'repeat-offer', entity: 'hold', row: 1, key: 'repeat-offer/1' }],
    ['a transaction that is none', { ...messages[4], tx: '1' }],
    ['a transaction that is too long', { ...messages[4], tx: `1.1.${'a'.repeat(200)}@europe.softcore` }],
    ['an unknown field', { ...messages[4], extra: 1 }],
    ['a time that is no number', { ...messages[3], askAgainAt: 'soon' }],
    ['a time before 1970', { ...messages[3], askAgainAt: -1 }],
    ['a time beyond the safe integers', { ...messages[3], askAgainAt: 2 ** 53 }],
    ['a fraction of a millisecond', { ...messages[3], askAgainAt: 1.5 }],
    ['a verdict that is neither', { ...messages[1], verdict: { kind: 'maybe' } }],
    ['a reason that nobody knows', { ...messages[2], verdict: { kind: 'aborted', reason: 'because' } }],
    ['a commit without a result', { ...messages[1], verdict: { kind: 'committed' } }],
    ['a decider that is no shard', { ...messages[1], decider: 'bob' }],
    ['terms that are no object', { ...messages[0], terms: [1] }],
    ['a trade with an odd name', { ...messages[0], trade: 'a b' }],
    ['a command', command('sell', {}, 'op')],
  ])('is not %s', (_name, value) => {
    expect(decodeTradeMessage(value)).toBeUndefined();
  });
});

describe('repeats', () => {
  it('come at growing distances, up to a minute, for ever', () => {
    const pauses = [0, 1, 2, 3, 4, 5, 6, 7, 100, 1_000_000].map((attempts) => repeatAt(instant(0), attempts));
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]);
  });

  it('never come before a healthy round trip is over, and always within the longest pause', () => {
    expect(repeatAt(instant(5), 0)).toBe(5 + limits.retryFirstMs);
    expect(repeatAt(instant(5), 99)).toBe(5 + limits.retryMaxMs);
  });
});
