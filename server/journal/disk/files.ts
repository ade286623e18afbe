/**
 * Everything that a node changes in its file system, but for what SQLite does. A narrow seam, so that a test can hold the order of writes,
 * syncs and renames against what is promised of them: a kill shows no missing sync, and a test cannot cut the power.
 */
import { close, closeSync, fsync, fsyncSync, mkdirSync, open, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A file that is open for writing. */
export type OpenFile = number;

/** What is read needs no seam. */
export interface Files {
  /** Creates a file, or empties it, and writes all of its content. Neither that nor its name is durable. */
  write(path: string, bytes: Uint8Array): OpenFile;
  /** Makes the content of a file durable, and closes it. */
  sync(file: OpenFile): void;
  /** The same, beside others. */
  syncSoon(file: OpenFile): Promise<void>;
  /** Puts a file in the place of another. Durable only when the directory is synced. */
  rename(from: string, to: string): void;
  /** Makes a directory, with its parents; does nothing where there is one. Returns the topmost that had to be made. */
  makeDirectory(path: string): string | undefined;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): void;
  /** The same, beside others. */
  syncDirectorySoon(path: string): Promise<void>;
  remove(path: string): void;
}

const openSoon = promisify(open);
const fsyncSoon = promisify(fsync);
const closeSoon = promisify(close);

/** The file system of the machine. */
export const machineFiles: Files = {
  write(path, bytes) {
    const file = openSync(path, 'w');
    try {
      for (let offset = 0; offset < bytes.length;) offset += writeSync(file, bytes, offset);
      return file;
    } catch (error) {
      closeSync(file);
      throw error;
    }
  },
  sync(file) {
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  },
  async syncSoon(file) {
    try {
      await fsyncSoon(file);
    } finally {
      await closeSoon(file);
    }
  },
  rename: (from, to) => renameSync(from, to),
  makeDirectory: (path) => mkdirSync(path, { recursive: true }),
  syncDirectory: (path) => machineFiles.sync(openSync(path, 'r')),
  syncDirectorySoon: async (path) => machineFiles.syncSoon(await openSoon(path, 'r')),
  remove: (path) => rmSync(path),
};

/** Puts a file with that text in the place of the one of that name. On return it is durable; after a crash the old one is there, or the new one. */
export function replaceFile(files: Files, directory: string, name: string, text: string): void {
  const path = join(directory, name);
  files.sync(files.write(`${path}.new`, Buffer.from(text)));
  files.rename(`${path}.new`, path);
  files.syncDirectory(directory);
}
