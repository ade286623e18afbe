/**
 * A player of the drill: it survives the server, its connections do not.
 *
 * Owns what it asked, what was answered, and what was not. A command without an answer is asked again after the restart with the
 * same `op`, and only what was answered goes into the books.
 */
import { GameClient } from '#client/game-client.ts';
import { shardId, type Mode } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import type { Rules } from '#shared/rules.ts';
import type { ShardId } from '#shared/units.ts';
import type { Sight } from '#server/market/feature.ts';
import { ask, isRemembered, type FinalAnswer, type DrillCommand } from './asked.ts';
import type { Books, Holdings, ShownListing } from './books.ts';

/** Who plays where. */
export interface Role {
  readonly guest: string;
  readonly region: string;
  readonly mode: Mode;
}

/** A command whose answer has to stay as it was. */
interface Remembered {
  readonly asked: DrillCommand;
  readonly text: string;
}

/** Commands of one player under way at once. */
export const COMMANDS_AT_ONCE = 3;
/** Of the newest operations the server keeps whole answers; a few less, because answers are not heard in the order in which they were made. */
const KEPT_FOR_SURE = limits.operationsAnsweredMax - 4 * COMMANDS_AT_ONCE;
/** How long a command may take to its answer after a restart: offers that were under way are repeated after seconds. */
const ANSWER_MS = 20_000;

export class Player {
  readonly role: Role;
  readonly #books: Books;
  readonly #unanswered: DrillCommand[] = [];
  readonly #remembered: Remembered[] = [];
  #client: GameClient | undefined;
  #rules: Rules | undefined;

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

  /** What it sees, among all players. */
  sight(players: readonly Player[]): Sight {
    if (this.#rules === undefined) throw new Error(`${this.role.guest} was never connected`);
    const { durationDefaultMs } = this.#rules;
    const ofMarket = players.filter(({ market }) => market === this.market);
    const listings = ofMarket.flatMap(({ client }) => [...client.state.listings.values()]);
    return {
      shard: this.#shard,
      state: this.client.state,
      listings: listings.toSorted((a, b) => a.startsAt - b.startsAt),
      others: ofMarket.filter((other) => other !== this).map((other) => other.#shard),
      // No listing expires in a drill: the books know only of what was answered.
      rules: { ...this.#rules, durationMinMs: durationDefaultMs },
    };
  }

  get #shard(): ShardId {
    return shardId(this.client.player, this.role.region, this.role.mode);
  }

  /** Connects anew. At the first time its books begin. */
  async connect(url: string): Promise<void> {
    const { guest, region, mode } = this.role;
    this.#client = await GameClient.connect({ url, credentials: { guest }, region, mode });
    const { shard } = this.#client;
    if (!this.#books.has(shard)) this.#books.open(shard, this.holdings());
    this.#rules ??= await this.#client.rules();
  }

  /** Lets go of the connection. Commands under way stay without an answer. */
  async leave(): Promise<void> {
    await this.#client?.close();
    this.#client = undefined;
  }

  /** Asks once. Returns whether there was a final answer. */
  async ask(asked: DrillCommand): Promise<boolean> {
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
            ? [`${asked.type} ${asked.op} of ${client.shard} was done, and its answer is lost`]
            : [];
        }
        this.#unanswered.push(asked);
        return [`${asked.type} ${asked.op} of ${client.shard} has no answer after ${ANSWER_MS} ms`];
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
        return [`${asked.type} ${asked.op} of ${client.shard} was answered ${text}, and now ${answered?.text ?? 'nothing'}`];
      }),
    );
    return faults.flat();
  }

  /** What its room shows. */
  holdings(): Holdings {
    const { gold, held, stash, listings, completed } = this.client.state;
    const listingById = new Map<string, ShownListing>();
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

  #note(shard: string, asked: DrillCommand, answered: FinalAnswer): void {
    this.#books.note(shard, asked, answered.said);
    if (isRemembered(asked, answered.said)) this.#remembered.push({ asked, text: answered.text });
  }
}
