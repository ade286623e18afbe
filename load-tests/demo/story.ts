/** The story that the demo tells: a few players in several shards, regions and modes, and a power cut in the middle. */
import { RefusedError } from '#client/errors.ts';
import { GameClient } from '#client/game-client.ts';
import { until } from '#client/wait.ts';
import type { Mode } from '#shared/address.ts';
import type { ChangingCommandType, CommandAnswer, CommandInput } from '#shared/protocol.ts';
import type { RefusalName } from '#shared/refusals.ts';
import { holdingsOf, type Books } from '../books.ts';
import { coins, type Narrator, type Say } from './narrator.ts';

/** What the story is played on. */
export interface Theatre {
  readonly narrator: Narrator;
  readonly books: Books;
  readonly url: string;
  /** Kills the server as a power cut would, and starts it again at the same place. Says how long that took. */
  readonly powerCut: (say: Say) => Promise<void>;
  /** Closed at the end, whatever happens. */
  readonly clients: GameClient[];
}

interface Posted {
  readonly seller: GameClient;
  readonly listingId: string;
  readonly item: string;
  readonly name: string;
  readonly price: number;
  readonly fee: number;
}

interface Bought {
  readonly buyer: GameClient;
  readonly listingId: string;
  readonly isWon: boolean;
}

/** Items that each of three players puts up before the power cut. */
const RUSH_LISTINGS = 9;
/** Plays everything. Rejects if anything goes otherwise than told. */
export async function play(theatre: Theatre): Promise<void> {
  const { narrator } = theatre;
  const [ada, bob, cid, dora, hal] = await narrator.step('Five players arrive, in three markets', (say) => arrivals(theatre, say));
  const posted = await narrator.step('Ada puts three items up for sale', (say) => threeListings(theatre, ada, say));
  const [first, second, third] = posted;
  await narrator.step('Bob searches; Dora in Asia and Hal in hardcore see another world', (say) => searches([bob, dora, hal], posted, say));
  await narrator.step('Bob buys the cheapest: a trade between two shards', (say) => purchase(theatre, bob, first, say));
  await narrator.step('Cid comes too late, and others cannot reach it at all', async (say) => {
    const attempts: readonly (readonly [string, RefusalName, GameClient, Posted, number])[] = [
      ['Cid, for the item just sold', 'listing-gone', cid, first, first.price],
      ['Dora, from another region', 'listing-gone', dora, second, second.price],
      ['Hal, from hardcore', 'listing-gone', hal, second, second.price],
      ['Cid, who offers less than asked', 'price-changed', cid, second, second.price - 1],
      ['Ada, who wants her own item', 'own-listing', ada, third, third.price],
    ];
    for (const [who, name, buyer, { listingId }, price] of attempts)
      await refused(say, who, name, () => tell(theatre, buyer, 'buyout', { listingId, price }));
  });
  await narrator.step('Ada takes one listing back, and claims everything', (say) => cancelAndClaim(theatre, ada, third, say));
  const rush = await narrator.step(`Three players put up ${RUSH_LISTINGS} items each`, (say) =>
    rushListings(theatre, [ada, bob, cid], say),
  );
  await narrator.step('Two buyers for each, all at once, and the power goes off in the middle', (say) =>
    rushHour(theatre, [ada, bob, cid], rush, say),
  );
  await narrator.step('Everybody claims, and reads the own ledger', (say) => claims(theatre, [ada, bob, cid], say));
  await narrator.step('The books are checked: every coin, every item', async (say) => checkBooks(theatre, [ada, bob, cid, dora, hal], say));
}

async function arrivals(theatre: Theatre, say: Say): Promise<readonly [GameClient, GameClient, GameClient, GameClient, GameClient]> {
  const arrive = async (guest: string, region: string, mode: Mode): Promise<GameClient> => {
    const client = await GameClient.connect({ url: theatre.url, credentials: { guest }, region, mode });
    theatre.clients.push(client);
    const { gold, stash, commodities } = client.state;
    theatre.books.open(client.shard, holdingsOf(client.state));
    say(`${client.shard}: ${coins(gold)}, ${stash.size} items, ${commodities.size} kinds of commodities`);
    return client;
  };
  return [
    await arrive('ada', 'europe', 'softcore'),
    await arrive('bob', 'europe', 'softcore'),
    await arrive('cid', 'europe', 'softcore'),
    await arrive('dora', 'asia', 'softcore'),
    await arrive('hal', 'europe', 'hardcore'),
  ];
}

