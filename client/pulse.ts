/**
 * The pulse of one connection. Networks lose connections without a word: nothing comes any more, and
 * nobody closes them.
 *
 * 1. Any frame of the server is a sign of life.
 * 2. Nobody is given up without having been asked: a ping goes out first, and has half of
 *    `attemptMs` to be answered. So a slow answer, or a web page that was put to sleep, is no
 *    silence.
 * 3. While a command waits, the ping goes out early enough for a verdict `attemptMs` after the last
 *    sign; else, `idleMs` after it.
 *
 * The ping is Colyseus' own: one byte, which the room answers with one byte. No shard takes a turn,
 * nothing is written, and it waits at no gate.
 */
import type { JoinedRoom } from './session.ts';

/** How long the client waits for what, in milliseconds. */
export interface Patience {
  /**
   * For one session or one request before it is tried anew; and for any sign of life while a command waits. Default 5 s.
   */
  readonly attemptMs: number;
  /** For any sign of life while nothing is asked. Default 30 s. */
  readonly idleMs: number;
  /** How old a token may get before the next is asked for. Default: half of the time that it is good for. */
  readonly renewMs: number;
}

export class Pulse {
  readonly #room: JoinedRoom;
  readonly #patience: Patience;
  readonly #onSilence: () => void;
  readonly #answerMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heardAt = performance.now();
  #pingedAt = 0;
  /** Commands that wait, and since when there are any. */
  #waiting = 0;
  #waitingSince = 0;
  #isOver = false;

  /** Watches over the connection of the room until `stop`. `onSilence` is called at most once. */
  constructor(room: JoinedRoom, patience: Patience, onSilence: () => void) {
    this.#room = room;
    this.#patience = patience;
    this.#onSilence = onSilence;
    this.#answerMs = patience.attemptMs / 2;
    const { events } = room.connection;
    const take = events.onmessage;
    events.onmessage = (event: unknown): void => {
      this.#heardAt = performance.now();
      take?.(event);
    };
    this.#look();
  }

  /** Passes an answer on, and is alert while it is waited for. */
  async during<Value>(answer: Promise<Value>): Promise<Value> {
    if (this.#waiting++ === 0) {
      this.#waitingSince = performance.now();
      this.#look();
    }
    try {
      return await answer;
    } finally {
      this.#waiting--;
    }
  }

  /** Ends it. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#isOver = true;
  }

  #look(): void {
    if (this.#isOver) return;
    const now = performance.now();
    const isAsked = this.#pingedAt > this.#heardAt;
    const pingAt = this.#limitAt() - this.#answerMs;
    if (isAsked && now >= this.#pingedAt + this.#answerMs) {
      this.stop();
      this.#onSilence();
      return;
    }
    if (!isAsked && now >= pingAt) {
      this.#pingedAt = now;
      this.#room.ping(() => undefined);
    }
    const nextAt = this.#pingedAt > this.#heardAt ? this.#pingedAt + this.#answerMs : pingAt;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), nextAt - now);
  }

  /** When the silence is over the limit, if nothing comes. */
  #limitAt(): number {
    const { attemptMs, idleMs } = this.#patience;
    return this.#waiting > 0 ? Math.max(this.#heardAt, this.#waitingSince) + attemptMs : this.#heardAt + idleMs;
  }
}
