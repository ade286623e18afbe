/**
 * Folds a chunk of the journal into what it comes to, netted in memory: a listing made and sold within one chunk leaves nothing.
 * Per turn it reads the header, the rows of projected entities and the ledger, and skips the rest.
 */
import { marketOf } from '#shared/address.ts';
import type { Instant, ShardId } from '#shared/units.ts';
import { fingerprintInto, FINGERPRINT_BYTES } from './fingerprint.ts';
import type { Position } from './persister.ts';
import type { RecordSkimmer } from './skim-codec.ts';
import type { FoldDelta, LedgerSegment, RowChange } from './storage.ts';
import { Sums } from './sums.ts';

/** What one shard did in the chunk. */
interface ShardChunk {
  readonly market: string;
  wakeAt: Instant | 0;
  /** Rows from here on were made within the chunk: if they end in it, nobody needs to hear of them. */
  readonly newRowsFrom: number;
  readonly rowsByEntity: Map<string, Map<number, RowChange>>;
  firstSeq: number;
  lastSeq: number;
  /** Ledger lines as triples: number of the buffer, start, end. */
  readonly lines: number[];
  /** Transactions as triples, likewise. */
  readonly transactions: number[];
}

/** See the head of this file. One per chunk. */
export class FoldChunk {
  readonly #skimmer: RecordSkimmer;
  readonly #projectedByTable: ReadonlyMap<string, string>;
  readonly #buffers: Buffer[] = [];
  readonly #chunkByShard = new Map<ShardId, ShardChunk>();
  readonly #sums = new Sums();

  /** `projectedByTable` gives the entity of each table that is projected. */
  constructor(skimmer: RecordSkimmer, projectedByTable: ReadonlyMap<string, string>) {
    this.#skimmer = skimmer;
    this.#projectedByTable = projectedByTable;
  }

  /** Adds the next batch of records. */
  add(records: Buffer): void {
    this.#buffers.push(records);
    const skimmer = this.#skimmer;
    for (let offset = 0; offset < records.length; offset = skimmer.end) {
      skimmer.open(records, offset);
      const chunk = this.#chunk();
      chunk.wakeAt = skimmer.wakeAt;
      const ended = this.#rows(chunk, records);
      if (ended !== undefined) this.#end(chunk, ended);
      this.#ledger(chunk);
    }
  }

  /** What it all comes to. */
  delta(folded: Position): FoldDelta {
    const alarms = new Map<ShardId, Instant | 0>();
    const rows: RowChange[] = [];
    const segments: LedgerSegment[] = [];
    for (const [shard, chunk] of this.#chunkByShard) {
      alarms.set(shard, chunk.wakeAt);
      for (const changes of chunk.rowsByEntity.values()) rows.push(...changes.values());
      if (chunk.lines.length > 0) segments.push(this.#segment(shard, chunk));
    }
    return { folded, alarms, rows, segments, totals: this.#sums.byKey() };
  }

  #chunk(): ShardChunk {
    const { shard, nextId } = this.#skimmer;
    let chunk = this.#chunkByShard.get(shard);
    if (chunk === undefined) {
      chunk = {
        market: marketOf(shard),
        wakeAt: 0,
        newRowsFrom: nextId,
        rowsByEntity: new Map(),
        firstSeq: 0,
        lastSeq: 0,
        lines: [],
        transactions: [],
      };
      this.#chunkByShard.set(shard, chunk);
    }
    return chunk;
  }

  /** Notes the projected puts, and returns the rows that end, if any. */
  #rows(chunk: ShardChunk, records: Buffer): readonly RowChange[] | undefined {
    const skimmer = this.#skimmer;
    let put: Set<string> | undefined;
    while (skimmer.nextPut()) {
      const entity = this.#projectedByTable.get(skimmer.table);
      if (entity === undefined) continue;
      const { shard, version, id, putStart, putEnd } = skimmer;
      note(chunk, { entity, shard, id, version, record: records.subarray(putStart, putEnd) });
      put ??= new Set();
      put.add(`${entity} ${id}`);
    }
    let ended: RowChange[] | undefined;
    while (skimmer.nextRemove()) {
      const entity = this.#projectedByTable.get(skimmer.table);
      // An upgrade moves a row from one table to another: it is put and removed at once, and lives on.
      if (entity === undefined || put?.has(`${entity} ${skimmer.id}`) === true) continue;
      const { shard, version, id } = skimmer;
      ended ??= [];
      ended.push({ entity, shard, id, version, record: undefined });
    }
    return ended;
  }

  #end(chunk: ShardChunk, ended: readonly RowChange[]): void {
    for (const change of ended) {
      if (change.id >= chunk.newRowsFrom) chunk.rowsByEntity.get(change.entity)?.delete(change.id);
      else note(chunk, change);
    }
  }

  #ledger(chunk: ShardChunk): void {
    const skimmer = this.#skimmer;
    const buffer = this.#buffers.length - 1;
    while (skimmer.nextEntry()) {
      if (chunk.firstSeq === 0) chunk.firstSeq = skimmer.entrySeq;
      chunk.lastSeq = skimmer.entrySeq;
      const { entryStart, transactionStart, transactionEnd } = skimmer;
      if (transactionEnd > transactionStart) chunk.transactions.push(buffer, transactionStart, transactionEnd);
      while (skimmer.nextPosting()) this.#sums.add(chunk.market, skimmer.place, skimmer.assetClass(), skimmer.amount);
      chunk.lines.push(buffer, entryStart, skimmer.offset);
    }
  }

  #segment(shard: ShardId, { firstSeq, lastSeq, lines, transactions }: ShardChunk): LedgerSegment {
    const fingerprints = Buffer.alloc((transactions.length / 3) * FINGERPRINT_BYTES);
    let count = 0;
    forEachPlace(transactions, (index, start, end) => {
      const buffer = this.#buffers[index];
      if (buffer !== undefined) fingerprintInto(fingerprints, count++ * FINGERPRINT_BYTES, buffer, start, end);
    });
    return { shard, firstSeq, lastSeq, transactions: fingerprints, lines: this.#joined(lines) };
  }

  #joined(places: readonly number[]): Uint8Array {
    let length = 0;
    forEachPlace(places, (_, start, end) => (length += end - start));
    const joined = Buffer.allocUnsafe(length);
    let at = 0;
    forEachPlace(places, (index, start, end) => {
      at += this.#buffers[index]?.copy(joined, at, start, end) ?? 0;
    });
    return joined;
  }
}

function note(chunk: ShardChunk, change: RowChange): void {
  const rows = chunk.rowsByEntity.get(change.entity);
  if (rows === undefined) chunk.rowsByEntity.set(change.entity, new Map([[change.id, change]]));
  else rows.set(change.id, change);
}

function forEachPlace(places: readonly number[], visit: (buffer: number, start: number, end: number) => void): void {
  for (let index = 0; index + 2 < places.length; index += 3) visit(places[index] ?? 0, places[index + 1] ?? 0, places[index + 2] ?? 0);
}
