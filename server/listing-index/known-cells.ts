/**
 * Which life of which node owns each cell, in which epoch, as far as the index was told; and up to where it knows the
 * journal of each node. Invariants I4 and I5 of the index (`listing-index.ts`) are kept here.
 */
import type { CellEpoch } from '#shared/cell.ts';
import { type Epoch, NO_POSITION, type NodeName, type Position } from '#shared/units.ts';
import type { CellChanges, FeedBatch, FeedState } from './service.ts';

/** A life of a node. */
interface Life {
  readonly node: NodeName;
  readonly incarnation: string;
  position: Position;
}

/** A cell. Its number is that of its rows in the store. */
interface KnownCell {
  readonly number: number;
  readonly life: Life;
  readonly epoch: Epoch;
}

/** What an opening comes to: the position of the life, the cells that have a later owner, and those whose rows go. */
interface Opening {
  readonly to: Position;
  readonly outdated: readonly CellEpoch[];
  readonly emptied: ReadonlySet<number>;
}

/** The cells and lives that the index knows. */
export class KnownCells {
  readonly #lives = new Map<NodeName, Life>();
  readonly #cells = new Map<string, KnownCell>();

  /** Up to where the journal of a node is known; 0 for a node that is not. */
  positionOf(node: NodeName): Position {
    return this.#lives.get(node)?.position ?? NO_POSITION;
  }

  /** Makes cells those of a life, which begins with its first opening. */
  open({ node, incarnation, cells }: FeedBatch & { readonly kind: 'open' }): Opening {
    const life = this.#lifeOf(node, incarnation) ?? { node, incarnation, position: NO_POSITION };
    this.#lives.set(node, life);
    const outdated: CellEpoch[] = [];
    const emptied = new Set<number>();
    for (const cell of cells) {
      const known = this.#cells.get(keyOf(cell));
      if (known !== undefined && known.epoch > cell.epoch) {
        outdated.push(cell);
        continue;
      }
      const number = known?.number ?? this.#cells.size;
      this.#cells.set(keyOf(cell), { number, life, epoch: cell.epoch });
      emptied.add(number);
    }
    return { to: life.position, outdated, emptied };
  }

  /**
   * The numbers of the cells of a batch, `outdated` for those that have a later owner. `undefined`, and nothing is noted,
   * if the batch does not continue what its life has said. Otherwise the life is known up to its end.
   */
  take(batch: FeedBatch & { readonly kind: 'rows' | 'changes' }): readonly (number | 'outdated')[] | undefined {
    const life = this.#lifeOf(batch.node, batch.incarnation);
    if (life === undefined || (batch.kind === 'changes' && batch.from !== life.position)) return undefined;
    const numbers: (number | 'outdated')[] = [];
    for (const { cell } of batch.cells) {
      const known = this.#cells.get(keyOf(cell));
      if (known !== undefined && known.epoch > cell.epoch) numbers.push('outdated');
      else if (known?.epoch === cell.epoch && known.life === life) numbers.push(known.number);
      else return undefined;
    }
    if (batch.kind === 'changes') life.position = batch.to;
    return numbers;
  }

  /** How far each node is known, with `rowsOf` telling how many rows the cell of a number has. */
  states(rowsOf: (number: number) => number): readonly FeedState[] {
    return Array.from(this.#lives.values(), (life) => {
      const own = [...this.#cells.values()].filter((cell) => cell.life === life);
      return { ...life, cells: own.length, rows: own.reduce((sum, { number }) => sum + rowsOf(number), 0) };
    });
  }

  #lifeOf(node: NodeName, incarnation: string): Life | undefined {
    const life = this.#lives.get(node);
    return life?.incarnation === incarnation ? life : undefined;
  }
}

/** The cells of a batch that `take` found outdated. */
export function outdatedOf(cells: readonly CellChanges[], numbers: readonly (number | 'outdated')[]): readonly CellEpoch[] {
  return cells.flatMap(({ cell }, place) => (numbers[place] === 'outdated' ? [cell] : []));
}

function keyOf({ market, cell }: CellEpoch): string {
  return `${market}/${cell}`;
}
