/** What players of simulator and drill do with their completed tab. */
import type { Step } from '../feature.ts';

/** Claims all, or one entry; now and then where there is none. */
export const completedSteps: readonly Step[] = [
  {
    name: 'claim',
    weight: 16,
    wish: ({ state }, prng) => {
      const entries = [...state.completed.values()];
      if (entries.length === 0 && prng.chance(0.9)) return undefined;
      const isOne = entries.length > 0 && prng.chance(0.4);
      return { type: 'claim', body: isOne ? { entryId: prng.pick(entries).id } : { all: true } };
    },
  },
];
