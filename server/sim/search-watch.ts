/**
 * Searches during the storm: somebody pages through what a node's index has, and every page must be the one that a slow search over the
 * durable rows gives, as of some moment between the question, which names what the node knows to be durable, and the answer.
 */
import { marketOf } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import type { Criteria, Sort } from '#shared/criteria.ts';
import type { Prng } from '#shared/prng.ts';
import { compareListings, matches, type IndexedListing, type SearchContext } from '#shared/search.ts';
import { durationMs, gold, type Instant, type NodeName, playerId, type Position, position, type ShardId } from '#shared/units.ts';
import { AT_LEAST_WAIT_MS } from '#server/listing-index/service.ts';
import type { GavelNode } from '#server/node.ts';
import { isSame, type Checker } from './checker.ts';
import type { SimulatedWorld } from './simulated-world.ts';

/** What searchers need of the simulation. */
export interface SearchSetup {
  readonly world: SimulatedWorld;
  readonly prng: Prng;
  readonly players: readonly ShardId[];
}

const SEARCH: Pick<Checker, 'name' | 'sentence'> = {
  name: 'a search finds what is durable, once and in order',
  sentence:
    'each page is that of a slow search over the durable rows, of a moment no earlier than the question; of a listing that stands meanwhile the pages together have one',
};
const PROMPT: Pick<Checker, 'name' | 'sentence'> = {
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

/** One search of one life of a node. */
interface Searching {
  readonly name: NodeName;
  readonly node: GavelNode;
  readonly wanted: Wanted;
  readonly isAlive: () => boolean;
}

interface FoundPage {
  readonly found: readonly IndexedListing[];
  readonly cursor: string | undefined;
}

export class SearchWatch {
  readonly #setup: SearchSetup;
  #isOver = false;

  constructor(setup: SearchSetup) {
    this.#setup = setup;
  }

  /** Sends out so many searchers, until `finish`. */
  start(searchers: number): void {
    for (let index = 0; index < searchers; index++) void this.#searches(this.#setup.prng.fork(`searcher ${index}`));
  }

  finish(): void {
    this.#isOver = true;
  }

  async #searches(prng: Prng): Promise<void> {
    const { world, players } = this.#setup;
    while (!this.#isOver) {
      await world.scheduler.pause(prng.integer(0, PAUSE_US_MAX));
      const wanted = wantedFrom(prng, prng.pick(players));
      const { name, node } = prng.pick(world.nodes);
      if (node !== undefined && !this.#isOver) await this.#pages(prng, name, node, wanted);
    }
  }

  /** Pages through one search, for as long as that life of the node lasts. */
  async #pages(prng: Prng, name: NodeName, node: GavelNode, wanted: Wanted): Promise<void> {
    const { scheduler, listings, nodes } = this.#setup.world;
    const isAlive = (): boolean => nodes.some((each) => each.node === node);
    const searching: Searching = { name, node, wanted, isAlive };
    const first = node.durable;
    const thinkUsMax = prng.pick(PAGE_US_MAX);
    const seen: string[] = [];
    let after: IndexedListing | undefined;
    let cursor: string | undefined;
    for (let page = 0; page < PAGES_MAX; page++) {
      if (!isAlive()) return;
      const rows = await this.#page(searching, after, cursor);
      if (rows === undefined) return;
      seen.push(...rows.found.map(({ id }) => id));
      after = rows.found.at(-1);
      cursor = rows.cursor;
      if (cursor === undefined) return this.#compare(seen, name, node, wanted, listings.standing(name, first, node.durable));
      await scheduler.pause(prng.integer(0, thinkUsMax));
    }
  }

  /** One page, held against what a slow search gives; `undefined` if the index says that it is behind, or its node has died. */
  async #page(
    { name, node, wanted, isAlive }: Searching,
    after: IndexedListing | undefined,
    cursor: string | undefined,
  ): Promise<FoundPage | undefined> {
    const { world } = this.#setup;
    const { referee, scheduler, trace } = world;
    const { criteria, sort, limit, self } = wanted;
    const context = this.#context(node, self);
    const query = { market: marketOf(self), criteria, sort, limit, now: context.now, self: playerOf(self) };
    const atLeast = node.durable;
    const search = node.index.search(cursor === undefined ? query : { ...query, cursor }, { atLeast });
    const result = await Promise.race([search, scheduler.pause(ANSWER_US_MAX)]);
    if (!isAlive()) return undefined;
    if (result === undefined || result.kind === 'unavailable') {
      referee.complain(PROMPT, `${name} does not answer a search`);
      return undefined;
    }
    if (result.kind === 'bad-cursor') {
      referee.complain(SEARCH, `${name} does not know its own cursor ${cursor ?? ''}`);
      return undefined;
    }
    if (result.lagMs > LAG_MS_MAX) referee.complain(PROMPT, `the index of ${name} is ${result.lagMs} ms behind`);
    if (result.lagMs > 0) return undefined;
    trace.add('finds', name, result.rows.length, `of ${result.total}`);
    const { durable } = node;
    const isRight = (position: Position): boolean => {
      const { all, rest } = this.#expected(name, wanted, context, after, position);
      const shown = rest.slice(0, limit).map(withoutVersion);
      const isMore = rest.length > limit;
      return isSame(result.rows.map(withoutVersion), shown) && result.total === all.length && (result.cursor !== undefined) === isMore;
    };
    if (!rangeOf(atLeast, durable).some(isRight)) {
      const { all, rest } = this.#expected(name, wanted, context, after, durable);
      const asked = `${JSON.stringify({ criteria, sort, limit, after: after?.id })} at ${name}, durable from ${atLeast} to ${durable},`;
      const found = `${inWords(result.rows)} of ${result.total}, ${result.cursor === undefined ? 'no more' : 'and more'}`;
      referee.complain(SEARCH, `${asked} finds ${found}, and it must be ${inWords(rest.slice(0, limit))} of ${all.length}`);
    }
    return { found: result.rows, cursor: result.cursor };
  }

  /** What matches as of a position, and what of it is left for this page and those after it. */
  #expected(
    name: NodeName,
    { criteria, sort }: Wanted,
    context: SearchContext,
    after: IndexedListing | undefined,
    position: Position,
  ): { readonly all: readonly IndexedListing[]; readonly rest: readonly IndexedListing[] } {
    const { world } = this.#setup;
    const index = world.nodes.find((each) => each.name === name)?.index;
    // What a shard that cannot be loaded has for sale may be left out, or not.
    const isThere = ({ id, shard }: IndexedListing): boolean => !world.isOutOfIndex(shard) || index?.get(id) !== undefined;
    const all = world.listings.standing(name, position).filter((row) => isThere(row) && matches(criteria, row, context));
    const rest = after === undefined ? all : all.filter((row) => compareListings(sort, row, after) > 0);
    return { all, rest: rest.toSorted((a, b) => compareListings(sort, a, b)) };
  }

  #compare(seen: readonly string[], name: NodeName, node: GavelNode, wanted: Wanted, standing: readonly IndexedListing[]): void {
    const { world } = this.#setup;
    const { referee } = world;
    const double = seen.find((id, index) => seen.indexOf(id) !== index);
    if (double !== undefined) referee.complain(SEARCH, `${name} has ${double} on two pages`);
    // What stands at the end and is no matter of time has stood and matched all along.
    const context = this.#context(node, wanted.self);
    const isTimed = wanted.criteria.endsWithinMs !== undefined;
    const missed = standing.find(
      (row) => !isTimed && !world.isOutOfIndex(row.shard) && matches(wanted.criteria, row, context) && !seen.includes(row.id),
    );
    if (missed !== undefined) referee.complain(SEARCH, `${name} has ${missed.id} on none of its pages: ${inWords(standing)}`);
  }

  #context(node: GavelNode, self: ShardId): SearchContext & { readonly now: Instant } {
    return { now: node.platform.clock.now(), self: playerOf(self), itemClasses: BUILT_IN_CATALOGUE.itemClasses };
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
function withoutVersion({ version: _version, ...row }: IndexedListing): Omit<IndexedListing, 'version'> {
  return row;
}

/** Positions from the first to the last. */
function rangeOf(first: Position, last: Position): readonly Position[] {
  return Array.from({ length: last - first + 1 }, (_, index) => position(first + index));
}

function inWords(rows: readonly IndexedListing[]): string {
  return `[${rows.map(({ id, version }) => `${id} (version ${version})`).join(', ')}]`;
}
