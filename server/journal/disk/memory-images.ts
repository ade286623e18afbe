/** The shard images of a disk in memory. */
import { FIRST_EPOCH } from '#shared/cell.ts';
import { instant, NO_POSITION, NO_VERSION, type Position, type ShardId } from '#shared/units.ts';
import { RecordCursor } from '#server/shard/record/cursor.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import { asBuffer, type RecordFormat } from '#server/shard/record/format.ts';
import { applyChanges } from '../images/merge.ts';
import type { Write } from './memory-writes.ts';
import { ImageError, type Image, type ImageDraft, type ImageStore } from './storage.ts';

interface StagedImage {
  readonly bytes: Uint8Array;
  readonly isSynced: boolean;
}

interface PublishedImage {
  readonly bytes: Uint8Array;
  /** What a crash may bring back, until the directory is synced. */
  readonly before: { readonly bytes: Uint8Array | undefined } | undefined;
}

export class MemoryImages implements ImageStore {
  readonly #format: RecordFormat;
  readonly #cursor: RecordCursor;
  readonly #write: Write;
  readonly #staged = new Map<ShardId, StagedImage>();
  readonly #published = new Map<ShardId, PublishedImage>();
  /** What was there, if anything, before a shard's image was damaged. */
  readonly #saved = new Map<ShardId, Uint8Array | undefined>();
  #through = NO_POSITION;

  constructor(format: RecordFormat, write: Write) {
    this.#format = format;
    this.#cursor = new RecordCursor(format);
    this.#write = write;
  }

  get published(): Position {
    return this.#through;
  }

  shards(): Iterable<ShardId> {
    return [...this.#published.keys()];
  }

  read(shard: ShardId): Image | undefined {
    const image = this.#published.get(shard);
    if (image === undefined) return undefined;
    if (image.bytes.length === 0) throw new ImageError('its image is damaged');
    return { kind: 'found', shard: this.#cursor.changeSet(asBuffer(image.bytes), 0) };
  }

  draft(shard: ShardId): ImageDraft {
    const image = this.read(shard)?.shard;
    return {
      version: image?.version ?? NO_VERSION,
      now: image?.now ?? instant(0),
      epoch: image?.epoch ?? FIRST_EPOCH,
      stage: (changes) => {
        const writer = new RecordWriter(this.#format);
        writer.raw(applyChanges(image, changes));
        this.#write('stage', () => this.#staged.set(shard, { bytes: writer.take(), isSynced: false }));
      },
    };
  }

  async sync(shards: readonly ShardId[]): Promise<void> {
    await Promise.resolve();
    this.#write('sync', (isSynced) => {
      for (const shard of isSynced ? shards : []) this.#staged.set(shard, { bytes: this.#stagedOf(shard).bytes, isSynced: true });
    });
  }

  mark(through: Position): void {
    this.#write('mark', (isSynced) => {
      if (isSynced && through > this.#through) this.#through = through;
    });
  }

  publish(shards: readonly ShardId[]): void {
    this.#write('publish', () => {
      for (const shard of shards) {
        const { bytes, isSynced } = this.#stagedOf(shard);
        if (!isSynced) throw new Error(`the image of ${shard} was not synced`);
        const old = this.#published.get(shard);
        this.#published.set(shard, { bytes, before: old?.before ?? { bytes: old?.bytes } });
        this.#staged.delete(shard);
        // A pass that had read the old image before it was damaged: there is nothing to put back.
        this.#saved.delete(shard);
      }
    });
  }

  async syncDirectories(shards: readonly ShardId[]): Promise<void> {
    await Promise.resolve();
    this.#write('sync-directories', (isSynced) => {
      for (const shard of isSynced ? shards : []) {
        const image = this.#published.get(shard);
        if (image !== undefined) this.#published.set(shard, { bytes: image.bytes, before: undefined });
      }
    });
  }

  /**
   * The power fails: `survives` decides of each image that was published and is not in its place
   * durably whether it is there afterwards.
   */
  cutPower(survives: () => boolean): void {
    for (const [shard, { bytes, before }] of this.#published) {
      const present = before === undefined || survives() ? bytes : before.bytes;
      if (present === undefined) this.#published.delete(shard);
      else this.#published.set(shard, { bytes: present, before: undefined });
    }
    for (const [shard, { isSynced }] of this.#staged) if (!isSynced) this.#staged.delete(shard);
  }

  /** Removes what was left in the staging area, as a start does. Returns the number of images. */
  clearStaging(): number {
    const { size } = this.#staged;
    this.#staged.clear();
    return size;
  }

  /** Damages the image of a shard, or removes it: for tests of what must be told loudly. */
  damage(shard: ShardId, how: 'garble' | 'remove'): void {
    if (!this.#saved.has(shard)) this.#saved.set(shard, this.#published.get(shard)?.bytes);
    if (how === 'remove') this.#published.delete(shard);
    else this.#published.set(shard, { bytes: new Uint8Array(0), before: undefined });
  }

  /** Puts back the image of a shard as it was when it was damaged, as an operator would. */
  repair(shard: ShardId): void {
    if (!this.#saved.has(shard)) return;
    const bytes = this.#saved.get(shard);
    if (bytes === undefined) this.#published.delete(shard);
    else this.#published.set(shard, { bytes, before: undefined });
    this.#saved.delete(shard);
  }

  #stagedOf(shard: ShardId): StagedImage {
    const staged = this.#staged.get(shard);
    if (staged === undefined) throw new Error(`the image of ${shard} was not staged`);
    return staged;
  }
}
