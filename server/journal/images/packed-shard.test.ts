import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { packShard, unpackShard } from './packed-shard.ts';
import { picker, replay, SampleShard, SCHEMA_BY_TABLE } from '../testing/sample.ts';

describe('a packed shard', () => {
  it('is after the way between threads what it was, whatever is in it', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 40 }), (seed, turns) => {
        const shard = new SampleShard(1, picker(seed));
        const image = replay(Array.from({ length: turns }, (_, turn) => shard.turn(1_000 + turn)));
        if (image === undefined) throw new Error('no image');
        expect(unpackShard(structuredClone(packShard(image)), SCHEMA_BY_TABLE)).toEqual(image);
      }),
      { numRuns: 30 },
    );
  });

  it('is refused if it has rows of a table that the program does not know', () => {
    const image = replay([new SampleShard(1, picker(1)).turn(1_000)]);
    if (image === undefined) throw new Error('no image');
    expect(() => unpackShard(packShard(image), new Map())).toThrow('does not know the table');
  });
});
