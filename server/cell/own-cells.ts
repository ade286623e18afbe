/**
 * The cells that this node owns or has owned since its start.
 *
 * 1. The epoch of a cell never goes down: asserted.
 * 2. A cell is opened anew only when it is closed, so that the last turns of the former epoch are
 *    durable before a shard is read from disk: asserted.
 */
import { assert } from '#shared/assert.ts';
import { CellMap, type CellEpoch } from '#shared/cell.ts';
import type { Market, ShardId } from '#shared/units.ts';
import type { ShardListener } from './active-shard.ts';
import type { CellParts } from './cell-parts.ts';
import { Cell } from './cell.ts';

/** Opens, finds and closes cells. One per node. */
export class OwnCells {
  readonly #parts: CellParts;
  /** Closed ones stay, for their epoch. */
  readonly #cells: CellMap<Cell>;

  constructor(parts: CellParts) {
    this.#parts = parts;
    this.#cells = new CellMap(parts.cellsPerMarket);
  }

  /** Opens a cell. `epoch` must not be lower than the cell's last epoch on this node. */
  open(cellEpoch: CellEpoch): Cell {
    const { market, cell: index, epoch } = cellEpoch;
    const former = this.#cells.get(cellEpoch);
    assert(former === undefined || former.state === 'closed', () => `cell ${index} of ${market} is opened before it is closed`);
    assert(former === undefined || former.cellEpoch.epoch <= epoch, () => `the epoch of cell ${index} of ${market} goes down to ${epoch}`);
    const cell = new Cell(cellEpoch, this.#parts);
    this.#cells.set(cellEpoch, cell);
    return cell;
  }

  /** The cell of a shard, if it is open here. */
  of(shard: ShardId): Cell | undefined {
    const cell = this.#cells.of(shard);
    return cell?.state === 'open' ? cell : undefined;
  }

  /** Whether the cell was closed here, and not opened since. */
  isClosed(cell: CellEpoch): boolean {
    return this.#cells.get(cell)?.state === 'closed';
  }

  /** Ends a subscription to a shard, also of a cell that is being closed. */
  unsubscribe(shard: ShardId, listener: ShardListener): void {
    this.#cells.of(shard)?.unsubscribe(shard, listener);
  }

  /** Closes one, and resolves with its epoch; see `Cell.close`. */
  async close(market: Market, index: number): Promise<CellEpoch> {
    const cell = this.#cells.get({ market, cell: index });
    assert(cell !== undefined, () => `cell ${index} of ${market} is not here`);
    await cell.close();
    return cell.cellEpoch;
  }

  /**
   * Closes all that are open, and resolves when what they did is durable; also if some were being
   * closed already.
   */
  async closeAll(): Promise<void> {
    const open = this.#cells.values().filter(({ state }) => state === 'open');
    await Promise.all([this.#parts.gate.settled(), ...open.map((cell) => cell.close())]);
  }
}
