/**
 * The answer book: what clients asked and what they were told, held against the durable journals. An answer that a client has is a
 * promise: it was durable before it was said, and nothing ever says otherwise.
 */
import { parseListingId } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import type { RefusalName } from '#shared/refusals.ts';
import type { Instant, ShardId } from '#shared/units.ts';
import type { Command, Reply } from '#server/shard/message.ts';
import { operation } from '#server/shard/operations.ts';
import type { Row } from '#server/shard/entity.ts';
import { listing } from '#server/market/listing/listing.ts';
import { TAKE_MS } from '#server/routing/taken-calls.ts';
import { brokenPromise, isWithoutEffect } from './answer-promises.ts';
import { isSame, type Checker, type Complain } from './checker.ts';
import { stepsOf, type DurableTurn, type Model } from './model.ts';
import { recordOf } from './json-values.ts';

/** Refusals that say nothing of the outcome: who hears one asks again. */
const UNDECIDED: ReadonlySet<RefusalName> = new Set(['busy', 'unavailable', 'outcome-unknown', 'rate-limited']);

/** How long after it was sent, by the time of its taker, a command may be under way: until it is taken, and then in the inbox of its shard. */
const STRAY_MS = TAKE_MS + limits.clockPeerDifferenceMaxMs;

/** The times of nodes, which are all that a command is judged by. */
export interface NodeTimes {
  /** Of the node that owns a shard. */
  of(shard: ShardId): Instant;
  /** No node's time is later: so nothing that is sent now says that it was sent later. */
  latest(): Instant;
}

/** One command, as asked once or again. */
export interface Asked {
  readonly shard: ShardId;
  readonly command: Command;
}

type OperationRow = Row<typeof operation>;

interface Page {
  readonly asked: Asked;
  /** When it was asked without an answer: no copy of it says that it was sent later. */
  readonly openSince: Instant[];
  final: Reply | undefined;
  row: OperationRow | undefined;
  /** Whether only a pack knows of it any more: that it was done, and no answer. */
  isPacked: boolean;
}

export class AnswerBook {
  readonly checkers: readonly Checker[];
  readonly #model: Model;
  readonly #times: NodeTimes;
  readonly #complain: (checker: Checker, detail: string) => void;
  readonly #pageByKey = new Map<string, Page>();
  readonly #endedListings = new Set<string>();
  readonly #durable: Checker;
  readonly #same: Checker;
  readonly #nothing: Checker;

