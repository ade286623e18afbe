/**
 * Replies to commands: at once through the output gate, or, for a command that has begun a trade,
 * when its operation completes or its time is over.
 *
 * 1. A command is answered at most once.
 * 2. A pending reply ends in one of three ways: a turn completes its operation; `limits.outcomeWaitMs`
 *    pass; its shard leaves memory with its cell. The latter two answer `outcome-unknown`, and the
 *    same `op` tells the truth when asked again.
 * 3. Time is that of the machine: the node's own time may stand still.
 *
 * A trade within the node is over by the end of the delivery that began it, so a reply is given a
 * deadline only then (`watch`): most need none.
 */
import { limits } from '#shared/limits.ts';
import { refusal } from '#shared/refusals.ts';
import type { RowId } from '#shared/units.ts';
import type { Cancel, Platform } from '#server/platform/platform.ts';
import { answer, type Handled, type Reply } from '#server/shard/message.ts';
import type { OutputGate } from './output-gate.ts';
import { Queue } from './lists/queue.ts';

/** Takes the final word to a command. */
export type Respond = (reply: Reply) => void;

/** A shard with commands that wait. The list is kept by `PendingReplies`. */
export interface ReplyingShard {
  pendingReplies: readonly PendingReply[];
}

/** A command that waits for its operation to complete. */
export interface PendingReply {
  readonly shard: ReplyingShard;
  readonly operation: RowId;
  /** `undefined` once it is answered. */
  respond: Respond | undefined;
}

/**
 * The list of a shard for which no command waits: shared, as an array for each would cost
 * megabytes.
 */
export const NO_REPLIES: readonly PendingReply[] = [];

/**
 * Deadlines are looked at in steps, so that thousands per second cost no more timers than a few.
 */
const WATCH_STEP_MS = 250;

/** Answers commands. One per node. */
export class PendingReplies {
  readonly #gate: Pick<OutputGate, 'release'>;
  readonly #platform: Pick<Platform, 'readings' | 'timers'>;
  /** Those that began to wait during the delivery under way. */
  readonly #begun = new Queue<PendingReply>();
  /** In the order of their deadlines. */
  readonly #watched = new Queue<{ readonly deadlineMs: number; readonly pending: PendingReply }>();
  #cancelTimer: Cancel | undefined;

  constructor(gate: Pick<OutputGate, 'release'>, platform: Pick<Platform, 'readings' | 'timers'>) {
    this.#gate = gate;
    this.#platform = platform;
  }

  /** Answers a command as its turn has handled it; later, if that left its operation open. */
  reply(shard: ReplyingShard, handled: Handled, respond: Respond): void {
    switch (handled.kind) {
      case 'answer':
      case 'refusal':
        return this.#gate.release(() => respond(handled));
      case 'done':
        return this.#gate.release(() => respond(answer(undefined)));
      case 'later':
        return this.#trackReply({ shard, operation: handled.operation, respond });
    }
  }

  /** A turn has completed an operation of the shard. */
  complete(shard: ReplyingShard, operation: RowId, reply: Reply): void {
    if (shard.pendingReplies.length === 0) return;
    for (const pending of shard.pendingReplies) if (pending.operation === operation) this.#tell(pending, reply);
    shard.pendingReplies = shard.pendingReplies.filter(isPending);
  }

  /** The shard leaves memory. */
  giveUp(shard: ReplyingShard): void {
    for (const pending of shard.pendingReplies) this.#tell(pending, refusal('outcome-unknown'));
    shard.pendingReplies = NO_REPLIES;
  }

  /**
   * Gives a deadline to what began to wait during the delivery that is now over, and waits still.
   */
  watch(): void {
    for (let pending = this.#begun.shift(); pending !== undefined; pending = this.#begun.shift()) {
      if (!isPending(pending)) continue;
      this.#watched.push({ deadlineMs: this.#platform.readings.monotonicMs() + limits.outcomeWaitMs, pending });
      if (this.#cancelTimer === undefined) this.#timeOutAfter(limits.outcomeWaitMs);
    }
  }

  /** Drops all pending replies; the output gate is shut, so none could be sent. */
  stop(): void {
    this.#cancelTimer?.();
    this.#begun.clear();
    this.#watched.clear();
  }

  #trackReply(pending: PendingReply): void {
    pending.shard.pendingReplies = [...pending.shard.pendingReplies, pending];
    this.#begun.push(pending);
  }

  #tell(pending: PendingReply, reply: Reply): void {
    const { respond } = pending;
    pending.respond = undefined;
    if (respond !== undefined) this.#gate.release(() => respond(reply));
  }

  #timeOutAfter(ms: number): void {
    this.#cancelTimer = this.#platform.timers.after(Math.max(WATCH_STEP_MS, ms), () => {
      this.#cancelTimer = undefined;
      const nowMs = this.#platform.readings.monotonicMs();
      for (let next = this.#watched.first; next !== undefined; next = this.#watched.first) {
        if (next.deadlineMs > nowMs) return this.#timeOutAfter(next.deadlineMs - nowMs);
        this.#watched.shift();
        this.#timeOut(next.pending);
      }
    });
  }

  #timeOut(pending: PendingReply): void {
    if (!isPending(pending)) return;
    this.#tell(pending, refusal('outcome-unknown'));
    pending.shard.pendingReplies = pending.shard.pendingReplies.filter(isPending);
  }
}

function isPending({ respond }: PendingReply): boolean {
  return respond !== undefined;
}
