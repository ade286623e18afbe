/** Another program has a database locked: an operator who looks into it with `sqlite3`, a backup. */
import { afterEach, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { limits } from '#shared/limits.ts';
import { instant, position } from '#shared/units.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import { openFilePersister } from './persister/open-file-persister.ts';
import type { Persister } from './persister/persister.ts';
import type { FoldApi } from './fold/fold-worker.ts';
import { StoreLockedError } from './disk/storage.ts';
import { openDirectory } from './disk/directory.ts';
import { DEFINITION, picker, SampleShard } from './testing/sample.ts';
import type { LockPatience } from './threads/worker-patience.ts';
import { PortCaller } from './threads/worker-port.ts';

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

const PATIENT: LockPatience = { journalLockedMs: 60_000, projectionsLockedMs: 60_000 };

interface Node {
  readonly persister: Persister;
  readonly shard: SampleShard;
  readonly faults: readonly Error[];
  /** Resolves with the first message that is reported. */
  readonly reported: Promise<string>;
  readonly path: string;
}

async function open(patience: Partial<LockPatience> = {}): Promise<Node> {
  const path = mkdtempSync(join(tmpdir(), 'gavel-locked-'));
  cleanUps.push(() => rmSync(path, { recursive: true }));
  const { promise: reported, resolve } = Promise.withResolvers<string>();
  const persister = await openFilePersister({
    machine: { ...nodeMachine(), report: ({ message }) => resolve(message) },
    definition: DEFINITION,
    directory: path,
    pace: { ...limits, foldIntervalMs: 10 },
    patience: { ...PATIENT, ...patience },
  });
  const faults: Error[] = [];
  persister.onFault((fault) => faults.push(fault));
  cleanUps.push(() => persister.close(0));
  return { persister, shard: new SampleShard(1, picker(1)), faults, reported, path };
}

/** Locks a database as `sqlite3 FILE 'BEGIN IMMEDIATE'` does; the result lets go of it. */
function lock(path: string, file: 'journal.db' | 'node.db'): () => void {
  const stranger = new Database(join(path, file));
  stranger.exec('BEGIN IMMEDIATE');
  cleanUps.push(() => void stranger.close());
  return () => stranger.exec('ROLLBACK');
}

function durable(persister: Persister, position: number): Promise<void> {
  return new Promise((resolve) => persister.onDurable((reached) => (reached >= position ? resolve() : undefined)));
}

describe('node.db, locked by another program', () => {
  it('is folded into once it is free; commits and alarms go on, and questions fail for as long', async () => {
    const { persister, shard, faults, reported, path } = await open({ projectionsLockedMs: 60 });
    const letGo = lock(path, 'node.db');
    const before = durable(persister, 1);
    const changes = shard.turn(1_000);
    persister.append(changes);
    await before;
    expect(await persister.due(instant(1), 10)).toEqual([]);
    await expect(persister.history(shard.id, 1e9, 10)).rejects.toThrow(StoreLockedError);
    expect(await reported).toContain('node.db is locked by another program');
    letGo();
    expect(await persister.history(shard.id, 1e9, 10)).toHaveLength(2);
    expect(faults).toEqual([]);
  });

  it('makes a start wait, which writes into it before and after it folds', async () => {
    const path = mkdtempSync(join(tmpdir(), 'gavel-locked-'));
    const directory = openDirectory(path, DEFINITION, 'sample');
    const worker = new Worker(new URL('./fold/fold-worker.ts', import.meta.url));
    cleanUps.push(async () => {
      await worker.terminate();
      directory.close();
      rmSync(path, { recursive: true });
    });
    const folds = new PortCaller<FoldApi>(worker);
    await folds.call('open', [path, DEFINITION, { ...directory.journal.state, instance: 'sample', remarks: [] }, PATIENT]);
    const letGo = lock(path, 'node.db');
    const recovered = folds.call('recover', [directory.journal.state.position]);
    // It has tried to write in vain before this is answered.
    await Promise.race([recovered, folds.call('query', ['due', [instant(1), 10], position(0)])]);
    letGo();
    expect(await recovered).toEqual([]);
  });

  it('makes a question wait, if not for long', async () => {
    const { persister, shard, path } = await open();
    const letGo = lock(path, 'node.db');
    const before = durable(persister, 1);
    persister.append(shard.turn(1_000));
    await before;
    const history = persister.history(shard.id, 1e9, 10);
    // It is asked in vain at least once before this is answered.
    await persister.due(instant(1), 10);
    letGo();
    expect(await history).toHaveLength(2);
  });
});

describe('journal.db, locked by another program', () => {
  it('makes commits wait: nothing is said to be durable, and nothing is lost', async () => {
    const { persister, shard, faults, path } = await open();
    const letGo = lock(path, 'journal.db');
    const later = durable(persister, 2);
    persister.append(shard.turn(1_000));
    persister.append(shard.turn(1_001));
    await persister.totals();
    expect(persister.durable).toBe(0);
    letGo();
    await later;
    expect(await persister.load(shard.id)).toMatchObject({ kind: 'found' });
    expect(faults).toEqual([]);
  });

  it('ends the process after a while, with the cause', async () => {
    const { persister, shard, path } = await open({ journalLockedMs: 60 });
    lock(path, 'journal.db');
    const fault = new Promise<Error>((resolve) => persister.onFault(resolve));
    persister.append(shard.turn(1_000));
    expect((await fault).message).toContain('journal.db is locked by another program');
  });

  it('does not keep a node from closing in time', async () => {
    const { persister, shard, path } = await open();
    lock(path, 'journal.db');
    lock(path, 'node.db');
    persister.append(shard.turn(1_000));
    const asked = persister.history(shard.id, 1e9, 10).catch((error: unknown) => error);
    const startedAt = performance.now();
    await persister.close(200);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    await asked;
  });
});
