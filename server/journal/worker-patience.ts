/**
 * Waits for another program that has a database locked: somebody who looks into it, a backup. The thread is free meanwhile, for other
 * calls and above all for the one to close.
 */
import { setTimeout } from 'node:timers/promises';
import type { limits } from '#shared/limits.ts';
import { StoreLockedError } from './storage.ts';
import { isLocked } from './storage-sqlite.ts';

/** How long each of the databases may be locked before what was asked of it fails; as `limits` says, but for tests that cannot wait. */
export type LockPatience = Pick<{ readonly [Name in keyof typeof limits]: number }, 'journalLockedMs' | 'projectionsLockedMs'>;

const PAUSE_MS = 50;

/**
 * The result of the run, which is tried again for as long as the database is locked, and must have done nothing when it is. Rejects with
 * `StoreLockedError` after `lockedMs`. `probe` is what comes before each further try, so that a run that is much work is not done in vain.
 */
export function patiently<T>(file: string, lockedMs: number, run: () => T, probe: () => void = () => undefined): T | Promise<T> {
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
