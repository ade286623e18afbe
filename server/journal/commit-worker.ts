/** The thread that owns the journal and the data directory: commits, notes and drops, one at a time. */
import { parentPort, type MessagePort } from 'node:worker_threads';
import type { Instant } from '#shared/units.ts';
import type { Opened } from './backend.ts';
import type { PersisterDefinition, Position } from './persister.ts';
import type { Batch, KeptRecord, Note } from './storage.ts';
import { openDirectory, type OpenDirectory } from './storage-directory.ts';
import { serve } from './worker-port.ts';

/** What there is, and what all files of the directory carry. */
export interface OpenedDirectory extends Opened {
  readonly instance: string;
}

/** What the main thread may ask for. */
export interface CommitApi {
  open(directory: string, definition: PersisterDefinition, instance: string): OpenedDirectory;
  /** Lets the thread that writes images note them, over a port of its own. */
  attach(port: MessagePort): void;
  commit(batch: Batch): void;
  extendLease(until: Instant): void;
  close(): void;
}

/** What the thread that writes images may ask for. */
export interface NoteApi {
  note(notes: readonly Note[], kept: readonly KeptRecord[]): void;
  drop(through: Position, recordsMax: number): Position;
}

const state: { directory: OpenDirectory | undefined } = { directory: undefined };

function opened(): OpenDirectory {
  if (state.directory === undefined) throw new Error('the data directory is not open');
  return state.directory;
}

const noteApi = {
  note: (notes: readonly Note[], kept: readonly KeptRecord[]) => opened().journal.note(notes, kept),
  drop: (through: Position, recordsMax: number) => opened().journal.drop(through, recordsMax),
};

const commitApi = {
  open(path: string, definition: PersisterDefinition, newInstance: string): OpenedDirectory {
    state.directory = openDirectory(path, definition, newInstance);
    const { journal, instance, remarks } = state.directory;
    return { ...journal.state, instance, remarks };
  },
  attach: (port: MessagePort) => serve(port, noteApi satisfies NoteApi),
  commit: (batch: Batch) => opened().journal.commit(batch),
  extendLease: (until: Instant) => opened().journal.extendLease(until),
  close() {
    state.directory?.close();
    state.directory = undefined;
  },
};

if (parentPort !== null) serve(parentPort, commitApi satisfies CommitApi);
