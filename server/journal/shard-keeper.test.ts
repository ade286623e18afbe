import { describe, expect, it } from '@jest/globals';
import { instant } from '#shared/units.ts';
import { RecordWriter } from '#server/shard/record-writer.ts';
import { sealed } from './checksums.ts';
import { drivePass } from './drive-pass.ts';
import { ShardKeeper, type PassStep } from './shard-keeper.ts';
import { MemoryDisk } from './storage-memory.ts';
import { picker, sampleShard, SampleShard, SCHEMA_BY_TABLE } from './testing/sample.ts';

/** A journal of one shard, a turn per batch. */
function diskOf(turns: number): MemoryDisk {
  const disk = new MemoryDisk(SCHEMA_BY_TABLE);
  const shard = new SampleShard(1, picker(1));
  const writer = new RecordWriter();
  for (let turn = 1; turn <= turns; turn++) {
    writer.changeSet(shard.turn(1_000 + turn));
    disk.journal.commit(sealed({ first: turn, last: turn, now: instant(1_000 + turn), records: writer.take() }));
  }
  return disk;
}

function keeperOf({ journal, images }: MemoryDisk): ShardKeeper {
  return new ShardKeeper(journal, images, SCHEMA_BY_TABLE, journal.state.dropped);
}

describe('an image pass', () => {
  it('moves the mark before it publishes the first image', async () => {
    const disk = diskOf(3);
    const steps: PassStep['kind'][] = [];
    const published: (number | undefined)[] = [];
    for (const step of keeperOf(disk).pass(3)) {
      steps.push(step.kind);
      published.push(disk.images.read(sampleShard(1))?.version);
      if (step.kind === 'mark') disk.images.mark(step.through);
      if (step.kind === 'sync') await disk.images.sync(step.shards);
    }
    expect(steps.filter((kind) => kind !== 'pause')).toEqual(['mark', 'sync', 'sync-directories', 'note', 'drop']);
    expect(published.slice(0, steps.indexOf('sync') + 1)).toEqual(steps.slice(0, steps.indexOf('sync') + 1).map(() => undefined));
    expect(disk.images.published).toBe(3);
  });

  it('that is shorter than one that was cut off after its images takes these for its own', async () => {
    const disk = diskOf(3);
    for (const step of keeperOf(disk).pass(3)) {
      if (step.kind === 'sync') await disk.images.sync(step.shards);
      if (step.kind === 'sync-directories') break;
    }
    const next = keeperOf(disk);
    next.catchUp(3);
    const { faults } = await drivePass(next.pass(1), {
      images: disk.images,
      pause: () => Promise.resolve(),
      note: (notes, kept) => Promise.resolve(disk.journal.note(notes, kept)),
      drop: (through, recordsMax) => Promise.resolve(disk.journal.drop(through, recordsMax)),
    });
    expect(faults).toEqual([]);
    expect(next.load(sampleShard(1), 3)).toMatchObject({ kind: 'found', shard: { version: 3 } });
  });
});
