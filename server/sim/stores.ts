/** The stores of a simulated disk, as one life of a node gets them: what becomes durable is told to the model. */
import type { InlineStores } from '#server/journal/backend-inline.ts';
import type { MemoryDisk } from '#server/journal/storage-memory.ts';
import type { Batch, JournalStore } from '#server/journal/storage.ts';

/** A journal with some of its calls replaced; everything else is as it was. */
export function journalWith(
  journal: JournalStore,
  changes: Partial<Pick<JournalStore, 'commit' | 'drop' | 'read' | 'batch'>>,
): JournalStore {
  return {
    get state() {
      return journal.state;
    },
    read: (after, bytesMax) => journal.read(after, bytesMax),
    batch: (first) => journal.batch(first),
    noteOf: (shard) => journal.noteOf(shard),
    keptOf: (shard) => journal.keptOf(shard),
    keptShards: () => journal.keptShards(),
    close: () => journal.close(),
    extendLease: (until) => journal.extendLease(until),
    note: (notes, kept) => journal.note(notes, kept),
    drop: (through, recordsMax) => journal.drop(through, recordsMax),
    commit: (batch) => journal.commit(batch),
    ...changes,
  };
}

/** The stores of a disk; `onDurable` hears of each batch that is on it, also when the write then fails. */
export function observedStores(disk: MemoryDisk, onDurable: (batch: Batch) => void): InlineStores {
  const { journal, images, projections } = disk;
  const commit = (batch: Batch): void => {
    try {
      journal.commit(batch);
    } finally {
      if (journal.state.position === batch.last) onDurable({ ...batch, records: batch.records.slice() });
    }
  };
  return { journal: journalWith(journal, { commit }), images, projections, clearStaging: () => disk.clearStaging() };
}
