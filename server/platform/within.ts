/** The one way to wait for something, but not for ever. */
import type { Cancel, Timers } from './platform.ts';

/**
 * Resolves or rejects as `work` does, or resolves with `'late'` once `ms` have passed without
 * either. The work goes on then, and a later rejection of it is not unhandled.
 */
export async function within<T>(timers: Pick<Timers, 'after'>, ms: number, work: Promise<T>): Promise<T | 'late'> {
  let cancel: Cancel | undefined;
  const late = new Promise<'late'>((resolve) => (cancel = timers.after(ms, () => resolve('late'))));
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel?.();
  }
}
