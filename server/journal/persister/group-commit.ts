/**
 * Gathers change sets into batches, and sends these to the journal. Owns the encoder, the batches
 * that wait and the numbers.
 *
 * 1. Positions are given in the order of `append`, without gaps, and batches are sent in that
 *    order, one at a time.
 * 2. `durable` moves only when the batch that was sent is confirmed, to its end.
 * 3. The two change sets of a unit are in one batch, which is durable whole or not at all (U1):
 *    a batch is closed only before or after both.
 * 4. After `stop` nothing is sent or confirmed any more.
 */
import { limits } from '#shared/limits.ts';
import { instant, type Instant, nextPosition, type Position } from '#shared/units.ts';
import type { Timers } from '#server/platform/platform.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import type { RecordFormat } from '#server/shard/record/format.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import { sealed } from '../disk/checksums.ts';
import type { Batch } from '../disk/storage.ts';

/** What group commit needs of its owner. */
export interface CommitHost {
  /**
   * Makes a batch durable and resolves with the position up to which the journal is durable then.
   */
  commit(batch: Batch): Promise<Position>;
  /** `durable` has moved, by a batch of that many bytes. */
  confirmed(bytes: number): void;
  /**
   * A commit failed or confirmed something else than was sent, so that what is durable is not
   * known, or `confirmed` threw.
   */
  failed(error: unknown): void;
}

/** `deferred`: what is appended is sent when the event loop comes round. */
type State = 'idle' | 'deferred' | 'committing' | 'stopped';

/** The open batch, those that wait, and the one that is under way. */
export class GroupCommit {
  readonly #timers: Pick<Timers, 'defer'>;
  readonly #host: CommitHost;
  readonly #writer: RecordWriter;
  readonly #sealed: Batch[] = [];
  #state: State = 'idle';
  #appended: Position;
  #durable: Position;
  #openFirst: Position;
  #openNow: Instant | 0 = 0;
  #unsentBytes = 0;

  /** `position` is where the journal ends. */
  constructor(timers: Pick<Timers, 'defer'>, format: RecordFormat, position: Position, host: CommitHost) {
    this.#writer = new RecordWriter(format);
    this.#timers = timers;
    this.#host = host;
    this.#appended = position;
    this.#durable = position;
    this.#openFirst = nextPosition(position);
  }

  get appended(): Position {
    return this.#appended;
  }

  get durable(): Position {
    return this.#durable;
  }

  /** Bytes that are appended and not durable. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** See `Journal.append`. */
  append(changes: ChangeSet, partner?: ChangeSet): Position {
    if (partner !== undefined) this.#write(partner);
    this.#write(changes);
    // The next record may be as large as a shard.
    if (this.#writer.length >= limits.commitBytesMax - limits.shardWithOthersBytesMax) this.#seal();
    if (this.#state === 'idle' || this.#state === 'deferred') this.#sendSoon();
    return this.#appended;
  }

  /** Sends the next batch, unless one is under way. */
  send(): void {
    if (this.#state === 'committing' || this.#state === 'stopped') return;
    if (this.#sealed.length === 0) this.#seal();
    const batch = this.#sealed.shift();
    this.#state = batch === undefined ? 'idle' : 'committing';
    if (batch === undefined) return;
    const { last } = batch;
    const bytes = batch.records.length;
    this.#host
      .commit(batch)
      .then((durable) => this.#confirm(last, bytes, durable))
      .catch((error: unknown) => this.#host.failed(error));
  }

  /** Sends nothing more, and hears of nothing that was sent. */
  stop(): void {
    this.#state = 'stopped';
  }

  #write(changes: ChangeSet): void {
    this.#unsentBytes += this.#writer.changeSet(changes);
    if (changes.now > this.#openNow) this.#openNow = changes.now;
    this.#appended++;
  }

  /** Closes the open batch: what is appended from now on goes into the next one. */
  #seal(): void {
    if (this.#writer.length === 0) return;
    const [first, last] = [this.#openFirst, this.#appended];
    this.#sealed.push(sealed({ first, last, now: instant(this.#openNow), records: this.#writer.take() }));
    this.#openFirst = nextPosition(this.#appended);
    this.#openNow = 0;
  }

  /**
   * At once if it is worth a commit of its own, else with whatever else is appended before the
   * event loop comes round.
   */
  #sendSoon(): void {
    if (this.#sealed.length > 0 || this.#writer.length >= limits.commitEagerBytes) return this.send();
    if (this.#state === 'deferred') return;
    this.#state = 'deferred';
    this.#timers.defer(() => {
      if (this.#state === 'deferred') this.send();
    });
  }

  #confirm(last: Position, bytes: number, durable: Position): void {
    if (this.#state === 'stopped') return;
    if (durable !== last) {
      return this.#host.failed(new Error(`the turns up to ${last} were sent, and the journal is durable up to turn ${durable}`));
    }
    this.#durable = last;
    this.#unsentBytes -= bytes;
    this.#state = 'idle';
    this.#host.confirmed(bytes);
  }
}
