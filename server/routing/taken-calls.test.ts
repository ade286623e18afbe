/** Commands of other nodes are taken at most once, soon or never. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { limits } from '#shared/limits.ts';
import { instant } from '#shared/units.ts';
import { TAKE_MS, TakenCalls } from './taken-calls.ts';

const START = 1_000_000;
/** The first instant that no command which the life before has taken can name. */
const OPEN = START + limits.clockPeerDifferenceMaxMs + 1;

function receive(calls: TakenCalls, call: string, sentAt: number, now: number): string {
  return calls.receive(call, instant(sentAt), instant(now));
}

describe('a command from another node', () => {
  it('is taken once, however often it comes', () => {
    const calls = new TakenCalls(instant(START));
    expect(receive(calls, 'a', OPEN, OPEN)).toBe('take');
    expect(receive(calls, 'a', OPEN, OPEN)).toBe('forget');
    expect(receive(calls, 'b', OPEN, OPEN)).toBe('take');
  });

  it('is never taken late, also when it is no longer remembered', () => {
    const calls = new TakenCalls(instant(START));
    expect(receive(calls, 'a', OPEN, OPEN + TAKE_MS)).toBe('take');
    expect(receive(calls, 'b', OPEN, OPEN + TAKE_MS + 1)).toBe('forget');
    // Its sender's clock is ahead by as much as it may be: until the last instant at which it could be taken, it is remembered.
    const ahead = OPEN + limits.clockPeerDifferenceMaxMs;
    expect(receive(calls, 'c', ahead, OPEN)).toBe('take');
    for (let now = OPEN; now <= ahead + 2 * TAKE_MS; now += 100) expect(receive(calls, 'c', ahead, now)).toBe('forget');
  });

  it('is remembered from one span of remembering into the next', () => {
    const calls = new TakenCalls(instant(START));
    const ahead = OPEN + limits.clockPeerDifferenceMaxMs;
    expect(receive(calls, 'a', ahead, OPEN)).toBe('take');
    for (let now = OPEN; now <= ahead + 2 * TAKE_MS; now += 100) expect(receive(calls, 'a', ahead, now)).toBe('forget');
  });

  it('is turned away if the life before may have taken it', () => {
    const calls = new TakenCalls(instant(START));
    expect(receive(calls, 'a', OPEN - 1, OPEN)).toBe('turn-away');
    expect(receive(calls, 'b', OPEN, OPEN)).toBe('take');
  });

  it('is turned away if it claims to be sent later than a peer may be ahead: it could be taken for longer than it is remembered', () => {
    const calls = new TakenCalls(instant(START));
    const ahead = OPEN + limits.clockPeerDifferenceMaxMs;
    expect(receive(calls, 'a', ahead + 1, OPEN)).toBe('turn-away');
    expect(receive(calls, 'a', ahead + 1, OPEN + 1)).toBe('take');
  });

  it('is taken in one life at most, whatever its sender says of the time, and however slow the clock of the next life is', () => {
    const at = fc.integer({ min: 0, max: 20_000 });
    fc.assert(
      fc.property(
        at,
        fc.array(at, { minLength: 1, maxLength: 12 }),
        fc.array(at, { minLength: 1, maxLength: 12 }),
        (sentAt, before, after) => {
          let [now, taken] = [START, 0];
          for (const passed of [before, after]) {
            // No life begins earlier than the one before has ended.
            const calls = new TakenCalls(instant(now));
            for (const ms of passed.toSorted((a, b) => a - b)) {
              now = Math.max(now, START + ms);
              if (receive(calls, 'a', START + sentAt, now) === 'take') taken++;
            }
          }
          expect(taken).toBeLessThanOrEqual(1);
        },
      ),
    );
  });
});
