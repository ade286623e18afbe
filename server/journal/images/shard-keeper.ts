/**
 * Loads shards and writes their images. Owns the pending index and, alone, the images: so a load never meets half a pass.
 *
 * 1. A shard's note and pending records are read before its image; its image only ever grows newer.
 * 2. A batch leaves the index only after every shard in it has a durable image, or its records are put aside.
 * 3. No failure of one shard is remembered, and none stops the others.
 */
import { limits } from '#shared/limits.ts';
import type { Instant, ShardId } from '#shared/units.ts';
import type { RawChangeSet } from '#server/shard/change-set.ts';
import { CodecError, type Schemas } from '#server/shard/record/reader.ts';
import { asBuffer, BatchCache } from './batch-cache.ts';
import { decideLoad, faultSentence, type LoadFacts } from './load.ts';
import { applyChanges, mergeRecords, type RecordPlace } from './merge.ts';
import { PendingIndex, type BatchPlace } from './pending-index.ts';
import { ShardFault, type LoadedShard, type Position } from '../persister/persister.ts';
import { RecordSkimmer } from '#server/shard/record/cursor.ts';
import { errorCode } from '../disk/disk-errors.ts';
import {
  ImageError,
  JournalError,
  ShardEntryError,
  type Image,
  type ImageStore,
  type JournalReader,
  type SetAsideRecord,
  type ImageVersion,
} from '../disk/storage.ts';

/** What a pass asks of whoever drives it, one step after the other. It may stop for ever at any of them: nothing is lost. */
export type PassStep =
  | { readonly kind: 'pause' }
  | { readonly kind: 'mark'; readonly through: Position }
  | { readonly kind: 'sync'; readonly shards: readonly ShardId[] }
  | { readonly kind: 'sync-directories'; readonly shards: readonly ShardId[] }
  | { readonly kind: 'store-image-versions'; readonly versions: readonly ImageVersion[]; readonly setAside: readonly SetAsideRecord[] }
  | { readonly kind: 'drop'; readonly through: Position };

/** What a pass came to. */
export interface PassResult {
  /** Everything up to here is in images. */
  readonly imaged: Position;
  readonly imagesWritten: number;
  /** The size of the records that were dropped. */
  readonly droppedBytes: number;
  /** The size of all records that are put aside now. */
  readonly setAsideBytes: number;
  /** One sentence for each shard whose image could not be written; its records are put aside. */
  readonly faults: readonly string[];
}

/** What became of one shard in a pass. */
type Outcome =
  | { readonly kind: 'staged'; readonly version: ImageVersion }
  | { readonly kind: 'written-before'; readonly version: ImageVersion }
  | {
      readonly kind: 'fault';
      readonly sentence: string;
      /** The file is gone, or the operating system does not give it away. What is merely wrong in a file is no sign of a broken disk. */
      readonly isOfDisk: boolean;
      readonly setAside: readonly SetAsideRecord[];
    };

/** Read at once: a few milliseconds, which is what a load may have to wait. */
const READ_BYTES = 1024 * 1024;
/** Batches kept in memory for loads of shards that were just written to. */
const CACHE_BYTES = 64 * 1024 * 1024;
/** Images synced at once: enough to keep a disk busy, few enough to be open files. */
const SHARDS_PER_SYNC = 64;
/** Image versions of one transaction of the journal: it must not hold up a group commit. */
const VERSIONS_PER_STEP = 512;

/** See the head of this file. */
export class ShardKeeper {
  readonly #journal: JournalReader;
  readonly #images: ImageStore;
  readonly #skimmer: RecordSkimmer;
  readonly #index: PendingIndex;
  readonly #cache = new BatchCache(CACHE_BYTES);
  #setAsideBytesByShard: ReadonlyMap<ShardId, number>;
  /** What the pass under way has read, by the first position of each batch: loads use it as well. */
  readonly #bufferByFirst = new Map<Position, Buffer>();

