/**
 * A player of the drill: it survives the server, its connections do not.
 *
 * Owns what it asked, what was answered, and what was not. A command without an answer is asked again after the restart with the
 * same `op`, and only what was answered goes into the books.
 */
import { ClosedError, NoAnswerError, RefusedError } from '#client/errors.ts';
import { GameClient } from '#client/game-client.ts';
import { listingId, parseListingId, shardId, type Mode } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import type { ChangingCommandType, CommandInput } from '#shared/protocol.ts';
import type { RefusalName } from '#shared/refusals.ts';
import type { Rules } from '#shared/rules.ts';
import type { ShardId } from '#shared/units.ts';
import type { WorldSeal } from '#server/edge/world-seal.ts';
import type { Sight } from '#server/market/feature.ts';
import { holdingsOf, type Books, type Holdings } from '../books.ts';

/** Who plays where. */
export interface Role {
  readonly guest: string;
  readonly region: string;
  readonly mode: Mode;
}

/** A command that changes something. It keeps its `op` for its whole life. */
export type DrillCommand = {
  readonly [Type in ChangingCommandType]: { readonly op: string; readonly type: Type; readonly body: CommandInput<Type> };
}[ChangingCommandType];

/** The final word to a command. */
interface FinalWord {
  /** To be compared with what is said to the same `op` later. */
  readonly text: string;
  /** Whether it has to be the same for ever: only an operation with an effect is remembered for certain. */
  readonly isRemembered: boolean;
  readonly book: (books: Books) => void;
}

/** Refusals after which the same command may be asked again. */
const NOT_FINAL: ReadonlySet<RefusalName> = new Set(['busy', 'unavailable', 'rate-limited', 'outcome-unknown']);

/** Commands of one player under way at once. */
export const COMMANDS_AT_ONCE = 3;
/** Of the newest operations the server keeps whole answers; a few less, because answers are not heard in the order in which they were made. */
const KEPT_FOR_SURE = limits.operationsAnsweredMax - 4 * COMMANDS_AT_ONCE;
/** How long a command may take to its answer after a restart: offers that were under way are repeated after seconds. */
const ANSWER_MS = 20_000;

export class Player {
  readonly role: Role;
  readonly #books: Books;
  readonly #ids: Sight['ids'];
  readonly #unanswered: DrillCommand[] = [];
  readonly #remembered: { readonly asked: DrillCommand; readonly text: string }[] = [];
  #client: GameClient | undefined;
  #rules: Rules | undefined;

  /** With the seal of the server's world, a player of the drill names listings that no client could. */
  constructor(role: Role, books: Books, seal: WorldSeal) {
    this.role = role;
    this.#books = books;
    this.#ids = {
      parse: (id) => parseListingId(seal.open('listing', id) ?? ''),
      idOf: (row, shard) => seal.seal('listing', listingId(row, shard)),
    };
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

  /** What its room shows. */
  get holdings(): Holdings {
    return holdingsOf(this.client.state);
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
      ids: this.#ids,
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
    if (!this.#books.has(shard)) this.#books.open(shard, this.holdings);
    this.#rules ??= await this.#client.rules();
  }

  /** Lets go of the connection. Commands under way stay without an answer. */
  async leave(): Promise<void> {
    await this.#client?.close();
    this.#client = undefined;
  }

  /** Asks until the deadline, once unless given. Returns the final word; without one the command is kept, to be asked again. */
  async ask(asked: DrillCommand, deadlineMs = 0): Promise<string | undefined> {
    const word = await finalWord(this.client, asked, deadlineMs);
    if (word === undefined) this.#unanswered.push(asked);
    else {
      word.book(this.#books);
      if (word.isRemembered) this.#remembered.push({ asked, text: word.text });
    }
    return word?.text;
  }

  /** Asks everything again that has no answer, until it has. Returns a sentence for each that gets none. */
  async askAgain(): Promise<readonly string[]> {
    const { shard } = this.client;
    const faults = await Promise.all(
      this.#unanswered.splice(0).map(async (asked) => {
        const text = await this.ask(asked, ANSWER_MS);
        const what = `${asked.type} ${asked.op} of ${shard}`;
        if (text === undefined) return [`${what} has no answer after ${ANSWER_MS} ms`];
        // It was asked once and never answered: that it was done is no answer yet.
        return text === 'refused: op-done' ? [`${what} was done, and its answer is lost`] : [];
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
        const word = await finalWord(client, asked, ANSWER_MS);
        if (word?.text === text || (index < firstKept && word?.text === 'refused: op-done')) return [];
        return [`${asked.type} ${asked.op} of ${client.shard} was answered ${text}, and now ${word?.text ?? 'nothing'}`];
      }),
    );
    return faults.flat();
  }
}

/** Asks until the deadline (0: once). `undefined` if nothing final was said. Rejects only on a bug, or if the server breaks the protocol. */
async function finalWord(client: GameClient, { op, type, body }: DrillCommand, deadlineMs: number): Promise<FinalWord | undefined> {
  try {
    const answer = await client.call(type, body, { op, deadlineMs });
    return {
      text: JSON.stringify(answer),
      isRemembered: !('claimed' in answer) || answer.claimed.length > 0,
      book: (books) => books.note(client.shard, type, body, answer),
    };
  } catch (error) {
    if (error instanceof NoAnswerError || error instanceof ClosedError) return undefined;
    if (!(error instanceof RefusedError)) throw error;
    const { name } = error.refusal;
    if (NOT_FINAL.has(name)) return undefined;
    return { text: `refused: ${name}`, isRemembered: false, book: () => undefined };
  }
}