  constructor(model: Model, times: NodeTimes, complain: (checker: Checker, detail: string) => void) {
    this.#model = model;
    this.#times = times;
    this.#complain = complain;
    this.#durable = {
      name: 'G1 nothing is said before it is durable',
      sentence: 'what a client is told, yes, no or what there is, is on the disk of the shard that says it',
    };
    this.#same = {
      name: 'same op, same answer to the client',
      sentence:
        'an operation that was answered is answered the same, or known as done, however often it is asked again, also after crashes',
    };
    this.#nothing = {
      name: 'a refusal changed nothing',
      sentence: 'an operation that was refused has no effect, then or later, unless it is asked again',
      onTurn: (turn, complain) => this.#onTurn(turn, complain),
    };
    this.checkers = [this.#durable, this.#same, this.#nothing];
  }

  /** A client asks. */
  asks(asked: Asked): void {
    const page = this.#page(asked);
    page.openSince.push(this.#times.latest());
  }

  /** A client is told. Returns whether that is the final word. */
  told(asked: Asked, reply: Reply): boolean {
    const { command, shard } = asked;
    const page = this.#page(asked);
    page.openSince.pop();
    if (reply.kind === 'refusal' && UNDECIDED.has(reply.name)) {
      // Also a copy of what was refused so may still be under way.
      if (reply.name !== 'busy') page.openSince.push(this.#times.latest());
      return false;
    }
    if (reply.kind === 'refusal' && reply.name === 'internal') {
      this.#complain(this.#nothing, `${command.kind} of ${shard} is answered with a bug`);
      return true;
    }
    if (command.op === undefined) this.#checkReading(asked, reply);
    else this.#checkFinal(page, reply);
    page.final = reply;
    return true;
  }

  /** Whether the operation has a durable effect and the client knows. */
  hasHappened(asked: Asked): boolean {
    const { row, final } = this.#page(asked);
    return row !== undefined && final !== undefined;
  }

  /** A client that named a used op for another request is told. */
  toldOfReuse({ shard, command }: Asked, reply: Reply): void {
    if (reply.kind === 'refusal' && (reply.name === 'op-reused' || UNDECIDED.has(reply.name))) return;
    this.#complain(this.#same, `${command.op ?? ''} of ${shard} is taken for another request: ${JSON.stringify(reply)}`);
  }

  /** What a client asked for with an operation, as its row names it. */
  bodyOf(shard: string, key: string): unknown {
    return this.#pageByKey.get(`${shard} ${key}`)?.asked.command.body;
  }

  /** Operations that were answered with their effect, oldest first. */
  answered(): readonly Asked[] {
    return [...this.#pageByKey.values()].filter(({ final, row }) => final !== undefined && row !== undefined).map(({ asked }) => asked);
  }

  #checkFinal(page: Page, reply: Reply): void {
    const { row, asked } = page;
    const { shard, command } = asked;
    const what = `${command.kind} ${command.op ?? ''} of ${shard}`;
    if (row === undefined) this.#checkUndone(asked, what, reply);
    else if (row.state !== 'open') this.#checkDone(page, row, what, reply);
    else if (!this.#isAnotherUnderWay(page)) {
      this.#complain(this.#durable, `${what} is answered, and is still under way: ${JSON.stringify(reply)}`);
    }
    if (reply.kind !== 'answer') return;
    const evidence = { shard: this.#model.shards.get(shard), wasListed: (named: string) => this.#wasListed(named) };
    const broken = brokenPromise(command, reply.value, evidence);
    if (broken !== undefined) this.#complain(this.#durable, `${command.kind} of ${shard} is answered, and ${broken}`);
  }

  /** An operation that is in no journal may only be refused, or have nothing to do. */
  #checkUndone({ command }: Asked, what: string, reply: Reply): void {
    if (reply.kind === 'answer' && !isWithoutEffect(command, reply)) {
      this.#complain(this.#durable, `${what} is answered, and no journal knows of it: ${JSON.stringify(reply.value)}`);
    }
    if (reply.kind === 'refusal' && (reply.name === 'op-done' || reply.name === 'op-reused')) {
      this.#complain(this.#same, `${what} is answered ${reply.name}, and was never done`);
    }
  }

  /**
   * An operation that is done has the reply of its row; where that is no longer kept, the one that
   * was said before.
   */
  #checkDone(page: Page, row: OperationRow, what: string, reply: Reply): void {
    if (page.isPacked && reply.kind === 'refusal' && reply.name === 'op-done') return;
    if (row.reply === null) {
      if (reply.kind === 'answer' && !isSame(page.final, reply))
        this.#complain(this.#same, `${what} is answered anew: ${JSON.stringify(reply)}`);
    } else if (!isSame(row.reply, reply) && !this.#isAnotherUnderWay(page)) {
      this.#complain(this.#same, `${what} is answered ${JSON.stringify(reply)}, and the journal says ${JSON.stringify(row.reply)}`);
    }
  }

  #checkReading({ shard, command }: Asked, reply: Reply): void {
    if (command.kind !== 'listing') return;
    const named = String(recordOf(command.body)['listingId']);
    if (reply.kind === 'answer') {
      if (!this.#wasListed(named)) this.#complain(this.#durable, `${shard} shows the listing ${named}, which no journal knows`);
    } else if (reply.name === 'listing-gone' && this.#wasListed(named) && !this.#endedListings.has(named)) {
      const row = this.#model.rows(shard, listing).find(({ id }) => id === parseListingId(named)?.row);
      // That its time is over needs no turn. Only a sale or a cancel must be durable.
      const isStanding = row !== undefined && row.endsAt > this.#times.of(shard);
      if (isStanding) this.#complain(this.#durable, `${shard} says that the listing ${named} is gone, and no journal has ended it`);
    }
  }

  /** Whether the id is of a listing that is, or was, in a durable row. */
  #wasListed(named: string): boolean {
    const parsed = parseListingId(named);
    if (parsed === undefined) return false;
    return this.#endedListings.has(named) || this.#model.shards.get(parsed.shard)?.rowsByEntity.get(listing.name)?.has(parsed.row) === true;
  }

  #onTurn(turn: DurableTurn, complain: Complain): void {
    const { shard } = turn.changes;
    for (const { id, old, row } of stepsOf(turn, listing))
      if (old !== undefined && row === undefined) this.#endedListings.add(`${id}.${shard}`);
    for (const { old, row } of stepsOf(turn, operation)) {
      const page = this.#pageByKey.get(`${shard} ${row?.key ?? old?.key ?? ''}`);
      if (page !== undefined) this.#follow(page, row, complain);
    }
  }

  /** The row of an operation has come, has changed, or was packed. */
  #follow(page: Page, row: OperationRow | undefined, complain: Complain): void {
    const { asked, final, row: known } = page;
    if (row === undefined) {
      page.isPacked = true;
      return;
    }
    if (known !== undefined && known.id !== row.id) complain(`${row.key} of ${asked.shard} is done again`);
    if (known === undefined && final?.kind === 'refusal' && !this.#isAnotherUnderWay(page)) {
      complain(`${asked.command.kind} ${row.key} of ${asked.shard} was refused with ${final.name}, and happens now`);
    }
    page.row = row;
  }

  /** Whether a copy that was asked without an answer may still arrive. */
  #isAnotherUnderWay({ asked, openSince }: Page): boolean {
    const now = this.#times.of(asked.shard);
    return openSince.some((since) => now - since <= STRAY_MS);
  }

  #page(asked: Asked): Page {
    const { shard, command } = asked;
    const key = `${shard} ${command.op === undefined ? `${command.kind} reading` : `${command.issuer}/${command.op}`}`;
    let page = this.#pageByKey.get(key);
    if (page === undefined) {
      page = { asked, openSince: [], final: undefined, row: undefined, isPacked: false };
      this.#pageByKey.set(key, page);
    }
    return page;
  }
}
