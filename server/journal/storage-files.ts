/** Files that are replaced as a whole, durably. */
import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Puts a file with that text in the place of the one of that name. On return it is durable; after a crash the old one is there, or the new one. */
export function replaceFile(directory: string, name: string, text: string): void {
  const path = join(directory, name);
  const file = openSync(`${path}.new`, 'w');
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  syncDirectory(directory);
}

/** Makes what was made, renamed and removed in a directory durable. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
