/** What a deliberate fault is, and how one is put into a powerup. */
import type { AlarmHandler, Handler, Powerup } from '#server/shard/powerup.ts';
import type { Violation } from './checker.ts';
import type { Seams } from './seams.ts';

/** One deliberate fault, put in at a seam of the real code. */
export interface Sabotage {
  readonly name: string;
  /** New for each simulation: some remember what they did. */
  readonly seams: () => Seams;
  /** Found only by many seeds: too slow for the suite. */
  readonly isRare?: true;
  /** What shows it where no simulation at random can: a directed scenario with these seams. Gives the promises that it saw broken. */
  readonly show?: (seams: Seams) => Promise<readonly Violation[]>;
}

/** Makes another handler of a powerup's own. */
export type Wrap<T> = (real: T, powerup: Powerup) => T;

/** Seams with the handler of one kind of message replaced. */
export function wrapHandler(name: string, kind: string, wrap: Wrap<Handler>): Seams {
  return onPowerup(name, (powerup) => {
    const real = powerup.handlers?.[kind];
    return real === undefined ? powerup : { ...powerup, handlers: { ...powerup.handlers, [kind]: wrap(real, powerup) } };
  });
}

/** Seams with the handler of one alarm replaced. */
export function wrapAlarm(name: string, alarm: string, wrap: Wrap<AlarmHandler>): Seams {
  return onPowerup(name, (powerup) => {
    const real = powerup.alarms?.[alarm];
    return real === undefined ? powerup : { ...powerup, alarms: { ...powerup.alarms, [alarm]: wrap(real, powerup) } };
  });
}

/** Seams with one powerup replaced. */
export function onPowerup(name: string, change: (powerup: Powerup) => Powerup): Seams {
  return { powerups: (all) => all.map((powerup) => (powerup.name === name ? change(powerup) : powerup)) };
}
