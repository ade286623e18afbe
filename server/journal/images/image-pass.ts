/**
 * Writes images: a pass takes the oldest records of the journal, writes the next image of each
 * shard in them, and drops them. Between two steps it waits for its `PassHands`, which let loads in,
 * and may end the pass there by never answering. Owned by the thread that loads shards.
 *
 * 1. The mark of the images is never behind what is published.
 * 2. A batch is dropped only after every shard in it has a durable image, or its records are set
 *    aside.
 * 3. No failure of one shard stops the others. More than `imageFaultsPerPassMax` newly missing or
 *    unreadable files are a failure of the disk, and stop the pass before anything is dropped.
 */
import { limits } from '#shared/limits.ts';
import type { Position, ShardId } from '#shared/units.ts';
import { decideLoad, factsOf, isOfOneShard } from './load.ts';
import { mergeRecords } from './merge.ts';
import type { ShardRecords } from './shard-records.ts';
import { errorCode } from '../disk/disk-errors.ts';
import { ImageError, type ImageStore, type ImageVersion, type SetAsideRecord } from '../disk/storage.ts';

/** What a pass asks of its owner, one thing after the other. A rejection ends the pass, and the next start tidies up. */
export interface PassHands {
  readonly images: Pick<ImageStore, 'mark' | 'sync' | 'syncDirectories'>;
  /** Lets others work, if it is time for that. */
  pause(): Promise<void>;
  storeImageVersions(versions: readonly ImageVersion[], setAside: readonly SetAsideRecord[]): Promise<void>;
  /** See `JournalStore.drop`. */
  drop(through: Position, recordsMax: number): Promise<Position>;
}

/** What a pass came to. */
export interface PassResult {
  /** Everything up to here is in images. */
  readonly imaged: Position;
  readonly imagesWritten: number;
  /** The size of the records that were dropped. */
  readonly droppedBytes: number;
  /** The size of all records that are set aside now. */
  readonly setAsideBytes: number;
  /** One sentence for each shard whose image could not be written; its records are set aside. */
  readonly faults: readonly string[];
}

/** What became of one shard in a pass. */
type Outcome =
  | { readonly kind: 'staged'; readonly version: ImageVersion }
  | { readonly kind: 'written-before'; readonly version: ImageVersion }
  | {
      readonly kind: 'fault';
      readonly sentence: string;
      /**
       * The file is gone, or the operating system does not give it away. What is merely wrong in a
       * file is no sign of a broken disk.
       */
      readonly isOfDisk: boolean;
      readonly setAside: readonly SetAsideRecord[];
    };

/** Images synced at once: enough to keep a disk busy, few enough to be open files. */
const SHARDS_PER_SYNC = 64;
/** Image versions of one transaction of the journal: it must not hold up a group commit. */
const VERSIONS_PER_STEP = 512;

/** Passes over one journal and its images, one at a time. */
export class ImagePass {
  readonly #records: ShardRecords;
  readonly #images: ImageStore;

  constructor(records: ShardRecords, images: ImageStore) {
    this.#records = records;
    this.#images = images;
  }

