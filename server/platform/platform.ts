/**
 * The outside world, as one value: readings of clocks, timers, randomness, and somebody to report to. Nothing that the simulator runs
 * calls `Date.now`, `Math.random` or `setTimeout`, so that it can run all that on a virtual clock from a seed. The threads over files and the
 * end of the process, which it does not run, have timers of their own.
 *
 * A process brings a `Machine`. What runs on a node gets a `Platform`: the same with the node's own clock, which is made from the
 * machine's readings and from what the node has said of time before (`node-clock.ts`). Which of the three times is meant where is in
 * `docs/internals/time.md`.
 */
import type { Instant } from '#shared/units.ts';

/** Takes back what was asked for; does nothing if it has happened already, or was taken back before. */
export type Cancel = () => void;

/** The two clocks of a machine. */
export interface Readings {
  /** The time of day, as somebody has set it: may jump. For what others sign and date; never for the market. */
  wall(): Instant;
  /** Milliseconds since whenever, with fractions: never runs back, and says nothing to anybody else. For spans within one life. */
  monotonicMs(): number;
}

/** The time of a node: the market's. */
export interface Clock {
  /** Never earlier than anything that this node has said before, in this life or any other. */
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

/** What a process brings: everything that the server needs of the outside world, but disks and network. */
export interface Machine {
  readonly readings: Readings;
  readonly timers: Timers;
  readonly random: Randomness;
  /** Tells the operator. Never throws. */
  report(event: ReportedEvent): void;
}

/** The machine, and the clock of the node that runs on it. */
export interface Platform extends Machine {
  readonly clock: Clock;
}
