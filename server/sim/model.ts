/**
 * The model: what the durable journals of all nodes come to, folded by code that shares nothing with shards, images and projections but
 * the record format. It is what the checkers hold the system against.
 *
 * It hears of a turn when the turn is on a disk, and of nothing else: so it is always what a crash would leave.
 */
import { NO_POSITION, type NodeName, type Position, type RowId, type ShardId } from '#shared/units.ts';
import { rowFromRaw, type RawChangeSet, type ShardHeader } from '#server/shard/change-set.ts';
import { PlainRecordReader } from '#server/shard/record/plain-reader.ts';
import type { ShardDefinition } from '#server/shard/definition.ts';
import type { Attributes, Entity, RowOf } from '#server/shard/entity.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import type { AnyRow } from '#server/shard/row.ts';
import type { Batch } from '#server/journal/disk/storage.ts';
import { rowOf } from '#server/market/feature.ts';

/** One shard, as its durable turns have made it. */
export interface ShardModel {
  readonly id: ShardId;
  /** The node whose journal it is in. */
  readonly node: NodeName;
  header: ShardHeader;
  readonly rowsByEntity: Map<string, Map<RowId, AnyRow>>;
  readonly ledger: LedgerEntry[];
}

/** What a turn did to one row. */
export interface RowDelta {
  readonly entity: string;
  readonly id: RowId;
  readonly before: AnyRow | undefined;
  readonly after: AnyRow | undefined;
}

/** One durable turn, with the shard as it stands after it. */
export interface DurableTurn {
  readonly node: NodeName;
  readonly position: Position;
  readonly previous: ShardHeader | undefined;
  readonly changes: RawChangeSet;
  readonly deltas: readonly RowDelta[];
  readonly shard: ShardModel;
  /** Whether its batch ends with it: what comes after may be lost by a crash, and this turn not. */
  readonly isLastOfBatch: boolean;
}

export class Model {
  readonly definition: ShardDefinition;
  readonly shards = new Map<ShardId, ShardModel>();
  readonly #onTurn: (turn: DurableTurn) => void;
  readonly #positionByNode = new Map<NodeName, Position>();

  /** `onTurn` hears of each turn, in the order in which they became durable. */
  constructor(definition: ShardDefinition, onTurn: (turn: DurableTurn) => void) {
    this.definition = definition;
    this.#onTurn = onTurn;
  }

  /** The last position of a node's journal. */
  position(node: NodeName): Position {
    return this.#positionByNode.get(node) ?? NO_POSITION;
  }

  /** Takes in what a node's disk has made durable. */
  observe(node: NodeName, batch: Batch): void {
    const reader = new PlainRecordReader(batch.records, this.definition);
    for (let position = batch.first; !reader.done; position++) {
      const changes = reader.changeSet();
      this.#turn(node, position, changes, reader.done);
      this.#positionByNode.set(node, position);
    }
  }

  /** The rows of an entity of one shard, in the order of their ids. */
  rows<A extends Attributes>(shard: ShardId, entity: Entity<A>): readonly RowOf<A>[] {
    const known = this.shards.get(shard);
    return known === undefined ? [] : rowsOfShard(known, entity);
  }

  /** The rows of an entity of all shards. */
  allRows<A extends Attributes>(entity: Entity<A>): readonly { readonly shard: ShardId; readonly row: RowOf<A> }[] {
    return [...this.shards.keys()].flatMap((shard) => this.rows(shard, entity).map((row) => ({ shard, row })));
  }

  #turn(node: NodeName, position: Position, changes: RawChangeSet, isLastOfBatch: boolean): void {
    const known = this.shards.get(changes.shard);
    const shard: ShardModel = known ?? { id: changes.shard, node, header: changes, rowsByEntity: new Map(), ledger: [] };
    const previous = known?.header;
    const deltas = [...this.#puts(shard, changes), ...this.#removes(shard, changes)];
    const { puts: _puts, removes: _removes, ledger, ...header } = changes;
    shard.header = header;
    shard.ledger.push(...ledger);
    this.shards.set(changes.shard, shard);
    this.#onTurn({ node, position, previous, changes, deltas, shard, isLastOfBatch });
  }

  #puts(shard: ShardModel, { puts }: RawChangeSet): readonly RowDelta[] {
    return puts.map((put) => {
      const schema = this.definition.schemas.get(put.table);
      if (schema === undefined) throw new Error(`the table ${put.table} is of no known entity`);
      const rows = rowsFor(shard, schema.name);
      const before = rows.get(put.id);
      const after = rowFromRaw(schema, put);
      rows.set(put.id, after);
      return { entity: schema.name, id: put.id, before, after };
    });
  }

  #removes(shard: ShardModel, { removes }: RawChangeSet): readonly RowDelta[] {
    return removes.map(({ table, id }) => {
      const name = this.definition.schemas.get(table)?.name ?? table;
      const rows = rowsFor(shard, name);
      const before = rows.get(id);
      rows.delete(id);
      return { entity: name, id, before, after: undefined };
    });
  }
}

/** A row that a turn has made, changed or removed. */
export interface RowStep<R> {
  readonly id: RowId;
  /** As it was before the turn; `undefined` for a new one. */
  readonly old: R | undefined;
  /** As it is now; `undefined` for one that is gone. */
  readonly row: R | undefined;
}

/** What a turn did to the rows of one entity. */
export function stepsOf<A extends Attributes>({ deltas }: DurableTurn, entity: Entity<A>): readonly RowStep<RowOf<A>>[] {
  return deltas.flatMap(({ entity: name, id, before, after }) =>
    entity.name === name ? [{ id, old: before && rowOf(entity, before), row: after && rowOf(entity, after) }] : [],
  );
}

/** The rows of an entity of a shard, in the order of their ids. */
export function rowsOfShard<A extends Attributes>(shard: ShardModel, entity: Entity<A>): readonly RowOf<A>[] {
  const rows = [...(shard.rowsByEntity.get(entity.name)?.values() ?? [])].map((row) => rowOf(entity, row));
  return rows.length < 2 ? rows : rows.toSorted((a, b) => a.id - b.id);
}

function rowsFor(shard: ShardModel, entity: string): Map<RowId, AnyRow> {
  let rows = shard.rowsByEntity.get(entity);
  if (rows === undefined) shard.rowsByEntity.set(entity, (rows = new Map<RowId, AnyRow>()));
  return rows;
}
