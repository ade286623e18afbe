/**
 * Waits for another program that has a database locked: an `sqlite3` shell, a backup. The
 * thread is free meanwhile, for other calls and above all for the one to close.
 */
import { setTimeout } from 'node:timers/promises';
import type { limits } from '#shared/limits.ts';
import { StoreLockedError } from '../disk/storage.ts';
import { isLocked } from '../disk/sqlite.ts';

/**
 * How long each of the databases may be locked before what was asked of it fails; as `limits` says,
 * but for tests that cannot wait.
 */
export type LockPatience = Pick<{ readonly [Name in keyof typeof limits]: number }, 'journalLockedMs' | 'projectionsLockedMs'>;

const PAUSE_MS = 50;

/**
 * Tries until the database is not locked, for `lockedMs`; rejects with `StoreLockedError` then. `run`
 * must have done nothing if it was, or do it all again. `probe` comes before each further try, so
 * that a run that is much work is not done in vain.
 */
export async function patiently<T>(file: string, lockedMs: number, run: () => T, probe: () => void = () => undefined): Promise<T> {
  for (let lockedAt: number | undefined; ;) {
    try {
      if (lockedAt !== undefined) probe();
      return run();
    } catch (error) {
      if (!isLocked(error)) throw error;
      if (lockedAt !== undefined && performance.now() - lockedAt >= lockedMs)
        throw new StoreLockedError(`${file} is locked by another program, for more than ${lockedMs} ms`, { cause: error });
      lockedAt ??= performance.now();
    }
    await setTimeout(PAUSE_MS);
  }
}
