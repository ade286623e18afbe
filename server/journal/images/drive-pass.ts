/** Does what an image pass asks for, one step after the other. */
import type { PassResult, PassStep } from './image-pass.ts';
import type { ImageStore, SetAsideRecord, ImageVersion } from '../disk/storage.ts';
import { limits } from '#shared/limits.ts';
import type { Position } from '#shared/units.ts';

/** What the steps are done with. */
export interface PassHands {
  readonly images: Pick<ImageStore, 'mark' | 'sync' | 'syncDirectories'>;
  /** Lets others work, if it is time for that. */
  pause(): Promise<void>;
  storeImageVersions(versions: readonly ImageVersion[], setAside: readonly SetAsideRecord[]): Promise<void>;
  /** See `JournalStore.drop`. */
  drop(through: Position, recordsMax: number): Promise<Position>;
}

/**
 * Runs a pass to its end. Rejects with the first failure; the pass is over then, and the next start
 * tidies up.
 */
export async function drivePass(pass: Generator<PassStep, PassResult>, hands: PassHands): Promise<PassResult> {
  for (;;) {
    const step = pass.next();
    if (step.done === true) return step.value;
    await take(step.value, hands);
  }
}

async function take(step: PassStep, hands: PassHands): Promise<void> {
  switch (step.kind) {
    case 'pause':
      return hands.pause();
    case 'mark':
      return hands.images.mark(step.through);
    case 'sync':
      return hands.images.sync(step.shards);
    case 'sync-directories':
      return hands.images.syncDirectories(step.shards);
    case 'store-image-versions':
      return hands.storeImageVersions(step.versions, step.setAside);
    case 'drop':
      // In chunks: a group commit that waits gets in between.
      while ((await hands.drop(step.through, limits.journalDropRecordsPerChunk)) < step.through) await hands.pause();
  }
}
