/** A region's market as a part: it hands each envelope to the cell that the shard's address names. */
import type { Reply } from '#server/shard/message.ts';
import type { Envelope, Part } from './part.ts';
import { cellOf } from '#shared/cell.ts';

/** One region in one mode. Owns nothing but the order of its cells, some of which live on other nodes. */
export class Region implements Part {
  readonly #cells: readonly Part[];

  constructor(cells: readonly Part[]) {
    this.#cells = cells;
  }

  accept(envelope: Envelope): Promise<Reply> {
    return this.cellOf(envelope).accept(envelope);
  }

  /** The cell of the envelope's shard. */
  cellOf({ to }: Pick<Envelope, 'to'>): Part {
    const cell = this.#cells[cellOf(to, this.#cells.length)];
    if (cell === undefined) throw new Error(`there is no cell for ${to}`);
    return cell;
  }
}
