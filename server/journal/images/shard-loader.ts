/**
 * Loads shards: the image of one with the records that are not in it yet. `load.ts` has the table
 * of what is found.
 *
 * 1. A shard's `ImageVersion` and records are read before its image; its image only ever grows
 *    newer.
 * 2. No failure of one shard is remembered, and none stops the others.
 */
import type { Instant, Position, ShardId } from '#shared/units.ts';
import type { RawChangeSet } from '#server/shard/change-set.ts';
import { decideLoad, factsOf, faultSentence, isOfOneShard } from './load.ts';
import { applyChanges, mergeRecords, type RecordPlace } from './merge.ts';
import type { ShardRecords } from './shard-records.ts';
import { ShardFault, type LoadedShard } from '../persister/persister.ts';
import type { Image, ImageStore } from '../disk/storage.ts';

/** Loads one shard at a time. */
export class ShardLoader {
  readonly #records: ShardRecords;
  readonly #images: ImageStore;

  constructor(records: ShardRecords, images: ImageStore) {
    this.#records = records;
    this.#images = images;
  }

  /**
   * All shards that have an image or a record up to that durable position, whether they can be
   * loaded or not.
   */
  shards(durable: Position): Iterable<ShardId> {
    this.#records.catchUp(durable);
    return new Set([...this.#images.shards(), ...this.#records.shards()]);
  }

  /**
   * The shard as of that durable position or later. Throws `ShardFault` if its image or its records
   * are not what they must be.
   */
  load(shard: ShardId, durable: Position): LoadedShard {
    this.#records.catchUp(durable);
    let image: Image | undefined;
    let lastTurnAt: Instant | undefined;
    const fault = (why: string, cause?: Error): ShardFault => {
      // An image of a later turn than the journal knows of is of another life: then nothing is
      // known.
      const isOfJournal = image === undefined || lastTurnAt === undefined || image.shard.now <= lastTurnAt;
      return new ShardFault(faultSentence(shard, why), { cause, lastTurnAt: isOfJournal ? lastTurnAt : undefined });
    };
    try {
      const known = this.#records.journal.imageVersionOf(shard);
      const records = this.#records.of(shard);
      lastTurnAt = this.#lastTurnAt(known?.now, records);
      image = this.#images.read(shard);
      const decision = decideLoad(factsOf(known, image?.shard, this.#records.versions(records), this.#records.epochs.of(shard).epoch));
      switch (decision.kind) {
        case 'absent':
          return { kind: 'absent' };
        case 'fault':
          throw fault(decision.why);
        case 'found':
          return { kind: image?.kind ?? 'found', shard: this.#apply(image?.shard, records.slice(decision.skip)) };
      }
    } catch (error) {
      if (isOfOneShard(error)) throw fault(error.message, error);
      throw error;
    }
  }

  /**
   * The time of a shard's last turn, without its image: the greater of its `ImageVersion`'s and of
   * its newest record's.
   */
  #lastTurnAt(imaged: Instant | undefined, records: readonly RecordPlace[]): Instant | undefined {
    const newest = records.at(-1);
    if (newest === undefined) return imaged;
    const { cursor } = this.#records;
    cursor.key(newest.bytes, newest.offset);
    const { now } = cursor.header();
    return imaged !== undefined && imaged > now ? imaged : now;
  }

  #apply(image: RawChangeSet | undefined, records: readonly RecordPlace[]): RawChangeSet {
    return image !== undefined && records.length === 0 ? image : applyChanges(image, mergeRecords(this.#records.cursor, records));
  }
}
