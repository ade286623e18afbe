/**
 * Searches during the storm: somebody pages through what a node's index has, and every page must be
 * the one that a slow search over the durable rows gives, as of some moment between the question,
 * which names what the node knows to be durable, and the answer.
 */
import { marketOf } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import type { Criteria, Sort } from '#shared/criteria.ts';
import type { Prng } from '#shared/prng.ts';
import { compareListings, matches, type IndexedListing, type ListingFacts, type SearchContext } from '#shared/search.ts';
import { durationMs, gold, type Instant, type NodeName, playerId, type Position, position, type ShardId } from '#shared/units.ts';
import { openListing } from '#server/listing-index/row-packing.ts';
import { AT_LEAST_WAIT_MS } from '#server/listing-index/service.ts';
import type { GavelNode } from '#server/node.ts';
import { isSame, type CheckerPromise } from './checker.ts';
import type { Scene, SimulatedWorld } from './simulated-world.ts';

const SEARCH: CheckerPromise = {
  name: 'a search finds what is durable, once and in order',
  sentence:
    'each page is that of a slow search over the durable rows, of a moment no earlier than the question; of a listing that stands meanwhile the pages together have one',
};
const PROMPT: CheckerPromise = {
  name: 'the index is not behind',
  sentence: 'what is durable is found at once, but for the time of a snapshot, and that has an end',
};

const PAUSE_US_MAX = 3_000_000;
/** Between two pages somebody looks and thinks, or wants to be the first: faster than a turn comes to the disk. */
const PAGE_US_MAX = [4_000, 400_000] as const;
const PAGES_MAX = 24;
/** Longer than any disk stands still. */
const LAG_MS_MAX = 60_000;
/** Longer than a search waits for what it asks for, and late timers. */
const ANSWER_US_MAX = (AT_LEAST_WAIT_MS + 50) * 1_000;

/** What is searched for, and how. */
interface Wanted {
  readonly criteria: Criteria;
  readonly sort: Sort;
  readonly limit: number;
  readonly self: ShardId;
}

interface FoundPage {
  readonly found: readonly ListingFacts[];
  readonly cursor: string | undefined;
}

/** Sends out so many searchers. */
export function startSearchers({ world, phase, prng, players }: Scene, searchers: number): void {
  for (let index = 0; index < searchers; index++) {
    void world.scheduler.repeat(phase, prng.fork(`searcher ${index}`), PAUSE_US_MAX, async (own) => {
      const wanted = wantedFrom(own, own.pick(players));
      const { name, node } = own.pick(world.nodes);
      if (node !== undefined) await new Search(world, name, node, wanted).run(own);
    });
  }
}

/** One search of one life of a node. */
class Search {
  readonly #world: SimulatedWorld;
  readonly #name: NodeName;
  readonly #node: GavelNode;
  readonly #wanted: Wanted;

  constructor(world: SimulatedWorld, name: NodeName, node: GavelNode, wanted: Wanted) {
    this.#world = world;
    this.#name = name;
    this.#node = node;
    this.#wanted = wanted;
  }

  /** Pages through what is found, for as long as that life of the node lasts. */
  async run(prng: Prng): Promise<void> {
    const first = this.#node.durable;
    const thinkUsMax = prng.pick(PAGE_US_MAX);
    const seen: string[] = [];
    let after: ListingFacts | undefined;
    let cursor: string | undefined;
    for (let page = 0; page < PAGES_MAX; page++) {
      if (!this.#isAlive) return;
      const rows = await this.#page(after, cursor);
      if (rows === undefined) return;
      seen.push(...rows.found.map(({ id }) => id));
      after = rows.found.at(-1);
      cursor = rows.cursor;
      if (cursor === undefined) return this.#compare(seen, this.#world.listings.standing(this.#name, first, this.#node.durable));
      await this.#world.scheduler.pause(prng.integer(0, thinkUsMax));
    }
  }

  get #isAlive(): boolean {
    return this.#world.nodes.some(({ node }) => node === this.#node);
  }

  get #context(): SearchContext & { readonly now: Instant } {
    const now = this.#node.platform.clock.now();
    return { now, self: playerOf(this.#wanted.self), itemClasses: BUILT_IN_CATALOGUE.itemClasses };
  }

  #complain(promise: CheckerPromise, detail: string): undefined {
    this.#world.referee.complain(promise, `${this.#name} ${detail}`);
    return undefined;
  }

