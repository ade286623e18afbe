/**
 * The time of a node, by which its market lives. One per life, made from the readings of the machine and from the lease: the time up to
 * which the lives before may have spoken. See `docs/internals/time.md`.
 *
 * 1. It never runs back, within a life or from one life to the next: it begins at the wall clock or at the end of the lease, whichever is
 *    later, and never passes a lease that is not durable. If the disk is too slow to extend it, time stands still until it has.
 * 2. Within a life it runs as monotonic time, slewed towards the wall clock by at most `limits.clockSlewPerMille`. It follows no jump.
 * 3. A start that finds the wall clock behind by more than `limits.timeLeaseMs` stands still until it is no more than that behind. Less is
 *    what any restart finds, and is slewed away.
 * 4. A difference above `limits.clockAlertMs` is told once, and again only after it was less than half of that.
 */
import { limits } from '#shared/limits.ts';
import { instant, type Instant } from '#shared/units.ts';
import type { Cancel, Clock, Machine } from './platform.ts';

/** What of the machine a clock is made from. */
type ClockMachine = Pick<Machine, 'readings' | 'timers' | 'report'>;

/** Makes the lease durable: resolves when no crash can take it back. */
export type ExtendLease = (until: Instant) => Promise<void>;

/** Extended when half of it is left, so that the disk may be busy for as long as the other half. */
const EXTEND_EVERY_MS = limits.timeLeaseMs / 2;

export class NodeClock implements Clock {
  readonly #machine: ClockMachine;
  readonly #extendLease: ExtendLease;
  /** Where time would be if the lease did not hold it. */
  #runningMs: number;
  #monotonicMs: number;
  #lease: Instant | 0;
  /** Whether it still waits for the wall clock, since the start. */
  #isWaiting: boolean;
  #isAlerted = false;
  #isStopped = false;
  #cancel: Cancel | undefined;

  private constructor(machine: ClockMachine, lease: Instant | 0, extendLease: ExtendLease) {
    const { readings } = machine;
    this.#machine = machine;
    this.#extendLease = extendLease;
    this.#lease = lease;
    this.#runningMs = Math.max(readings.wall(), lease);
    this.#monotonicMs = readings.monotonicMs();
    this.#isWaiting = lease - readings.wall() > limits.timeLeaseMs;
  }

  /** The clock of a life that begins, once it may tell the time. `lease` is the durable one, 0 if there is none. Rejects as `extendLease` does. */
  static async start(machine: ClockMachine, lease: Instant | 0, extendLease: ExtendLease): Promise<NodeClock> {
    const clock = new NodeClock(machine, lease, extendLease);
    await clock.#extend();
    clock.#extendLater();
    return clock;
  }

  now(): Instant {
    this.#run();
    return instant(Math.min(Math.floor(this.#runningMs), this.#lease));
  }

  /** Asks for no more time. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  #run(): void {
    const { readings } = this.#machine;
    const [wall, monotonicMs] = [readings.wall(), readings.monotonicMs()];
    const elapsedMs = Math.max(0, monotonicMs - this.#monotonicMs);
    this.#monotonicMs = monotonicMs;
    if (this.#isWaiting) {
      this.#isWaiting = this.#runningMs - wall > limits.timeLeaseMs;
      return;
    }
    const differenceMs = wall - (this.#runningMs + elapsedMs);
    const slewMaxMs = (elapsedMs * limits.clockSlewPerMille) / 1_000;
    this.#runningMs += elapsedMs + Math.min(slewMaxMs, Math.max(-slewMaxMs, differenceMs));
    this.#watch(differenceMs);
  }

  /** While time stands still for the wall clock the lease is long enough, and is left as it is. */
  async #extend(): Promise<void> {
    this.#run();
    if (this.#isWaiting) return;
    const until = instant(Math.floor(this.#runningMs) + limits.timeLeaseMs);
    await this.#extendLease(until);
    this.#lease = until;
  }

  #extendLater(): void {
    if (this.#isStopped) return;
    this.#cancel = this.#machine.timers.after(EXTEND_EVERY_MS, () => {
      this.#extend().then(
        () => this.#extendLater(),
        () => this.stop(), // The persister has told its listeners of the fault: the node ends.
      );
    });
  }

  #watch(differenceMs: number): void {
    const farMs = Math.abs(differenceMs);
    if (farMs <= limits.clockAlertMs / 2) this.#isAlerted = false;
    if (farMs <= limits.clockAlertMs || this.#isAlerted) return;
    this.#isAlerted = true;
    const direction = differenceMs > 0 ? 'ahead of' : 'behind';
    const message = `the wall clock is ${(farMs / 1_000).toFixed(1)} s ${direction} the time of this node`;
    this.#machine.report({ level: 'alert', message, details: { differenceMs: Math.round(differenceMs) } });
  }
}
