/** The machine of a real process: Node's clocks, timers and randomness, and one line on standard error per event. */
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { instant } from '#shared/units.ts';
import type { Cancel, Machine, Randomness, Readings, ReportedEvent, Timers } from './platform.ts';

/** `setTimeout` takes no more; a longer one would run at once. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/** The real outside world. `report` takes events in place of standard error. */
export function nodeMachine(report: (event: ReportedEvent) => void = reportToStandardError): Machine {
  return { readings, timers, random, report };
}

const readings: Readings = { wall: () => instant(Date.now()), monotonicMs: () => performance.now() };

const timers: Timers = { after: longTimeout, defer: (run) => void setImmediate(run) };

function longTimeout(ms: number, run: () => void): Cancel {
  let timeout: NodeJS.Timeout;
  const wait = (leftMs: number): void => {
    const stepMs = Math.min(leftMs, TIMEOUT_MAX_MS);
    timeout = setTimeout(() => (leftMs > stepMs ? wait(leftMs - stepMs) : run()), stepMs);
  };
  wait(ms);
  return () => clearTimeout(timeout);
}

const ID_LENGTH = 21;
const ID_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';

const random: Randomness = { bytes: (count) => new Uint8Array(randomBytes(count)), id: nextId, fraction: () => Math.random() };

/** Random bytes are drawn for many ids at once: one draw costs far more than one id. */
const pool = { bytes: new Uint8Array(0), next: 0 };

function nextId(): string {
  if (pool.next + ID_LENGTH > pool.bytes.length) {
    pool.bytes = new Uint8Array(randomBytes(ID_LENGTH * 128));
    pool.next = 0;
  }
  let id = '';
  for (const byte of pool.bytes.subarray(pool.next, pool.next + ID_LENGTH)) id += ID_LETTERS.charAt(byte & 63);
  pool.next += ID_LENGTH;
  return id;
}

/** One line per event: level, sentence, details as JSON; the stack of an error follows. */
function reportToStandardError({ level, message, error, details }: ReportedEvent): void {
  const suffix = details === undefined ? '' : ` ${JSON.stringify(details)}`;
  const cause = error === undefined ? '' : `\n${inspect(error)}`;
  process.stderr.write(`gavel ${level}: ${message}${suffix}${cause}\n`);
}
