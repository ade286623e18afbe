/**
 * A background job that runs when enough has piled up, or at the latest an interval after there was
 * something to do; never twice at once. The owner pokes it whenever its backlog changes, and hears
 * when a run has ended.
 */
import type { Cancel, Timers } from '#server/platform/platform.ts';

/** When a job begins. */
export interface Pace {
  /** A backlog of this size starts a run at once. */
  readonly backlog: number;
  /** The longest that anything waits for a run to begin. */
  readonly intervalMs: number;
}

/** `waiting` owns a timer; `running` owns the run. */
export type JobState = 'idle' | 'waiting' | 'running';

/** `none`, `some` and `enough` are what a poke found; `rest` gives up waiting. */
export type JobEvent = 'none' | 'some' | 'enough' | 'timer' | 'end' | 'rest';

/**
 * What becomes of a job. A poke that comes during a run changes nothing: the owner pokes again when
 * the run has ended.
 */
export const NEXT_STATE: Readonly<Record<JobState, Readonly<Record<JobEvent, JobState>>>> = {
  idle: { none: 'idle', some: 'waiting', enough: 'running', timer: 'idle', end: 'idle', rest: 'idle' },
  waiting: { none: 'waiting', some: 'waiting', enough: 'running', timer: 'running', end: 'waiting', rest: 'idle' },
  running: { none: 'running', some: 'running', enough: 'running', timer: 'running', end: 'idle', rest: 'running' },
};

/** One job, which its owner pokes. */
export class PacedJob {
  readonly #timers: Pick<Timers, 'after'>;
  readonly #pace: Pace;
  readonly #run: () => Promise<void>;
  readonly #ended: () => void;
  #state: JobState = 'idle';
  #cancel: Cancel = () => undefined;

  /**
   * `run` does all that there is to do, which may be nothing, and never rejects. `ended` is called
   * after each run.
   */
  constructor(timers: Pick<Timers, 'after'>, pace: Pace, run: () => Promise<void>, ended: () => void) {
    this.#timers = timers;
    this.#pace = pace;
    this.#run = run;
    this.#ended = ended;
  }

  get state(): JobState {
    return this.#state;
  }

  /** Says what there is to do: whether there is anything, and how much has piled up. */
  poke(backlog: number, hasWork: boolean): void {
    if (!hasWork) this.#take('none');
    else this.#take(backlog >= this.#pace.backlog ? 'enough' : 'some');
  }

  /** Runs now, unless it runs already. */
  start(): void {
    this.#take('enough');
  }

  /** Gives up waiting. A run goes on to its end. */
  rest(): void {
    this.#take('rest');
  }

  #take(event: JobEvent): void {
    const before = this.#state;
    this.#state = NEXT_STATE[before][event];
    if (this.#state === before) return;
    if (before === 'waiting') this.#cancel();
    if (this.#state === 'waiting') this.#cancel = this.#timers.after(this.#pace.intervalMs, () => this.#take('timer'));
    if (this.#state === 'running') {
      void this.#run().then(() => {
        this.#take('end');
        this.#ended();
      });
    }
  }
}
