/** What the turn under way has done to the rows of a shard: the change set is made from it, and a refusal is undone by it. */
import type { RowId } from '#shared/units.ts';
import type { Entity } from './entity.ts';
import type { AnyRow } from './row.ts';

/** A table, as the log needs it. */
export interface RowHolder {
  readonly entity: Entity;
  restore(id: RowId, row: AnyRow | undefined): void;
}

/** What one turn did to one row: `before` is what it was, `undefined` if it is new; `after` likewise, if it is gone. */
export interface RowEffect {
  readonly table: RowHolder;
  readonly id: RowId;
  readonly before: AnyRow | undefined;
  after: AnyRow | undefined;
}

/** One entry per row, in the order in which they were first touched. Few rows: a walk is quicker than a map. Owned by the shard's state. */
export class UndoLog {
  #entries: RowEffect[] = [];

  /** The net effect of the turn so far, with entries left in of rows that are again what they were. */
  get entries(): readonly Readonly<RowEffect>[] {
    return this.#entries;
  }

  /** Whether no turn is under way that has touched a row. */
  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Whether the turn has changed any row, on balance. */
  get hasEffect(): boolean {
    for (const { before, after } of this.#entries) if (before !== after) return true;
    return false;
  }

  /** Notes that a row was `before` and is `after`. */
  note(table: RowHolder, id: RowId, before: AnyRow | undefined, after: AnyRow | undefined): void {
    for (const entry of this.#entries) {
      if (entry.id !== id || entry.table !== table) continue;
      entry.after = after;
      return;
    }
    this.#entries.push({ table, id, before, after });
  }

  /** Ends the turn and keeps its effect. */
  commit(): void {
    this.#entries = [];
  }

  /** Ends the turn and takes its effect back. */
  rollback(): void {
    const entries = this.#entries;
    this.#entries = [];
    for (const { table, id, before } of entries) table.restore(id, before);
  }
}
