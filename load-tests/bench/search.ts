/**
 * `bench search`: the listing index with a full market of rolled items, while listings come and go.
 *
 * Measured: rebuilding from a node's snapshot, the memory of the process, and the time of single searches, one after the other, from
 * the question to the answer, with a batch of changes every 20 ms. Not measured: the edge and the way to the client, many searches at once.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { affixesFor, affixRange } from '#shared/catalog/catalogue.ts';
import { SORT_CHEAPEST, type Criteria, type Sort } from '#shared/criteria.ts';
import { limits } from '#shared/limits.ts';
import { createPrng, type Prng } from '#shared/prng.ts';
import { gold, durationMs, NO_POSITION } from '#shared/units.ts';
import { ListingIndex } from '#server/listing-index/listing-index.ts';
import { localListingIndex } from '#server/listing-index/local.ts';
import type { FeedBatch, ListingIndexService, SearchAnswer } from '#server/listing-index/service.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import { openIndexProcess, percentile, rounded } from './harness.ts';
import { MARKET, MarketListings, NODE, NOW } from './market-listings.ts';

/**
 * The full size: a million listings, of which 5,000 change each second. The index is a process of its own, as it is for a server; with
 * `--process 0` it is in this one.
 */
export const SEARCH_BENCH_DEFAULTS = { listings: 1_000_000, queries: 2_000, changes: 5_000, process: 1 };

/** Listings of a snapshot that are sent at once. */
const PART = 500;
/** Parts that are made before the clock runs again. */
const PARTS_AHEAD = 100;
/** As the feed batches them. */
const BATCH_MS = 20;
/** Searches that are not counted, of each kind. */
const WARM_UP = 50;
/** Of Linux, in which `/proc` counts. */
const PAGE_BYTES = 4_096;
/** How often the kinds besides the first are searched for, against it. */
const OTHERS_SHARE = 0.2;
const STATS_MAX = limits.criteriaStatsMax;
const BRANCHES = limits.criteriaBranchesMax;
const { itemClasses, levelMax } = BUILT_IN_CATALOGUE;

/** What is searched for. */
interface Wanted {
  readonly criteria: Criteria;
  readonly sort?: Sort;
  readonly limit?: number;
}

/** An index to be measured. */
interface MeasuredIndex {
  readonly service: ListingIndexService;
  /** What its process takes. */
  readonly rssBytes: () => number;
  readonly stop: () => Promise<void>;
}

/** Runs the benchmark; it takes about a minute at full size and keeps nothing. */
export async function benchSearch(options: typeof SEARCH_BENCH_DEFAULTS): Promise<object> {
  const prng = createPrng('search');
  const index = options.process === 1 ? await openAsProcess() : openInThisProcess();
  try {
    const { service } = index;
    const market = new MarketListings(prng, options.listings);
    const emptyBytes = index.rssBytes();
    const rebuildMs = await fill(service, market);
    const rssBytes = index.rssBytes();
    const churn = startChurn(service, market, options.changes);
    const timesOf = (wanted: () => Wanted, queries = Math.ceil(options.queries * OTHERS_SHARE)) =>
      timeSearches(service, churn, wanted, queries);
    // Of three stat minimums in one class, the 50 cheapest.
    const threeStatTimes = await timesOf(() => ofStats(prng, 3), options.queries);
    const others: Record<string, object> = {};
    for (const [name, wanted] of Object.entries(await otherSearches(service, prng))) others[name] = await timesOf(wanted);
    const changesPerSecond = await churn.stop();
    const { rows } = await service.stats();
    return {
      ...threeStatTimes,
      listings: rows,
      classes: itemClasses.length,
      queries: options.queries,
      changesPerSecond,
      rebuildMs,
      rssBytes,
      bytesPerListing: Math.round((rssBytes - emptyBytes) / rows),
      others,
    };
  } finally {
    await index.stop();
  }
}

