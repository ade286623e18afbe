/** A shard image as text: what a frozen image must still say when a later program opens it. */
import type { RawChangeSet } from '../change-set.ts';
import { rowsByEntity } from './shard-driver.ts';
import type { Schemas } from '../row.ts';

/** The header, every row with its entity and version in the order of entities and ids, and every ledger line, one JSON value per line. */
export function linesOfImage(image: RawChangeSet, schemas: Schemas): readonly string[] {
  const { puts, removes: _removes, ledger, ...header } = image;
  const versionByEntity = new Map(puts.map(({ table }) => [schemas.get(table)?.name, schemas.get(table)?.version]));
  const rows = [...rowsByEntity(image, schemas)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [
    JSON.stringify({ header }),
    ...rows.flatMap(([entity, ofEntity]) => {
      const version = versionByEntity.get(entity);
      return ofEntity.toSorted((a, b) => a.id - b.id).map((row) => JSON.stringify({ entity, version, row: sorted(row) }));
    }),
    ...ledger.map((entry) => JSON.stringify({ ledger: sorted(entry) })),
  ];
}

/** The attributes in the order of their names: the order in which a program lists them is no part of what it keeps. Bytes are in hexadecimal. */
function sorted(value: object): object {
  const attributes = Object.entries<unknown>({ ...value }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    attributes.map(([name, kept]) => [name, kept instanceof Uint8Array ? Buffer.from(kept).toString('hex') : kept]),
  );
}
