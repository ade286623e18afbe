/** The persister of a real node: threads over a data directory. */
import { resolve } from 'node:path';
import type { Machine } from '#server/platform/platform.ts';
import { openPersister, type PersisterPace } from './open-persister.ts';
import { DataDirectoryError, type Persister, type PersisterDefinition } from './persister.ts';
import { ThreadBackend } from '../threads/backend-threads.ts';
import type { LockPatience } from '../threads/worker-patience.ts';

/** What a real node's persister needs. */
export interface FilePersisterOptions {
  readonly machine: Machine;
  readonly definition: PersisterDefinition;
  /** The data directory; it is made if it is not there. */
  readonly directory: string;
  /** When folds and image passes begin; `limits` by default. */
  readonly pace?: PersisterPace;
  /** How long another program may have a database locked; `limits` by default. */
  readonly patience?: LockPatience;
}

/**
 * Opens a data directory. Rejects with `DataDirectoryError`, and nothing changed but the layout of
 * its databases, if it must not be opened.
 */
export async function openFilePersister({ machine, definition, directory, pace, patience }: FilePersisterOptions): Promise<Persister> {
  try {
    // SQLite's binding drops blanks at both ends of a path: in an absolute one there are none that matter.
    return await openPersister(machine, definition, new ThreadBackend(machine, resolve(directory), patience), pace);
  } catch (error) {
    if (error instanceof DataDirectoryError || !(error instanceof Error)) throw error;
    throw new DataDirectoryError(`The data directory ${directory} cannot be used: ${error.message}.`, { cause: error });
  }
}
