/**
 * What a start makes of the clock of its machine, before anything is done by it: a clock that is far ahead would end the whole market at
 * once, and one that is far behind would have it stand still. Neither can be taken back, so somebody has to say that the clock is right.
 */
import { limits } from '#shared/limits.ts';
import { durationMs, type Instant } from '#shared/units.ts';

/** What is wrong with a clock, and what follows if the node starts with it: two sentences, both without a full stop. */
export interface ClockDoubt {
  readonly finding: string;
  readonly consequence: string;
  /** Whether a node that serves real players starts only if somebody says that the clock is right. */
  readonly isGrave: boolean;
}

/** What is to be said of the wall clock, if anything; `lease` is the last time that the node knows, 0 if it has never run. */
export function doubtAbout(wall: Instant, lease: Instant | 0): ClockDoubt | undefined {
  if (lease === 0) return undefined;
  const aheadMs = wall - lease;
  const seen = `the clock of this machine shows ${timeOf(wall)}`;
  const known = `the last time that this node knows, ${timeOf(lease)}`;
  if (aheadMs > limits.clockAheadMaxMs) {
    const consequence = 'all that ends until then ends now, and nothing brings it back';
    return { finding: `${seen}, ${spanOf(aheadMs)} ahead of ${known}`, consequence, isGrave: true };
  }
  if (-aheadMs <= limits.clockAlertMs) return undefined;
  return {
    finding: `${seen}, ${spanOf(-aheadMs)} behind ${known}`,
    consequence: `the time of the market stands still until the clock shows ${timeOf(lease - limits.timeLeaseMs)}`,
    isGrave: -aheadMs > limits.clockBehindMaxMs,
  };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

const UNITS = [
  ['days', durationMs(24 * 3_600_000)],
  ['hours', durationMs(3_600_000)],
  ['minutes', durationMs(60_000)],
] as const;

function spanOf(ms: number): string {
  const unit = UNITS.find(([, unitMs]) => ms >= 2 * unitMs);
  return unit === undefined ? `${Math.round(ms / 1_000)} seconds` : `${(ms / unit[1]).toFixed(1)} ${unit[0]}`;
}
