import { describe, expect, it } from '@jest/globals';
import { within } from './within.ts';
import type { Timers } from './platform.ts';

/** One timer, which a test rings. */
function oneTimer(): { readonly timers: Pick<Timers, 'after'>; ring: () => void; isCancelled: boolean } {
  const one = {
    ring: (): void => undefined,
    isCancelled: false,
    timers: {
      after: (_ms: number, run: () => void) => {
        one.ring = run;
        return () => void (one.isCancelled = true);
      },
    },
  };
  return one;
}

describe('work within a time', () => {
  it('ends as it does, and leaves no timer behind', async () => {
    const one = oneTimer();
    expect(await within(one.timers, 1_000, Promise.resolve(7))).toBe(7);
    expect(one.isCancelled).toBe(true);
    const other = oneTimer();
    await expect(within(other.timers, 1_000, Promise.reject(new Error('it broke')))).rejects.toThrow('it broke');
    expect(other.isCancelled).toBe(true);
  });

  it('is late if it takes longer, and may fail afterwards without harm', async () => {
    const one = oneTimer();
    const { promise, reject } = Promise.withResolvers<number>();
    const waiting = within(one.timers, 1_000, promise);
    one.ring();
    expect(await waiting).toBe('late');
    reject(new Error('too late to matter'));
    await Promise.resolve();
  });
});
