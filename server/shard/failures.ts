/**
 * Failures: a trade message or an alarm whose handler throws again and again backs off, and after a few
 * times is marked `stuck` for an operator, so that one bad row never blocks the others (Citus 6548). A
 * program of another version number tries each stuck one once more: a release that mends a handler has
 * a new number.
 *
 * A quarantined shard is one whose state cannot be right: it answers nothing until an operator has
 * looked. That is a state of the shard, and it is kept as a row of this table under a key of its own.
 * As an attribute it would be a column of every failure that is true of one, and a new version of the
 * entity with an upgrade of all shards that have any; the key cannot be taken by another row, because
 * those of alarms and messages have a slash. Only this file knows of it: all others ask `isQuarantined`.
 */
import { limits } from '#shared/limits.ts';
import { later, durationMs, type Instant } from '#shared/units.ts';
import { boolean, defineEntity, integer, nullable, text, timestamp, type Row } from './entity.ts';
import { upgrader, type Powerup } from './powerup.ts';
import type { Turn } from './turn.ts';

const attributesV1 = {
  key: text({ indexed: 'unique', maxLength: 256 }),
  attempts: integer({ min: 1 }),
  /** When it may be tried again; null once it is stuck. */
  retryAt: nullable(timestamp({ alarm: 'retry-failed' })),
  stuck: boolean(),
  error: text({ maxLength: limits.failureErrorLengthMax }),
} as const;
const failureV1 = defineEntity('failure', { version: 1, attributes: attributesV1 });

/** One thing that failed, by what it was: an alarm's row or a message's key. */
export const failure = defineEntity('failure', {
  version: 2,
  isMadeByOthers: true,
  attributes: {
    ...attributesV1,
    /** The version number of the program that gave up; null as long as none has, and for those of a version that did not say. */
    build: nullable(text({ maxLength: 64 })),
  },
});

/** See the head: no key of an alarm or a message is without a slash. */
const QUARANTINE_KEY = 'quarantine';

/** Thrown by a turn that found its own rows contradictory. Quarantines the shard. */
export class StateLost extends Error {
  override readonly name = 'StateLost';
}

/** Whether what this key names must be left alone for now; in a closed shard, everything must. */
export function isSuspended(turn: Pick<Turn, 'table' | 'isEmpty' | 'now'>, key: string): boolean {
  if (turn.isEmpty(failure)) return false;
  if (isQuarantined(turn)) return true;
  const row = turn.table(failure).find('key', key);
  return row !== undefined && (row.stuck || (row.retryAt !== null && row.retryAt > turn.now));
}

/** Counts one more failure, in a program of this version number. */
export function countFailure(turn: Turn, key: string, error: string, build: string): void {
  const known = turn.table(failure).find('key', key);
  const attempts = (known?.attempts ?? 0) + 1;
  const stuck = attempts >= limits.turnAttemptsMax;
  const values = {
    key,
    attempts,
    stuck,
    retryAt: stuck ? null : retryAt(turn.now, attempts),
    error: asErrorText(error),
    build: stuck ? build : null,
  };
  if (known === undefined) turn.insert(failure, values);
  else turn.put(failure, failure.newRow(values, known.id));
}

/** Whether a failure under that key can be counted: those of messages, which strangers may send, are bounded. */
export function canCountFailure(turn: Turn, key: string): boolean {
  const failures = turn.table(failure);
  return failures.size < limits.failuresMax || failures.find('key', key) !== undefined;
}

/** What failed before has succeeded. */
export function clearFailure(turn: Turn, key: string): void {
  if (turn.isEmpty(failure)) return;
  const known = turn.table(failure).find('key', key);
  if (known !== undefined) turn.remove(failure, known.id);
}

/** Has what a program of another version number gave up on tried once more by this one; but for the quarantine, which is no handler's failure. */
export function retryStuck(turn: Turn, build: string): void {
  if (turn.isEmpty(failure)) return;
  for (const row of turn.table(failure).rows()) {
    if (!row.stuck || row.build === build || row.key === QUARANTINE_KEY) continue;
    turn.put(failure, { ...row, stuck: false, attempts: limits.turnAttemptsMax - 1, build: null });
  }
}

/** Closes the shard for good, until an operator has looked. */
export function quarantine(turn: Turn, reason: string): void {
  turn.insert(failure, { key: QUARANTINE_KEY, attempts: 1, stuck: true, error: asErrorText(reason) });
}

/** Whether the shard answers nothing. */
export function isQuarantined(turn: Pick<Turn, 'table' | 'isEmpty'>): boolean {
  return !turn.isEmpty(failure) && turn.table(failure).find('key', QUARANTINE_KEY) !== undefined;
}

function asErrorText(text: string): string {
  return text.slice(0, limits.failureErrorLengthMax).replaceAll('\0', ' ').toWellFormed();
}

function retryAt(now: Instant, attempts: number): Instant {
  return later(now, durationMs(Math.min(limits.retryMaxMs, limits.retryFirstMs * limits.retryFactor ** attempts)));
}

/** The powerup of failures; part of every shard. Its alarm only wakes the shard: what failed is due again by then. */
export const failures: Powerup = {
  name: 'failures',
  priority: 1000,
  entities: [failure],
  upgraders: [upgrader(failureV1, failure, (row) => ({ ...row, build: null }))],
  alarms: {
    'retry-failed': (turn, row) => {
      const known: Row<typeof failure> | undefined = turn.table(failure).get(row.id);
      if (known !== undefined) turn.put(failure, { ...known, retryAt: null });
    },
  },
};
