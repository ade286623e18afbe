/** A shard image from all that is in the shard, for tests that damage one. */
import type { RawChangeSet } from '#server/shard/change-set.ts';
import type { Schemas } from '#server/shard/row.ts';
import { encodeImage, nextRows } from '../images/sqlite-file/image.ts';

/** The bytes of the image of a shard of the data directory `instance`. */
export function writeImage(image: RawChangeSet, schemas: Schemas, instance: string): Buffer {
  return encodeImage(nextRows(undefined, image, schemas), schemas, instance);
}
