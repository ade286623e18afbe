/**
 * A region's market as a part: it hands each envelope to the cell that the shard's address names.
 */
import { cellOf } from '#shared/cell.ts';
import type { Reply } from '#server/shard/message.ts';
import { UNAVAILABLE, type Envelope, type Part } from './part.ts';

/** The part of a cell whose owner is not known. */
const VACANT: Part = { accept: () => UNAVAILABLE };

/**
 * One region in one mode. Owns nothing but the order of its cells, of which each is here or on
 * another node.
 */
export class Region implements Part {
  readonly #cells: Part[];

  /** A region of that many cells, all of them vacant. */
  constructor(cells: number) {
    this.#cells = Array.from({ length: cells }, () => VACANT);
  }

  accept(envelope: Envelope): Promise<Reply> {
    const cell = this.#cells[cellOf(envelope.to, this.#cells.length)];
    if (cell === undefined) throw new Error(`there is no cell for ${envelope.to}`);
    return cell.accept(envelope);
  }

  /**
   * Puts a part in the place of a cell: one that is on this node now, or the way to the node that
   * owns it.
   */
  replace(cell: number, part: Part): void {
    if (this.#cells[cell] === undefined) throw new Error(`there is no cell ${cell}`);
    this.#cells[cell] = part;
  }
}
