/** What one feature adds to the protocol, and how the parts of all features become one table. */
import type { z } from 'zod';
import { textSchema } from '../schemas.ts';

/** The id of a message from the server. */
export const messageId = textSchema(80);

/**
 * A command of the `player` room. `changes` tells those that change something; they carry an `op`.
 */
export interface CommandSchema {
  readonly summary: string;
  readonly changes: boolean;
  /**
   * What it takes from the budgets of its player and its address, in tokens (`limits.playerTokensPerSecond`), before it
   * is looked at.
   */
  readonly cost: number;
  /** Whether its answer may cost more, taken afterwards; a player has one such command under way at a time. */
  readonly isMetered?: true;
  readonly request: z.ZodType;
  readonly answer: z.ZodType;
}

/** A message that the server sends unasked. */
export interface ServerMessageSchema {
  readonly summary: string;
  readonly payload: z.ZodType;
}

/** What a feature says of itself to clients. Each name belongs to one part. */
export interface ProtocolPart {
  /**
   * Schemas that the reference describes under a name of their own: `listingSchema` is `Listing`.
   */
  readonly shapes?: Readonly<Record<string, z.ZodType>>;
  readonly commands?: Readonly<Record<string, CommandSchema>>;
  readonly messages?: Readonly<Record<string, ServerMessageSchema>>;
  /** Why gold or goods move: the causes of its lines in the ledger. */
  readonly causes?: readonly string[];
  /** Its fields of the room's state. */
  readonly state?: Readonly<Record<string, unknown>>;
}

/** A member of a part that is a table by names. */
export type PartTable = 'shapes' | 'commands' | 'messages' | 'state';

type TableOf<Part, Table extends PartTable> = Part extends { readonly [Name in Table]: infer Entries } ? Entries : never;
type NamesOf<Tables> = Tables extends unknown ? keyof Tables : never;
type EntryOf<Tables, Name> = Tables extends unknown ? (Name extends keyof Tables ? Tables[Name] : never) : never;

/** One table of all parts, with the type of each entry as its part declares it. */
export type Composed<Part, Table extends PartTable> = {
  -readonly [Name in NamesOf<TableOf<Part, Table>>]: EntryOf<TableOf<Part, Table>, Name>;
};

/** The entries of one table of all parts, in the order of the parts. */
export function composed<Part extends ProtocolPart, Table extends PartTable>(parts: readonly Part[], table: Table): Composed<Part, Table> {
  const tables = parts.map((part: ProtocolPart) => part[table]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- TypeScript cannot relate the loop to the type that says the same.
  return Object.assign({}, ...tables) as Composed<Part, Table>;
}
