import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { limits } from '#shared/limits.ts';
import { SlewedClock } from './slewed-clock.ts';

function fixture(wallMs = 1_000_000) {
  const machine = { wallMs, monotonicMs: 500.25 };
  const alerts: number[] = [];
  const clock = new SlewedClock({ wall: () => machine.wallMs, monotonic: () => machine.monotonicMs }, (ms) => alerts.push(ms));
  const pass = (ms: number): void => {
    machine.wallMs += ms;
    machine.monotonicMs += ms;
  };
  return { machine, alerts, clock, pass };
}

describe('the platform clock', () => {
  it('starts at the wall time and follows it', () => {
    const { clock, pass } = fixture();
    expect(clock.now()).toBe(1_000_000);
    pass(1_234);
    expect(clock.now()).toBe(1_001_234);
  });

  it('catches up with a wall clock that was set forward by at most 1 %', () => {
    const { clock, machine, pass } = fixture();
    machine.wallMs += 1_000;
    pass(10_000);
    expect(clock.now()).toBe(1_010_100);
    pass(90_000);
    expect(clock.now()).toBe(1_101_000);
    pass(1_000);
    expect(clock.now()).toBe(1_102_000);
  });

  it('slows down, and never runs back, when the wall clock was set back', () => {
    const { clock, machine, pass } = fixture();
    machine.wallMs -= 3_600_000;
    expect(clock.now()).toBe(1_000_000);
    pass(1_000);
    expect(clock.now()).toBe(1_000_990);
  });

  it('alerts once for each time that the difference passes five seconds', () => {
    const { clock, machine, alerts, pass } = fixture();
    machine.wallMs += limits.clockAlertMs;
    clock.now();
    expect(alerts).toEqual([]);
    machine.wallMs += 1;
    clock.now();
    clock.now();
    expect(alerts).toEqual([limits.clockAlertMs + 1]);
    machine.wallMs -= 1_000;
    clock.now();
    machine.wallMs -= 10_000;
    clock.now();
    pass(1);
    clock.now();
    expect(alerts).toHaveLength(2);
  });

  it('stays within 1 % of monotonic time under any jumps of the wall clock', () => {
    const step = fc.record({ passMs: fc.double({ min: 0, max: 5_000, noNaN: true }), jumpMs: fc.integer({ min: -100_000, max: 100_000 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const { clock, machine, pass } = fixture(1e9);
        let before = clock.now();
        for (const { passMs, jumpMs } of steps) {
          machine.wallMs += jumpMs;
          pass(passMs);
          const now = clock.now();
          expect(now - before).toBeGreaterThanOrEqual(Math.floor(passMs * 0.99) - 1);
          expect(now - before).toBeLessThanOrEqual(Math.ceil(passMs * 1.01) + 1);
          before = now;
        }
      }),
    );
  });
});
