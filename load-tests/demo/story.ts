/** The story that the demo tells: a few players in several shards, regions and modes, and a power cut in the middle. */
import { RefusedError } from '#client/errors.ts';
import { GameClient } from '#client/game-client.ts';
import { until } from '#client/wait.ts';
import type { Mode } from '#shared/address.ts';
import type { RefusalName } from '#shared/refusals.ts';
import type { StoryBooks, StoryHoldings } from './books.ts';
import { coins, type Narrator, type Say } from './narrator.ts';

/** What the story is played on. */
export interface Theatre {
  readonly narrator: Narrator;
  readonly books: StoryBooks;
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
  readonly listing: Posted;
  readonly isWon: boolean;
}

/** Items that each of three players puts up before the power cut. */
const RUSH_LISTINGS = 9;
/** Plays everything. Rejects if anything goes otherwise than told. */
export async function play(theatre: Theatre): Promise<void> {
  const { narrator } = theatre;
  const [ada, bob, cid, dora, hal] = await narrator.step('Five players arrive, in three markets', (say) => arrivals(theatre, say));
  const posted = await narrator.step('Ada puts three items up for sale', (say) => threeListings(ada, say));
  const [first, second, third] = posted;
  await narrator.step('Bob searches; Dora in Asia and Hal in hardcore see another world', (say) => searches([bob, dora, hal], posted, say));
  await narrator.step('Bob buys the cheapest: a trade between two shards', (say) => purchase(theatre, bob, first, say));
  await narrator.step('Cid comes too late, and others cannot reach it at all', async (say) => {
    await refused(say, 'Cid, for the item just sold', 'listing-gone', () => cid.buyout({ listingId: first.listingId, price: first.price }));
    await refused(say, 'Dora, from another region', 'listing-gone', () =>
      dora.buyout({ listingId: second.listingId, price: second.price }),
    );
    await refused(say, 'Hal, from hardcore', 'listing-gone', () => hal.buyout({ listingId: second.listingId, price: second.price }));
    await refused(say, 'Cid, who offers less than asked', 'price-changed', () =>
      cid.buyout({ listingId: second.listingId, price: second.price - 1 }),
    );
    await refused(say, 'Ada, who wants her own item', 'own-listing', () => ada.buyout({ listingId: third.listingId, price: third.price }));
  });
  await narrator.step('Ada takes one listing back, and claims everything', (say) => cancelAndClaim(ada, third, say));
  const rush = await narrator.step(`Three players put up ${RUSH_LISTINGS} items each`, (say) => rushListings([ada, bob, cid], say));
  await narrator.step('Two buyers for each, all at once, and the power goes off in the middle', (say) =>
    rushHour(theatre, [ada, bob, cid], rush, say),
  );
  await narrator.step('Everybody claims, and reads the own ledger', (say) => claims([ada, bob, cid], say));
  await narrator.step('The books are checked: every coin, every item', async (say) => checkBooks(theatre, [ada, bob, cid, dora, hal], say));
}

