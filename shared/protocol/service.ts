/**
 * What game servers do to players: grants put gold and goods into a shard, charges take them out.
 * They come over HTTP, never from a player's client.
 *
 * One request has one of them, or a list; each is done once, whatever happens to the others.
 */
import { z } from 'zod';
import { itemSchema } from '../item.ts';
import { limits } from '../limits.ts';
import {
  catalogWordSchema,
  goldSchema,
  itemIdSchema,
  modeSchema,
  operationIdSchema,
  quantitySchema,
  regionSchema,
  textSchema,
  type Parsed,
} from '../schemas.ts';
import { studioPlayerSchema } from '../studio-id.ts';
import type { ProtocolPart } from './part.ts';

/** What a service key may allow. */
export const SERVICE_RIGHTS = ['grant', 'charge', 'read'] as const;
/** One of the rights. */
export type ServiceRight = (typeof SERVICE_RIGHTS)[number];

/** What it is for, in the log of the node and for whoever asks later. */
const reason = textSchema(limits.textLengthMax);

const address = { op: operationIdSchema, player: studioPlayerSchema, region: regionSchema, mode: modeSchema };

const commodities = z
  .array(z.strictObject({ commodity: catalogWordSchema, quantity: quantitySchema }))
  .max(limits.serviceCommoditiesMax)
  .refine((stacks) => areDistinct(stacks.map(({ commodity }) => commodity)), 'must name each commodity once');

const NOTHING = 'must have gold, items or commodities';

/** An item to grant: whole, as the catalogue knows its parts. Without an `id` it is given one. */
const grantedItemSchema = z.strictObject({ ...itemSchema.shape, id: itemIdSchema.exactOptional() });

/** A grant: gold, items and commodities for one player. */
export const grantSchema = z
  .strictObject({
    ...address,
    gold: goldSchema.exactOptional(),
    items: z
      .array(grantedItemSchema)
      .max(limits.serviceItemsMax)
      .refine((items) => areDistinct(items.flatMap(({ id = [] }) => id)), 'must name each item once')
      .exactOptional(),
    commodities: commodities.exactOptional(),
    reason,
  })
  .refine(hasSomething, NOTHING);

/** A charge: gold, items and commodities that one player has at hand. */
export const chargeSchema = z
  .strictObject({
    ...address,
    gold: goldSchema.exactOptional(),
    items: z.array(itemIdSchema).max(limits.serviceItemsMax).refine(areDistinct, 'must name each item once').exactOptional(),
    commodities: commodities.exactOptional(),
    reason,
  })
  .refine(hasSomething, NOTHING);

const by = textSchema(limits.serviceNameLengthMax);

/**
 * What a grant is answered: the name of the key that gave it, the gold that the player can spend
 * now, and the ids of the items, by whether they came into the stash or wait in the completed tab.
 */
export const grantAnswerSchema = z.strictObject({ by, gold: goldSchema, stash: z.array(itemIdSchema), completed: z.array(itemIdSchema) });

/** What a charge is answered: the name of the key that took it, and the gold that is left. */
export const chargeAnswerSchema = z.strictObject({ by, gold: goldSchema });

/** A grant, after the edge. */
export type Grant = Parsed<typeof grantSchema>;
/** A charge, after the edge. */
export type Charge = Parsed<typeof chargeSchema>;
/** An item to grant, which may not have an id yet. */
export type GrantedItem = Parsed<typeof grantedItemSchema>;
/** What a grant is answered. */
export type GrantAnswer = Parsed<typeof grantAnswerSchema>;
/** What a charge is answered. */
export type ChargeAnswer = Parsed<typeof chargeAnswerSchema>;

/** What the service adds to the protocol of players: why their gold and goods move. */
export const servicePart = { causes: ['granted', 'charged'] } as const satisfies ProtocolPart;

function areDistinct(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}

interface Moved {
  readonly gold?: number;
  readonly items?: readonly unknown[];
  readonly commodities?: readonly unknown[];
}

function hasSomething({ gold = 0, items = [], commodities: stacks = [] }: Moved): boolean {
  return gold > 0 || items.length > 0 || stacks.length > 0;
}
