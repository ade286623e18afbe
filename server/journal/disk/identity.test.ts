/** An operator moves, replaces or deletes the data directory of a running node, or a part of it. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '#shared/limits.ts';
import { instant } from '#shared/units.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import { openFilePersister } from '../persister/open-file-persister.ts';
import type { Persister } from '../persister/persister.ts';
import { openDirectory } from './directory.ts';
import { DEFINITION, picker, SampleShard } from '../testing/sample.ts';

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

function newPath(): string {
  const parent = mkdtempSync(join(tmpdir(), 'gavel-identity-'));
  cleanUps.push(() => rmSync(parent, { recursive: true }));
  return join(parent, 'data');
}

function sentence(path: string, name: string): string {
  return `the data directory ${path} was moved, replaced or deleted in part (${name}) while the server ran: stop, and look at what is there before starting again`;
}

/** Copied by another process: within this one, closing a copied file would let go of SQLite's locks. */
function copy(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to]);
}

/**
 * Names, times and contents of everything in a directory, but for `lock.db-journal`: SQLite removes that by path when the lock is let go, and
 * nobody misses it, for the lock holds no data.
 */
function picture(path: string): unknown {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name !== 'lock.db-journal');
  return names.toSorted().map((name) => {
    const found = statSync(join(path, name));
    const content = found.isFile()
      ? createHash('sha256')
          .update(readFileSync(join(path, name)))
          .digest('hex')
      : '';
    return `${name} ${found.mtimeMs} ${content}`;
  });
}

describe('an open data directory', () => {
  function identity(path: string): { assertUnchanged(): void } {
    const directory = openDirectory(path, DEFINITION, 'instance');
    cleanUps.push(() => directory.close());
    // As the thread that folds has it: the number of a file that is open is given to no other.
    const projections = openSync(join(path, 'node.db'), 'r');
    cleanUps.push(() => closeSync(projections));
    return directory.identity;
  }

  it('is the same for as long as nobody touches it, whatever is written in it', () => {
    const path = newPath();
    const opened = identity(path);
    writeFileSync(join(path, 'staging', 'some'), 'x');
    writeFileSync(join(path, 'images', 'some'), 'x');
    expect(() => opened.assertUnchanged()).not.toThrow();
  });

  it.each(['journal.db', 'node.db', 'lock.db', 'images', 'staging'])('is another without %s, and with a new one', (name) => {
    const path = newPath();
    const opened = identity(path);
    const place = join(path, name);
    const isFile = statSync(place).isFile();
    rmSync(place, { recursive: true });
    expect(() => opened.assertUnchanged()).toThrow(sentence(path, name));
    // Made at once, it would be given the number of the one before if nobody held that.
    if (isFile) writeFileSync(place, '');
    else mkdirSync(place);
    expect(() => opened.assertUnchanged()).toThrow(sentence(path, name));
  });

  it('is another when it was moved away, and when a copy was put in its place, and itself again when put back', () => {
    const path = newPath();
    const opened = identity(path);
    renameSync(path, `${path}.bad`);
    expect(() => opened.assertUnchanged()).toThrow(sentence(path, 'journal.db'));
    copy(`${path}.bad`, path);
    expect(() => opened.assertUnchanged()).toThrow(sentence(path, 'journal.db'));
    rmSync(path, { recursive: true });
    renameSync(`${path}.bad`, path);
    expect(() => opened.assertUnchanged()).not.toThrow();
  });
});

describe('a running node', () => {
  interface Node {
    readonly path: string;
    readonly persister: Persister;
    readonly faults: readonly string[];
  }

  /** With a few turns that are durable, and in no image yet; `backup` is the directory before them. */
  async function running(): Promise<Node & { readonly backup: string }> {
    const path = newPath();
    const faults: string[] = [];
    const persister = await openFilePersister({
      machine: { ...nodeMachine(), report: () => undefined },
      definition: DEFINITION,
      directory: path,
      pace: { ...limits, imagePassIntervalMs: 3_600_000 },
    });
    persister.onFault(({ message }) => faults.push(message));
    cleanUps.push(() => persister.close(0));
    const backup = `${path}.backup`;
    copy(path, backup);
    const shard = new SampleShard(1, picker(1));
    const isDurable = new Promise<void>((resolve) => persister.onDurable((reached) => (reached >= 3 ? resolve() : undefined)));
    for (let turn = 1; turn <= 3; turn++) persister.append(shard.turn(1_000));
    await isDurable;
    return { path, persister, faults, backup };
  }

  it('writes nothing into a copy that was put in the place of its directory before it was stopped', async () => {
    const { path, persister, faults, backup } = await running();
    renameSync(path, `${path}.bad`);
    copy(backup, path);
    const before = picture(path);
    await persister.close(20_000);
    expect(picture(path)).toEqual(before);
    expect(faults).toEqual([sentence(path, 'journal.db')]);
  });

  it('ends with the next extension of its time when a copy was put in the place of its directory', async () => {
    const { path, persister, faults, backup } = await running();
    await persister.extendLease(instant(2_000));
    renameSync(path, `${path}.bad`);
    copy(backup, path);
    const before = picture(path);
    await expect(persister.extendLease(instant(3_000))).rejects.toThrow(sentence(path, 'journal.db'));
    expect(faults).toEqual([sentence(path, 'journal.db')]);
    await persister.close(20_000);
    expect(picture(path)).toEqual(before);
  });

  it.each(['journal.db', 'lock.db'])('ends with the next extension of its time when %s was deleted', async (name) => {
    const { path, persister, faults } = await running();
    rmSync(join(path, name));
    await expect(persister.extendLease(instant(2_000))).rejects.toThrow(sentence(path, name));
    expect(faults).toEqual([sentence(path, name)]);
  });
});
