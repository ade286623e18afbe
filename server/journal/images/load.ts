/**
 * What a shard is, from its `ImageVersion`, its image and its pending records: the decision table
 * of a load. Anything that cannot come from a crash is a fault: a shard that is lost must not be
 * taken for one that is new.
 */
import type { Epoch, Instant, ShardId, ShardVersion } from '#shared/units.ts';
import { ImageError, ShardEntryError, type JournalReader } from '../disk/storage.ts';
import { CodecError } from '#server/shard/record/format.ts';

/** What is known of a shard on disk. */
export interface LoadFacts {
  /** The version that the journal says its image has at least. */
  readonly atLeast: ShardVersion | undefined;
  /** The version of the image that is there. */
  readonly image: ShardVersion | undefined;
  /** The versions of its pending records, oldest first. */
  readonly pending: readonly ShardVersion[];
  /**
   * Whether the image is of the version `atLeast`, and of another time: of another life of a copied
   * directory.
   */
  readonly isOfOtherTime: boolean;
  /** Whether the image, or what the journal knows of it, is of another epoch than the one that the shard's cell is in. */
  readonly isOfOtherEpoch: boolean;
}

/** What to make of it. `skip` is the number of oldest pending records that the image contains. */
export type LoadDecision =
  { readonly kind: 'absent' } | { readonly kind: 'found'; readonly skip: number } | { readonly kind: 'fault'; readonly why: string };

/** The table. Rows are tried from the top. */
export function decideLoad({ atLeast, image, pending, isOfOtherTime, isOfOtherEpoch }: LoadFacts): LoadDecision {
  const base = image ?? 0;
  const firstNew = pending.findIndex((version) => version > base);
  const skip = firstNew === -1 ? pending.length : firstNew;
  const news = pending.slice(skip);
  const gap = news.findIndex((version, index) => version !== base + 1 + index);
  const newest = Math.max(atLeast ?? 0, pending.at(-1) ?? 0);

  if (atLeast !== undefined && image === undefined) return fault(`its image of version ${atLeast} or later is missing`);
  if (atLeast !== undefined && image !== undefined && image < atLeast)
    return fault(`its image is of version ${image}, and was of ${atLeast} before`);
  if (isOfOtherEpoch) return fault('its image is of another epoch of its cell');
  if (isOfOtherTime) return fault(`its image is of version ${image}, and not the one that was noted`);
  if (image === undefined && pending.length === 0) return { kind: 'absent' };
  if (gap !== -1) return fault(`its journal goes on at version ${news[gap]}, after version ${gap === 0 ? base : news[gap - 1]}`);
  if (image !== undefined && atLeast === undefined && pending.length === 0) return fault('its image is not of this journal');
  // A crash after the renaming of an image and before its version is stored leaves it at the
  // version of a pending record, never beyond all of them.
  if (image !== undefined && image > newest)
    return fault(`its image is of version ${image}, and the journal knows of none after ${newest}`);
  return { kind: 'found', skip };
}

/**
 * Whether what was thrown is wrong with one shard: with its image, with what the journal has of it
 * alone, or with one of its records.
 */
export function isOfOneShard(error: unknown): error is Error {
  return error instanceof ImageError || error instanceof ShardEntryError || error instanceof CodecError;
}

/** The facts of a load, or of the shard that an image pass is about to write; its cell is in the epoch `present`. */
export function factsOf(
  known: ReturnType<JournalReader['imageVersionOf']>,
  image: { readonly version: ShardVersion; readonly now: Instant; readonly epoch: Epoch } | undefined,
  pending: readonly ShardVersion[],
  present: Epoch,
): LoadFacts {
  const isOfOtherTime = image !== undefined && image.version === known?.version && known.now !== undefined && image.now !== known.now;
  const isOfOtherEpoch = [known?.epoch, image?.epoch].some((its) => its !== undefined && its !== present);
  return { atLeast: known?.version, image: image?.version, pending, isOfOtherTime, isOfOtherEpoch };
}

/** The sentence of a `ShardFault`. */
export function faultSentence(shard: ShardId, why: string): string {
  return `shard ${shard} cannot be loaded: ${why}`;
}

function fault(why: string): LoadDecision {
  return { kind: 'fault', why };
}
