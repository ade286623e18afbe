/**
 * Which commands of other nodes were taken, so that no copy of one is taken again: a refused
 * command has changed nothing, and a copy of it must not change something later.
 *
 * 1. A command is taken at most once in the life of a node.
 * 2. A command is taken soon after it was sent or never, so that what was taken need not be
 *    remembered for long. One that claims to be sent later than a peer's clock may be ahead is not
 *    taken either: it could be taken for too long.
 * 3. A command that the life before may have taken is not taken. That life took none that was sent
 *    later than its time and what a peer may be ahead, and its time was never later than that of
 *    the start: so no clock of any other node has to be believed.
 */
import { limits } from '#shared/limits.ts';
import { durationMs, later, type Instant } from '#shared/units.ts';

/**
 * How a command that came from another node is received: take it, forget it, or tell that it was
 * not taken.
 */
export type Reception = 'take' | 'forget' | 'turn-away';

/** How long after it was sent a command may be taken. Its sender waits longer. */
export const TAKE_MS = durationMs(4_000);

/** One per life of a node. */
export class TakenCalls {
  readonly #startedAt: Instant;
  /**
   * What was received since `#since`, and in the span before: each is remembered for one span at
   * least and two at most.
   */
  #recent = new Set<string>();
  #former = new Set<string>();
  #since: Instant;

  constructor(startedAt: Instant) {
    this.#startedAt = startedAt;
    this.#since = startedAt;
  }

  /**
   * Decides about a command; `sentAt` is by the clock of its sender, and `call` names it among all
   * that were ever sent.
   */
  receive(call: string, sentAt: Instant, now: Instant): Reception {
    this.#forgetOld(now);
    if (this.#recent.has(call) || this.#former.has(call) || later(sentAt, TAKE_MS) < now) return 'forget';
    if (sentAt <= later(this.#startedAt, limits.clockPeerDifferenceMaxMs)) return 'turn-away';
    if (sentAt > later(now, limits.clockPeerDifferenceMaxMs)) return 'turn-away';
    this.#recent.add(call);
    return 'take';
  }

  /** A copy that comes after this time is too late by its own word. */
  #forgetOld(now: Instant): void {
    if (later(this.#since, REMEMBERED_MS) >= now) return;
    this.#former = this.#recent;
    this.#recent = new Set();
    this.#since = now;
  }
}

/** The sender's clock may be ahead: by its word, the command may be taken for so much longer. */
const REMEMBERED_MS = durationMs(TAKE_MS + limits.clockPeerDifferenceMaxMs);
