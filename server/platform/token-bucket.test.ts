import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { instant } from '#shared/units.ts';
import { RecentlyUsed, TokenBucket } from './token-bucket.ts';

describe('a token bucket', () => {
  it('never lets through more than its burst and its rate since the start', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(500), { maxLength: 200 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        (waits, perSecond, burst) => {
          let now = instant(1_000);
          const bucket = new TokenBucket({ perSecond, burst }, now);
          let taken = 0;
          for (const wait of waits) {
            now = instant(now + wait);
            if (bucket.take(now)) taken++;
            expect(taken).toBeLessThanOrEqual(burst + ((now - 1_000) / 1_000) * perSecond + 1e-6);
          }
        },
      ),
    );
  });

  it('fills again, but only to its burst', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 2 }, instant(0));
    const take = (now: number): boolean => bucket.take(instant(now));
    expect([take(0), take(0), take(0), take(99), take(101)]).toEqual([true, true, false, false, true]);
    expect([take(60_000), take(60_000), take(60_000)]).toEqual([true, true, false]);
  });
});

describe('a debt', () => {
  it('is made by whoever has a token left, and has to be paid first', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, 0);
    expect([bucket.take(0, 4), bucket.take(0, 25), bucket.take(0)]).toEqual([true, true, false]);
    expect(bucket.waitMs(0)).toBe(2_500);
    expect([bucket.take(2_499), bucket.take(2_500)]).toEqual([false, true]);
  });

  it('comes from costs that are known afterwards, too', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, 0);
    bucket.owe(14);
    expect(bucket.waitMs(0)).toBe(1_000);
    bucket.owe(-10);
    expect(bucket.waitMs(0)).toBe(0);
  });

  it('lets nobody have more than the rate over time, however dear the single request', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 1, max: 200 })), { maxLength: 200 }), (requests) => {
        const bucket = new TokenBucket({ perSecond: 20, burst: 60 }, 0);
        let [now, spent, dearest] = [0, 0, 0];
        for (const [wait, cost] of requests) {
          now += wait;
          if (!bucket.take(now, cost)) continue;
          spent += cost;
          dearest = Math.max(dearest, cost);
          expect(spent - dearest).toBeLessThanOrEqual(60 + (now / 1_000) * 20 + 1e-6);
        }
      }),
    );
  });
});

describe('what is kept for recent keys', () => {
  it('is of a bounded number of them, the last ones used', () => {
    let made = 0;
    const kept = new RecentlyUsed(3, () => made++);
    expect(['a', 'b', 'c', 'a', 'd', 'a', 'b'].map((key) => kept.of(key))).toEqual([0, 1, 2, 0, 3, 0, 4]);
  });
});
