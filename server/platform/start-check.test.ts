import { describe, expect, it } from '@jest/globals';
import { limits } from '#shared/limits.ts';
import { instant } from '#shared/units.ts';
import { doubtAbout } from './start-check.ts';

const LEASE = instant(1_800_000_000_000);
const YEAR_MS = 365 * 24 * 3_600_000;

describe('the clock that a start finds', () => {
  it.each([
    ['as far behind as a restart right after a crash finds it', LEASE - limits.clockAlertMs, 'nothing'],
    ['behind by more', LEASE - limits.clockAlertMs - 1, 'a word'],
    ['behind by a minute', LEASE - limits.clockBehindMaxMs, 'a word'],
    ['behind by more than a minute', LEASE - limits.clockBehindMaxMs - 1, 'a doubt'],
    ['a year behind', LEASE - YEAR_MS, 'a doubt'],
    ['ahead by a week', LEASE + limits.clockAheadMaxMs, 'nothing'],
    ['ahead by more than a week', LEASE + limits.clockAheadMaxMs + 1, 'a doubt'],
    ['a year ahead', LEASE + YEAR_MS, 'a doubt'],
  ])('%s (%i) is worth: %s', (_what, wall, worth) => {
    const doubt = doubtAbout(instant(wall), LEASE);
    expect(doubt === undefined ? 'nothing' : doubt.isGrave ? 'a doubt' : 'a word').toBe(worth);
  });

  it('is taken as it is by a node that has never run', () => {
    expect(doubtAbout(instant(1), 0)).toBeUndefined();
  });

  it('is named with both times, how far they are apart, and what follows', () => {
    expect(doubtAbout(instant(LEASE - 2 * 3_600_000), LEASE)).toEqual({
      finding:
        'the clock of this machine shows 2027-01-15T06:00:00.000Z, 2.0 hours behind the last time that this node knows, 2027-01-15T08:00:00.000Z',
      consequence: 'the time of the market stands still until the clock shows 2027-01-15T07:59:58.000Z',
      isGrave: true,
    });
    expect(doubtAbout(instant(LEASE + YEAR_MS), LEASE)).toMatchObject({
      finding: expect.stringContaining('365.0 days ahead of the last time that this node knows'),
      consequence: 'all that ends until then ends now, and nothing brings it back',
    });
  });
});
