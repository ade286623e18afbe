/** Rows as the engine and the persister see them: of whatever entity, described by plain data that is the same in every thread. */
import type { RowId } from '#shared/units.ts';

/** A row of whatever entity. Immutable: a change is another row of the same id. */
export interface AnyRow {
  readonly id: RowId;
  readonly [column: string]: unknown;
}

/** What an attribute can hold. `reference` is the row id of another entity of the same shard. */
export type AttributeType = 'integer' | 'text' | 'gold' | 'boolean' | 'timestamp' | 'bytes' | 'reference' | 'enum' | 'json';

/** As what the values of each type are kept, in records and in images. */
export const KEPT_AS: Readonly<Record<AttributeType, 'number' | 'text' | 'bytes'>> = {
  integer: 'number',
  gold: 'number',
  boolean: 'number',
  timestamp: 'number',
  reference: 'number',
  text: 'text',
  enum: 'text',
  json: 'text',
  bytes: 'bytes',
};

/** What the persister has to know of one attribute. */
export interface ColumnSchema {
  readonly name: string;
  readonly type: AttributeType;
  readonly nullable: boolean;
}

/** What the persister has to know of one entity version. */
export interface EntitySchema {
  readonly name: string;
  readonly version: number;
  /** The table of this entity version in records and shard images, such as `wallet_v1`. */
  readonly table: string;
  readonly columns: readonly ColumnSchema[];
}

/** The schemas of every entity version that records and images may contain, by table. */
export type Schemas = ReadonlyMap<string, EntitySchema>;
