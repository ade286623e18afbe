/** What a shard consists of in memory: its tables, its counters and the undo log of the turn under way. */
import { type Epoch, FIRST_ROW_ID, type Instant, NO_VERSION, type RowId, type ShardId } from '#shared/units.ts';
import type { ChangeSet, Put, RawChangeSet, Remove, ShardHeader } from './change-set.ts';
import type { ShardDefinition } from './definition.ts';
import type { Entity } from './entity.ts';
import type { AlarmIndex } from './table-index.ts';
import { alarmKey, Table, type TableOwner } from './table.ts';
import { UndoLog } from './undo-log.ts';
import type { LedgerEntry } from './ledger.ts';

/** Counters that a turn may move and a refusal takes back. */
export interface Counters {
  readonly nextId: RowId;
  readonly seq: number;
  readonly ledgerSeq: number;
}

export class ShardState implements TableOwner {
  readonly shard: ShardId;
  readonly cell: number;
  readonly epoch: Epoch;
  version = NO_VERSION;
  now: Instant;
  nextId = FIRST_ROW_ID;
  generation = 1;
  seq = 0;
  ledgerSeq = 0;
  wakeAt: Instant | 0 = 0;
  /** The tables that have, or had, a row, or were asked for one: most entities of most shards have none. */
  readonly tables: Table[] = [];
  /** What all rows take in an image, in bytes, about. */
  bytes = 0;
  /** What of it the player made, and may make: see `EntityDefinition.isMadeByOthers`. */
  ownBytes = 0;
  /** What the turn under way has done. */
  readonly log = new UndoLog();
  readonly #definition: ShardDefinition;
  readonly #tableByOrdinal: (Table | undefined)[] = [];
  /** The alarms of all tables. */
  readonly #alarms: AlarmIndex[] = [];

  constructor(definition: ShardDefinition, shard: ShardId, cell: number, epoch: Epoch, now: Instant) {
    this.#definition = definition;
    this.shard = shard;
    this.cell = cell;
    this.epoch = epoch;
    this.now = now;
  }

  /** A shard as it was kept. Rows of older entity versions are left to the upgrade. */
  static fromRaw(definition: ShardDefinition, raw: RawChangeSet, cell: number, epoch: Epoch): ShardState {
    if (raw.version < 1) throw new Error(`shard ${raw.shard} is there, and has had no turn`);
    const state = new ShardState(definition, raw.shard, cell, epoch, raw.now);
    state.version = raw.version;
    state.nextId = raw.nextId;
    state.generation = raw.generation;
    state.seq = raw.seq;
    state.ledgerSeq = raw.ledgerSeq;
    state.wakeAt = raw.wakeAt;
    for (const { table, id, values } of raw.puts) {
      if (id >= raw.nextId) throw new Error(`the row ${id} of ${table} is there, and the next one would get the id ${raw.nextId}`);
      const entity = definition.entityByTable.get(table);
      if (entity !== undefined) state.table(entity).restore(id, entity.rowFunctions.keptRow(values, id));
    }
    return state;
  }

  /** The table of an entity. */
  table({ name, ordinal }: Pick<Entity, 'name' | 'ordinal'>): Table {
    return this.#tableByOrdinal[ordinal] ?? this.tableNamed(name);
  }

  /** Whether an entity has no row. Most have no table either, and need none to answer that. */
  isEmpty({ ordinal }: Pick<Entity, 'ordinal'>): boolean {
    return (this.#tableByOrdinal[ordinal]?.size ?? 0) === 0;
  }

  /** The table of the entity of that name; throws `Error` for one that no powerup brings. */
  tableNamed(entity: string): Table {
    const known = this.#definition.entityByName.get(entity);
    if (known === undefined) throw new Error(`no powerup brings the entity ${entity}`);
    return this.#tableByOrdinal[known.ordinal] ?? this.#newTable(known);
  }

  get counters(): Counters {
    return { nextId: this.nextId, seq: this.seq, ledgerSeq: this.ledgerSeq };
  }

  /** Ends the turn under way and keeps what it did: the change set of it. */
  commit(now: Instant, wakeAt: Instant | 0, ledger: readonly LedgerEntry[]): ChangeSet {
    if (now < this.now) throw new Error(`the time of ${this.shard} would run back from ${this.now} to ${now}`);
    const puts: Put[] = [];
    const removes: Remove[] = [];
    for (const { table, id, before, after } of this.log.entries) {
      if (before === after) continue;
      if (after === undefined) removes.push({ table: table.entity.schema.table, id });
      else puts.push({ entity: table.entity, row: after });
    }
    this.log.commit();
    this.version++;
    this.now = now;
    this.wakeAt = wakeAt;
    const { shard, version, cell, epoch, nextId, generation, seq, ledgerSeq } = this;
    return { shard, version, cell, epoch, now, nextId, generation, seq, ledgerSeq, wakeAt, puts, removes, ledger };
  }

  /** Takes back what the turn under way did. */
  rollback({ nextId, seq, ledgerSeq }: Counters): void {
    this.log.rollback();
    this.nextId = nextId;
    this.seq = seq;
    this.ledgerSeq = ledgerSeq;
  }

  /** The counters as of the last turn. */
  get header(): ShardHeader {
    const { shard, version, cell, epoch, now, nextId, generation, seq, ledgerSeq, wakeAt } = this;
    return { shard, version, cell, epoch, now, nextId, generation, seq, ledgerSeq, wakeAt };
  }

  /** The earliest alarm of any row, those of suspended rows left out; 0 for none. */
  nextWake(isSuspended: ((key: string) => boolean) | undefined): Instant | 0 {
    let earliest: Instant | 0 = 0;
    for (const alarm of this.#alarms) {
      const due = isSuspended === undefined ? alarm.earliest : earliestAwake(alarm, isSuspended);
      if (due !== 0 && (earliest === 0 || due < earliest)) earliest = due;
    }
    return earliest;
  }

  #newTable(entity: Entity): Table {
    const table = new Table(entity, this);
    this.#tableByOrdinal[entity.ordinal] = table;
    this.tables.push(table);
    this.#alarms.push(...table.alarms);
    return table;
  }
}

function earliestAwake(alarm: AlarmIndex, isSuspended: (key: string) => boolean): Instant | 0 {
  let earliest: Instant | 0 = 0;
  alarm.forEach((due, row) => {
    if ((earliest === 0 || due < earliest) && !isSuspended(alarmKey(alarm.alarm, row))) earliest = due;
  });
  return earliest;
}
