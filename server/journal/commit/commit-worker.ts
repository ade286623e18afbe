/**
 * The thread that owns the journal and the data directory: commits, image versions and drops,
 * one at a time.
 */
import { parentPort, type MessagePort } from 'node:worker_threads';
import type { Instant, Position } from '#shared/units.ts';
import type { Opened } from '../persister/backend.ts';
import type { PersisterDefinition } from '../persister/persister.ts';
import type { Batch, SetAsideRecord, ImageVersion } from '../disk/storage.ts';
import { openDirectory, type OpenDirectory } from '../disk/directory.ts';
import type { FileJournal } from '../disk/sqlite-journal.ts';
import { patiently, type LockPatience } from '../threads/worker-patience.ts';
import { serve } from '../threads/worker-port.ts';

/** What there is, and what all files of the directory carry. */
export interface OpenedDirectory extends Opened {
  readonly instance: string;
}

const state: { open: { readonly directory: OpenDirectory; readonly patience: LockPatience } | undefined } = { open: undefined };

function opened(): NonNullable<typeof state.open> {
  if (state.open === undefined) throw new Error('the data directory is not open');
  return state.open;
}

function write<T>(run: (journal: FileJournal) => T): Promise<T> {
  return patiently('journal.db', opened().patience.journalLockedMs, () => run(opened().directory.journal));
}

/** What the thread that writes images may ask for. */
export type ImageVersionApi = typeof imageVersionApi;

const imageVersionApi = {
  storeImageVersions: (versions: readonly ImageVersion[], setAside: readonly SetAsideRecord[]) =>
    write((journal) => journal.storeImageVersions(versions, setAside)),
  drop: (through: Position, recordsMax: number) => write((journal) => journal.drop(through, recordsMax)),
};

/** What the main thread may ask for. */
export type CommitApi = typeof commitApi;

const commitApi = {
  open(path: string, definition: PersisterDefinition, newInstance: string, patience: LockPatience): OpenedDirectory {
    const directory = openDirectory(path, definition, newInstance);
    state.open = { directory, patience };
    const { journal, instance, remarks } = directory;
    return { ...journal.state, instance, remarks };
  },
  /** Lets the thread that writes images store their versions, over a port of its own. */
  attach: (port: MessagePort) => serve(port, imageVersionApi),
  /** Returns the position up to which the journal is durable then. */
  commit: (batch: Batch) =>
    write((journal) => {
      journal.commit(batch);
      return journal.state.position;
    }),
  /** Also the watch over the directory: rejects if it is no longer the one that was opened. */
  extendLease(until: Instant): Promise<void> {
    // What is committed since would be in files that no start finds: the node must not have time to
    // go on.
    opened().directory.identity.assertUnchanged();
    return write((journal) => journal.extendLease(until));
  },
  close() {
    state.open?.directory.close();
    state.open = undefined;
  },
};

if (parentPort !== null) serve(parentPort, commitApi);
