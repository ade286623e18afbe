/**
 * Searches during the storm: somebody pages through what a node's index has, and every page must be the one that a slow search over the
 * durable rows gives, as of what the node knows to be durable at that moment.
 */
import { marketOf } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import type { Criteria, Sort } from '#shared/criteria.ts';
import type { Prng } from '#shared/prng.ts';
import { compareListings, matches, type IndexedListing, type SearchContext } from '#shared/search.ts';
import { durationMs, gold, playerId, type Instant, type ShardId } from '#shared/units.ts';
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
    'each page is that of a slow search over the durable rows, of the very moment; of a listing that stands meanwhile the pages together have one',
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

/** What is searched for, and how. */
interface Wanted {
  readonly criteria: Criteria;
  readonly sort: Sort;
  readonly limit: number;
  readonly self: ShardId;
}

/** See the head of this file. */
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
  async #pages(prng: Prng, name: string, node: GavelNode, wanted: Wanted): Promise<void> {
    const { scheduler, listings, nodes } = this.#setup.world;
    const isAlive = (): boolean => nodes.some((each) => each.node === node);
    const first = node.persister.durable;
    const thinkUsMax = prng.pick(PAGE_US_MAX);
    const seen: string[] = [];
    let after: IndexedListing | undefined;
    let cursor: string | undefined;
    for (let page = 0; page < PAGES_MAX; page++) {
      if (!isAlive()) return;
      const rows = this.#page(name, node, wanted, after, cursor);
      if (rows === undefined) return;
      seen.push(...rows.found.map(({ id }) => id));
      after = rows.found.at(-1);
      cursor = rows.cursor;
      if (cursor === undefined) return this.#compare(seen, name, node, wanted, listings.standing(name, first, node.persister.durable));
      await scheduler.pause(prng.integer(0, thinkUsMax));
    }
  }

  /** One page, held against what a slow search gives; `undefined` if the index says that it is behind. */
  #page(
    name: string,
    node: GavelNode,
    { criteria, sort, limit, self }: Wanted,
    after: IndexedListing | undefined,
    cursor: string | undefined,
  ): { readonly found: readonly IndexedListing[]; readonly cursor: string | undefined } | undefined {
    const { world } = this.#setup;
    const { referee, listings, trace } = world;
    const context = this.#context(node, self);
    const query = { market: marketOf(self), criteria, sort, limit, now: context.now, self: playerOf(self) };
    const result = node.index.search(cursor === undefined ? query : { ...query, cursor });
    if (result.kind === 'bad-cursor') {
      referee.complain(SEARCH, `${name} does not know its own cursor ${cursor ?? ''}`);
      return undefined;
    }
    const lagMs = node.indexLagMs();
    if (lagMs > LAG_MS_MAX) referee.complain(PROMPT, `the index of ${name} is ${lagMs} ms behind`);
    if (lagMs > 0) return undefined;
    const { durable } = node.persister;
    // What a shard that cannot be loaded has for sale may be left out, or not.
    const isThere = ({ id, shard }: IndexedListing): boolean => !world.isOutOfIndex(shard) || node.index.get(id) !== undefined;
    const all = listings.standing(name, durable).filter((row) => isThere(row) && matches(criteria, row, context));
    const rest = after === undefined ? all : all.filter((row) => compareListings(sort, row, after) > 0);
    const expected = rest.toSorted((a, b) => compareListings(sort, a, b)).slice(0, limit);
    trace.add('finds', name, result.rows.length, `of ${result.total}`);
    const asked = `${JSON.stringify({ criteria, sort, limit, after: after?.id })} at ${name}, durable up to ${durable},`;
    if (!isSame(result.rows.map(withoutVersion), expected.map(withoutVersion)))
      referee.complain(SEARCH, `${asked} finds ${inWords(result.rows)}, and it must be ${inWords(expected)}`);
    if (result.total !== all.length) referee.complain(SEARCH, `${asked} says that ${result.total} match, and it is ${all.length}`);
    if ((result.cursor !== undefined) !== rest.length > limit) referee.complain(SEARCH, `${asked} is ${result.cursor ?? 'at its end'}`);
    return { found: result.rows, cursor: result.cursor };
  }

  #compare(seen: readonly string[], name: string, node: GavelNode, wanted: Wanted, standing: readonly IndexedListing[]): void {
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

function inWords(rows: readonly IndexedListing[]): string {
  return `[${rows.map(({ id, version }) => `${id} (version ${version})`).join(', ')}]`;
}
