/**
 * The state of the `player` room: one player's own view of one shard, as Colyseus replicates it to the client.
 *
 * The edge owns it and changes it only by durable change sets, in their order. Maps are keyed by what the player
 * names in a command: item id, commodity, listing id, order row, entry row. Their order says nothing; entries carry
 * their own instants. Amounts are whole coins and instants epoch milliseconds, both sent as `float64`, which keeps
 * every safe integer in every SDK; Colyseus' own `number` does not (docs/decisions/034).
 */
import { schema, type SchemaType } from '@colyseus/schema';
import { composed } from './protocol/part.ts';
import { PROTOCOL_PARTS } from './protocol/parts.ts';

/** The whole room: the fields of all parts of the protocol. */
export const PlayerState = schema(composed(PROTOCOL_PARTS, 'state'), 'PlayerState');
/** An instance of `PlayerState`. */
export type PlayerState = SchemaType<typeof PlayerState>;
