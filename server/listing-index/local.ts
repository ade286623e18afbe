/** The listing index in this process, as a service. */
import type { Timers } from '#server/platform/platform.ts';
import { within } from '#server/platform/within.ts';
import type { ListingIndex } from './listing-index.ts';
import { AT_LEAST_WAIT_MS, type ListingIndexService, type NodePosition } from './service.ts';

/** The service of an index that nothing else changes. A batch is applied before `apply` returns its promise. */
export function localListingIndex(index: ListingIndex, timers: Pick<Timers, 'after'>): ListingIndexService {
  /** The searches that wait until the index is as new as they ask for, by what lets them go on. */
  const waiting = new Map<() => void, NodePosition>();
  const isReached = ({ node, position }: NodePosition): boolean => index.positionOf(node) >= position;
  return {
    reachable: () => Promise.resolve(),
    lost: () => Promise.withResolvers<void>().promise,
    apply: async (batch) => {
      const answer = index.apply(batch);
      for (const [goOn, atLeast] of waiting) if (isReached(atLeast)) goOn();
      return answer;
    },
    search: async (query, { atLeast }) => {
      if (!isReached(atLeast)) {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.set(resolve, atLeast);
        await within(timers, AT_LEAST_WAIT_MS, promise);
        waiting.delete(resolve);
      }
      const answer = index.search(query);
      return answer.kind === 'found' ? { ...answer, isBehind: !isReached(atLeast) } : answer;
    },
    stats: async () => index.stats(),
  };
}
