/** What must be true of a server that has come back, once every command has its answer. */
import { pause } from '#client/wait.ts';
import type { GameClient } from '#client/game-client.ts';
import type { Prng } from '#shared/prng.ts';
import type { Books, Holdings } from './books.ts';
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
  const holdings = await settled(() => Promise.resolve(books.faults(holdingsOf(players))));
  const index = await settled(() => indexFaults(players));
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

function holdingsOf(players: readonly Player[]): ReadonlyMap<string, Holdings> {
  return new Map(players.map((player) => [player.client.shard, player.holdings()]));
}

/** Whether the index of each market shows exactly the listings that the rooms of their owners show. */
async function indexFaults(players: readonly Player[]): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const [market, residents] of Map.groupBy(players, (player) => player.market)) {
    const [searcher] = residents;
    if (searcher === undefined) continue;
    const found = await everyListing(searcher.client);
    const owned = residents.flatMap((player) =>
      [...player.holdings().listingById].map(([id, { itemId, price }]) => textOf(id, itemId, price)),
    );
    for (const listing of found)
      if (!owned.includes(listing)) faults.push(`the index of ${market} shows ${listing}, which its owner does not have`);
    for (const listing of owned) if (!found.includes(listing)) faults.push(`the index of ${market} does not show ${listing}`);
    if (new Set(found).size !== found.length) faults.push(`the index of ${market} shows a listing twice`);
  }
  return faults;
}

async function everyListing(client: GameClient): Promise<readonly string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.search({ criteria: {}, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
    for (const { id, item, buyout } of page.listings) found.push(textOf(id, item?.id ?? 'nothing', buyout ?? 0));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

function textOf(id: string, itemId: string, price: number): string {
  return `${id} (${itemId} for ${price})`;
}

async function ledgerFaults(player: Player): Promise<readonly string[]> {
  const { client } = player;
  const goldByAccount = new Map<string, number>();
  const seqs: number[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.history(cursor === undefined ? {} : { cursor });
    for (const { account, gold = 0, seq } of page.lines) {
      goldByAccount.set(account, (goldByAccount.get(account) ?? 0) + gold);
      if (seqs.at(-1) !== seq) seqs.push(seq);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  const { gold, held, unclaimed } = player.holdings();
  const isWhole = seqs.every((seq, index) => seq === (seqs[0] ?? 0) - index) && seqs.at(-1) === 1;
  const sums = [
    ['wallet', gold],
    ['hold', held],
    ['completed', unclaimed],
  ] as const;
  return [
    ...(isWhole ? [] : [`the ledger of ${client.shard} has gaps`]),
    ...sums.flatMap(([account, has]) => {
      const sum = goldByAccount.get(account) ?? 0;
      return sum === has ? [] : [`the ledger of ${client.shard} comes to ${sum} gold in ${account}, and its room shows ${has}`];
    }),
  ];
}
