/**
 * The checks of a shard whose image was edited by another program. What a shard writes itself was checked when it was written; an edited row is
 * checked as if it were written now, by the same constraints, and what only the whole shard can tell as well.
 *
 * They say that the shard is well-formed, not that the edit was right: gold that somebody has added is in no ledger.
 */
import type { RowId } from '#shared/units.ts';
import { rowFromRaw, type RawChangeSet, type RawPut } from './change-set.ts';
import { upgradedRow, type ShardDefinition } from './definition.ts';
import type { Entity } from './entity.ts';
import { Json } from './json.ts';
import type { AnyRow } from './row.ts';

/** Throws `Error` with one sentence for the first thing that is wrong with a shard as it was kept. */
export function inspect(definition: ShardDefinition, raw: RawChangeSet): void {
  inspectCounters(raw);
  const tableById = new Map<RowId, string>();
  const values = new Set<string>();
  for (const put of raw.puts) {
    const { table, id } = put;
    const other = tableById.get(id);
    if (other !== undefined) throw new Error(`the row ${id} is in ${other} and in ${table}`);
    tableById.set(id, table);
    const entity = definition.entityByTable.get(table);
    if (entity === undefined) inspectOldRow(definition, put, values);
    else inspectRow(entity, entity.rowFunctions.keptRow(put.values, id), values);
  }
}

function inspectCounters({ nextId, generation, ledgerSeq, ledger }: RawChangeSet): void {
  if (nextId < 1 || generation < 1) throw new Error('its counters begin at 1');
  const first = ledger[0]?.seq ?? ledgerSeq + 1;
  const isWhole = ledger.every(({ seq }, index) => seq === first + index) && first + ledger.length === ledgerSeq + 1;
  if (!isWhole) throw new Error(`its newest lines of the ledger are not the last ones up to ${ledgerSeq}`);
}

function inspectRow(entity: Entity, row: AnyRow, values: Set<string>): void {
  entity.rowFunctions.check(row);
  for (const [name, { holds }] of Object.entries(entity.attributes)) {
    const value = row[name];
    if (value instanceof Json && !isHeld(value, holds)) throw new Error(`the ${name} of row ${row.id} of ${entity.name} is none`);
  }
  for (const { attribute, kind, read } of entity.indexes) {
    const value = read(row);
    if (kind !== 'unique' || value === null) continue;
    const key = `${entity.name} ${attribute} ${JSON.stringify(value)}`;
    if (values.has(key)) throw new Error(`two rows of ${entity.name} have the ${attribute} ${JSON.stringify(value)}`);
    values.add(key);
  }
}

/** A row of an older version: what its upgrade makes of it is checked, as soon as what is JSON is known to be that. A table that this program does not know is not loaded. */
function inspectOldRow(definition: ShardDefinition, put: RawPut, values: Set<string>): void {
  const schema = definition.schemas.get(put.table);
  if (schema === undefined) return;
  const old = rowFromRaw(schema, put);
  for (const [name, value] of Object.entries(old)) {
    if (value instanceof Json && !isHeld(value, undefined)) throw new Error(`the ${name} of row ${put.id} of ${put.table} is none`);
  }
  const { entity, row } = upgradedRow(definition, put.table, old);
  const present = definition.entityByName.get(entity);
  if (present !== undefined) inspectRow(present, row, values);
}

function isHeld(json: { readonly value: unknown }, holds: ((inside: unknown) => boolean) | undefined): boolean {
  try {
    const inside = json.value;
    return typeof inside === 'object' && inside !== null && (holds === undefined || holds(inside));
  } catch {
    // No JSON.
    return false;
  }
}
