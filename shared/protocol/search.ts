/** The search of the market. */
import { z } from 'zod';
import { criteriaSchema, sortSchema } from '../criteria.ts';
import { limits } from '../limits.ts';
import { cursorSchema, durationSchema, integerSchema } from '../schemas.ts';
import { listingSchema } from './listing.ts';
import type { ProtocolPart } from './part.ts';

/** What the search adds to the protocol. */
export const searchPart = {
  commands: {
    search: {
      summary: 'Finds listings of the market, by default the cheapest first. A listing may be gone when it is bought.',
      changes: false,
      cost: 2,
      isMetered: true,
      request: z.strictObject({
        criteria: criteriaSchema,
        sort: sortSchema.exactOptional(),
        limit: integerSchema(1, limits.searchLimitMax),
        cursor: cursorSchema.exactOptional(),
      }),
      answer: z.strictObject({
        listings: z.array(listingSchema),
        total: integerSchema(0, Number.MAX_SAFE_INTEGER),
        cursor: cursorSchema.exactOptional(),
        lagMs: durationSchema,
      }),
    },
  },
} as const satisfies ProtocolPart;
