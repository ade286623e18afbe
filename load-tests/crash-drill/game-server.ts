/**
 * A game server of the drill: it grants and charges over HTTP while the server is killed, and asks again for what was not answered.
 *
 * Owns what it asked, what was answered, and what was not; only what was answered goes into the books.
 */
import { z } from 'zod';
import { pause } from '#client/wait.ts';
import { lootFor } from '#shared/catalog/loot.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { limits } from '#shared/limits.ts';
import type { Prng } from '#shared/prng.ts';
import { itemId } from '#shared/units.ts';
import type { Books } from '../books.ts';
import type { ServerChild } from '../server-child.ts';
import type { Player } from './player.ts';

/** One grant or charge; it keeps its `op` for its whole life. */
interface ServiceCall {
  readonly path: 'grants' | 'charges';
  readonly shard: string;
  readonly body: { readonly op: string; readonly gold: number; readonly [field: string]: unknown };
}

const answerSchema = z.object({ gold: z.int(), stash: z.array(z.string()).default([]), completed: z.array(z.string()).default([]) });
const refusalSchema = z.object({ name: z.string(), retryable: z.boolean() });

/** How long one call may take to its answer, after a restart too. */
const ANSWER_MS = 20_000;
const PAUSE_MS = 10;
/** Answers asked for once more in each round: of the newest, which the server keeps whole. */
const CONFIRMED = 4;

export class GameServer {
  readonly #books: Books;
  readonly #unanswered: ServiceCall[] = [];
  readonly #answered: { readonly call: ServiceCall; readonly text: string }[] = [];
  #target: { readonly url: string; readonly key: string } = { url: '', key: '' };

  constructor(books: Books) {
    this.#books = books;
  }

  /** Calls that were answered so far. */
  get answered(): number {
    return this.#answered.length;
  }

  /** Goes to a server that serves, has everything answered that was not, and asks for some answers once more. Returns what is wrong. */
  async connect(server: ServerChild, url: string): Promise<readonly string[]> {
    this.#target = { url, key: server.serviceKey };
    const faults: string[] = [];
    for (const call of this.#unanswered.splice(0)) {
      const text = await this.#ask(call, ANSWER_MS);
      if (text === undefined) faults.push(`the ${call.path} ${call.body.op} have no answer after ${ANSWER_MS} ms`);
    }
    for (const { call, text } of this.#answered.slice(-CONFIRMED)) {
      const again = await this.#post(call, ANSWER_MS);
      if (again?.text !== text) faults.push(`the ${call.path} ${call.body.op} were answered ${text}, and now ${again?.text ?? 'nothing'}`);
    }
    return faults;
  }

  /** Grants and charges until it is stopped. */
  async work(players: readonly Player[], prng: Prng, stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      await this.#ask(callFor(prng.pick(players), prng), 0);
      await pause(prng.integer(0, PAUSE_MS));
    }
  }

  async #ask(call: ServiceCall, deadlineMs: number): Promise<string | undefined> {
    const word = await this.#post(call, deadlineMs);
    if (word === undefined) this.#unanswered.push(call);
    else if (word.moved !== undefined) {
      this.#books.noteService(call.shard, word.moved);
      this.#answered.push({ call, text: word.text });
    }
    return word?.text;
  }

  /** The final word, and what it says was moved; `undefined` if there was none in time. */
  async #post(call: ServiceCall, deadlineMs: number) {
    const startedAt = performance.now();
    do {
      try {
        const response = await fetch(`${this.#target.url}/api/${call.path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#target.key}` },
          body: JSON.stringify(call.body),
          signal: AbortSignal.timeout(ANSWER_MS),
        });
        const text = await response.text();
        if (response.ok) return { text, moved: movedBy(call, answerSchema.parse(JSON.parse(text))) };
        if (!refusalSchema.parse(JSON.parse(text)).retryable) return { text, moved: undefined };
      } catch (error) {
        if (error instanceof z.ZodError) throw error;
      }
      if (deadlineMs > 0) await pause(PAUSE_MS);
    } while (performance.now() - startedAt < deadlineMs);
    return undefined;
  }
}

/** What an answer says was given, or taken. */
function movedBy({ path, body }: ServiceCall, { stash, completed }: z.output<typeof answerSchema>): ReadonlyMap<string, number> {
  const moved = new Map([['gold in the wallet', path === 'grants' ? body.gold : -body.gold]]);
  for (const id of stash) moved.set(`${id} in the stash`, 1);
  for (const id of completed) moved.set(`${id} to claim`, 1);
  if (path === 'charges' && Array.isArray(body['items'])) for (const id of body['items']) moved.set(`${String(id)} in the stash`, -1);
  return moved;
}

function callFor({ client, role }: Player, prng: Prng): ServiceCall {
  const heading = { op: crypto.randomUUID(), player: client.player, region: role.region, mode: role.mode, reason: 'the drill' };
  if (prng.chance(0.6)) {
    const count = client.state.stash.size + client.state.completed.size < limits.serviceItemsMax ? prng.integer(0, 2) : 0;
    const items = lootFor(BUILT_IN_CATALOGUE, { seed: prng.uint32(), count, idOf: () => itemId(crypto.randomUUID()) });
    return { path: 'grants', shard: client.shard, body: { ...heading, gold: prng.integer(1, 500), items } };
  }
  const ids = [...client.state.stash.keys()];
  const items = ids.length > 0 && prng.chance(0.3) ? [prng.pick(ids)] : [];
  return { path: 'charges', shard: client.shard, body: { ...heading, gold: prng.integer(1, 400), items } };
}
