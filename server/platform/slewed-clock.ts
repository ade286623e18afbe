/**
 * Platform time (design, section 9): the wall time at start plus monotonic time, slewed towards the wall clock.
 *
 * 1. It never runs back and never jumps, whatever the wall clock does.
 * 2. Over any span it runs at most `limits.clockSlewPerMille` faster or slower than monotonic time.
 * 3. A difference above `limits.clockAlertMs` is told once, and again after it was smaller in between.
 */
import { limits } from '#shared/limits.ts';
import { instant, type Instant } from '#shared/units.ts';
import type { Clock } from './platform.ts';

/** The two clocks of a machine, in milliseconds. */
export interface ClockReadings {
  /** Milliseconds since 1970, as somebody has set them: may jump. */
  wall(): number;
  /** Milliseconds since whenever: never runs back. Fractions count. */
  monotonic(): number;
}

/** See the head of this file. */
export class SlewedClock implements Clock {
  readonly #readings: ClockReadings;
  readonly #onAlert: (differenceMs: number) => void;
  #platformMs: number;
  #monotonicMs: number;
  #isAlerted = false;

  /** `onAlert` hears how far the wall clock is ahead of platform time (negative: behind). */
  constructor(readings: ClockReadings, onAlert: (differenceMs: number) => void) {
    this.#readings = readings;
    this.#onAlert = onAlert;
    this.#platformMs = readings.wall();
    this.#monotonicMs = readings.monotonic();
  }

  now(): Instant {
    const monotonicMs = this.#readings.monotonic();
    const elapsedMs = Math.max(0, monotonicMs - this.#monotonicMs);
    this.#monotonicMs = monotonicMs;
    const differenceMs = this.#readings.wall() - (this.#platformMs + elapsedMs);
    const slewMaxMs = (elapsedMs * limits.clockSlewPerMille) / 1_000;
    this.#platformMs += elapsedMs + Math.min(slewMaxMs, Math.max(-slewMaxMs, differenceMs));
    this.#watch(differenceMs);
    return instant(Math.floor(this.#platformMs));
  }

  #watch(differenceMs: number): void {
    const isFar = Math.abs(differenceMs) > limits.clockAlertMs;
    if (isFar && !this.#isAlerted) this.#onAlert(differenceMs);
    this.#isAlerted = isFar;
  }
}