/** As a server starts it. */
async function openAsProcess(): Promise<MeasuredIndex> {
  const { service, pid, stop } = openIndexProcess(NODE);
  await service.reachable();
  const rssBytes = (): number => Number(readFileSync(`/proc/${pid()}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
  return { service, rssBytes, stop };
}

function openInThisProcess(): MeasuredIndex {
  const service = localListingIndex(new ListingIndex(itemClasses), nodeMachine().timers);
  return { service, rssBytes: () => process.memoryUsage().rss, stop: () => Promise.resolve() };
}

/** Feeds a snapshot in parts, two at a time as the feed does; the time is that of the index and the way to it, without making the rows. */
async function fill(service: ListingIndexService, market: MarketListings): Promise<number> {
  await service.apply(market.opening());
  let spentMs = 0;
  for (;;) {
    const parts: FeedBatch[] = [];
    for (let part = market.part(PART); part !== undefined; part = market.part(PART)) if (parts.push(part) === PARTS_AHEAD) break;
    if (parts.length === 0) return rounded(spentMs);
    const start = performance.now();
    let underWay: Promise<unknown> = Promise.resolve();
    for (const part of parts) {
      const sent = service.apply(part);
      await underWay;
      underWay = sent;
    }
    await underWay;
    spentMs += performance.now() - start;
  }
}

/** Listings that come and go. */
interface Churn {
  /** Makes what changes next, which on a node others have done. */
  readonly prepare: () => void;
  /** Ends it, and tells how many changes per second it came to. */
  readonly stop: () => Promise<number>;
}

function startChurn(service: ListingIndexService, market: MarketListings, perSecond: number): Churn {
  const perBatch = 2 * Math.round((perSecond * BATCH_MS) / 2_000);
  const start = performance.now();
  let [batches, isRunning] = [0, perBatch > 0];
  let next = market.changes(perBatch);
  let isNext = true;
  const prepare = (): void => {
    if (isNext) return;
    next = market.changes(perBatch);
    isNext = true;
  };
  const done = (async () => {
    while (isRunning) {
      prepare();
      isNext = false;
      await service.apply(next);
      batches += 1;
      await sleep(Math.max(0, start + batches * BATCH_MS - performance.now()));
    }
  })();
  return {
    prepare,
    stop: async () => {
      isRunning = false;
      await done;
      return Math.round((batches * perBatch * 1_000) / (performance.now() - start));
    },
  };
}

/** The other kinds of search, by name. */
async function otherSearches(service: ListingIndexService, prng: Prng): Promise<Readonly<Record<string, () => Wanted>>> {
  const itemClass = () => prng.pick(itemClasses).id;
  const dear = await dearest(service);
  return {
    everything: () => ({ criteria: {} }),
    everythingPageOf100: () => ({ criteria: {}, limit: 100 }),
    everythingNewest: () => ({ criteria: {}, sort: { by: 'endsAt', descending: true } }),
    oneClass: () => ({ criteria: { itemClass: itemClass() } }),
    oneToSixStats: () => ofStats(prng, prng.integer(1, STATS_MAX)),
    oneToSixStatsEverywhere: () => {
      const { criteria } = ofStats(prng, prng.integer(1, STATS_MAX));
      return { criteria: { stats: criteria.stats ?? [] } };
    },
    nameEverywhere: () => ({ criteria: { name: prng.pick(['heron', 'karrow', 'blade', 'brisk']) } }),
    anyOfTwo: () => ({ criteria: { itemClass: itemClass(), any: [ofStats(prng, 3).criteria, { rarity: ['legendary'] }] } }),
    dearest: () => dear,
  };
}

/** So many stats of a class, each at least at the middle of its range for a hero of a middle level. */
function ofStats(prng: Prng, count: number): Wanted {
  const itemClass = prng.pick(itemClasses).id;
  const kinds = prng.shuffle(affixesFor(BUILT_IN_CATALOGUE, itemClass, levelMax)).slice(0, count);
  const stats = kinds.map((kind) => ({ stat: kind.id, min: affixRange(kind, Math.ceil(levelMax / 2))?.min ?? 1 }));
  return { criteria: { itemClass, stats } };
}

/**
 * The nested search that is just not too broad: each branch is met by half of the listings, in no order that a processor could guess. And
 * the order in which no listing has a value.
 */
async function dearest(service: ListingIndexService): Promise<Wanted> {
  for (let count = BRANCHES; count > 0; count -= 1) {
    const leaves: readonly Criteria[] = Array.from({ length: count }, (_, place) =>
      place % 2 === 0 ? { buyoutMax: gold(400_000 + place) } : { endsWithinMs: durationMs(86_400_000 + place) },
    );
    const wanted: Wanted = { criteria: { any: [{ any: leaves }] }, sort: { by: 'currentBid' } };
    if ((await ask(service, wanted)).kind === 'found') return wanted;
  }
  throw new Error('any search is too broad');
}

function ask(service: ListingIndexService, { criteria, sort = SORT_CHEAPEST, limit = 50 }: Wanted): Promise<SearchAnswer> {
  return service.search({ market: MARKET, criteria, sort, limit, now: NOW }, { atLeast: { node: NODE, position: NO_POSITION } });
}

async function timeSearches(service: ListingIndexService, churn: Churn, wantedOf: () => Wanted, queries: number): Promise<object> {
  const times: number[] = [];
  let [matching, cost] = [0, 0];
  for (let query = -WARM_UP; query < queries; query += 1) {
    const wanted = wantedOf();
    churn.prepare();
    const start = performance.now();
    const answer = await ask(service, wanted);
    const ms = performance.now() - start;
    if (answer.kind !== 'found') throw new Error(`a search is answered ${answer.kind}`);
    // So that changes come in between, in this process as from elsewhere.
    await sleep(1);
    if (query < 0) continue;
    times.push(ms);
    matching += answer.total;
    cost += answer.cost;
  }
  times.sort((a, b) => a - b);
  // `matching`, `cost`: on average.
  return {
    p50Ms: rounded(percentile(times, 0.5)),
    p99Ms: rounded(percentile(times, 0.99)),
    maxMs: rounded(percentile(times, 1)),
    matching: rounded(matching / queries),
    cost: Math.round(cost / queries),
  };
}
