/**
 * A disk in memory, for the simulator: it can fail at every call, and loses exactly what a real
 * disk may lose.
 *
 * 1. A transaction of the journal or of the projections is written and then synced. Durable on
 *    return; a failure may leave it not written, written and synced, or written only.
 * 2. The end of a process loses nothing that was written: the next one sees it. A power cut loses
 *    what was not synced, or does not, also when others have seen it before.
 * 3. A later transaction of the same store syncs those before it; so does `settle`.
 * 4. A staged image is lost in a power cut unless it was synced; a published one may be in its
 *    place or not, until its directory is synced.
 * 5. What is written is copied: a caller that changes its bytes afterwards changes nothing here.
 */
import type { Position } from '#shared/units.ts';
import { MemoryImages } from './memory-images.ts';
import { journalContent, MemoryJournal, type JournalContent } from './memory-journal.ts';
import { MemoryProjections, projectionContent, type ProjectionContent } from './memory-projections.ts';
import { InjectedFailure, type Inject, type MemoryOperation, type Synced, type Write } from './memory-writes.ts';
import type { RecordFormat } from '#server/shard/record/format.ts';

/** What the stores of transactions held at some moment. */
export interface DiskContent {
  readonly journal: JournalContent;
  readonly projections: ProjectionContent;
}

/** It outlives the node that uses it, as a disk does. */
export class MemoryDisk {
  readonly journal: MemoryJournal;
  readonly images: MemoryImages;
  readonly projections: MemoryProjections;
  readonly #journal: Synced<JournalContent>;
  readonly #projections: Synced<ProjectionContent>;
  #inject: Inject;

  constructor(format: RecordFormat, inject: Inject = () => 'work') {
    this.#inject = inject;
    const write: Write = (operation, run) => this.#write(operation, run);
    this.#journal = journalContent(write);
    this.#projections = projectionContent(write);
    this.images = new MemoryImages(format, write);
    this.journal = new MemoryJournal(this.#journal);
    this.projections = new MemoryProjections(this.#projections);
  }

  /** Everything up to here is in the journal also after a power cut. */
  get durable(): Position {
    return this.#journal.durable.state.position;
  }

  /** Decides anew what each call does. */
  inject(inject: Inject): void {
    this.#inject = inject;
  }

  /** Makes durable what is seen of journal and projections: a start believes nothing before. */
  settle(): void {
    this.#write('settle', (isSynced) => {
      this.#journal.sync();
      if (isSynced) this.#projections.sync();
    });
  }

  /**
   * The power fails: `survives` decides of each thing that is not durable yet whether it is there
   * afterwards.
   */
  cutPower(survives: () => boolean): void {
    this.#journal.cutPower(survives);
    this.#projections.cutPower(survives);
    this.images.cutPower(survives);
  }

  /** Removes what was left in the staging area, as a start does. Returns the number of images. */
  clearStaging(): number {
    return this.images.clearStaging();
  }

  /**
   * What the stores of transactions hold now: for a disk that is rolled back, or put in order
   * again.
   */
  snapshot(): DiskContent {
    return { journal: this.#journal.snapshot(), projections: this.#projections.snapshot() };
  }

  /** Brings back what stores held then. */
  restore({ journal, projections }: Partial<DiskContent>): void {
    if (journal !== undefined) this.#journal.restore(journal);
    if (projections !== undefined) this.#projections.restore(projections);
  }

  #write(operation: MemoryOperation, run: (isSynced: boolean) => void): void {
    const outcome = this.#inject(operation);
    if (outcome === 'fail') throw new InjectedFailure(`the disk failed before: ${operation}`);
    run(outcome !== 'write-unsynced');
    if (outcome !== 'work') throw new InjectedFailure(`the disk failed after: ${operation} (${outcome})`);
  }
}
