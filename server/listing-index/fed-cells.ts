/**
 * The cells that a feed has open, of each at most one epoch, and how the index knows each: it waits for a snapshot,
 * which will have all that happens until then; one is under way; or the index knows it and takes its changes.
 */
import { CellMap, type CellEpoch } from '#shared/cell.ts';
import type { ShardId } from '#shared/units.ts';

/** An open cell. Only `FedCells` writes it. */
export interface FedCell {
  readonly cell: CellEpoch;
  phase: 'waiting' | 'snapshot' | 'live';
  /** Whether changes may be missing that the index does not know; never if it is live. */
  hasLost: boolean;
}

/** The open cells of one feed. */
export class FedCells {
  readonly #cells: CellMap<FedCell>;
  /** Those that are forgotten as soon as the index knows their changes. */
  readonly #closing = new Set<FedCell>();

  constructor(cellsPerMarket: number) {
    this.#cells = new CellMap(cellsPerMarket);
  }

  /** The cell that a shard belongs to, if it is open. */
  of(shard: ShardId): FedCell | undefined {
    return this.#cells.of(shard);
  }

  /** Whether a cell was neither forgotten nor opened anew. */
  isOpen(open: FedCell): boolean {
    return this.#cells.get(open.cell) === open;
  }

  /** Whether one waits for a snapshot. */
  get isOneWaiting(): boolean {
    return this.#cells.values().some(({ phase }) => phase === 'waiting');
  }

  /** Whether the index knows each as a whole. */
  get areAllLive(): boolean {
    return this.#cells.values().every(({ phase }) => phase === 'live');
  }

  /** Whether there are some, and the index knows none. */
  get isNoneLive(): boolean {
    const phases = new Set(this.#cells.values().map(({ phase }) => phase));
    return phases.size > 0 && !phases.has('live');
  }

  /** Whether one lacks changes that wait no more. */
  get hasLost(): boolean {
    return this.#cells.values().some(({ hasLost }) => hasLost);
  }

  /** Those to be forgotten once the index has taken what waits of them. */
  get leaving(): readonly FedCell[] {
    return Array.from(this.#closing).filter(({ phase }) => phase === 'live');
  }

  /** Opens a cell, in the place of what it was. */
  open(cell: CellEpoch): void {
    const former = this.#cells.get(cell);
    if (former !== undefined) this.#closing.delete(former);
    this.#cells.set(cell, { cell, phase: 'waiting', hasLost: former?.hasLost ?? false });
  }

  /** Marks a cell as one to be forgotten; returns whether it is open in that epoch. */
  close(cell: CellEpoch): boolean {
    const open = this.#cells.get(cell);
    if (open?.cell.epoch !== cell.epoch) return false;
    this.#closing.add(open);
    return true;
  }

  /** Forgets these cells, unless they were opened anew. */
  forget(cells: readonly FedCell[]): void {
    for (const open of cells) {
      this.#closing.delete(open);
      if (this.isOpen(open)) this.#cells.set(open.cell, undefined);
    }
  }

  /** Forgets a cell that has another owner, if it is open in that epoch; returns whether it was to be forgotten anyway. */
  giveUp(cell: CellEpoch): boolean {
    const open = this.#cells.get(cell);
    if (open === undefined) return false;
    const wasLeaving = this.#closing.has(open);
    if (open.cell.epoch === cell.epoch) this.forget([open]);
    return wasLeaving;
  }

  /** Takes that a change of a cell goes, which its snapshot will have. */
  lose(open: FedCell): void {
    open.hasLost = true;
  }

  /** Takes that all changes are lost, so that every cell waits for a snapshot: one that is under way does not count. */
  loseAll(): void {
    for (const open of this.#cells.values()) {
      open.phase = 'waiting';
      open.hasLost = true;
    }
  }

  /** Begins the snapshot of all that wait for one. */
  beginSnapshot(): readonly FedCell[] {
    const begun = Array.from(this.#cells.values()).filter(({ phase }) => phase === 'waiting');
    for (const open of begun) open.phase = 'snapshot';
    return begun;
  }

  /** Those of a snapshot that the index has: all that did not begin to wait anew. */
  endSnapshot(cells: readonly FedCell[]): void {
    for (const open of cells) {
      if (open.phase !== 'snapshot') continue;
      open.phase = 'live';
      open.hasLost = false;
    }
  }

  /** Lets those wait again whose snapshot has not ended. */
  giveUpSnapshot(cells: readonly FedCell[]): void {
    for (const open of cells) if (open.phase === 'snapshot') open.phase = 'waiting';
  }
}
