/**
 * Old finished operations, packed: of each a hash of its key and the digest of what it asked for, many of them in one row. That is all that
 * is needed to know a late repeat, and a thirtieth of what rows of their own cost in records, in memory and in the image.
 *
 * 1. A pack is written once, whole, and goes whole, when the newest operation in it has been remembered for its time.
 * 2. A match of the hash says that the operation was done; the digest says whether it was this one.
 */
import { limits } from '#shared/limits.ts';
import type { Instant } from '#shared/units.ts';
import { bytes, defineEntity, timestamp, type Entity } from './entity.ts';
import type { Turn } from './turn.ts';

const NUMBER_BYTES = 8;
const LIST_BYTES = limits.operationsPerPack * NUMBER_BYTES;

const attributes = { newestAt: timestamp(), hashes: bytes({ maxLength: LIST_BYTES }), digests: bytes({ maxLength: LIST_BYTES }) };

/**
 * Operations of the service and of staff. `hashes` and `digests` are whole numbers below 2^53 as little-endian doubles, in the order in
 * which the operations finished.
 */
export const operationPack = defineEntity('operationPack', { version: 1, isMadeByOthers: true, attributes });

/** Operations of the player's clients, in the same form. */
export const playerOperationPack = defineEntity('playerOperationPack', { version: 1, attributes });

/** Either of the two. */
export type PackEntity = Entity<typeof attributes>;

/** A finished operation, as far as it is remembered. */
export interface Remembered {
  readonly key: string;
  readonly digest: number;
  readonly at: Instant;
}

/** Writes these operations, at most `operationsPerPack`, into one row. Their own rows are the caller's. */
export function pack(turn: Turn, packs: PackEntity, finished: readonly Remembered[]): void {
  const hashes = listOf(finished.map(({ key }) => hash(key)));
  const digests = listOf(finished.map(({ digest }) => digest));
  const newestAt = finished.reduce((newest, { at }) => (at > newest ? at : newest), finished[0]?.at ?? turn.now);
  turn.insert(packs, { newestAt, hashes, digests });
}

/** The digest under which a packed operation was done, or `undefined` if none of that key was. Looks through all packs. */
export function packedDigest(turn: Turn, packs: PackEntity, key: string): number | undefined {
  if (turn.isEmpty(packs)) return undefined;
  const sought = hash(key);
  for (const { hashes, digests } of turn.table(packs).rows()) {
    const view = viewOf(hashes);
    for (let offset = 0; offset < hashes.length; offset += NUMBER_BYTES) {
      if (view.getFloat64(offset, true) === sought) return viewOf(digests).getFloat64(offset, true);
    }
  }
  return undefined;
}

/** How many operations are packed, at most. */
export function packedCount(turn: Turn, packs: PackEntity): number {
  return turn.isEmpty(packs) ? 0 : turn.table(packs).size * limits.operationsPerPack;
}

/** Removes the oldest packs in which every operation has been remembered for so long, and those beyond so many. */
export function forgetPacks(turn: Turn, packs: PackEntity, rememberedMs: number, countMax = Number.POSITIVE_INFINITY): void {
  if (turn.isEmpty(packs)) return;
  const kept = turn.table(packs);
  for (let looks = 0; looks < limits.tidiedRowsMax; looks++) {
    const oldest = kept.first();
    if (oldest === undefined || (oldest.newestAt + rememberedMs > turn.now && kept.size <= countMax)) return;
    turn.remove(packs, oldest.id);
  }
}

/** 53 bits of a text (cyrb53, public domain): enough to tell tens of thousands of them apart. */
export function hash(text: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    high = Math.imul(high ^ code, 2_654_435_761);
    low = Math.imul(low ^ code, 1_597_334_677);
  }
  high = Math.imul(high ^ (high >>> 16), 2_246_822_507) ^ Math.imul(low ^ (low >>> 13), 3_266_489_909);
  low = Math.imul(low ^ (low >>> 16), 2_246_822_507) ^ Math.imul(high ^ (high >>> 13), 3_266_489_909);
  return 4_294_967_296 * (2_097_151 & low) + (high >>> 0);
}

function listOf(numbers: readonly number[]): Uint8Array {
  const list = new Uint8Array(numbers.length * NUMBER_BYTES);
  const view = viewOf(list);
  numbers.forEach((number, index) => view.setFloat64(index * NUMBER_BYTES, number, true));
  return list;
}

function viewOf(list: Uint8Array): DataView {
  return new DataView(list.buffer, list.byteOffset, list.byteLength);
}
