/**
 * Which life of which node owns each cell, in which epoch, as far as the index was told; and up to where it knows the
 * journal of each node. Invariants I4 and I5 of the index (`listing-index.ts`) are kept here.
 */
import type { CellEpoch } from '#shared/cell.ts';
import { type Epoch, NO_POSITION, type NodeName, type Position } from '#shared/units.ts';
import type { FeedBatch, FeedChange, FeedState } from './service.ts';

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

/** What a batch comes to. */
interface Taken {
  /** Up to where the journal of its life is known. */
  readonly to: Position;
  /** Its cells that have a later owner. */
  readonly outdated: readonly CellEpoch[];
  /** The numbers of its other cells; their rows go, if it opens them. */
  readonly cells: readonly { readonly number: number; readonly changes: readonly FeedChange[] }[];
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
  open({ node, incarnation, cells }: FeedBatch & { readonly kind: 'open' }): Taken {
    const life = this.#lifeOf(node, incarnation) ?? { node, incarnation, position: NO_POSITION };
    this.#lives.set(node, life);
    const outdated: CellEpoch[] = [];
    const opened: { number: number; changes: [] }[] = [];
    for (const cell of cells) {
      const known = this.#cells.get(keyOf(cell));
      const number = known?.number ?? this.#cells.size;
      if (known !== undefined && known.epoch > cell.epoch) {
        outdated.push(cell);
        continue;
      }
      this.#cells.set(keyOf(cell), { number, life, epoch: cell.epoch });
      opened.push({ number, changes: [] });
    }
    return { to: life.position, outdated, cells: opened };
  }

  /**
   * Notes up to where a batch tells the journal of its life. `undefined`, and nothing is noted, if it
   * does not continue what that life has said.
   */
  take(batch: FeedBatch & { readonly kind: 'rows' | 'changes' }): Taken | undefined {
    const life = this.#lifeOf(batch.node, batch.incarnation);
    if (life === undefined || (batch.kind === 'changes' && batch.from !== life.position)) return undefined;
    const outdated: CellEpoch[] = [];
    const cells: { number: number; changes: readonly FeedChange[] }[] = [];
    for (const { cell, changes } of batch.cells) {
      const known = this.#cells.get(keyOf(cell));
      if (known !== undefined && known.epoch > cell.epoch) outdated.push(cell);
      else if (known?.epoch === cell.epoch && known.life === life) cells.push({ number: known.number, changes });
      else return undefined;
    }
    if (batch.kind === 'changes') life.position = batch.to;
    return { to: life.position, outdated, cells };
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

function keyOf({ market, cell }: CellEpoch): string {
  return `${market}/${cell}`;
}
