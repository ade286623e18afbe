/** The outside world of one life of a simulated node: virtual time, a wall clock with an offset of its own, seeded randomness. */
import type { Prng } from '#shared/prng.ts';
import { instant, type Instant } from '#shared/units.ts';
import type { Cancel, Machine, ReportedEvent } from '#server/platform/platform.ts';
import type { Scheduler } from './scheduler.ts';

/** The wall time at which every simulation starts: some day in 2026. */
const EPOCH_MS = 1_780_000_000_000;

/** What one life of a node runs on. */
export interface Life {
  /** Whether the process still runs. What it asked for before does not happen once it does not. */
  readonly isOver: boolean;
  /** How far its wall clock is off. */
  readonly wallOffsetMs: number;
  /** Something that it did threw: in production, the process would end. */
  readonly onThrow: (error: unknown) => void;
  readonly onReport: (event: ReportedEvent) => void;
}

/** Timers are late by at most as much. */
const TIMER_JITTER_US = 2_000;
const DEFER_US_MAX = 40;
const ID_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const ID_LENGTH = 21;

/** The time that a wall clock with that offset shows. */
export function clockTime(nowUs: number, offsetMs: number): Instant {
  return instant(EPOCH_MS + Math.floor(nowUs / 1_000) + offsetMs);
}

/** The machine of one life. */
export function virtualMachine(scheduler: Scheduler, prng: Prng, life: Life): Machine {
  const guarded = (run: () => void) => (): void => {
    if (life.isOver) return;
    try {
      run();
    } catch (error) {
      life.onThrow(error);
    }
  };
  const after = (delayUs: number, run: () => void): Cancel => scheduler.after(delayUs, guarded(run));
  return {
    readings: { wall: () => clockTime(scheduler.nowUs, life.wallOffsetMs), monotonicMs: () => scheduler.nowUs / 1_000 },
    timers: {
      after: (ms, run) => after(ms * 1_000 + prng.integer(0, TIMER_JITTER_US), run),
      defer: (run) => void after(prng.integer(0, DEFER_US_MAX), run),
    },
    random: {
      bytes: (count) => Uint8Array.from({ length: count }, () => prng.integer(0, 255)),
      id: () => Array.from({ length: ID_LENGTH }, () => ID_CHARACTERS.charAt(prng.integer(0, 63))).join(''),
      fraction: () => prng.next(),
    },
    report: (event) => life.onReport(event),
  };
}
