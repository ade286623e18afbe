import { describe, expect, it } from '@jest/globals';
import { nodeMachine } from './node-machine.ts';
import type { ReportedEvent } from './platform.ts';

const machine = nodeMachine();

describe('the machine of a real process', () => {
  it('tells the time in whole milliseconds', () => {
    const now = machine.readings.wall();
    expect(Number.isSafeInteger(now)).toBe(true);
    expect(Math.abs(now - Date.now())).toBeLessThan(2_000);
  });

  it('makes ids of 21 url-safe characters, all different', () => {
    const ids = Array.from({ length: 1_000 }, () => machine.random.id());
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{21}$/);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('runs what is due later, and not what was taken back', async () => {
    const ran: string[] = [];
    await new Promise<void>((resolve) => {
      const cancel = machine.timers.after(1, () => ran.push('cancelled'));
      machine.timers.after(5, resolve);
      machine.timers.defer(() => ran.push('deferred'));
      ran.push('first');
      cancel();
    });
    expect(ran).toEqual(['first', 'deferred']);
  });

  it('does not take a very long timer for a very short one', async () => {
    let isRun = false;
    const cancel = machine.timers.after(30 * 24 * 3_600_000, () => (isRun = true));
    await new Promise<void>((resolve) => machine.timers.after(10, resolve));
    cancel();
    expect(isRun).toBe(false);
  });

  it('reports to whom it was told to', () => {
    const events: ReportedEvent[] = [];
    nodeMachine((event) => events.push(event)).report({ level: 'info', message: 'hello' });
    expect(events).toEqual([{ level: 'info', message: 'hello' }]);
  });
});
