import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { instant, NO_POSITION, position, type ShardId } from '#shared/units.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import { sealed } from '../disk/checksums.ts';
import { PendingIndex } from './pending-index.ts';
import { RecordCursor } from '#server/shard/record/cursor.ts';
import { picker, sampleShard, SampleShard, DEFINITION } from '../testing/sample.ts';

const SHARDS = 6;

interface Known {
  readonly shard: ShardId;
  readonly position: number;
  readonly address: number;
}

describe('the index of pending records', () => {
  it('knows of every record what a list of all of them knows', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const pick = picker(seed);
        const shards = Array.from({ length: SHARDS }, (_, index) => new SampleShard(index, pick));
        const index = new PendingIndex(new RecordCursor(DEFINITION), position(0));
        const writer = new RecordWriter(DEFINITION);
        let known: Known[] = [];
        let address = 0;
        for (let step = 0; step < 40; step++) {
          const first = index.through + 1;
          const count = 1 + pick(5);
          for (let turn = 0; turn < count; turn++) {
            const shard = shards[pick(SHARDS)];
            if (shard === undefined) continue;
            known.push({ shard: shard.id, position: first + turn, address });
            address += writer.changeSet(shard.turn(1_000));
          }
          const batch = sealed({ first: position(first), last: position(first + count - 1), now: instant(1), records: writer.take() });
          index.add(batch);
          const ends = index.batches.map(({ last }) => last);
          if (pick(5) === 0) {
            const through = ends[pick(ends.length)] ?? NO_POSITION;
            index.trim(through);
            known = known.filter(({ position }) => position > through);
          }
          check(index, known, pick(address + 1));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('forgets what is old, over many pages of records', () => {
    const index = new PendingIndex(new RecordCursor(DEFINITION), position(0));
    const shard = new SampleShard(1, () => 0);
    const writer = new RecordWriter(DEFINITION);
    for (let turn = 0; turn < 1_000; turn++) writer.changeSet(shard.turn(1_000));
    const records = writer.take();
    for (let round = 0; round < 150; round++) {
      const first = round * 1_000 + 1;
      index.add(sealed({ first: position(first), last: position(first + 999), now: instant(1), records }));
      index.trim(position(Math.max(0, first - 1_001)));
      expect(index.addresses(shard.id)).toHaveLength(Math.min(round + 1, 2) * 1_000);
    }
  });

  it('refuses a batch that does not go on where it ends', () => {
    const index = new PendingIndex(new RecordCursor(DEFINITION), position(10));
    const batch = sealed({ first: position(12), last: position(12), now: instant(1), records: new Uint8Array(0) });
    expect(() => index.add(batch)).toThrow('it goes on with turn 12, after 10');
  });
});

function check(index: PendingIndex, known: readonly Known[], end: number): void {
  for (let number = 0; number < SHARDS; number++) {
    const shard = sampleShard(number);
    const addresses = known.filter((one) => one.shard === shard).map(({ address }) => address);
    expect(index.addresses(shard)).toEqual(addresses);
    expect(index.addresses(shard, end)).toEqual(addresses.filter((address) => address < end));
  }
  expect(new Set(index.shardsBefore(end))).toEqual(new Set(known.filter(({ address }) => address < end).map(({ shard }) => shard)));
  for (const { address, position } of known) {
    const { first, last } = index.batchAt(address);
    expect(position).toBeGreaterThanOrEqual(first);
    expect(position).toBeLessThanOrEqual(last);
  }
}