/** Has a client send a command, and writes the answer into the books. */
async function tell<Type extends ChangingCommandType>(
  { books }: Theatre,
  client: GameClient,
  type: Type,
  body: CommandInput<Type>,
): Promise<CommandAnswer<Type>> {
  const answer = await client.call(type, body);
  books.note(client.shard, type, body, answer);
  return answer;
}

async function post(theatre: Theatre, seller: GameClient, price: number): Promise<Posted> {
  const item = seller.state.stash.values().next().value;
  if (item === undefined) throw new Error(`${seller.shard} has nothing to sell`);
  const { id, name } = item;
  const { listingId, fees } = await tell(theatre, seller, 'sell', { itemId: id, buyout: price });
  return { seller, listingId, item: id, name, price, fee: fees.reduce((sum, line) => sum + line.gold, 0) };
}

async function threeListings(theatre: Theatre, ada: GameClient, say: Say): Promise<readonly [Posted, Posted, Posted]> {
  const listings = [await post(theatre, ada, 1_500), await post(theatre, ada, 2_500), await post(theatre, ada, 9_999)] as const;
  for (const { name, price, fee } of listings) say(`${name}, for ${coins(price)}; the fee will be ${coins(fee)}`);
  return listings;
}

async function searches(searchers: readonly [GameClient, GameClient, GameClient], posted: readonly Posted[], say: Say): Promise<void> {
  const [bob, ...strangers] = searchers;
  const found = await bob.search({ criteria: { buyoutMax: 5_000 }, limit: 10 });
  for (const { item, buyout } of found.listings)
    say(`Bob finds ${item?.name ?? 'something'}, ${item?.rarity ?? ''}, for ${coins(buyout ?? 0)}`);
  same(
    'what Bob finds below 5,000',
    found.listings.map(({ id }) => id),
    posted.slice(0, 2).map(({ listingId }) => listingId),
  );
  for (const stranger of strangers) {
    const { total } = await stranger.search({ criteria: {}, limit: 10 });
    same(`what ${stranger.shard} finds`, total, 0);
    say(`${nameOf(stranger)}, in ${stranger.state.region} ${stranger.state.mode}, finds nothing`);
  }
}

async function purchase(theatre: Theatre, buyer: GameClient, listing: Posted, say: Say): Promise<void> {
  const { seller, listingId, item, name, price } = listing;
  let told: string | undefined;
  seller.once('sold', ({ entry }) => (told = `${nameOf(seller)} is told: sold, ${coins(entry.gold ?? 0)} to claim`));
  const startedAt = performance.now();
  const bought = await tell(theatre, buyer, 'buyout', { listingId, price });
  const tookMs = performance.now() - startedAt;
  same('what was bought', bought, { itemId: item, paid: price });
  say(`${name} is ${nameOf(buyer)}'s, for ${coins(price)}; durable in ${tookMs.toFixed(1)} ms`);
  await until(() => told !== undefined);
  say(told ?? '');
}

async function refused(say: Say, who: string, name: RefusalName, ask: () => Promise<unknown>): Promise<void> {
  try {
    await ask();
  } catch (error) {
    if (!(error instanceof RefusedError) || error.refusal.name !== name) throw error;
    say(`${who}: "${error.message}" (${name})`);
    return;
  }
  throw new Error(`${who}: was not refused`);
}

async function cancelAndClaim(theatre: Theatre, ada: GameClient, { listingId, item, name }: Posted, say: Say): Promise<void> {
  const returned = await tell(theatre, ada, 'cancel', { listingId });
  same('what came back', returned.item?.id, item);
  say(`${name} is back in the completed tab`);
  const { gold, items } = await tell(theatre, ada, 'claim', { all: true });
  say(`claimed: ${coins(gold)} and ${items.length} item`);
  await refused(say, 'The same listing, cancelled again', 'listing-gone', () => ada.cancel({ listingId }));
}

