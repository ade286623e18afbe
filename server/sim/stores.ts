/** The stores of a simulated disk, as one life of a node gets them: what becomes durable is told to the model. */
import type { InlineStores } from '#server/journal/persister/backend-inline.ts';
import type { MemoryDisk } from '#server/journal/disk/memory.ts';
import type { Position } from '#server/journal/persister/persister.ts';
import type { Batch, ImageStore, JournalStore } from '#server/journal/disk/storage.ts';

/** A journal with some of its calls replaced; everything else is as it was. */
export function journalWith(
  journal: JournalStore,
  changes: Partial<Pick<JournalStore, 'commit' | 'drop' | 'read' | 'batch' | 'imageVersionOf'>>,
): JournalStore {
  return {
    get state() {
      return journal.state;
    },
    read: (after, bytesMax) => journal.read(after, bytesMax),
    batch: (first) => journal.batch(first),
    imageVersionOf: (shard) => journal.imageVersionOf(shard),
    setAsideOf: (shard) => journal.setAsideOf(shard),
    setAsideBytesByShard: () => journal.setAsideBytesByShard(),
    close: () => journal.close(),
    extendLease: (until) => journal.extendLease(until),
    storeImageVersions: (versions, setAside) => journal.storeImageVersions(versions, setAside),
    drop: (through, recordsMax) => journal.drop(through, recordsMax),
    commit: (batch) => journal.commit(batch),
    ...changes,
  };
}

/** Images with some of their calls replaced; everything else is as it was. */
export function imagesWith(images: ImageStore, changes: Partial<Omit<ImageStore, 'published'>>): ImageStore {
  return {
    get published() {
      return images.published;
    },
    read: (shard) => images.read(shard),
    shards: () => images.shards(),
    mark: (through) => images.mark(through),
    draft: (shard) => images.draft(shard),
    sync: (shards) => images.sync(shards),
    publish: (shards) => images.publish(shards),
    syncDirectories: (shards) => images.syncDirectories(shards),
    ...changes,
  };
}

/** Who hears of what becomes durable. */
export interface BatchListener {
  /** It has heard of everything up to here. */
  readonly told: Position;
  hear(batch: Batch): void;
}

/** The stores of a disk. The listener hears of each batch when it is durable: also when the write then fails, or when a start settles it. */
export function observedStores(disk: MemoryDisk, listener: BatchListener): InlineStores {
  const { journal, images, projections } = disk;
  const tell = (): void => {
    if (disk.durable === listener.told) return;
    for (const batch of journal.read(listener.told, Number.POSITIVE_INFINITY)) {
      if (batch.last <= disk.durable) listener.hear({ ...batch, records: new Uint8Array(batch.records) });
    }
  };
  const telling = (write: () => void): void => {
    try {
      write();
    } finally {
      tell();
    }
  };
  return {
    journal: journalWith(journal, { commit: (batch) => telling(() => journal.commit(batch)) }),
    images,
    projections,
    settle: () => telling(() => disk.settle()),
    clearStaging: () => disk.clearStaging(),
  };
}
