import { describe, expect, it } from '@jest/globals';
import { shardVersion, type ShardVersion } from '#shared/units.ts';
import fc from 'fast-check';
import { decideLoad } from './load.ts';

interface Facts {
  readonly atLeast: number | undefined;
  readonly image: number | undefined;
  readonly pending: readonly number[];
  readonly isOfOtherTime?: boolean;
  readonly isOfOtherEpoch?: boolean;
}

const rows: readonly (readonly [what: string, facts: Facts, expected: string])[] = [
  ['was never made', { atLeast: undefined, image: undefined, pending: [] }, 'absent'],
  ['is in the journal only', { atLeast: undefined, image: undefined, pending: [1, 2, 3] }, 'skip 0'],
  ['is in its image only', { atLeast: 7, image: 7, pending: [] }, 'skip 0'],
  ['has a journal ahead of its image', { atLeast: 7, image: 7, pending: [8, 9] }, 'skip 0'],
  ['has a journal that its image contains in part', { atLeast: 5, image: 7, pending: [6, 7, 8] }, 'skip 2'],
  ['has a journal that its image contains', { atLeast: 5, image: 7, pending: [6, 7] }, 'skip 2'],
  ['has an image from a pass that was cut off', { atLeast: undefined, image: 3, pending: [1, 2, 3] }, 'skip 3'],
  ['has an image from a pass that was cut off, after others', { atLeast: 2, image: 4, pending: [3, 4, 5] }, 'skip 2'],
  ['has lost its image', { atLeast: 7, image: undefined, pending: [] }, 'its image of version 7 or later is missing'],
  ['has lost its image, with a journal', { atLeast: 7, image: undefined, pending: [8] }, 'its image of version 7 or later is missing'],
  ['has an image older than its note', { atLeast: 7, image: 6, pending: [8] }, 'its image is of version 6, and was of 7 before'],
  [
    'has a journal that begins too late',
    { atLeast: undefined, image: undefined, pending: [2] },
    'its journal goes on at version 2, after version 0',
  ],
  ['has a gap after its image', { atLeast: 7, image: 7, pending: [9] }, 'its journal goes on at version 9, after version 7'],
  ['has a gap in its journal', { atLeast: 7, image: 7, pending: [8, 10] }, 'its journal goes on at version 10, after version 8'],
  [
    'has an image of the noted version, and of another life',
    { atLeast: 7, image: 7, pending: [8], isOfOtherTime: true },
    'its image is of version 7, and not the one that was noted',
  ],
  [
    'has an image of another epoch',
    { atLeast: 7, image: 7, pending: [8], isOfOtherEpoch: true },
    'its image is of another epoch of its cell',
  ],
  [
    'has an image of another epoch, and no journal',
    { atLeast: undefined, image: 7, pending: [], isOfOtherEpoch: true },
    'its image is of another epoch of its cell',
  ],
  ['has an image of elsewhere', { atLeast: undefined, image: 3, pending: [] }, 'its image is not of this journal'],
  [
    'has an image newer than its note, and no records',
    { atLeast: 5, image: 7, pending: [] },
    'its image is of version 7, and the journal knows of none after 5',
  ],
  [
    'has an image newer than its records',
    { atLeast: 5, image: 9, pending: [6, 7, 8] },
    'its image is of version 9, and the journal knows of none after 8',
  ],
  [
    'has an image newer than its records, and no note',
    { atLeast: undefined, image: 9, pending: [1, 2] },
    'its image is of version 9, and the journal knows of none after 2',
  ],
];

function decided({ atLeast, image, pending, isOfOtherTime = false, isOfOtherEpoch = false }: Facts): ReturnType<typeof decideLoad> {
  const versionOf = (version: number | undefined): ShardVersion | undefined => (version === undefined ? undefined : shardVersion(version));
  return decideLoad({
    atLeast: versionOf(atLeast),
    image: versionOf(image),
    pending: pending.map(shardVersion),
    isOfOtherTime,
    isOfOtherEpoch,
  });
}

function outcome(facts: Facts): string {
  const decision = decided(facts);
  if (decision.kind === 'found') return `skip ${decision.skip}`;
  return decision.kind === 'fault' ? decision.why : 'absent';
}

describe('a load', () => {
  it.each(rows)('of a shard that %s', (_what, facts, expected) => {
    expect(outcome(facts)).toBe(expected);
  });

  it('never makes a shard up, and never takes a version twice or leaves one out', () => {
    const version = fc.integer({ min: 1, max: 5 });
    const facts = fc.record({
      atLeast: fc.option(version, { nil: undefined }),
      image: fc.option(version, { nil: undefined }),
      pending: fc.uniqueArray(version),
    });
    fc.assert(
      fc.property(facts, ({ atLeast, image, pending: unsorted }) => {
        const pending = unsorted.toSorted((a, b) => a - b);
        const decision = decided({ atLeast, image, pending });
        if (decision.kind === 'absent') expect([atLeast, image, pending]).toEqual([undefined, undefined, []]);
        if (decision.kind !== 'found') return;
        const base = image ?? 0;
        expect(base).toBeGreaterThanOrEqual(atLeast ?? 0);
        if (image !== undefined) expect(image).toBeLessThanOrEqual(Math.max(atLeast ?? 0, ...pending));
        expect(pending.slice(0, decision.skip).every((one) => one <= base)).toBe(true);
        expect(pending.slice(decision.skip)).toEqual(pending.slice(decision.skip).map((_, index) => base + 1 + index));
      }),
    );
  });
});