async function rushListings(theatre: Theatre, players: readonly GameClient[], say: Say): Promise<readonly Posted[]> {
  const posted: Posted[] = [];
  for (const [turn, player] of players.entries()) {
    for (let index = 0; index < RUSH_LISTINGS; index++) posted.push(await post(theatre, player, 300 + 101 * index + 7 * turn));
  }
  say(`${posted.length} listings, together for ${coins(posted.reduce((sum, { price }) => sum + price, 0))}`);
  return posted;
}

async function rushHour(theatre: Theatre, players: readonly GameClient[], posted: readonly Posted[], say: Say): Promise<void> {
  let answered = 0;
  let repeated = 0;
  let cut: Promise<void> | undefined;
  for (const player of players) player.on('repeated', () => repeated++);
  const buy = async (buyer: GameClient, { listingId, price }: Posted): Promise<Bought> => {
    const isWon = await wins(() => tell(theatre, buyer, 'buyout', { listingId, price }));
    answered++;
    // At the first answer: the server is in the middle of the others.
    cut ??= theatre.powerCut(say);
    return { buyer, listingId, isWon };
  };
  const purchases = posted.flatMap((listing, index) => {
    const buyers = players.filter((player) => player !== listing.seller);
    return (index % 2 === 0 ? buyers : buyers.toReversed()).map((buyer) => buy(buyer, listing));
  });
  await Promise.allSettled(purchases);
  await cut;
  // All of them have ended by now: rejects with the first that failed.
  const won = (await Promise.all(purchases)).filter(({ isWon }) => isWon);
  say(`${answered} of ${purchases.length} purchases were answered, after ${repeated} repeats with the same op`);
  same('listings sold once each', won.map((bought) => bought.listingId).sort(), posted.map(({ listingId }) => listingId).sort());
  const shares = players.map((player) => `${nameOf(player)} ${won.filter(({ buyer }) => buyer === player).length}`);
  say(
    `each of the ${posted.length} items was sold once (${shares.join(', ')}); the other ${purchases.length - won.length} purchases came too late`,
  );
}

/** Whether the purchase went through; false if another was first. */
async function wins(buy: () => Promise<unknown>): Promise<boolean> {
  try {
    await buy();
    return true;
  } catch (error) {
    if (error instanceof RefusedError && error.refusal.name === 'listing-gone') return false;
    throw error;
  }
}

async function claims(theatre: Theatre, players: readonly GameClient[], say: Say): Promise<void> {
  for (const player of players) {
    const { gold, items, left } = await tell(theatre, player, 'claim', { all: true });
    same(`what ${player.shard} could not claim`, left, []);
    const { lines } = await player.history();
    const newest = lines.find((line) => line.account === 'wallet' && line.gold !== undefined);
    say(
      `${nameOf(player)} claims ${coins(gold)} and ${items.length} items; the newest line of the wallet: ${newest?.cause ?? 'none'} ${newest?.gold ?? 0}, balance ${newest?.balance ?? 0}`,
    );
    same(`the balance of ${player.shard}`, newest?.balance, player.state.gold);
  }
}

/** What the story calls a player: the guest's name. */
function nameOf({ player }: GameClient): string {
  const name = player.replace(/^guest-/, '');
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}

function checkBooks({ books }: Theatre, players: readonly GameClient[], say: Say): void {
  for (const { shard, state } of players) say(`${shard}: ${coins(state.gold)}, ${state.stash.size + state.listings.size} items`);
  const faults = books.faults(new Map(players.map(({ shard, state }) => [shard, holdingsOf(state)])));
  for (const fault of faults) say(fault);
  if (faults.length > 0) throw new Error('the books do not balance');
  const gold = players.reduce((sum, { state }) => sum + state.gold, 0);
  say(`${coins(gold)} in wallets + ${coins(books.fees)} burned as fees = ${coins(books.startGold)} at the start`);
}

/** Throws unless both are the same, by value. */
function same(what: string, is: unknown, should: unknown): void {
  const [left, right] = [JSON.stringify(is), JSON.stringify(should)];
  if (left !== right) throw new Error(`${what}: ${left} instead of ${right}`);
}
