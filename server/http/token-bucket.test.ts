import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { instant } from '#shared/units.ts';
import { AddressLimiter, TokenBucket } from './token-bucket.ts';

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

describe('the limit of an address', () => {
  it('holds for one IPv4 address however it is written, and for one network of IPv6', () => {
    const limiter = new AddressLimiter({ perSecond: 1, burst: 1 });
    const take = (address: string): boolean => limiter.take(address, instant(0));
    expect([take('10.0.0.1'), take('::ffff:10.0.0.1'), take('10.0.0.2')]).toEqual([true, false, true]);
    expect([take('2001:db8:1:2::1'), take('2001:db8:1:2:a:b:c:d'), take('2001:db8:1:3::1')]).toEqual([true, false, true]);
    expect([take('::1'), take('::2'), take('2001:db8::1'), take('2001:db8:0:0:5::')]).toEqual([true, false, true, false]);
  });

  it('remembers a bounded number of addresses, the last ones used', () => {
    const limiter = new AddressLimiter({ perSecond: 0.001, burst: 1 });
    expect(limiter.take('first', instant(0))).toBe(true);
    for (let index = 0; index < 9_999; index++) limiter.take(`10.${index >> 8}.${index & 255}.1`, instant(0));
    expect(limiter.take('first', instant(0))).toBe(false);
    for (let index = 0; index < 10_000; index++) limiter.take(`11.${index >> 8}.${index & 255}.1`, instant(0));
    expect(limiter.take('first', instant(0))).toBe(true);
  });
});
