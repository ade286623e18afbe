/**
 * The key of the world, as its data directory knows it: the key itself where it was made up for
 * development, so that ids stay what they are over restarts; else only its fingerprint, by which a
 * start sees that it was given another one.
 *
 * Nothing durable is sealed with the key. With another one the data are as good as before, but
 * every id that players and studios have noted is refused: so it is not changed by mistake.
 */
import { hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataDirectoryError } from '../persister/persister.ts';
import { machineFiles, replaceFile } from './files.ts';

/** In the data directory. */
export const WORLD_KEY_FILE = 'world-key.json';

interface Known {
  readonly fingerprint: string;
  readonly key?: string;
}

/**
 * The key that the world of an open data directory is served with: the one given, or, where none is,
 * the one that was made up before, or `newKey` now. Throws `DataDirectoryError` if the directory was
 * used with another.
 */
export function settleWorldKey(directory: string, given: string | undefined, newKey: () => string): string {
  const path = join(directory, WORLD_KEY_FILE);
  const known = readKnown(path);
  const key = given ?? known?.key ?? newKey();
  if (known === undefined) {
    const content: Known = { fingerprint: fingerprintOf(key), ...(given === undefined ? { key } : {}) };
    replaceFile(machineFiles, directory, WORLD_KEY_FILE, `${JSON.stringify(content, null, 2)}\n`);
    return key;
  }
  if (known.fingerprint === fingerprintOf(key)) return key;
  const finding =
    given === undefined
      ? `${directory} was used with a GAVEL_WORLD_KEY, which is not in the environment`
      : `${directory} was used with another key than that in GAVEL_WORLD_KEY`;
  throw new DataDirectoryError(
    `${finding}; give it that key, or, to have all ids of listings and trades that anybody has noted refused from now on, remove ${path}`,
  );
}

function readKnown(path: string): Known | undefined {
  if (!existsSync(path)) return undefined;
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (isKnown(content)) return content;
  throw new DataDirectoryError(
    `${path} is damaged; put it back from a backup, or remove it: then the world has the key that it is given next`,
  );
}

function isKnown(content: unknown): content is Known {
  if (typeof content !== 'object' || content === null || !('fingerprint' in content)) return false;
  return typeof content.fingerprint === 'string' && (!('key' in content) || typeof content.key === 'string');
}

/** Tells two keys apart, and nothing of either. */
function fingerprintOf(key: string): string {
  return hash('sha256', `gavel world key\0${key}`).slice(0, 32);
}
