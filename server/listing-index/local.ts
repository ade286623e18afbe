/** The listing index in this process, as a service. */
import type { Timers } from '#server/platform/platform.ts';
import type { ListingIndex } from './listing-index.ts';
import { AT_LEAST_WAIT_MS, type ListingIndexService, type NodePosition } from './service.ts';

/** A search that waits until the index is as new as it asks for. */
interface Waiting {
  readonly atLeast: NodePosition;
  readonly goOn: () => void;
}

/** The service of an index that nobody else changes. A batch is applied before `apply` returns its promise. */
export function localListingIndex(index: ListingIndex, timers: Pick<Timers, 'after'>): ListingIndexService {
  const waiting = new Set<Waiting>();
  const isReached = ({ node, position }: NodePosition): boolean => index.positionOf(node) >= position;
  const reached = (atLeast: NodePosition): Promise<void> =>
    new Promise((resolve) => {
      const cancel = timers.after(AT_LEAST_WAIT_MS, () => search.goOn());
      const search: Waiting = {
        atLeast,
        goOn: () => {
          cancel();
          waiting.delete(search);
          resolve();
        },
      };
      waiting.add(search);
    });

  return {
    apply: async (batch) => {
      const answer = index.apply(batch);
      for (const search of waiting) if (isReached(search.atLeast)) search.goOn();
      return answer;
    },
    search: async (query, { atLeast }) => {
      if (!isReached(atLeast)) await reached(atLeast);
      const answer = index.search(query);
      return answer.kind === 'found' ? { ...answer, isBehind: !isReached(atLeast) } : answer;
    },
    stats: async () => index.stats(),
  };
}
