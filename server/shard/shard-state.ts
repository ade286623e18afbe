/** What a shard consists of in memory: its tables and its counters. Owned by `Shard`. */
import type { Instant, ShardId } from '#shared/units.ts';
import type { RawChangeSet, ShardHeader } from './change-set.ts';
import { rowFromRaw } from './codec.ts';
import type { ShardDefinition } from './definition.ts';
import type { Entity } from './entity.ts';
import { alarmKey, Table } from './table.ts';

/** Counters that a turn may move and a refusal takes back. */
export interface Counters {
  readonly nextId: number;
  readonly seq: number;
  readonly ledgerSeq: number;
}

/** See the head of this file. */
export class ShardState {
  readonly shard: ShardId;
  readonly cell: number;
  readonly epoch: number;
  version = 0;
  now: Instant;
  nextId = 1;
  generation = 1;
  seq = 0;
  ledgerSeq = 0;
  wakeAt: Instant | 0 = 0;
  /** The tables that have, or had, a row: most entities of most shards have none. */
  readonly tables: Table[] = [];
  /** Those that the turn under way has touched. */
  readonly touched: Table[] = [];
  readonly #definition: ShardDefinition;
  readonly #tableByOrdinal: (Table | undefined)[] = [];

  constructor(definition: ShardDefinition, shard: ShardId, cell: number, epoch: number, now: Instant) {
    this.#definition = definition;
    this.shard = shard;
    this.cell = cell;
    this.epoch = epoch;
    this.now = now;
  }

  /** A shard as it was kept. Rows of older entity versions are left to the upgrade. */
  static fromRaw(definition: ShardDefinition, raw: RawChangeSet, cell: number, epoch: number): ShardState {
    const state = new ShardState(definition, raw.shard, cell, epoch, raw.now);
    state.version = raw.version;
    state.nextId = raw.nextId;
    state.generation = raw.generation;
    state.seq = raw.seq;
    state.ledgerSeq = raw.ledgerSeq;
    state.wakeAt = raw.wakeAt;
    for (const put of raw.puts) {
      const schema = definition.schemas.get(put.table);
      if (schema !== undefined && definition.currentTables.has(put.table)) state.tableNamed(schema.name).load(rowFromRaw(schema, put));
    }
    return state;
  }

  /** The table of an entity. */
  table({ name, ordinal }: Pick<Entity, 'name' | 'ordinal'>): Table {
    return this.#tableByOrdinal[ordinal] ?? this.tableNamed(name);
  }

  /** The table of the entity of that name; throws `Error` for one that no powerup brings. */
  tableNamed(entity: string): Table {
    const known = this.#definition.entityByName.get(entity);
    if (known === undefined) throw new Error(`no powerup brings the entity ${entity}`);
    return this.#tableByOrdinal[known.ordinal] ?? this.#newTable(known);
  }

  /** The size of all rows, in bytes as encoded, about. */
  get bytes(): number {
    let bytes = 0;
    for (const table of this.tables) bytes += table.bytes;
    return bytes;
  }

  get counters(): Counters {
    return { nextId: this.nextId, seq: this.seq, ledgerSeq: this.ledgerSeq };
  }

  /** Ends the turn under way and keeps what it did. */
  commit(changes: ShardHeader): void {
    this.version = changes.version;
    this.now = changes.now;
    this.wakeAt = changes.wakeAt;
    while (this.touched.length > 0) this.touched.pop()?.commit();
  }

  /** Takes back what the turn under way did. */
  rollback({ nextId, seq, ledgerSeq }: Counters): void {
    while (this.touched.length > 0) this.touched.pop()?.rollback();
    this.nextId = nextId;
    this.seq = seq;
    this.ledgerSeq = ledgerSeq;
  }

  /** The header that a change set of the turn under way gets. */
  header(version: number, now: Instant, wakeAt: Instant | 0): ShardHeader {
    const { shard, cell, epoch, nextId, generation, seq, ledgerSeq } = this;
    return { shard, version, cell, epoch, now, nextId, generation, seq, ledgerSeq, wakeAt };
  }

  /** The earliest alarm of any row, those of suspended rows left out; 0 for none. */
  nextWake(isSuspended: ((key: string) => boolean) | undefined): Instant | 0 {
    let earliest: Instant | 0 = 0;
    for (const table of this.tables) {
      for (const { alarm, dueByRow } of table.alarms) {
        dueByRow.forEach((due, row) => {
          if ((earliest === 0 || due < earliest) && isSuspended?.(alarmKey(alarm, row)) !== true) earliest = due;
        });
      }
    }
    return earliest;
  }

  #newTable(entity: Entity): Table {
    const table = new Table(entity, this.touched);
    this.#tableByOrdinal[entity.ordinal] = table;
    this.tables.push(table);
    return table;
  }
}