  /**
   * Writes the images of the oldest records, up to `through` and as many as one pass takes. Rejects,
   * with nothing dropped, if more files than a few have gone or cannot be read since the last pass:
   * then it is the disk, and not one file.
   */
  async run(through: Position, hands: PassHands): Promise<PassResult> {
    this.#records.catchUp(through);
    const batches = this.#records.oldest(through);
    const end = batches.at(-1);
    const faults: string[] = [];
    if (end === undefined)
      return { imaged: through, imagesWritten: 0, droppedBytes: 0, setAsideBytes: this.#records.setAsideBytes, faults };

    await this.#records.read(batches, () => hands.pause());
    const endAddress = end.address + end.bytes;
    const shards = this.#records.shardsBefore(endAddress);
    const written: ImageVersion[] = [];
    const setAside: SetAsideRecord[] = [];
    const droppedBytes = batches.reduce((bytes, batch) => bytes + batch.bytes, 0);
    let imagesWritten = 0;
    const ofDisk: string[] = [];
    // Before the first image of the pass: what is published must never be of a later position than
    // the mark says.
    hands.images.mark(end.last);
    for (let start = 0; start < shards.length; start += SHARDS_PER_SYNC) {
      const staged: ShardId[] = [];
      for (const shard of shards.slice(start, start + SHARDS_PER_SYNC)) {
        const outcome = this.#stage(shard, endAddress);
        if (outcome.kind === 'fault') {
          if (outcome.isOfDisk && !this.#records.hasSetAside(shard)) ofDisk.push(outcome.sentence);
          if (ofDisk.length > limits.imageFaultsPerPassMax) throw new Error(diskSentence(ofDisk));
          faults.push(outcome.sentence);
          setAside.push(...outcome.setAside);
        } else written.push(outcome.version);
        if (outcome.kind === 'staged') staged.push(shard);
        await hands.pause();
      }
      await hands.images.sync(staged);
      this.#images.publish(staged);
      imagesWritten += staged.length;
    }
    // Also for images that a pass before a crash put in place: that they are seen does not mean
    // that they are durable.
    await hands.images.syncDirectories(written.map(({ shard }) => shard));
    await this.#storeVersions(written, setAside, hands);
    this.#records.drop(end.last);
    // In chunks: a group commit that waits gets in between.
    while ((await hands.drop(end.last, limits.journalDropRecordsPerChunk)) < end.last) await hands.pause();
    return { imaged: end.last, imagesWritten, droppedBytes, setAsideBytes: this.#records.setAsideBytes, faults };
  }

  #stage(shard: ShardId, end: number): Outcome {
    try {
      const known = this.#records.journal.imageVersionOf(shard);
      const records = this.#records.of(shard, end);
      const draft = this.#images.draft(shard);
      const versions = this.#records.versions(records);
      // An image may have been published by a longer pass that a crash cut off: then all records
      // say whether it is one of theirs.
      const pending = draft.version > (versions.at(-1) ?? 0) ? this.#records.versions(this.#records.of(shard)) : versions;
      const facts = factsOf(known, draft.version === 0 ? undefined : draft, pending, this.#records.epochs.of(shard).epoch);
      const decision = decideLoad(facts);
      const news = decision.kind === 'found' ? records.slice(decision.skip) : [];
      if (decision.kind !== 'found' || news.length === 0) {
        if (decision.kind === 'fault') return this.#fault(shard, decision.why, end, facts.image === undefined);
        return { kind: 'written-before', version: { shard, version: draft.version, now: draft.now, epoch: draft.epoch } };
      }
      const changes = mergeRecords(this.#records.cursor, news);
      draft.stage(changes);
      return { kind: 'staged', version: { shard, version: changes.version, now: changes.now, epoch: changes.epoch } };
    } catch (error) {
      if (isOfOneShard(error)) return this.#fault(shard, error.message, end, isUnread(error));
      throw error;
    }
  }

  #fault(shard: ShardId, why: string, end: number, isOfDisk: boolean): Outcome {
    const { cursor } = this.#records;
    const setAside = this.#records.pending(shard, end).map(({ bytes, offset }) => {
      cursor.key(bytes, offset);
      return { shard, version: cursor.version, record: new Uint8Array(bytes.subarray(offset, cursor.end)) };
    });
    return { kind: 'fault', sentence: `shard ${shard} keeps its old image: ${why}`, isOfDisk, setAside };
  }

  async #storeVersions(written: readonly ImageVersion[], setAside: readonly SetAsideRecord[], hands: PassHands): Promise<void> {
    for (let start = 0; start < written.length; start += VERSIONS_PER_STEP)
      await hands.storeImageVersions(written.slice(start, start + VERSIONS_PER_STEP), []);
    if (setAside.length > 0) await hands.storeImageVersions([], setAside);
    if (setAside.length > 0 || this.#records.setAsideBytes > 0) this.#records.refreshSetAside();
  }
}

/**
 * Whether the operating system did not give an image away: its errors have codes as `EIO` and
 * `EACCES`.
 */
function isUnread(error: Error): boolean {
  return error instanceof ImageError && /^E[A-Z0-9]+$/.test(errorCode(error.cause) ?? '');
}

function diskSentence(sentences: readonly string[]): string {
  return (
    `${sentences.length} player files (images/) could not be used within one pass, so the disk is taken for damaged; nothing is lost: ` +
    `mend the disk, or put these files and any others that are missing back, and start again (${sentences.join('; ')})`
  );
}
