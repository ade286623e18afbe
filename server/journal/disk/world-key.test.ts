import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataDirectoryError } from '../persister/persister.ts';
import { settleWorldKey, WORLD_KEY_FILE } from './world-key.ts';

const directories: string[] = [];
afterEach(() => {
  for (const path of directories.splice(0)) rmSync(path, { recursive: true });
});

function newDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'gavel-world-key-'));
  directories.push(path);
  return path;
}

const KEY = 'the key of the environment, long enough';
const made = (): string => 'made up';
const notMade = (): string => {
  throw new Error('a key was made up');
};
const contentOf = (path: string): string => readFileSync(join(path, WORLD_KEY_FILE), 'utf8');

describe('the key of a world', () => {
  it('is made up once where none is given, and kept', () => {
    const path = newDirectory();
    expect([settleWorldKey(path, undefined, made), settleWorldKey(path, undefined, notMade)]).toEqual(['made up', 'made up']);
  });

  it('is not kept where it is given, and known again', () => {
    const path = newDirectory();
    expect([settleWorldKey(path, KEY, notMade), settleWorldKey(path, KEY, notMade)]).toEqual([KEY, KEY]);
    expect(contentOf(path)).not.toContain(KEY);
  });

  it('may be given when it was made up before', () => {
    const path = newDirectory();
    settleWorldKey(path, undefined, () => KEY);
    expect(settleWorldKey(path, KEY, notMade)).toBe(KEY);
  });

  it.each([
    ['another one', KEY, 'another key, which is long enough too', 'was used with another key than that in GAVEL_WORLD_KEY'],
    ['none in place of one that was given', KEY, undefined, 'was used with a GAVEL_WORLD_KEY, which is not in the environment'],
    ['one in place of one that was made up', undefined, KEY, 'was used with another key than that in GAVEL_WORLD_KEY'],
  ])('refuses %s, names the ways out, and changes nothing', (_, first, second, finding) => {
    const path = newDirectory();
    settleWorldKey(path, first, made);
    const before = contentOf(path);
    expect(() => settleWorldKey(path, second, made)).toThrow(DataDirectoryError);
    expect(() => settleWorldKey(path, second, made)).toThrow(finding);
    expect(() => settleWorldKey(path, second, made)).toThrow(`remove ${join(path, WORLD_KEY_FILE)}`);
    expect(contentOf(path)).toBe(before);
  });

  it.each(['', '{', '[]', 'null', '{"key": "x"}', '{"fingerprint": 5}', '{"fingerprint": "x", "key": 5}'])(
    'does not believe a file that says %j',
    (text) => {
      const path = newDirectory();
      writeFileSync(join(path, WORLD_KEY_FILE), text);
      expect(() => settleWorldKey(path, KEY, notMade)).toThrow(/is damaged; put it back from a backup, or remove it/);
    },
  );
});
