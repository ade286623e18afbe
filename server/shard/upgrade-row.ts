/** Rows of older entity versions, taken to the present one by the chain of upgraders. */
import type { ShardDefinition } from './definition.ts';
import type { AnyRow } from './row.ts';

/** The present row that an old one becomes, whose table it names. Throws `Error` if there is no way from there. Nothing is checked. */
export function upgradedRow(
  definition: ShardDefinition,
  fromTable: string,
  old: AnyRow,
): { readonly entity: string; readonly row: AnyRow } {
  let table = fromTable;
  let row = old;
  while (!definition.entityByTable.has(table)) {
    const step = definition.upgraders.get(table);
    if (step === undefined) throw new Error(`there is no upgrade from ${table}`);
    row = step.upgrade(row);
    table = step.to.table;
  }
  const schema = definition.schemas.get(table);
  if (schema === undefined) throw new Error(`the upgrade of ${fromTable} leads to ${table}, which nobody defines`);
  return { entity: schema.name, row };
}
