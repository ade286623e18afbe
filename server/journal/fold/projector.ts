/**
 * Folds the journal into `node.db`, chunk by chunk in the order of positions, and answers from it.
 * Owned by one thread.
 *
 * What is asked as of a durable position is folded that far first (`answer`): so every answer is of
 * one durable position, and nothing has to be merged with records that are not folded yet.
 */
import { limits } from '#shared/limits.ts';
import type { Instant, Position, ShardId, TransactionId } from '#shared/units.ts';
import { asBuffer, type RecordFormat } from '#server/shard/record/format.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import { fingerprint } from './fingerprint.ts';
import { FoldChunk } from './fold.ts';
import { packRows } from './projected-row.ts';
import type { DueShard, PersisterDefinition, ProjectionScope, Queries, QueryCalls, QueryName } from '../persister/persister.ts';
import { RecordCursor } from '#server/shard/record/cursor.ts';
import type { JournalReader, LedgerSegment, ProjectionStore } from '../disk/storage.ts';
import { CellEpochs, type CellFacts } from '../disk/cell-epochs.ts';

/** Writes `node.db`, and answers every query of it. */
export class Projector implements Queries {
  readonly #journal: JournalReader;
  readonly #store: ProjectionStore;
  /** In which epoch each cell is. */
  readonly epochs: CellEpochs;
  readonly #places: readonly string[];
  readonly #cursor: RecordCursor;
  readonly #calls: QueryCalls = this;
  readonly #projectedByTable: ReadonlyMap<string, string>;

  constructor(
    journal: JournalReader,
    store: ProjectionStore,
    definition: CellFacts & RecordFormat & Pick<PersisterDefinition, 'projected'>,
  ) {
    const { schemas, places } = definition;
    this.#places = places;
    this.#journal = journal;
    this.#store = store;
    this.#cursor = new RecordCursor(definition);
    this.epochs = new CellEpochs(definition);
    store.setEpochs(this.epochs);
    const isProjected = new Set(definition.projected);
    this.#projectedByTable = new Map([...schemas].flatMap(([table, { name }]) => (isProjected.has(name) ? [[table, name]] : [])));
  }

  /** Folds the next chunk, nothing beyond `through`. Returns the position that is folded now. */
  foldChunk(through: Position): Position {
    const { folded } = this.#store;
    if (folded >= through) return folded;
    const chunk = new FoldChunk(this.#cursor, this.#projectedByTable, this.#places);
    let last = folded;
    for (const batch of this.#journal.read(folded, limits.foldChunkBytes)) {
      if (batch.last > through) break;
      if (batch.first !== last + 1) throw new Error(`the journal goes on at ${batch.first}, after ${last}`);
      chunk.add(asBuffer(batch.records));
      last = batch.last;
    }
    if (last === folded) throw new Error(`the journal has no whole batch between ${folded} and ${through}`);
    this.#store.apply(chunk.delta(last));
    return last;
  }

  /** Folds everything up to a durable position. */
  foldThrough(through: Position): void {
    while (this.foldChunk(through) < through);
  }

  /** Folds everything up to `through` and answers a query from what is folded then. */
  answer<Name extends QueryName>(name: Name, parameters: Parameters<QueryCalls[Name]>, through: Position): ReturnType<QueryCalls[Name]> {
    this.foldThrough(through);
    return this.#calls[name](...parameters);
  }

  due(now: Instant, limit: number, after?: DueShard): readonly DueShard[] {
    return this.#store.due(now, limit, after);
  }

  history(shard: ShardId, before: number, limit: number): readonly LedgerEntry[] {
    const lines: LedgerEntry[] = [];
    for (const segment of this.#store.segments(shard, before, limit)) {
      for (const line of this.#lines(segment).toReversed()) if (line.seq < before && lines.length < limit) lines.push(line);
    }
    return lines;
  }

  transaction(tx: TransactionId, shards: readonly ShardId[]): readonly { readonly shard: ShardId; readonly entry: LedgerEntry }[] {
    const print = fingerprint(tx);
    return [...new Set(shards)].flatMap((shard) =>
      this.#store
        .segmentsWith(shard, print)
        .flatMap((segment) => this.#lines(segment))
        .filter((entry) => entry.tx === tx)
        .map((entry) => ({ shard, entry })),
    );
  }

  projection(entity: string, { shard, cell }: ProjectionScope = {}): ReturnType<Queries['projection']> {
    const of = cell ?? (shard === undefined ? undefined : this.epochs.of(shard));
    return { position: this.#store.folded, rows: packRows(this.#store.rows(entity, of, shard)) };
  }

  totals(): ReturnType<Queries['totals']> {
    return { position: this.#store.folded, totals: this.#store.totals() };
  }

  #lines({ lines }: LedgerSegment): readonly LedgerEntry[] {
    const bytes = asBuffer(lines);
    const entries: LedgerEntry[] = [];
    for (let offset = 0; offset < bytes.length; offset = this.#cursor.offset) entries.push(this.#cursor.entry(bytes, offset));
    return entries;
  }
}
