/**
 * The loop of a node: one order of turns, which is the order of its journal.
 *
 * 1. One piece of work runs at a time, whole. A call of `run` from inside a turn only does its own
 *    work; the outermost call delivers what the turns sent, until nothing is left.
 * 2. Messages between shards of the node are delivered in the order in which they were sent, after
 *    their cause is appended.
 * 3. Each append gets a higher position than the one before: asserted.
 * 4. An exception in here means that memory and journal differ: the loop stops, and the process
 *    must end.
 */
import { assert } from '#shared/assert.ts';
import { type Instant, NO_POSITION, type Position } from '#shared/units.ts';
import type { Journal } from '#server/journal/persister/persister.ts';
import type { Envelope, Part } from '#server/routing/part.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import { Queue } from './lists/queue.ts';

/** What a loop needs from its surroundings. */
export interface NodeLoopOptions {
  /** The node's time. */
  readonly now: () => Instant;
  readonly journal: Pick<Journal, 'append' | 'isFull' | 'whenReady'>;
  /** Where messages between shards go. */
  readonly world: Part;
  /** Called when everything that a run sent is delivered. */
  readonly onDelivered: () => void;
  /** Called once, after the loop has stopped by itself. */
  readonly onFault: (fault: Error) => void;
}

/** Runs the turns of a node. */
export class NodeLoop {
  readonly #options: NodeLoopOptions;
  readonly #envelopes = new Queue<Envelope>();
  #state: 'idle' | 'running' | 'stopped' = 'idle';
  #turnTime: Instant;
  #appended = NO_POSITION;

  constructor(options: NodeLoopOptions) {
    this.#options = options;
    this.#turnTime = options.now();
  }

  /** The time for the turns under way: read once for a run and all that it leads to. */
  get turnTime(): Instant {
    return this.#turnTime;
  }

  /** Whether no turn may start now: the disk is behind, or the node has stopped. */
  get mustWait(): boolean {
    return this.isStopped || this.#options.journal.isFull;
  }

  /** Whether the node takes no more turns. */
  get isStopped(): boolean {
    return this.#state === 'stopped';
  }

  /**
   * Does the work, and delivers what it sent unless it is called from inside a turn. Does nothing
   * once stopped. Never throws.
   */
  run<T>(work: (subject: T) => void, subject: T): void {
    if (this.isStopped) return;
    try {
      if (this.#state === 'running') return work(subject);
      this.#state = 'running';
      this.#turnTime = this.#options.now();
      work(subject);
      this.#deliver();
      if (!this.isStopped) this.#state = 'idle';
    } catch (error) {
      this.stop();
      this.#options.onFault(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Runs the work when the journal has room again; never, once stopped. */
  runWhenReady<T>(work: (subject: T) => void, subject: T): void {
    if (!this.isStopped) void this.#options.journal.whenReady().then(() => this.run(work, subject));
  }

  /**
   * Appends the changes of a turn to the journal, in one with those of its partner if it had one,
   * which are before them. Returns their position.
   */
  append(changes: ChangeSet, partner?: ChangeSet): Position {
    const position = this.#options.journal.append(changes, partner);
    const first = partner === undefined ? position : position - 1;
    assert(first > this.#appended, 'the journal gave a position that is not higher than the one before');
    this.#appended = position;
    return position;
  }

  /**
   * Queues a message to a shard. Its cause must be appended already; on the way to another node it
   * waits at the gate.
   */
  send(envelope: Envelope): void {
    this.#envelopes.push(envelope);
  }

  /** Takes no more turns. */
  stop(): void {
    this.#state = 'stopped';
  }

  #deliver(): void {
    for (let envelope = this.#envelopes.shift(); envelope !== undefined && !this.isStopped; envelope = this.#envelopes.shift()) {
      void this.#options.world.accept(envelope); // Never rejects; what is not taken is driven again by the sender's alarm.
    }
    if (!this.isStopped) this.#options.onDelivered();
  }
}
