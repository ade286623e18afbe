/** What must be true of a server that has come back, once every command has its answer. */
import { RefusedError } from '#client/errors.ts';
import { pause } from '#client/wait.ts';
import type { Prng } from '#shared/prng.ts';
import { countsOf, differences, listingText, type Books } from '../books.ts';
import type { Player } from './player.ts';

/** Answers asked for once more by each player: below what a client may send at once, together with the rest of the round. */
const CONFIRMED_NEW = 12;
const CONFIRMED_OLD = 4;
/** A room follows its shard, and the index its feed, within so much, on a busy machine too. Holds of trades may need repeats. */
const SETTLE_MS = 15_000;
const LOOK_AGAIN_MS = 20;
const PAGE = 100;

/** All of them. Returns a sentence for each thing that is not right. */
export async function check(players: readonly Player[], books: Books, prng: Prng): Promise<readonly string[]> {
  const unanswered = (await Promise.all(players.map((player) => player.askAgain()))).flat();
  const changed = (await Promise.all(players.map((player) => player.confirm((count) => sample(count, prng))))).flat();
  const holdings = await settled(() =>
    Promise.resolve(books.faults(new Map(players.map((player) => [player.client.shard, player.holdings])))),
  );
  const index = await settled(() => unlessUnavailable(indexFaults(players)));
  return [...unanswered, ...changed, ...holdings, ...index];
}

/** That each player's whole ledger comes to what the player has. */
export async function checkLedgers(players: readonly Player[]): Promise<readonly string[]> {
  return (await Promise.all(players.map((player) => ledgerFaults(player)))).flat();
}

/** Some of the newest answers and some of all. */
function sample(count: number, prng: Prng): readonly number[] {
  const newest = Array.from({ length: Math.min(count, CONFIRMED_NEW) }, (_, index) => count - 1 - index);
  const any = Array.from({ length: count === 0 ? 0 : CONFIRMED_OLD }, () => prng.integer(0, count - 1));
  return [...new Set([...newest, ...any])];
}

/** What is still wrong when the time is over: rooms and index follow what is durable a moment later. */
async function settled(faults: () => Promise<readonly string[]>): Promise<readonly string[]> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const found = await faults();
    if (found.length === 0 || performance.now() > deadline) return found;
    await pause(LOOK_AGAIN_MS);
  }
}

/** The faults found, or the one that there is no index to be asked for now. */
async function unlessUnavailable(faults: Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await faults;
  } catch (error) {
    if (error instanceof RefusedError && error.refusal.name === 'unavailable') return ['the index is unavailable'];
    throw error;
  }
}

/** Whether the index of each market shows exactly the listings that the rooms of their owners show. */
async function indexFaults(players: readonly Player[]): Promise<readonly string[]> {
  const faults = Array.from(
    Map.groupBy(players, ({ market }) => market),
    async ([market, residents]) => {
      const { client } = residents[0] ?? {};
      if (client === undefined) return [];
      const pages = await everyPage((cursor) => client.search({ criteria: {}, limit: PAGE, ...cursor }));
      const shown = countsOf(pages.flatMap(({ listings }) => listings.map(listingText)));
      const owned = countsOf(residents.flatMap((player) => [...player.client.state.listings.values()].map(listingText)));
      return differences(
        shown,
        owned,
        (listing, is, should) => `the index of ${market} shows ${listing} ${is} times, and its owner ${should}`,
      );
    },
  );
  return (await Promise.all(faults)).flat();
}

/** All pages of something, first to last. */
async function everyPage<Page extends { readonly cursor?: string | undefined }>(
  read: (cursor: { readonly cursor?: string }) => Promise<Page>,
): Promise<readonly Page[]> {
  const pages: Page[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor === undefined ? {} : { cursor });
    pages.push(page);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return pages;
}

async function ledgerFaults({ client }: Player): Promise<readonly string[]> {
  const lines = (await everyPage((cursor) => client.history(cursor))).flatMap((page) => page.lines);
  const seqs = [...new Set(lines.map(({ seq }) => seq))];
  const isWhole = seqs.every((seq, index) => seq === (seqs[0] ?? 0) - index) && seqs.at(-1) === 1;
  const goldAt = (account: string): number => lines.reduce((sum, { account: at, gold = 0 }) => (at === account ? sum + gold : sum), 0);
  const { gold, held, completed } = client.state;
  const unclaimed = [...completed.values()].reduce((sum, entry) => sum + (entry.gold ?? 0), 0);
  const ledger = new Map(['wallet', 'hold', 'completed'].map((account) => [account, goldAt(account)]));
  const room = new Map(Object.entries({ wallet: gold, hold: held, completed: unclaimed }));
  return [
    ...(isWhole ? [] : [`the ledger of ${client.shard} has gaps`]),
    ...differences(ledger, room, (at, is, has) => `the ledger of ${client.shard} comes to ${is} gold in ${at}, and its room shows ${has}`),
  ];
}
