/** A wait with a bound: shutting down must end whatever the others do. */
import type { Timers } from './platform.ts';

/** Resolves with `true` when the work is done, or with `false` after that time; rejects if the work does so before. */
export async function within(timers: Pick<Timers, 'after'>, ms: number, work: Promise<unknown>): Promise<boolean> {
  let cancel = (): void => undefined;
  const isOver = new Promise<boolean>((resolve) => {
    cancel = timers.after(ms, () => resolve(false));
  });
  try {
    return await Promise.race([work.then(() => true), isOver]);
  } finally {
    cancel();
  }
}
