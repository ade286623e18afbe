/** The stores of a simulated disk, as one life of a node gets them: what becomes durable is told to the model. */
import type { Position } from '#shared/units.ts';
import type { InlineStores } from '#server/journal/persister/backend-inline.ts';
import type { MemoryDisk } from '#server/journal/disk/memory.ts';
import type { Batch } from '#server/journal/disk/storage.ts';
import { override } from './override.ts';

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
    journal: override(journal, { commit: (batch) => telling(() => journal.commit(batch)) }),
    images,
    projections,
    settle: () => telling(() => disk.settle()),
    clearStaging: () => disk.clearStaging(),
  };
}
