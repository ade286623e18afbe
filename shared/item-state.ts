/** Items in the state of a room. */
import { schema, t, type SchemaType } from '@colyseus/schema';

/** One rolled property of an item. */
export const AffixState = schema({ id: t.string(), value: t.number() }, 'AffixState');

/** One item: `Item` of the vocabulary. */
export const ItemState = schema(
  {
    id: t.string(),
    baseId: t.string(),
    itemClass: t.string(),
    name: t.string(),
    rarity: t.string(),
    level: t.number(),
    affixes: t.array(AffixState),
    dps: t.number().optional(),
    armor: t.number().optional(),
  },
  'ItemState',
);

/** An instance of `ItemState`. */
export type ItemState = SchemaType<typeof ItemState>;
