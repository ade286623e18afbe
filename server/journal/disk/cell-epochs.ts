/**
 * Which cell each shard is in, and which epoch each cell is in: what is current can be told by it
 * from what a former epoch has left.
 */
import { marketOf } from '#shared/address.ts';
import { cellOf, FIRST_EPOCH, type CellEpoch } from '#shared/cell.ts';
import type { Epoch, Market, ShardId } from '#shared/units.ts';
import type { PersisterDefinition } from '../persister/persister.ts';

/** What it is made from: a `PersisterDefinition` says it. */
export interface CellFacts extends Pick<PersisterDefinition, 'epochs'> {
  readonly world: Pick<PersisterDefinition['world'], 'cellsPerRegion'>;
}

export class CellEpochs {
  readonly #cellsPerRegion: number;
  readonly #epochByCell: ReadonlyMap<string, Epoch>;

  /** Cells that `epochs` does not name are in the first epoch. */
  constructor({ world, epochs = [] }: CellFacts) {
    this.#cellsPerRegion = world.cellsPerRegion;
    this.#epochByCell = new Map(epochs.map(({ market, cell, epoch }) => [`${market} ${cell}`, epoch]));
  }

  /** The cell of a shard, in its present epoch. */
  of(shard: ShardId): CellEpoch {
    const [market, cell] = [marketOf(shard), this.cellOf(shard)];
    return { market, cell, epoch: this.#epochOf(market, cell) };
  }

  /** Which of its market's cells a shard is in. */
  cellOf(shard: ShardId): number {
    return cellOf(shard, this.#cellsPerRegion);
  }

  /** Whether the cell is in that epoch now. */
  isPresent({ market, cell, epoch }: CellEpoch): boolean {
    return this.#epochOf(market, cell) === epoch;
  }

  #epochOf(market: Market, cell: number): Epoch {
    return this.#epochByCell.get(`${market} ${cell}`) ?? FIRST_EPOCH;
  }
}
