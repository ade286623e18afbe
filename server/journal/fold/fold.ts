/**
 * Folds a chunk of the journal into what it comes to, netted in memory: a listing made and sold
 * within one chunk leaves nothing. Per turn it reads the header, the rows of projected entities and
 * the ledger, and skips the rest. It runs for every turn of the node: what it does per row and per
 * line is kept to numbers, and objects are made of what is left at the end.
 */
import { marketOf } from '#shared/address.ts';
import type { Instant, Position, RowId, ShardId, ShardVersion } from '#shared/units.ts';
import { FINGERPRINT_BYTES, fingerprintHash } from './fingerprint.ts';
import type { RecordCursor } from '#server/shard/record/cursor.ts';
import type { AlarmChange, FoldDelta, LedgerSegment, RowChange } from '../disk/storage.ts';
import { Sums, type CellSums } from './sums.ts';

/**
 * A projected row as the chunk leaves it: where its last put is, or, with `end` 0, that it has
 * ended.
 */
interface RowPlace {
  version: ShardVersion;
  buffer: number;
  start: number;
  end: number;
}

/** What one shard did in the chunk, in one epoch of its cell. */
interface ShardChunk {
  readonly shard: ShardId;
  /** Of its cell; they say which it is. */
  readonly sums: CellSums;
  wakeAt: Instant | 0;
  /**
   * Rows from here on were made within the chunk: if they end in it, nobody needs to hear of them.
   */
  readonly newRowsFrom: number;
  /** By the number of the entity, then by id; only for entities that the shard has rows of. */
  readonly rowsByEntity: (Map<RowId, RowPlace> | undefined)[];
  firstSeq: number;
  lastSeq: number;
  /** Ledger lines as triples, one per turn: number of the buffer, start, end. */
  readonly lines: number[];
  /** Hashes of the transactions in them. */
  readonly transactions: number[];
}

/** One per chunk. */
export class FoldChunk {
  readonly #cursor: RecordCursor;
  readonly #entities: readonly string[];
  readonly #entityByTable: ReadonlyMap<string, number>;
  readonly #buffers: Buffer[] = [];
  readonly #chunkByShard = new Map<ShardId, ShardChunk>();
  /**
   * All of them by cell and epoch, those of a cell's older epoch first: what is written of one cell
   * lies together in `node.db`.
   */
  readonly #chunksByCell = new Map<CellSums, ShardChunk[]>();
  readonly #sums: Sums;
  /** Rows that the record under the cursor puts, as pairs of entity and id. */
  readonly #puts: number[] = [];

  /** `projectedByTable` gives the entity of each table that is projected. */
  constructor(cursor: RecordCursor, projectedByTable: ReadonlyMap<string, string>, places: readonly string[]) {
    this.#cursor = cursor;
    this.#sums = new Sums(places);
    this.#entities = [...new Set(projectedByTable.values())];
    this.#entityByTable = new Map([...projectedByTable].map(([table, entity]) => [table, this.#entities.indexOf(entity)]));
  }

  /** Adds the next batch of records. */
  add(records: Buffer): void {
    const buffer = this.#buffers.push(records) - 1;
    const cursor = this.#cursor;
    for (let offset = 0; offset < records.length; offset = cursor.end) {
      cursor.open(records, offset);
      const chunk = this.#chunk();
      chunk.wakeAt = cursor.wakeAt;
      this.#takePuts(chunk, buffer);
      this.#takeRemoves(chunk);
      this.#takeLedger(chunk, buffer, records);
    }
  }

  /** What it all comes to. */
  delta(folded: Position): FoldDelta {
    const alarms: AlarmChange[] = [];
    const rows: RowChange[] = [];
    const segments: LedgerSegment[] = [];
    for (const [{ of }, chunks] of this.#chunksByCell) {
      for (const chunk of chunks) {
        alarms.push({ shard: chunk.shard, of, due: chunk.wakeAt });
        this.#collectRows(chunk, rows);
        if (chunk.lines.length > 0) segments.push(this.#segment(chunk));
      }
    }
    return { folded, alarms, rows, segments, totals: this.#sums.byCell() };
  }

  #chunk(): ShardChunk {
    const { shard, nextId, cell, epoch } = this.#cursor;
    const found = this.#chunkByShard.get(shard);
    if (found?.sums.of.epoch === epoch) return found;
    const chunk: ShardChunk = {
      shard,
      sums: this.#sums.of(marketOf(shard), cell, epoch),
      wakeAt: 0,
      newRowsFrom: nextId,
      rowsByEntity: this.#entities.map(() => undefined),
      firstSeq: 0,
      lastSeq: 0,
      lines: [],
      transactions: [],
    };
    this.#chunkByShard.set(shard, chunk);
    this.#chunksByCell.getOrInsertComputed(chunk.sums, () => []).push(chunk);
    return chunk;
  }

  #takePuts(chunk: ShardChunk, buffer: number): void {
    const cursor = this.#cursor;
    this.#puts.length = 0;
    while (cursor.nextPut()) {
      const entity = this.#entityByTable.get(cursor.table);
      if (entity === undefined) continue;
      this.#puts.push(entity, cursor.id);
      setRow(chunk, entity, cursor.id, { version: cursor.version, buffer, start: cursor.putStart, end: cursor.putEnd });
    }
  }