async function arrivals(theatre: Theatre, say: Say): Promise<readonly [GameClient, GameClient, GameClient, GameClient, GameClient]> {
  const arrive = async (guest: string, region: string, mode: Mode): Promise<GameClient> => {
    const client = await GameClient.connect({ url: theatre.url, credentials: { guest }, region, mode });
    theatre.clients.push(client);
    const { gold, stash, commodities } = client.state;
    theatre.books.open(client.shard, { gold, items: [...stash.keys()] });
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

async function post(seller: GameClient, index: number, price: number): Promise<Posted> {
  const item = [...seller.state.stash.values()][index];
  if (item === undefined) throw new Error(`${seller.shard} has nothing to sell`);
  const { id, name } = item;
  const { listingId, fees } = await seller.sell({ itemId: id, buyout: price });
  return { seller, listingId, item: id, name, price, fee: fees.reduce((sum, line) => sum + line.gold, 0) };
}

async function threeListings(ada: GameClient, say: Say): Promise<readonly [Posted, Posted, Posted]> {
  const listings = [await post(ada, 0, 1_500), await post(ada, 0, 2_500), await post(ada, 0, 9_999)] as const;
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

async function purchase(
  { books }: Theatre,
  buyer: GameClient,
  { seller, listingId, item, name, price, fee }: Posted,
  say: Say,
): Promise<void> {
  let told: string | undefined;
  seller.once('sold', ({ entry }) => (told = `${nameOf(seller)} is told: sold, ${coins(entry.gold ?? 0)} to claim`));
  const startedAt = performance.now();
  const bought = await buyer.buyout({ listingId, price });
  const tookMs = performance.now() - startedAt;
  same('what was bought', bought, { itemId: item, paid: price });
  books.sale({ seller: seller.shard, buyer: buyer.shard, item, paid: price, fee });
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

async function cancelAndClaim(ada: GameClient, { listingId, item, name }: Posted, say: Say): Promise<void> {
  const returned = await ada.cancel({ listingId });
  same('what came back', returned.item?.id, item);
  say(`${name} is back in the completed tab`);
  const { gold, items } = await ada.claim({ all: true });
  say(`claimed: ${coins(gold)} and ${items.length} item`);
  await refused(say, 'The same listing, cancelled again', 'listing-gone', () => ada.cancel({ listingId }));
}

async function rushListings(players: readonly GameClient[], say: Say): Promise<readonly Posted[]> {
  const posted: Posted[] = [];
  for (const [turn, player] of players.entries()) {
    for (let index = 0; index < RUSH_LISTINGS; index++) posted.push(await post(player, 0, 300 + 101 * index + 7 * turn));
  }
  say(`${posted.length} listings, together for ${coins(posted.reduce((sum, { price }) => sum + price, 0))}`);
  return posted;
}

async function rushHour({ books, powerCut }: Theatre, players: readonly GameClient[], posted: readonly Posted[], say: Say): Promise<void> {
  let answered = 0;
  let repeated = 0;
  let cut: Promise<void> | undefined;
  for (const player of players) player.on('repeated', () => repeated++);
  const buy = async (buyer: GameClient, listing: Posted): Promise<Bought> => {
    const isWon = await wins(() => buyer.buyout({ listingId: listing.listingId, price: listing.price }));
    answered++;
    // At the first answer: the server is in the middle of the others.
    cut ??= powerCut(say);
    return { buyer, listing, isWon };
  };
  const purchases = posted.flatMap((listing, index) => {
    const buyers = players.filter((player) => player !== listing.seller);
    return (index % 2 === 0 ? buyers : buyers.toReversed()).map((buyer) => buy(buyer, listing));
  });
  const outcomes = await Promise.allSettled(purchases);
  await cut;
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') throw outcome.reason;
    const { buyer, listing, isWon } = outcome.value;
    const { seller, item, price, fee } = listing;
    if (isWon) books.sale({ seller: seller.shard, buyer: buyer.shard, item, paid: price, fee });
  }
  say(`${answered} of ${purchases.length} purchases were answered, after ${repeated} repeats with the same op`);
  const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' && outcome.value.isWon ? [outcome.value] : []));
  same('listings sold once each', won.map(({ listing }) => listing.listingId).sort(), posted.map(({ listingId }) => listingId).sort());
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

async function claims(players: readonly GameClient[], say: Say): Promise<void> {
  for (const player of players) {
    const { gold, items, left } = await player.claim({ all: true });
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
  const holdings = new Map<string, StoryHoldings>();
  for (const { shard, state } of players) {
    const items = [...state.stash.keys(), ...[...state.listings.values()].flatMap(({ item }) => (item === undefined ? [] : [item.id]))];
    holdings.set(shard, { gold: state.gold, held: state.held, items });
    say(`${shard}: ${coins(state.gold)}, ${items.length} items`);
  }
  const faults = books.faults(holdings);
  for (const fault of faults) say(fault);
  if (faults.length > 0) throw new Error('the books do not balance');
  const gold = [...holdings.values()].reduce((sum, has) => sum + has.gold, 0);
  say(`${coins(gold)} in wallets + ${coins(books.fees)} burned as fees = ${coins(books.started)} at the start`);
}

/** Throws unless both are the same, by value. */
function same(what: string, is: unknown, should: unknown): void {
  const [left, right] = [JSON.stringify(is), JSON.stringify(should)];
  if (left !== right) throw new Error(`${what}: ${left} instead of ${right}`);
}
