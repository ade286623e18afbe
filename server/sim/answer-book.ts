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
import { isSame, type Checker, type Complain } from './checker.ts';
import type { DurableTurn, Model } from './model.ts';
import { fieldsOf, rowAs } from './row-decode.ts';

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

interface Page {
  readonly asked: Asked;
  /** When it was asked without an answer: no copy of it says that it was sent later. */
  readonly openSince: Instant[];
  final: Reply | undefined;
  row: Row<typeof operation> | undefined;
  /** Whether only a pack knows of it any more: that it was done, and no answer. */
  isPacked: boolean;
}

/** See the head of this file. */
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
    const { row, final, asked } = page;
    const what = `${asked.command.kind} ${asked.command.op ?? ''} of ${asked.shard}`;
    if (row === undefined) {
      if (reply.kind === 'answer' && !isWithoutEffect(asked.command, reply)) {
        this.#complain(this.#durable, `${what} is answered, and no journal knows of it: ${JSON.stringify(reply.value)}`);
      }
      if (reply.kind === 'refusal' && (reply.name === 'op-done' || reply.name === 'op-reused')) {
        this.#complain(this.#same, `${what} is answered ${reply.name}, and was never done`);
      }
    } else if (row.state === 'open') {
      if (!this.#isAnotherUnderWay(page))
        this.#complain(this.#durable, `${what} is answered, and is still under way: ${JSON.stringify(reply)}`);
    } else if (page.isPacked && reply.kind === 'refusal' && reply.name === 'op-done') {
      return;
    } else if (row.reply !== null && !isSame(row.reply, reply) && !this.#isAnotherUnderWay(page)) {
      this.#complain(this.#same, `${what} is answered ${JSON.stringify(reply)}, and the journal says ${JSON.stringify(row.reply)}`);
    } else if (row.reply === null && reply.kind === 'answer' && !isSame(final, reply)) {
      this.#complain(this.#same, `${what} is answered anew: ${JSON.stringify(reply)}`);
    }
    if (reply.kind === 'answer') this.#checkPromise(asked, reply.value);
  }

  /** What the answer says of rows is true of the durable rows. */
  #checkPromise({ shard, command }: Asked, value: unknown): void {
    const { listingId, paid, itemId, claimed } = fieldsOf(value);
    const say = (detail: string): void => this.#complain(this.#durable, `${command.kind} of ${shard} is answered, and ${detail}`);
    if (command.kind === 'sell' && !this.#wasListed(String(listingId))) say(`the listing ${String(listingId)} is nowhere`);
    if (command.kind === 'buyout') {
      const ledger = this.#model.shards.get(shard)?.ledger ?? [];
      const isBought = ledger.some(({ cause, postings }) => {
        const gives = postings.reduce((sum, { place, amount }) => (place === 'hold' ? sum + amount : sum), 0);
        const returns = postings.reduce((sum, { place, amount }) => (place === 'wallet' ? sum + amount : sum), 0);
        return cause === 'purchase' && -gives - returns === paid && postings.some(({ asset }) => asset === `item:${String(itemId)}`);
      });
      if (!isBought) say(`no ledger line buys ${String(itemId)} for ${String(paid)}`);
    }
    if (command.kind === 'claim' && Array.isArray(claimed)) {
      const left = this.#model.shards.get(shard)?.rowsByEntity.get('completed');
      for (const id of claimed) if (typeof id === 'number' && left?.has(id) === true) say(`the entry ${id} is still there`);
    }
  }

  #checkReading({ shard, command }: Asked, reply: Reply): void {
    if (command.kind !== 'listing') return;
    const named = String(fieldsOf(command.body)['listingId']);
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

  #onTurn({ changes, deltas }: DurableTurn, complain: Complain): void {
    for (const { entity, id, before, after } of deltas) {
      if (entity === listing.name && before !== undefined && after === undefined) this.#endedListings.add(`${id}.${changes.shard}`);
      const row = rowAs(operation, entity, after);
      const key = row?.key ?? rowAs(operation, entity, before)?.key;
      const page = key === undefined ? undefined : this.#pageByKey.get(`${changes.shard} ${key}`);
      if (page === undefined) continue;
      if (row === undefined) {
        page.isPacked = true;
        continue;
      }
      if (page.row !== undefined && page.row.id !== row.id) complain(`${row.key} of ${changes.shard} is done again`);
      if (page.row === undefined && page.final?.kind === 'refusal' && !this.#isAnotherUnderWay(page)) {
        complain(`${page.asked.command.kind} ${row.key} of ${changes.shard} was refused with ${page.final.name}, and happens now`);
      }
      page.row = row;
    }
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

function isWithoutEffect({ kind }: Command, reply: Reply): boolean {
  if (kind !== 'claim' || reply.kind !== 'answer') return false;
  const { claimed } = fieldsOf(reply.value);
  return Array.isArray(claimed) && claimed.length === 0;
}
