import { describe, expect, it } from '@jest/globals';
import { VirtualTime } from '../testing/virtual-time.ts';
import { NEXT_STATE, PacedJob, type JobEvent, type JobState } from './paced-job.ts';

const INTERVAL_MS = 1_000;

/**
 * A job over virtual time that begins at a backlog of 100, and whose runs end when the test says
 * so.
 */
function bench() {
  const time = new VirtualTime();
  const startedAt = time.readings.monotonicMs();
  const runs: { readonly atMs: number; readonly end: () => void }[] = [];
  const log: JobState[] = [];
  const run = (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    runs.push({ atMs: time.readings.monotonicMs() - startedAt, end: resolve });
    return promise;
  };
  const job = new PacedJob(time.timers, { backlog: 100, intervalMs: INTERVAL_MS }, run, () => log.push(job.state));
  const endRun = async (): Promise<void> => {
    runs.at(-1)?.end();
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  };
  return { time, job, runs, log, endRun };
}

type Bench = ReturnType<typeof bench>;

const REACH: Readonly<Record<JobState, (bench: Bench) => void>> = {
  idle: () => undefined,
  waiting: ({ job }) => job.poke(1, true),
  running: ({ job }) => job.start(),
};

/**
 * The events that a test can bring about in any state; `timer` and `end` come by themselves, in one
 * state each.
 */
const CAUSE: Readonly<Record<Exclude<JobEvent, 'timer' | 'end'>, (job: PacedJob) => void>> = {
  none: (job) => job.poke(1_000, false),
  some: (job) => job.poke(99, true),
  enough: (job) => job.poke(100, true),
  rest: (job) => job.rest(),
};

const STATES = ['idle', 'waiting', 'running'] as const;
const CAUSES = ['none', 'some', 'enough', 'rest'] as const;

describe('a paced job', () => {
  it.each(STATES.flatMap((state) => CAUSES.map((event) => [state, event] as const)))(
    'that is %s, at %s: goes where its table says, with one timer or one run at most',
    async (state, event) => {
      const one = bench();
      REACH[state](one);
      CAUSE[event](one.job);
      const next = NEXT_STATE[state][event];
      expect(one.job.state).toBe(next);
      expect(one.runs).toHaveLength(next === 'running' ? 1 : 0);
      // A timer is there in one state only: none is left over to begin a run later.
      expect(await one.time.step()).toBe(next === 'waiting');
    },
  );

  it('runs at the latest an interval after there was first something to do', async () => {
    const { time, job, runs, log, endRun } = bench();
    job.poke(1, true);
    time.timers.after(600, () => job.poke(2, true));
    while (await time.step());
    expect(runs.map(({ atMs }) => atMs)).toEqual([INTERVAL_MS]);
    await endRun();
    expect(log).toEqual(['idle']);
  });

  it('does not wait when enough has piled up, and does not run again for the time for which it had waited', async () => {
    const { time, job, runs, endRun } = bench();
    job.poke(1, true);
    time.timers.after(300, () => job.poke(100, true));
    await time.step();
    await endRun();
    while (await time.step());
    expect(runs.map(({ atMs }) => atMs)).toEqual([300]);
  });

  it('never runs twice at once; its owner, who hears of each end, has it run again', async () => {
    const { job, runs, log, endRun } = bench();
    job.start();
    job.start();
    job.poke(1_000, true);
    expect(runs).toHaveLength(1);
    await endRun();
    expect(log).toEqual(['idle']);
    job.poke(1_000, true);
    expect(runs).toHaveLength(2);
  });
});
