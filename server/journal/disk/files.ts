/**
 * Everything that a node changes in its file system, but for what SQLite does. A narrow seam, so that a test can hold the order of writes,
 * syncs and renames against what is promised of them: a kill shows no missing sync, and a test cannot cut the power.
 */
import { close, closeSync, fsync, fsyncSync, mkdirSync, open, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

/** A file that is open for writing. */
export type OpenFile = number;

const openSoon = promisify(open);
const fsyncSoon = promisify(fsync);
const closeSoon = promisify(close);

/** The file system of the machine. */
export const machineFiles = {
  /** Creates a file, or empties it, and writes all of its content. Neither that nor its name is durable. */
  write(path: string, bytes: Uint8Array): OpenFile {
    const file = openSync(path, 'w');
    try {
      for (let offset = 0; offset < bytes.length;) offset += writeSync(file, bytes, offset);
      return file;
    } catch (error) {
      closeSync(file);
      throw error;
    }
  },
  /** Makes the content of a file durable, and closes it. */
  sync(file: OpenFile): void {
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  },
  /** The same, beside others. */
  async syncSoon(file: OpenFile): Promise<void> {
    try {
      await fsyncSoon(file);
    } finally {
      await closeSoon(file);
    }
  },
  /** Puts a file in the place of another. Durable only when the directory is synced. */
  rename: (from: string, to: string): void => renameSync(from, to),
  /** Makes a directory, with its parents; does nothing where there is one. Returns the topmost that had to be made. */
  makeDirectory: (path: string): string | undefined => makeDirectories(resolve(path)),
  /** Makes the names in a directory durable. */
  syncDirectory: (path: string): void => machineFiles.sync(openSync(path, 'r')),
  /** The same, beside others. */
  syncDirectorySoon: async (path: string): Promise<void> => machineFiles.syncSoon(await openSoon(path, 'r')),
  remove: (path: string): void => rmSync(path),
};

/** All of it that is written to. What is read needs no seam. */
export type Files = typeof machineFiles;

/** Puts a file with that text in the place of the one of that name. On return it is durable; after a crash the old one is there, or the new one. */
export function replaceFile(files: Files, directory: string, name: string, text: string): void {
  const path = join(directory, name);
  files.sync(files.write(`${path}.new`, Buffer.from(text)));
  files.rename(`${path}.new`, path);
  files.syncDirectory(directory);
}

/** One by one: `mkdirSync` with `recursive` never returns where nothing can be made in a directory that is there, as in `/proc`. */
function makeDirectories(path: string): string | undefined {
  const isThere = (): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  if (isThere()) return undefined;
  const above = dirname(path) === path ? undefined : makeDirectories(dirname(path));
  try {
    mkdirSync(path);
    return above ?? path;
  } catch (error) {
    // Somebody else has made it in between.
    if (isThere()) return above;
    throw error;
  }
}
