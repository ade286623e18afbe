/** Rows of the model as their entities type them. */
import type { Attributes, Entity, RowOf } from '#server/shard/entity.ts';
import type { AnyRow } from '#server/shard/row.ts';

/** The row as its entity types it, or `undefined` for a row of another entity. */
export function rowAs<A extends Attributes>(entity: Entity<A>, name: string, row: AnyRow | undefined): RowOf<A> | undefined {
  return row === undefined || entity.name !== name ? undefined : (row as RowOf<A>);
}

/** A value as an object whose fields may be looked at. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
