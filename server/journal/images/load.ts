/**
 * What a shard is, from its note, its image and its pending records: the decision table of a load. Anything that cannot come from a
 * crash is a fault, told loudly: lost is not new.
 */
import type { ShardId } from '#shared/units.ts';

/** What is known of a shard on disk. */
export interface LoadFacts {
  /** The version that the journal says its image has at least. */
  readonly note: number | undefined;
  /** The version of the image that is there. */
  readonly image: number | undefined;
  /** The versions of its pending records, oldest first. */
  readonly pending: readonly number[];
  /** Whether the image is of the very version that was noted, and of another time: of another life of a copied directory. */
  readonly isOfOtherTime: boolean;
}

/** What to make of it. `skip` is the number of oldest pending records that the image contains. */
export type LoadDecision =
  { readonly kind: 'absent' } | { readonly kind: 'found'; readonly skip: number } | { readonly kind: 'fault'; readonly why: string };

/** The table. Rows are tried from the top. */
export function decideLoad({ note, image, pending, isOfOtherTime }: LoadFacts): LoadDecision {
  const base = image ?? 0;
  const firstNew = pending.findIndex((version) => version > base);
  const skip = firstNew === -1 ? pending.length : firstNew;
  const news = pending.slice(skip);
  const gap = news.findIndex((version, index) => version !== base + 1 + index);
  const known = Math.max(note ?? 0, pending.at(-1) ?? 0);

  if (note !== undefined && image === undefined) return fault(`its image of version ${note} or later is missing`);
  if (note !== undefined && image !== undefined && image < note)
    return fault(`its image is of version ${image}, and was of ${note} before`);
  if (isOfOtherTime) return fault(`its image is of version ${image}, and not the one that was noted`);
  if (image === undefined && pending.length === 0) return { kind: 'absent' };
  if (gap !== -1) return fault(`its journal goes on at version ${news[gap]}, after version ${gap === 0 ? base : news[gap - 1]}`);
  if (image !== undefined && note === undefined && pending.length === 0) return fault('its image is not of this journal');
  // A crash between the renaming of an image and its note leaves it at the version of a pending record, never beyond all of them.
  if (image !== undefined && image > known) return fault(`its image is of version ${image}, and the journal knows of none after ${known}`);
  return { kind: 'found', skip };
}

/** The sentence of a `ShardFault`. */
export function faultSentence(shard: ShardId, why: string): string {
  return `shard ${shard} cannot be loaded: ${why}`;
}

function fault(why: string): LoadDecision {
  return { kind: 'fault', why };
}
