/**
 * What a start makes anew in the projections before anybody asks.
 *
 * 1. What is mirrored is of all shards, of the entities that this program projects, and as it was
 *    written; else it is made anew from the shards, as they are after the fold. A crash in the
 *    middle starts it over.
 * 2. A shard that cannot be loaded then is left out and due at once, and every start tries it
 *    again.
 * 3. Totals that are damaged are summed up again from the ledger.
 */
import type { RawChangeSet } from '#server/shard/change-set.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import type { Position, ShardId } from '#shared/units.ts';
import { asBuffer } from '#server/shard/record/format.ts';
import { ShardFault, type PersisterDefinition } from '../persister/persister.ts';
import type { Projector } from '../fold/projector.ts';
import type { ShardLoader } from '../images/shard-loader.ts';
import { RecordCursor } from '#server/shard/record/cursor.ts';
import type { CellTotals, LiveRow, MirroredShard, ProjectionStore } from '../disk/storage.ts';
import { Sums } from '../fold/sums.ts';

/** Shards that a sentence names. */
const NAMED_MAX = 5;

/** What it works with. */
export interface StartUpkeepOptions {
  readonly store: ProjectionStore;
  readonly projector: Projector;
  /** Loads shards; made only if one has to be loaded. */
  readonly loader: () => ShardLoader;
  readonly definition: Pick<PersisterDefinition, 'schemas' | 'places' | 'projected'>;
}

/** One per start. */
export class StartUpkeep {
  readonly #options: StartUpkeepOptions;
  readonly #entities: readonly string[];
  readonly #cursor: RecordCursor;
  readonly #writer: RecordWriter;
  readonly #remarks: string[] = [];
  /** Why the mirror is made anew, if it has to be. */
  #whyAnew: string | undefined;

  constructor(options: StartUpkeepOptions) {
    this.#options = options;
    this.#entities = options.definition.projected.toSorted();
    this.#cursor = new RecordCursor(options.definition);
    this.#writer = new RecordWriter(options.definition);
  }

  /** One sentence for each thing that was done. */
  get remarks(): readonly string[] {
    return this.#remarks;
  }

  /**
   * What there is to do so that everything up to that position is folded, and all of it is true:
   * one thing after the other. Each may be done again if it failed.
   */
  *steps(position: Position): Generator<() => void> {
    const { store, projector } = this.#options;
    yield () => this.#beforeFold();
    while (store.folded < position) yield () => projector.foldChunk(position);
    yield () => this.#afterFold(position);
  }

  /** Looks at what is there, and makes good what the fold adds to. */
  #beforeFold(): void {
    const { folded, upkeep } = this.#options.store;
    // Where nothing is folded yet, whatever comes from now on is all that there is.
    if (folded === 0) upkeep.finish(this.#entities);
    const { isMirrorWhole, areTotalsWhole } = upkeep.check();
    const isOfThese = JSON.stringify(upkeep.entities) === JSON.stringify(this.#entities);
    if (!isOfThese) this.#whyAnew ??= 'were not of what this version projects';
    else if (!isMirrorWhole) this.#whyAnew ??= 'were damaged';
    // The fold writes into it, and would fail at what does not hang together.
    if (!isMirrorWhole) upkeep.forget();
    if (areTotalsWhole) return;
    upkeep.setTotals(this.#totals());
    this.#remarks.push('the totals in node.db were damaged, and were summed up again from the ledger');
  }

  /** Makes the mirror anew if it has to be, as the shards are after the fold. */
  #afterFold(position: Position): void {
    if (this.#whyAnew === undefined) this.#takeIn(position);
    else this.#remake(position, this.#whyAnew);
  }

  #remake(position: Position, why: string): void {
    const { store } = this.#options;
    store.upkeep.forget();
    const loader = this.#options.loader();
    const leftOut = this.#put(loader, loader.shards(position), position);
    store.upkeep.finish(this.#entities);
    this.#remarks.push(`the mirrored rows and alarms in node.db ${why}, and were made anew from the shards${leftOutOf(leftOut)}`);
  }

  /** Those that were left out may be whole by now. */
  #takeIn(position: Position): void {
    const { leftOut } = this.#options.store.upkeep;
    if (leftOut.length === 0) return;
    const still = this.#put(this.#options.loader(), leftOut, position);
    const taken = leftOut.length - still.length;
    if (taken > 0) this.#remarks.push(`${taken} shards that could not be loaded at an earlier start are in node.db now`);
    if (still.length > 0)
      this.#remarks.push(
        `${still.length} shards still cannot be loaded: their listings are not found until their files are whole (${some(still)})`,
      );
  }

  /** Returns those that were left out. */
  #put(loader: ShardLoader, shards: Iterable<ShardId>, position: Position): readonly ShardId[] {
    const leftOut: ShardId[] = [];
    const mirror = (shard: ShardId): MirroredShard => {
      const mirrored = this.#mirrored(loader, shard, position);
      if (mirrored.kind === 'left-out') leftOut.push(shard);
      return mirrored;
    };
    this.#options.store.upkeep.put(this.#entities, Iterator.from(shards).map(mirror));
    return leftOut;
  }

  #mirrored(loader: ShardLoader, shard: ShardId, position: Position): MirroredShard {
    const of = this.#options.projector.epochs.of(shard);
    try {
      const loaded = loader.load(shard, position);
      if (loaded.kind === 'absent') return { kind: 'loaded', shard, of, due: 0, rows: [] };
      return { kind: 'loaded', shard, of, due: loaded.shard.wakeAt, rows: this.#rows(loaded.shard) };
    } catch (error) {
      if (error instanceof ShardFault) return { kind: 'left-out', shard, of };
      throw error;
    }
  }

  /** The live rows of projected entities, each as in a record. */
  #rows({ shard, version, puts, ...rest }: RawChangeSet): readonly LiveRow[] {
    const entityOf = (table: string): string => this.#options.definition.schemas.get(table)?.name ?? '';
    const live = puts.filter(({ table }) => this.#entities.includes(entityOf(table)));
    if (live.length === 0) return [];
    this.#writer.raw({ ...rest, shard, version, puts: live, removes: [], ledger: [] });
    const bytes = asBuffer(this.#writer.take());
    const cursor = this.#cursor;
    const rows: LiveRow[] = [];
    cursor.open(bytes, 0);
    while (cursor.nextPut()) {
      const { table, id, putStart, putEnd } = cursor;
      rows.push({ entity: entityOf(table), shard, id, version, record: bytes.subarray(putStart, putEnd) });
    }
    return rows;
  }

  #totals(): readonly CellTotals[] {
    const { definition, projector, store } = this.#options;
    const sums = new Sums(definition.places);
    for (const segment of store.upkeep.segments()) sums.addSegment(segment, projector.epochs.cellOf(segment.shard));
    return sums.byCell();
  }
}

function leftOutOf(shards: readonly ShardId[]): string {
  return shards.length === 0 ? '' : `; ${shards.length} that cannot be loaded are left out until they can (${some(shards)})`;
}

/** The first names of a list that may be long. */
function some(shards: readonly ShardId[]): string {
  const rest = shards.length > NAMED_MAX ? ', ...' : '';
  return shards.slice(0, NAMED_MAX).join(', ') + rest;
}