  /** One page, held against what a slow search gives; `undefined` if the index says that it is behind, or its node has died. */
  async #page(after: ListingFacts | undefined, cursor: string | undefined): Promise<FoundPage | undefined> {
    const { scheduler, trace } = this.#world;
    const { criteria, sort, limit, self } = this.#wanted;
    const context = this.#context;
    const query = { market: marketOf(self), criteria, sort, limit, now: context.now, self: playerOf(self) };
    const atLeast = this.#node.durable;
    const search = this.#node.index.search(cursor === undefined ? query : { ...query, cursor }, { atLeast });
    const result = await Promise.race([search, scheduler.pause(ANSWER_US_MAX)]);
    if (!this.#isAlive) return undefined;
    if (result === undefined || result.kind === 'unavailable') return this.#complain(PROMPT, 'does not answer a search');
    if (result.kind === 'bad-cursor') return this.#complain(SEARCH, `does not know its own cursor ${cursor ?? ''}`);
    if (result.kind === 'too-broad') return this.#complain(SEARCH, `finds ${result.cost} rows too many to look at`);
    if (result.lagMs > LAG_MS_MAX) this.#complain(PROMPT, `has an index that is ${result.lagMs} ms behind`);
    if (result.lagMs > 0) return undefined;
    trace.add('finds', this.#name, result.rows.length, `of ${result.total}`);
    const { durable } = this.#node;
    const found = result.rows.map(openListing);
    const isRight = (position: Position): boolean => {
      const { all, rest } = this.#expected(context, after, position);
      const isMore = rest.length > limit;
      const isSamePage = isSame(found, rest.slice(0, limit).map(withoutVersion));
      return isSamePage && result.total === all.length && (result.cursor !== undefined) === isMore;
    };
    if (!rangeOf(atLeast, durable).some(isRight)) {
      const { all, rest } = this.#expected(context, after, durable);
      const asked = `is asked for ${JSON.stringify({ criteria, sort, limit, after: after?.id })}, durable from ${atLeast} to ${durable}`;
      const given = `${inWords(found)} of ${result.total}, ${result.cursor === undefined ? 'no more' : 'and more'}`;
      this.#complain(SEARCH, `${asked}, finds ${given}, and it must be ${inWords(rest.slice(0, limit))} of ${all.length}`);
    }
    return { found, cursor: result.cursor };
  }

  /** What matches as of a position, and what of it is left for this page and those after it. */
  #expected(
    context: SearchContext,
    after: ListingFacts | undefined,
    position: Position,
  ): { readonly all: readonly IndexedListing[]; readonly rest: readonly IndexedListing[] } {
    const { criteria, sort } = this.#wanted;
    const index = this.#world.nodes.find(({ name }) => name === this.#name)?.index;
    // What a shard that cannot be loaded has for sale may be left out, or not.
    const isThere = ({ id, shard }: IndexedListing): boolean => !this.#world.isOutOfIndex(shard) || index?.get(id) !== undefined;
    const all = this.#world.listings.standing(this.#name, position).filter((row) => isThere(row) && matches(criteria, row, context));
    const rest = after === undefined ? all : all.filter((row) => compareListings(sort, row, after) > 0);
    return { all, rest: rest.toSorted((a, b) => compareListings(sort, a, b)) };
  }

  #compare(seen: readonly string[], standing: readonly IndexedListing[]): void {
    const { criteria } = this.#wanted;
    const double = seen.find((id, index) => seen.indexOf(id) !== index);
    if (double !== undefined) this.#complain(SEARCH, `has ${double} on two pages`);
    // What stands at the end and is no matter of time has stood and matched all along.
    if (criteria.endsWithinMs !== undefined) return;
    const context = this.#context;
    const isMissed = (row: IndexedListing): boolean =>
      !this.#world.isOutOfIndex(row.shard) && matches(criteria, row, context) && !seen.includes(row.id);
    const missed = standing.find(isMissed);
    if (missed !== undefined) this.#complain(SEARCH, `has ${missed.id} on none of its pages: ${inWords(standing)}`);
  }
}

function playerOf(shard: ShardId) {
  return playerId(shard.slice(0, shard.indexOf('@')));
}

function wantedFrom(prng: Prng, self: ShardId): Wanted {
  const criteria: Criteria = prng.pick<Criteria>([
    {},
    {},
    { buyoutMax: gold(prng.integer(10, 3_000)) },
    { level: { min: 0, max: prng.integer(1, 60) } },
    { endsWithinMs: durationMs(prng.integer(0, 60_000)) },
    { seller: 'me' },
    { none: [{ seller: 'me' }] },
  ]);
  const by = prng.pick(['buyout', 'endsAt', 'level', 'dps'] as const);
  const sort: Sort = prng.chance(0.5) ? { by } : { by, descending: true };
  return { criteria, sort, limit: prng.pick([1, 1, 3, 12]), self };
}

/** What a row was fed with: its shard's version of then, which is that of the posting, or of its return from a damaged file. */
function withoutVersion({ version: _version, ...row }: IndexedListing): ListingFacts {
  return row;
}

/** Positions from the first to the last. */
function rangeOf(first: Position, last: Position): readonly Position[] {
  return Array.from({ length: last - first + 1 }, (_, index) => position(first + index));
}

function inWords(rows: readonly ListingFacts[]): string {
  return `[${rows.map(({ id }) => id).join(', ')}]`;
}
