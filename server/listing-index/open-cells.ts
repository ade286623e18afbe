/** The cells that a node feeds to the index, and how the index knows each of them. */
import { marketOf } from '#shared/address.ts';
import { cellOf, type CellEpoch } from '#shared/cell.ts';
import type { ShardId } from '#shared/units.ts';
import type { CellChanges, FeedChange } from './service.ts';

/** An open cell: it waits for a snapshot, one is under way, or the index knows it and takes its changes. */
export interface OpenCell {
  readonly cell: CellEpoch;
  phase: 'waiting' | 'snapshot' | 'live';
}

/** The open cells of a node, of each at most one epoch. */
export class OpenCells {
  readonly #cellsPerMarket: number;
  readonly #byMarket = new Map<string, (OpenCell | undefined)[]>();

  constructor(cellsPerMarket: number) {
    this.#cellsPerMarket = cellsPerMarket;
  }

  /** Opens a cell anew, in the place of what it was. */
  open(cell: CellEpoch): void {
    const known = this.#byMarket.get(cell.market) ?? [];
    known[cell.cell] = { cell, phase: 'waiting' };
    this.#byMarket.set(cell.market, known);
  }

  /** Closes a cell; does nothing if it is open in another epoch. */
  close({ market, cell, epoch }: CellEpoch): void {
    const known = this.#byMarket.get(market);
    if (known?.[cell]?.cell.epoch === epoch) known[cell] = undefined;
  }

  /** The cell of a shard, if it is open. */
  of(shard: ShardId): OpenCell | undefined {
    return this.#byMarket.get(marketOf(shard))?.[cellOf(shard, this.#cellsPerMarket)];
  }

  /** Whether this is still the cell that is open there. */
  has(open: OpenCell): boolean {
    return this.#byMarket.get(open.cell.market)?.[open.cell.cell] === open;
  }

  /** Whether there is a cell whose changes the index takes. */
  get isAnyLive(): boolean {
    return this.#byMarket.values().some((cells) => cells.some((each) => each?.phase === 'live'));
  }

  /** The cells that wait for a snapshot. */
  get waiting(): readonly OpenCell[] {
    return [...this.#byMarket.values()].flatMap((cells) => cells.flatMap((each) => (each?.phase === 'waiting' ? [each] : [])));
  }

  /** Every open cell needs a snapshot: one that is under way does not count. */
  awaitSnapshots(): void {
    for (const cells of this.#byMarket.values()) for (const each of cells) if (each !== undefined) each.phase = 'waiting';
  }
}

/** Changes, gathered by cell. */
export class ChangesByCell {
  readonly #changes = new Map<OpenCell, FeedChange[]>();

  of(open: OpenCell): FeedChange[] {
    const known = this.#changes.get(open);
    if (known !== undefined) return known;
    const changes: FeedChange[] = [];
    this.#changes.set(open, changes);
    return changes;
  }

  get all(): readonly CellChanges[] {
    return Array.from(this.#changes, ([{ cell }, changes]) => ({ cell, changes }));
  }
}