  #takeRemoves(chunk: ShardChunk): void {
    const cursor = this.#cursor;
    while (cursor.nextRemove()) {
      const entity = this.#entityByTable.get(cursor.table);
      // An upgrade moves a row from one table to another: it is put and removed at once, and lives
      // on.
      if (entity === undefined || this.#isPut(entity, cursor.id)) continue;
      if (cursor.id >= chunk.newRowsFrom) chunk.rowsByEntity[entity]?.delete(cursor.id);
      else setRow(chunk, entity, cursor.id, { version: cursor.version, buffer: 0, start: 0, end: 0 });
    }
  }

  #isPut(entity: number, id: RowId): boolean {
    for (let index = 0; index < this.#puts.length; index += 2) {
      if (this.#puts[index] === entity && this.#puts[index + 1] === id) return true;
    }
    return false;
  }

  #takeLedger(chunk: ShardChunk, buffer: number, records: Buffer): void {
    const cursor = this.#cursor;
    let start = 0;
    while (cursor.nextEntry()) {
      if (start === 0) start = cursor.entryStart;
      if (chunk.firstSeq === 0) chunk.firstSeq = cursor.entrySeq;
      chunk.lastSeq = cursor.entrySeq;
      const { transactionStart, transactionEnd } = cursor;
      if (transactionEnd > transactionStart) addHash(chunk.transactions, fingerprintHash(records, transactionStart, transactionEnd));
      while (cursor.nextPosting()) chunk.sums.add(cursor.placeNumber, cursor.assetClass(), cursor.amount);
    }
    if (start !== 0) chunk.lines.push(buffer, start, cursor.end);
  }

  #collectRows({ shard, sums: { of }, rowsByEntity }: ShardChunk, rows: RowChange[]): void {
    rowsByEntity.forEach((places, index) => {
      const entity = this.#entities[index] ?? '';
      for (const [id, { version, buffer, start, end }] of places ?? []) {
        rows.push({ entity, shard, of, id, version, record: end === 0 ? undefined : this.#buffers[buffer]?.subarray(start, end) });
      }
    });
  }

  #segment({ shard, sums, firstSeq, lastSeq, lines, transactions }: ShardChunk): LedgerSegment {
    const fingerprints = Buffer.allocUnsafe(transactions.length * FINGERPRINT_BYTES);
    transactions.forEach((hash, index) => fingerprints.writeUInt32LE(hash, index * FINGERPRINT_BYTES));
    return { shard, epoch: sums.of.epoch, firstSeq, lastSeq, transactions: fingerprints, lines: this.#joined(lines) };
  }

  #joined(places: readonly number[]): Uint8Array {
    let length = 0;
    for (let index = 0; index < places.length; index += 3) length += (places[index + 2] ?? 0) - (places[index + 1] ?? 0);
    const joined = Buffer.allocUnsafe(length);
    let at = 0;
    for (let index = 0; index < places.length; index += 3) {
      at += this.#buffers[places[index] ?? 0]?.copy(joined, at, places[index + 1], places[index + 2]) ?? 0;
    }
    return joined;
  }
}

function setRow(chunk: ShardChunk, entity: number, id: RowId, place: RowPlace): void {
  const rows = chunk.rowsByEntity[entity];
  if (rows === undefined) chunk.rowsByEntity[entity] = new Map([[id, place]]);
  else rows.set(id, place);
}

/** The lines of one turn, and often of the next, are of one transaction. */
function addHash(hashes: number[], hash: number): void {
  if (hashes.at(-1) !== hash) hashes.push(hash);
}
