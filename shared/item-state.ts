/** Items in the state of a room. */
import { schema, t, type SchemaType } from '@colyseus/schema';

/** One rolled property of an item. */
export const AffixState = schema(
  {
    /** The affix's id in the catalogue. */
    id: t.string(),
    /** Its value, in the unit that the catalogue names. */
    value: t.int32(),
  },
  'AffixState',
);

/** One item: `Item` of the vocabulary. */
export const ItemState = schema(
  {
    /** Unique in the world, and kept through every trade. */
    id: t.string(),
    /** The base's id in the catalogue. */
    baseId: t.string(),
    /** The item class's id in the catalogue. */
    itemClass: t.string(),
    /** What it is called. */
    name: t.string(),
    /** `common`, `magic`, `rare`, `set` or `legendary`. */
    rarity: t.string(),
    /** The item level. */
    level: t.uint16(),
    /** Its rolled properties. */
    affixes: t.array(AffixState),
    /** Damage per second in tenths, on weapons only. */
    dps: t.uint32().optional(),
    /** Armor, on what protects only. */
    armor: t.uint32().optional(),
  },
  'ItemState',
);

/** An instance of `ItemState`. */
export type ItemState = SchemaType<typeof ItemState>;
