/** What the fault of a load says of the shard's last turn: only what the journal knows without the image. */
import { describe, expect, it } from '@jest/globals';
import { FIRST_EPOCH } from '#shared/cell.ts';
import { instant, position, shardVersion } from '#shared/units.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import { sealed } from '../disk/checksums.ts';
import { ShardFault } from '../persister/persister.ts';
import { ShardLoader } from './shard-loader.ts';
import { ShardRecords } from './shard-records.ts';
import type { JournalReader } from '../disk/storage.ts';
import { MemoryDisk } from '../disk/memory.ts';
import { EPOCHS, picker, replay, SampleShard, DEFINITION } from '../testing/sample.ts';

const FIRST_AT = 1_000;

/** A shard of five turns, a millisecond apart: so many are in its image, which is noted, and the others in the journal. */
async function diskOf({ imaged, noted = imaged, notedAt = FIRST_AT + noted }: { imaged: number; noted?: number; notedAt?: number }) {
  const shard = new SampleShard(1, picker(1));
  const turns = Array.from({ length: 5 }, (_, index) => shard.turn(FIRST_AT + 1 + index));
  const disk = new MemoryDisk(DEFINITION);
  const { id } = shard;
  for (const [index, turn] of turns.entries()) {
    const writer = new RecordWriter(DEFINITION);
    writer.changeSet(turn);
    disk.journal.commit(sealed({ first: position(index + 1), last: position(index + 1), now: turn.now, records: writer.take() }));
  }
  const image = replay(turns.slice(0, imaged));
  if (image === undefined) throw new Error('there is no image');
  disk.images.draft(id).stage(image);
  await disk.images.sync([id]);
  disk.images.publish([id]);
  disk.journal.storeImageVersions([{ shard: id, version: shardVersion(noted), now: instant(notedAt), epoch: FIRST_EPOCH }], []);
  disk.journal.drop(position(Math.min(imaged, noted)), 100);
  const fault = (journal: JournalReader = disk.journal): ShardFault => {
    const { dropped, position } = disk.journal.state;
    const loader = new ShardLoader(new ShardRecords(journal, DEFINITION, dropped, EPOCHS), disk.images);
    try {
      loader.load(id, position);
    } catch (error) {
      if (error instanceof ShardFault) return error;
      throw error;
    }
    throw new Error('it was loaded');
  };
  return { disk, id, fault };
}

describe('the fault of a load', () => {
  it.each([
    ['garble', 3],
    ['garble', 5],
    ['remove', 3],
    ['remove', 5],
  ] as const)('knows the time of the last turn, of a record or of the note (%s, %i turns of five in the image)', async (how, imaged) => {
    const { disk, id, fault } = await diskOf({ imaged });
    disk.images.damage(id, how);
    expect(fault().lastTurnAt).toBe(FIRST_AT + 5);
  });

  it('knows no time from a note that was written before notes had one', async () => {
    const { disk, id, fault } = await diskOf({ imaged: 5 });
    disk.images.damage(id, 'garble');
    const { journal } = disk;
    const old: JournalReader = {
      read: (after, bytesMax) => journal.read(after, bytesMax),
      batch: (first) => journal.batch(first),
      imageVersionOf: () => ({ version: shardVersion(5), now: undefined, epoch: FIRST_EPOCH }),
      setAsideOf: () => [],
      setAsideBytesByShard: () => new Map(),
      close: () => undefined,
    };
    expect(fault(old).lastTurnAt).toBeUndefined();
  });

  it('knows nothing if the image is of a later turn than the journal knows of: files of two moments', async () => {
    const { fault } = await diskOf({ imaged: 5, noted: 9, notedAt: FIRST_AT + 2 });
    expect(fault()).toMatchObject({ lastTurnAt: undefined, message: expect.stringContaining('was of 9 before') });
  });
});
