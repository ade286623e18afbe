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

/**
 * A result, at once or once another program lets go of the database; rejects with
 * `StoreLockedError` if it does not.
 */
export type Patient<T> = T | Promise<T>;

const PAUSE_MS = 50;

/**
 * Tries again while the database is locked, for `lockedMs`; `run` must have done nothing then, or
 * do it all again. `probe` comes before each further try, so that a run that is much work is not
 * done in vain.
 */
export function patiently<T>(file: string, lockedMs: number, run: () => T, probe: () => void = () => undefined): Patient<T> {
  try {
    return run();
  } catch (error) {
    if (!isLocked(error)) throw error;
    return again(file, lockedMs, () => {
      probe();
      return run();
    });
  }
}

async function again<T>(file: string, lockedMs: number, run: () => T): Promise<T> {
  const startedAt = performance.now();
  for (;;) {
    await setTimeout(PAUSE_MS);
    try {
      return run();
    } catch (error) {
      if (!isLocked(error)) throw error;
      if (performance.now() - startedAt >= lockedMs) {
        throw new StoreLockedError(`${file} is locked by another program, for more than ${lockedMs} ms`, { cause: error });
      }
    }
  }
}
