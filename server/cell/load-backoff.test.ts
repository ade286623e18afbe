/** Back-off for shards that cannot be loaded. */
import { describe, expect, it } from '@jest/globals';
import { shardId } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import { type ShardId, shardVersion } from '#shared/units.ts';
import { ADA, BOB } from '#server/shard/testing/shard-driver.ts';
import { LoadBackoff } from './load-backoff.ts';
import { Hand } from './testing/hand.ts';

/** A back-off in a time that the test moves, and what it told. */
function backoffOn() {
  const hand = new Hand();
  const told: string[] = [];
  const backoff = new LoadBackoff(
    { monotonicMs: () => hand.now },
    {
      onUnloadable: (shard) => void told.push(`no ${shard}`),
      onLoadable: (shard, version) => void told.push(`${shard} as of ${version}`),
    },
  );
  return { hand, told, backoff };
}

describe('a shard that could not be loaded', () => {
  it('rests longer after each attempt, up to a bound, and not at all once it was loaded', () => {
    const { hand, told, backoff } = backoffOn();
    const pauses = Array.from({ length: 9 }, () => {
      backoff.failed(ADA);
      const start = hand.now;
      while (!backoff.mayTry(ADA)) hand.move(500);
      return hand.now - start;
    });
    expect(pauses).toEqual([2, 4, 8, 16, 32, 60, 60, 60, 60].map((seconds) => seconds * 1_000));
    backoff.failed(ADA);
    backoff.succeeded(BOB, shardVersion(3), () => []);
    backoff.succeeded(ADA, shardVersion(7), () => []);
    backoff.succeeded(ADA, shardVersion(8), () => []);
    expect([backoff.mayTry(ADA), backoff.isUnloadable(ADA), backoff.size]).toEqual([true, false, 0]);
    expect(told).toEqual([...Array.from({ length: 10 }, () => `no ${ADA}`), `${ADA} as of 7`]);
  });

  it('is reported at first, and then ever more rarely', () => {
    const { backoff } = backoffOn();
    const reported = Array.from({ length: 20 }, (_, index) => {
      backoff.failed(ADA);
      return backoff.isToReport(ADA) ? [index + 1] : [];
    });
    expect(reported.flat()).toEqual([1, 2, 4, 8, 16]);
  });

  it('is tried again, however many others there are: the one that has waited longest comes first', () => {
    const { hand, backoff } = backoffOn();
    for (let number = 0; number < 100; number++) backoff.failed(shardId(`p${number}`, 'europe', 'softcore'));
    const tried = new Set<ShardId>();
    for (let scan = 0; scan < Math.ceil(100 / 16); scan++) {
      hand.move(limits.retryMaxMs);
      for (const shard of backoff.toTry(16)) {
        tried.add(shard);
        backoff.failed(shard);
      }
    }
    expect(tried.size).toBe(100);
  });
});