  constructor(journal: JournalReader, images: ImageStore, schemas: Schemas, dropped: Position) {
    this.#journal = journal;
    this.#images = images;
    this.#skimmer = new RecordSkimmer(schemas);
    this.#index = new PendingIndex(new RecordSkimmer(schemas), dropped);
    this.#setAsideBytesByShard = journal.setAsideBytesByShard();
  }

  /** Takes what is durable up to that position into the index. */
  catchUp(durable: Position): void {
    while (this.#index.through < durable) {
      const batches = this.#journal.read(this.#index.through, READ_BYTES);
      if (batches.length === 0) throw JournalError.of(`it ends with turn ${this.#index.through}, before ${durable}`);
      for (const batch of batches) {
        this.#index.add(batch);
        this.#cache.add(batch);
      }
    }
  }

  /**
   * The shard as of that durable position or later. Throws `ShardFault` if its image or its records are not what they must be.
   */
  load(shard: ShardId, durable: Position): LoadedShard {
    this.catchUp(durable);
    let image: ReturnType<ImageStore['read']>;
    let lastTurnAt: Instant | undefined;
    const fault = (why: string, cause?: Error): ShardFault => {
      // An image of a later turn than the journal knows of is of another life: then nothing is known.
      const isOfJournal = image === undefined || lastTurnAt === undefined || image.now <= lastTurnAt;
      return new ShardFault(faultSentence(shard, why), { cause, lastTurnAt: isOfJournal ? lastTurnAt : undefined });
    };
    try {
      const note = this.#journal.imageVersionOf(shard);
      const pending = this.#records(shard);
      lastTurnAt = this.#lastTurnAt(note?.now, pending);
      image = this.#images.read(shard);
      const decision = decideLoad(factsOf(note, image, this.#versions(pending)));
      switch (decision.kind) {
        case 'absent':
          return { kind: 'absent' };
        case 'fault':
          throw fault(decision.why);
        case 'found':
          return { kind: image?.isEdited === true ? 'edited' : 'found', shard: this.#apply(image, pending.slice(decision.skip)) };
      }
    } catch (error) {
      if (isOfOneShard(error)) throw fault(error.message, error);
      throw error;
    }
  }

  /** The time of a shard's last turn, without its image: the greater of its note's and of its newest record's. */
  #lastTurnAt(noted: Instant | undefined, pending: readonly RecordPlace[]): Instant | undefined {
    const newest = pending.at(-1);
    if (newest === undefined) return noted;
    this.#skimmer.key(newest.bytes, newest.offset);
    const { now } = this.#skimmer.header();
    return noted !== undefined && noted > now ? noted : now;
  }

  /** All shards that have an image or a record, whether they can be loaded or not. */
  shards(): Iterable<ShardId> {
    return new Set([...this.#images.shards(), ...this.#index.shardsBefore(Number.POSITIVE_INFINITY), ...this.#setAsideBytesByShard.keys()]);
  }

  /**
   * Writes the images of the oldest records, up to `through` and as many as one pass takes. Throws, with nothing dropped, if more files
   * than a few have gone or cannot be read since the last pass: then it is the disk, and not one file.
   */
  *pass(through: Position): Generator<PassStep, PassResult> {
    this.catchUp(through);
    const batches = this.#prefix(through);
    const end = batches.at(-1);
    const faults: string[] = [];
    if (end === undefined) return { imaged: through, imagesWritten: 0, droppedBytes: 0, setAsideBytes: this.#setAsideBytes(), faults };

    yield* this.#readPrefix(batches);
    const endAddress = end.address + end.bytes;
    const shards = this.#index.shardsBefore(endAddress);
    const written: ImageVersion[] = [];
    const setAside: SetAsideRecord[] = [];
    const droppedBytes = batches.reduce((bytes, batch) => bytes + batch.bytes, 0);
    let imagesWritten = 0;
    const ofDisk: string[] = [];
    // Before the first image of the pass: what is published must never be of a later position than the mark says.
    yield { kind: 'mark', through: end.last };
    for (let start = 0; start < shards.length; start += SHARDS_PER_SYNC) {
      const staged: ShardId[] = [];
      for (const shard of shards.slice(start, start + SHARDS_PER_SYNC)) {
        const outcome = this.#stage(shard, endAddress);
        if (outcome.kind === 'fault') {
          if (outcome.isOfDisk && !this.#setAsideBytesByShard.has(shard)) ofDisk.push(outcome.sentence);
          if (ofDisk.length > limits.imageFaultsPerPassMax) throw new Error(diskSentence(ofDisk));
          faults.push(outcome.sentence);
          setAside.push(...outcome.setAside);
        } else written.push(outcome.version);
        if (outcome.kind === 'staged') staged.push(shard);
        yield { kind: 'pause' };
      }
      yield { kind: 'sync', shards: staged };
      this.#images.publish(staged);
      imagesWritten += staged.length;
    }
    // Also for images that a pass before a crash put in place: that they are seen does not mean that they are durable.
    yield { kind: 'sync-directories', shards: written.map(({ shard }) => shard) };
    yield* this.#storeVersions(written, setAside);
    this.#index.trim(end.last);
    this.#bufferByFirst.clear();
    yield { kind: 'drop', through: end.last };
    return { imaged: end.last, imagesWritten, droppedBytes, setAsideBytes: this.#setAsideBytes(), faults };
  }

  /** The batches of one pass. */
  #prefix(through: Position): readonly BatchPlace[] {
    const prefix: BatchPlace[] = [];
    let bytes = 0;
    for (const batch of this.#index.batches) {
      if (batch.last > through || bytes >= limits.imagePassBytes) break;
      prefix.push(batch);
      bytes += batch.bytes;
    }
    return prefix;
  }

  *#readPrefix(batches: readonly BatchPlace[]): Generator<PassStep, void> {
    this.#bufferByFirst.clear();
    const last = batches.at(-1)?.last ?? 0;
    let after = (batches[0]?.first ?? 1) - 1;
    while (after < last) {
      for (const batch of this.#journal.read(after, READ_BYTES)) {
        if (batch.last <= last) this.#bufferByFirst.set(batch.first, asBuffer(batch.records));
        after = batch.last;
      }
      yield { kind: 'pause' };
    }
  }

  #stage(shard: ShardId, end: number): Outcome {
    try {
      const note = this.#journal.imageVersionOf(shard);
      const records = this.#records(shard, end);
      const draft = this.#images.draft(shard);
      const versions = this.#versions(records);
      // An image may have been published by a longer pass that a crash cut off: then all records say whether it is one of theirs.
      const pending = draft.version > (versions.at(-1) ?? 0) ? this.#versions(this.#records(shard)) : versions;
      const facts = factsOf(note, draft.version === 0 ? undefined : draft, pending);
      const decision = decideLoad(facts);
      const news = decision.kind === 'found' ? records.slice(decision.skip) : [];
      if (decision.kind !== 'found' || news.length === 0) {
        draft.discard();
        if (decision.kind === 'fault') return this.#fault(shard, decision.why, end, facts.image === undefined);
        return { kind: 'written-before', version: { shard, version: draft.version, now: draft.now } };
      }
      const changes = mergeRecords(this.#skimmer, news);
      draft.stage(changes);
      return { kind: 'staged', version: { shard, version: changes.version, now: changes.now } };
    } catch (error) {
      if (isOfOneShard(error)) return this.#fault(shard, error.message, end, isUnread(error));
      throw error;
    }
  }

  #fault(shard: ShardId, why: string, end: number, isOfDisk: boolean): Outcome {
    const setAside = this.#pending(shard, end).map(({ bytes, offset }) => {
      this.#skimmer.key(bytes, offset);
      return { shard, version: this.#skimmer.version, record: new Uint8Array(bytes.subarray(offset, this.#skimmer.end)) };
    });
    return { kind: 'fault', sentence: `shard ${shard} keeps its old image: ${why}`, isOfDisk, setAside };
  }

  *#storeVersions(written: readonly ImageVersion[], setAside: readonly SetAsideRecord[]): Generator<PassStep, void> {
    for (let start = 0; start < written.length; start += VERSIONS_PER_STEP) {
      yield { kind: 'store-image-versions', versions: written.slice(start, start + VERSIONS_PER_STEP), setAside: [] };
    }
    if (setAside.length > 0) yield { kind: 'store-image-versions', versions: [], setAside };
    if (setAside.length > 0 || this.#setAsideBytesByShard.size > 0) this.#setAsideBytesByShard = this.#journal.setAsideBytesByShard();
  }

  #setAsideBytes(): number {
    return this.#setAsideBytesByShard.values().reduce((sum, bytes) => sum + bytes, 0);
  }

  #apply(image: Image | undefined, records: readonly RecordPlace[]): RawChangeSet {
    return image !== undefined && records.length === 0 ? image : applyChanges(image, mergeRecords(this.#skimmer, records));
  }

  #versions(records: readonly RecordPlace[]): readonly number[] {
    return records.map(({ bytes, offset }) => {
      this.#skimmer.key(bytes, offset);
      return this.#skimmer.version;
    });
  }

  /** All records of a shard that may not be in its image yet, oldest first; those before an address only, if one is given. */
  #records(shard: ShardId, end?: number): readonly RecordPlace[] {
    return this.#withSetAside(shard, this.#pending(shard, end));
  }

  #pending(shard: ShardId, end?: number): readonly RecordPlace[] {
    return this.#index.addresses(shard, end).map((address) => {
      const batch = this.#index.batchAt(address);
      return { bytes: this.#batch(batch), offset: address - batch.address };
    });
  }

  /** Records put aside come first. After a crash between the putting aside and the drop, the journal has them as well. */
  #withSetAside(shard: ShardId, pending: readonly RecordPlace[]): readonly RecordPlace[] {
    if (!this.#setAsideBytesByShard.has(shard)) return pending;
    const setAside = this.#journal.setAsideOf(shard).map((record) => ({ bytes: asBuffer(record), offset: 0 }));
    const lastSetAside = this.#versions(setAside).at(-1) ?? 0;
    const versions = this.#versions(pending);
    return [...setAside, ...pending.filter((_, index) => (versions[index] ?? 0) > lastSetAside)];
  }

  #batch({ first }: BatchPlace): Buffer {
    const cached = this.#bufferByFirst.get(first) ?? this.#cache.get(first);
    if (cached !== undefined) return cached;
    const batch = this.#journal.batch(first);
    if (batch === undefined) throw new Error(`the journal has no batch at ${first}`);
    return this.#cache.add(batch);
  }
}

/** Whether what was thrown is wrong with one shard: with its image, with what the journal has of it alone, or with one of its records. */
function isOfOneShard(error: unknown): error is Error {
  return error instanceof ImageError || error instanceof ShardEntryError || error instanceof CodecError;
}

/** Whether the operating system did not give an image away: its errors have codes as `EIO` and `EACCES`. */
function isUnread(error: Error): boolean {
  return error instanceof ImageError && /^E[A-Z0-9]+$/.test(errorCode(error.cause) ?? '');
}

function diskSentence(sentences: readonly string[]): string {
  return (
    `${sentences.length} player files (images/) could not be used within one pass, so the disk is taken for damaged; nothing is lost: ` +
    `mend the disk, or put these files and any others that are missing back, and start again (${sentences.join('; ')})`
  );
}

function factsOf(
  note: ReturnType<JournalReader['imageVersionOf']>,
  image: { readonly version: number; readonly now: Instant } | undefined,
  pending: readonly number[],
): LoadFacts {
  const isOfOtherTime = image !== undefined && image.version === note?.version && note.now !== undefined && image.now !== note.now;
  return { note: note?.version, image: image?.version, pending, isOfOtherTime };
}
