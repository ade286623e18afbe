/**
 * A player of the drill: it survives the server, its connections do not.
 *
 * Owns what it asked, what was answered, and what was not. A command without an answer is asked again after the restart with the
 * same `op`, and only what was answered goes into the books.
 */
import type { GameClient } from '#client/game-client.ts';
import { GameClient as Client } from '#client/game-client.ts';
import type { Mode } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import { ask, isRemembered, type Answered, type Asked } from './asked.ts';
import type { Books, Holdings, SeenListing } from './books.ts';

/** Who plays where. */
export interface Role {
  readonly guest: string;
  readonly region: string;
  readonly mode: Mode;
}

/** A command whose answer has to stay as it was. */
interface Remembered {
  readonly asked: Asked;
  readonly text: string;
}

/** Commands of one player under way at once. */
export const COMMANDS_AT_ONCE = 3;
/** Of the newest operations the server keeps whole answers; a few less, because answers are not heard in the order in which they were made. */
const KEPT_FOR_SURE = limits.operationsAnsweredMax - 4 * COMMANDS_AT_ONCE;
/** How long a command may take to its answer after a restart: offers that were under way are repeated after seconds. */
const ANSWER_MS = 20_000;

/** See the head of this file. */
export class Player {
  readonly role: Role;
  readonly #books: Books;
  readonly #unanswered: Asked[] = [];
  readonly #remembered: Remembered[] = [];
  #client: GameClient | undefined;

  constructor(role: Role, books: Books) {
    this.role = role;
    this.#books = books;
  }

  /** The market in which it trades. */
  get market(): string {
    return `${this.role.region}.${this.role.mode}`;
  }

  /** The connection; throws if there is none. */
  get client(): GameClient {
    if (this.#client === undefined) throw new Error(`${this.role.guest} is not connected`);
    return this.#client;
  }

  /** Commands without an answer. */
  get unansweredCount(): number {
    return this.#unanswered.length;
  }

  /** Connects anew. At the first time its books begin. */
  async connect(url: string): Promise<void> {
    const { guest, region, mode } = this.role;
    this.#client = await Client.connect({ url, credentials: { guest }, region, mode });
    const { shard } = this.#client;
    if (!this.#books.has(shard)) this.#books.open(shard, this.holdings());
  }

  /** Lets go of the connection. Commands under way stay without an answer. */
  async leave(): Promise<void> {
    await this.#client?.close();
    this.#client = undefined;
  }

  /** Asks once. Returns whether there was a final answer. */
  async ask(asked: Asked): Promise<boolean> {
    const { client } = this;
    const answered = await ask(client, asked, 0);
    if (answered === undefined) this.#unanswered.push(asked);
    else this.#note(client.shard, asked, answered);
    return answered !== undefined;
  }

  /** Asks everything again that has no answer, until it has. Returns a sentence for each that gets none. */
  async askAgain(): Promise<readonly string[]> {
    const { client } = this;
    const faults = await Promise.all(
      this.#unanswered.splice(0).map(async (asked) => {
        const answered = await ask(client, asked, ANSWER_MS);
        if (answered !== undefined) {
          this.#note(client.shard, asked, answered);
          // It was asked once and never answered: that it was done is no answer yet.
          return answered.text === 'refused: op-done'
            ? [`${asked.kind} ${asked.op} of ${client.shard} was done, and its answer is lost`]
            : [];
        }
        this.#unanswered.push(asked);
        return [`${asked.kind} ${asked.op} of ${client.shard} has no answer after ${ANSWER_MS} ms`];
      }),
    );
    return faults.flat();
  }

  /** Asks some of what was answered before once more. Returns a sentence for each answer that is another now. */
  async confirm(pick: (count: number) => readonly number[]): Promise<readonly string[]> {
    const { client } = this;
    const firstKept = this.#remembered.length - KEPT_FOR_SURE;
    const faults = await Promise.all(
      pick(this.#remembered.length).map(async (index) => {
        const known = this.#remembered[index];
        if (known === undefined) return [];
        const { asked, text } = known;
        const answered = await ask(client, asked, ANSWER_MS);
        if (answered?.text === text || (index < firstKept && answered?.text === 'refused: op-done')) return [];
        return [`${asked.kind} ${asked.op} of ${client.shard} was answered ${text}, and now ${answered?.text ?? 'nothing'}`];
      }),
    );
    return faults.flat();
  }

  /** What its room shows. */
  holdings(): Holdings {
    const { gold, held, stash, listings, completed } = this.client.state;
    const listingById = new Map<string, SeenListing>();
    for (const [id, { item, buyout }] of listings) listingById.set(id, { itemId: item?.id ?? 'nothing', price: buyout ?? 0 });
    const entries = [...completed.values()];
    return {
      gold,
      held,
      unclaimed: entries.reduce((sum, entry) => sum + (entry.gold ?? 0), 0),
      stash: [...stash.keys()],
      listingById,
      completed: entries.flatMap(({ item }) => (item === undefined ? [] : [item.id])),
    };
  }

  #note(shard: string, asked: Asked, answered: Answered): void {
    this.#books.note(shard, asked, answered.said);
    if (isRemembered(asked, answered.said)) this.#remembered.push({ asked, text: answered.text });
  }
}
