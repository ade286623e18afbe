/**
 * When an offer or outcome that was not answered is repeated: at growing distances, for as long as
 * its row stands.
 */
import { limits } from '#shared/limits.ts';
import { durationMs, later, type Instant } from '#shared/units.ts';

/** The time of the next repeat after so many. */
export function repeatAt(now: Instant, attempts: number): Instant {
  const pauseMs = limits.retryFirstMs * limits.retryFactor ** Math.min(attempts, 16);
  return later(now, durationMs(Math.min(limits.retryMaxMs, pauseMs)));
}
