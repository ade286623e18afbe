/**
 * The state of the `player` room: one player's own view of one shard, as Colyseus replicates it to the client.
 *
 * The edge owns it and changes it only by durable change sets, in their order. Maps are keyed by what the player
 * names in a command: item id, commodity, listing id, order row, entry row. Their order says nothing; entries carry
 * their own instants. Amounts are whole coins and instants epoch milliseconds, both sent as `float64`, which keeps
 * every safe integer in every SDK; Colyseus' own `number` does not (docs/decisions/034).
 */
import { schema, type MapSchema, type Schema, type SchemaType, type ToJSON } from '@colyseus/schema';
import { composed, type Composed } from './protocol/part.ts';
import { PROTOCOL_PARTS } from './protocol/parts.ts';

/** The whole room: the fields of all parts of the protocol. */
export const PlayerState = schema(composed(PROTOCOL_PARTS, 'state'), 'PlayerState');
/** An instance of `PlayerState`. */
export type PlayerState = SchemaType<typeof PlayerState>;

/** A map of the state, as the server writes it, and reads it again. */
export interface StateMap<Value> {
  set(key: string, value: Value): unknown;
  delete(key: string): unknown;
  clear(): void;
  has(key: string): boolean;
  keys(): Iterable<string>;
  values(): Iterable<Value>;
  entries(): Iterable<readonly [key: string, value: Value]>;
}

type Fields = keyof Composed<(typeof PROTOCOL_PARTS)[number], 'state'>;

/** The fields of a schema as a plain object, or whatever else as it is. */
export type Plain<Value> = AsData<Value extends Schema ? ToJSON<Value> : Value>;

type AsData<Value> = Value extends string | number | boolean
  ? Value
  : Value extends readonly (infer Element)[]
    ? readonly AsData<Element>[]
    : { readonly [Name in keyof Value]: AsData<Value[Name]> };

/**
 * The same as the server keeps it: plain values, and maps of plain objects with the fields of their schema. An object in a map is never
 * changed, only replaced.
 */
export type PlainState = {
  -readonly [Name in Fields]: PlayerState[Name] extends MapSchema<infer Value> ? StateMap<Plain<Value>> : PlayerState[Name];
};
