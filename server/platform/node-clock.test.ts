import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { limits } from '#shared/limits.ts';
import { instant, type Instant } from '#shared/units.ts';
import { NodeClock } from './node-clock.ts';
import type { ReportedEvent } from './platform.ts';

const WALL = 1_700_000_000_000;
const LEASE_MS = limits.timeLeaseMs;

/** A machine that only a test moves, over a disk that makes a lease durable when the test says so. */
class Bench {
  wallMs = WALL;
  /** The lease that a crash would leave. */
  durable: Instant | 0 = 0;
  isDiskBusy = false;
  readonly alerts: string[] = [];
  readonly asked: { readonly until: Instant; readonly write: () => void; readonly fail: (error: Error) => void }[] = [];
  #monotonicMs = 500.25;
  #timers: { readonly at: number; readonly run: () => void }[] = [];

  readonly machine = {
    readings: { wall: () => instant(this.wallMs), monotonicMs: () => this.#monotonicMs },
    timers: {
      after: (ms: number, run: () => void) => {
        const timer = { at: this.#monotonicMs + ms, run };
        this.#timers.push(timer);
        return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
      },
      defer: (run: () => void) => run(),
    },
    report: ({ message }: ReportedEvent) => void this.alerts.push(message),
  };

  get timers(): number {
    return this.#timers.length;
  }

  /** The clock of a life that begins with the lease that is durable. */
  async start(): Promise<NodeClock> {
    this.#timers = [];
    const starting = NodeClock.start(this.machine, this.durable, (until) => this.#extend(until));
    await settled();
    return starting;
  }

  /** Lets so much time pass, by both clocks, and rings what is due. */
  async pass(ms: number, stepMs = 100): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      const step = Math.min(left, stepMs);
      this.wallMs += step;
      this.#monotonicMs += step;
      const due = this.#timers.filter(({ at }) => at <= this.#monotonicMs);
      this.#timers = this.#timers.filter(({ at }) => at > this.#monotonicMs);
      for (const { run } of due) run();
      await settled();
    }
  }

  #extend(until: Instant): Promise<void> {
    return new Promise((resolve, reject) => {
      const write = (): void => {
        this.durable = until;
        resolve();
      };
      this.asked.push({ until, write, fail: reject });
      if (!this.isDiskBusy) write();
    });
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

describe('the time of a node', () => {
  it('starts at the wall time and follows it', async () => {
    const bench = new Bench();
    const clock = await bench.start();
    expect(clock.now()).toBe(WALL);
    await bench.pass(61_234);
    expect(clock.now()).toBe(WALL + 61_234);
  });

  it('is told only once the first lease is durable', async () => {
    const bench = new Bench();
    bench.isDiskBusy = true;
    let clock: NodeClock | undefined;
    void NodeClock.start(
      bench.machine,
      0,
      (until) => new Promise((resolve, fail) => bench.asked.push({ until, write: resolve, fail })),
    ).then((started) => (clock = started));
    await settled();
    expect([bench.asked.map(({ until }) => until), clock]).toEqual([[WALL + LEASE_MS], undefined]);
    bench.asked[0]?.write();
    await settled();
    expect(clock?.now()).toBe(WALL);
  });

  it('stands still at the end of the durable lease, and goes on where it would be once the disk has extended it', async () => {
    const bench = new Bench();
    const clock = await bench.start();
    bench.isDiskBusy = true;
    await bench.pass(20_000);
    expect(clock.now()).toBe(bench.durable);
    expect(bench.durable).toBe(WALL + LEASE_MS);
    // One extension at a time is asked for, and it may be long overdue when it is there.
    expect(bench.asked).toHaveLength(2);
    bench.isDiskBusy = false;
    bench.asked.at(-1)?.write();
    await bench.pass(LEASE_MS);
    expect(clock.now()).toBe(WALL + 20_000 + LEASE_MS);
    expect(bench.alerts).toEqual([]);
  });

  it('begins where the lease ends, and slews the lead away', async () => {
    const bench = new Bench();
    const before = await bench.start();
    await bench.pass(1_000);
    const last = before.now();
    const clock = await bench.start();
    const lead = clock.now() - bench.wallMs;
    expect(clock.now()).toBeGreaterThanOrEqual(last);
    expect(lead).toBeGreaterThan(0);
    expect(lead).toBeLessThanOrEqual(LEASE_MS);
    await bench.pass(50 * lead);
    expect(clock.now() - bench.wallMs).toBeCloseTo(lead / 2, -1);
    await bench.pass(51 * lead);
    expect(clock.now()).toBe(bench.wallMs);
    expect(bench.alerts).toEqual([]);
  });

  it('stands still while a start finds a greater lead, asks for no more time meanwhile, and then goes on', async () => {
    const bench = new Bench();
    bench.durable = instant(WALL + 3_600_000);
    const clock = await bench.start();
    await bench.pass(3_600_000 - LEASE_MS - 1_000, 1_000);
    expect([clock.now(), bench.asked.length]).toEqual([WALL + 3_600_000, 0]);
    await bench.pass(1_000 + LEASE_MS);
    expect(clock.now()).toBeGreaterThan(WALL + 3_600_000);
    expect(clock.now() - bench.wallMs).toBeLessThanOrEqual(LEASE_MS);
    expect(bench.alerts).toEqual([]);
  });

  it('goes on at once when the wall clock is set right while it stands still', async () => {
    const bench = new Bench();
    bench.durable = instant(WALL + 3_600_000);
    const clock = await bench.start();
    bench.wallMs += 3_600_000;
    await bench.pass(LEASE_MS);
    expect(clock.now()).toBeGreaterThan(WALL + 3_600_000);
  });

  it('bounds the lead of crash after crash', async () => {
    const bench = new Bench();
    let latest = 0;
    for (let life = 0; life < 50; life++) {
      const clock = await bench.start();
      expect(clock.now()).toBeGreaterThanOrEqual(latest);
      expect(clock.now() - bench.wallMs).toBeLessThanOrEqual(2 * LEASE_MS);
      await bench.pass((life * 700) % 3_000);
      latest = clock.now();
    }
    expect(bench.alerts).toEqual([]);
  });

  it('catches up with a wall clock that was set forward by at most 1 %', async () => {
    const bench = new Bench();
    const clock = await bench.start();
    bench.wallMs += 1_000;
    await bench.pass(10_000);
    expect(clock.now()).toBe(WALL + 10_100);
    await bench.pass(91_000);
    expect(clock.now()).toBe(bench.wallMs);
  });

  it('slows down, and never runs back, when the wall clock was set back', async () => {
    const bench = new Bench();
    const clock = await bench.start();
    bench.wallMs -= 3_600_000;
    expect(clock.now()).toBe(WALL);
    await bench.pass(1_000);
    expect(clock.now()).toBe(WALL + 990);
  });

  it('alerts once when the difference passes five seconds, not each time that it wavers there', async () => {
    const bench = new Bench();
    const clock = await bench.start();
    bench.wallMs += limits.clockAlertMs;
    clock.now();
    expect(bench.alerts).toEqual([]);
    for (let wave = 0; wave < 5; wave++) {
      bench.wallMs += 1_000;
      clock.now();
      bench.wallMs -= 1_000;
      clock.now();
    }
    expect(bench.alerts).toEqual(['the wall clock is 6.0 s ahead of the time of this node']);
    bench.wallMs -= limits.clockAlertMs;
    clock.now();
    bench.wallMs -= 7_000;
    clock.now();
    expect(bench.alerts.slice(1)).toEqual(['the wall clock is 7.0 s behind the time of this node']);
  });

  it('asks for no more time after it was stopped, or after the disk has failed', async () => {
    const bench = new Bench();
    const clock = await bench.start();
    expect(bench.timers).toBe(1);
    clock.stop();
    expect(bench.timers).toBe(0);
    bench.isDiskBusy = true;
    const starting = bench.start();
    bench.asked.at(-1)?.write();
    await starting;
    await bench.pass(LEASE_MS);
    bench.asked.at(-1)?.fail(new Error('the disk is gone'));
    await settled();
    expect(bench.timers).toBe(0);
  });

  it('never runs back over lives, jumps of the wall clock and a slow disk, nor faster than monotonic time by more than 1 %', async () => {
    const step = fc.record({
      passMs: fc.double({ min: 0, max: 5_000, noNaN: true }),
      jumpMs: fc.oneof(fc.constant(0), fc.integer({ min: -100_000, max: 100_000 })),
      isDiskBusy: fc.boolean(),
      crashes: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const bench = new Bench();
        let clock = await bench.start();
        let [latest, start, elapsedMs] = [clock.now(), clock.now(), 0];
        for (const { passMs, jumpMs, isDiskBusy, crashes } of steps) {
          bench.wallMs += jumpMs;
          bench.isDiskBusy = isDiskBusy;
          if (!isDiskBusy) bench.asked.at(-1)?.write();
          await bench.pass(Math.floor(passMs), 500);
          elapsedMs += Math.floor(passMs);
          if (crashes) {
            bench.isDiskBusy = false;
            clock = await bench.start();
            [start, elapsedMs] = [clock.now(), 0];
          }
          const now = clock.now();
          expect(now).toBeGreaterThanOrEqual(latest);
          expect(now).toBeLessThanOrEqual(Number(bench.durable));
          expect(now - start).toBeLessThanOrEqual(Math.ceil(elapsedMs * 1.01) + 1);
          latest = now;
        }
      }),
    );
  });
});
