/**
 * The outside world, as one value: time, timers, randomness, and somebody to report to. Nothing else in the server calls
 * `Date.now`, `Math.random` or `setTimeout`, so that the simulator can run everything on a virtual clock from a seed.
 */
import type { Instant } from '#shared/units.ts';

/** Takes back what was asked for; does nothing if it has happened already, or was taken back before. */
export type Cancel = () => void;

/** The time of a node. */
export interface Clock {
  /** Platform time: wall time at start plus monotonic time, slewed towards the wall clock. Never runs back, never jumps. */
  now(): Instant;
}

/** Something to do later. Nothing runs before the call that asked for it has returned. */
export interface Timers {
  /** Runs once, after at least so many milliseconds. */
  after(ms: number, run: () => void): Cancel;
  /** Runs once at the next turn of the event loop, after the input that is there already. */
  defer(run: () => void): void;
}

/** Where randomness comes from. */
export interface Randomness {
  /** Unpredictable bytes: for keys and tokens. */
  bytes(count: number): Uint8Array;
  /** A new id of 21 characters of `A-Z a-z 0-9 _ -`: 126 random bits, unique in the world. */
  id(): string;
  /** From 0 up to, but not including, 1: for spreading retries, never for secrets. */
  fraction(): number;
}

/** How grave an event is: `error` wants a human, `alert` wants one now. */
export type Level = 'info' | 'warning' | 'error' | 'alert';

/** Something that the operator should know. */
export interface ReportedEvent {
  readonly level: Level;
  /** One sentence. */
  readonly message: string;
  readonly error?: unknown;
  /** What a machine may want to filter by: plain values, no secrets. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
}

/** Everything that the server needs of the outside world, but disks and network. */
export interface Platform {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Randomness;
  /** Tells the operator. Never throws. */
  report(event: ReportedEvent): void;
}
