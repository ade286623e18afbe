import { afterEach, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '#shared/limits.ts';
import { instant, position, type Position, type ShardId } from '#shared/units.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import { sealed } from '../disk/checksums.ts';
import { ImagePass, type PassResult } from './image-pass.ts';
import { ShardLoader } from './shard-loader.ts';
import { ShardRecords } from './shard-records.ts';
import { openDirectory } from '../disk/directory.ts';
import { directoryName, fileName, FileImages } from '../disk/image-files.ts';
import { MemoryDisk } from '../disk/memory.ts';
import { DEFINITION, EPOCHS, passHands, picker, sampleShard, SampleShard } from '../testing/sample.ts';

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

/** A journal of one shard, a turn per batch. */
function diskOf(turns: number): MemoryDisk {
  const disk = new MemoryDisk(DEFINITION);
  const shard = new SampleShard(1, picker(1));
  const writer = new RecordWriter(DEFINITION);
  for (let turn = 1; turn <= turns; turn++) {
    writer.changeSet(shard.turn(1_000 + turn));
    disk.journal.commit(sealed({ first: position(turn), last: position(turn), now: instant(1_000 + turn), records: writer.take() }));
  }
  return disk;
}

function recordsOf({ journal }: MemoryDisk): ShardRecords {
  return new ShardRecords(journal, DEFINITION, journal.state.dropped, EPOCHS);
}

describe('an image pass', () => {
  it('moves the mark before it publishes the first image', async () => {
    const disk = diskOf(3);
    const steps: string[] = [];
    const published: (number | undefined)[] = [];
    const noted = <T>(step: string, run: () => T): T => {
      steps.push(step);
      published.push(disk.images.read(sampleShard(1))?.shard.version);
      return run();
    };
    const { images, ...hands } = passHands(disk.journal, disk.images);
    await new ImagePass(recordsOf(disk), disk.images).run(position(3), {
      images: {
        mark: (through) => noted('mark', () => images.mark(through)),
        sync: (shards) => noted('sync', () => images.sync(shards)),
        syncDirectories: (shards) => noted('sync-directories', () => images.syncDirectories(shards)),
      },
      pause: () => noted('pause', () => hands.pause()),
      storeImageVersions: (versions, setAside) => noted('store-image-versions', () => hands.storeImageVersions(versions, setAside)),
      drop: (through, recordsMax) => noted('drop', () => hands.drop(through, recordsMax)),
    });
    expect(steps.filter((step) => step !== 'pause')).toEqual(['mark', 'sync', 'sync-directories', 'store-image-versions', 'drop']);
    expect(published.slice(0, steps.indexOf('sync') + 1)).toEqual(steps.slice(0, steps.indexOf('sync') + 1).map(() => undefined));
    expect(disk.images.published).toBe(3);
  });

  it('that is shorter than one that was cut off after its images takes these for its own', async () => {
    const disk = diskOf(3);
    const { images, ...hands } = passHands(disk.journal, disk.images);
    const cutOff = {
      ...hands,
      images: {
        mark: (through: Position) => images.mark(through),
        sync: (shards: readonly ShardId[]) => images.sync(shards),
        syncDirectories: () => Promise.reject(new Error('the process ends')),
      },
    };
    await expect(new ImagePass(recordsOf(disk), disk.images).run(position(3), cutOff)).rejects.toThrow('the process ends');
    const records = recordsOf(disk);
    records.catchUp(position(3));
    const { faults } = await new ImagePass(records, disk.images).run(position(1), passHands(disk.journal, disk.images));
    expect(faults).toEqual([]);
    expect(new ShardLoader(records, disk.images).load(sampleShard(1), position(3))).toMatchObject({ kind: 'found', shard: { version: 3 } });
  });

  const COUNT = limits.imageFaultsPerPassMax + 1;

  /**
   * Writes images of as many shards as are one too many, has something done to each of the files,
   * and writes images of their next turns.
   */
  async function passAfter(spoil: (file: string) => void): Promise<PassResult> {
    const path = mkdtempSync(join(tmpdir(), 'gavel-image-pass-'));
    const directory = openDirectory(path, DEFINITION, 'sample');
    cleanUps.push(() => {
      directory.close();
      rmSync(path, { recursive: true });
    });
    const { journal } = directory;
    const images = new FileImages(path, DEFINITION, 'sample');
    const imagePass = new ImagePass(new ShardRecords(journal, DEFINITION, position(0), EPOCHS), images);
    const shards = Array.from({ length: COUNT }, (_, index) => new SampleShard(index, picker(index)));
    const writer = new RecordWriter(DEFINITION);
    const pass = (): Promise<PassResult> => {
      const first = journal.state.position + 1;
      for (const shard of shards) writer.changeSet(shard.turn(1_000 + first));
      const last = first + COUNT - 1;
      journal.commit(sealed({ first: position(first), last: position(last), now: instant(1_000 + first), records: writer.take() }));
      return imagePass.run(position(last), passHands(journal, images));
    };
    await pass();
    for (const { id } of shards) spoil(join(path, 'images', directoryName(id), fileName(id)));
    return pass();
  }

  it.each<readonly [string, (file: string) => void]>([
    ['are gone', (file) => rmSync(file)],
    [
      'cannot be read',
      (file) => {
        rmSync(file);
        mkdirSync(file);
      },
    ],
  ])('takes the disk for damaged when more files than a few %s, and names them', async (_what, spoil) => {
    const failed = passAfter(spoil);
    await expect(failed).rejects.toThrow(`${COUNT} player files (images/) could not be used within one pass`);
    for (let index = 0; index < COUNT; index++) await expect(failed).rejects.toThrow(`shard ${sampleShard(index)} keeps its old image`);
  });

  it('sets aside the records of any number of files that are there and not right: that is somebody, and not the disk', async () => {
    const { faults } = await passAfter((file) => {
      const database = new Database(file);
      database.exec('UPDATE gavel_ledger SET cause = upper(cause)');
      database.close();
      writeFileSync(`${file}-wal`, 'left by a script');
    });
    expect(faults).toHaveLength(COUNT);
    expect(faults[0]).toContain('has a -wal beside it');
  });
});
