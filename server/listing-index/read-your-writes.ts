/**
 * What makes a node find in the index what its own journal has: a search first has the feed send what waits, and then
 * asks the index for an answer that includes it.
 */
import { type NodeName, type Position, position } from '#shared/units.ts';
import type { ListingFeed } from './listing-feed.ts';
import type { BadCursor, FoundListings, IndexStats, IndexUnavailable, ListingIndexService, SearchQuery } from './service.ts';

/**
 * What a search of a node found. `lagMs` is 0 if that includes all that was asked for; otherwise it is how long the
 * oldest change has waited that the index does not know, at least 1.
 */
export type FoundAtNode = (FoundListings & { readonly lagMs: number }) | BadCursor | IndexUnavailable;

/** The listing index as one node asks it. */
export interface NodeIndex {
  /** The answer includes everything up to `atLeast`, a durable position of this node's journal, unless it says otherwise. */
  search(query: SearchQuery, options: { readonly atLeast: Position }): Promise<FoundAtNode>;
  /** Sizes; what waits is sent first. Rejects if the index does not answer. */
  stats(): Promise<IndexStats>;
}

/** The index of a node that feeds it. */
export function readYourWrites(
  node: NodeName,
  index: Pick<ListingIndexService, 'search' | 'stats'>,
  feed: Pick<ListingFeed<never>, 'flush' | 'lagMs'>,
): NodeIndex {
  return {
    search: async (query, { atLeast }) => {
      const position = feed.flush(atLeast);
      const answer = await index.search(query, { atLeast: { node, position } });
      if (answer.kind !== 'found') return answer;
      const { isBehind, ...found } = answer;
      return { ...found, lagMs: isBehind ? Math.max(1, feed.lagMs) : 0 };
    },
    stats: () => {
      feed.flush(position(Number.MAX_SAFE_INTEGER));
      return index.stats();
    },
  };
}
