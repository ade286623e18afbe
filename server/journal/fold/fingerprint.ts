/** Fingerprints of transaction ids: enough to pass over most ledger segments of a shard unread. A hit is looked at, never believed. */
import type { TransactionId } from '#shared/units.ts';

/** The length of one fingerprint. */
export const FINGERPRINT_BYTES = 4;

/** The fingerprint as a number, which is written in little-endian order: the hash of the UTF-8 text in `bytes` from `start` to `end`: FNV-1a of 32 bits. */
export function fingerprintHash(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c_9dc5;
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ (bytes[index] ?? 0), 0x0100_0193);
  return hash >>> 0;
}

/** The fingerprint of a transaction id. */
export function fingerprint(transaction: TransactionId): Uint8Array {
  const bytes = Buffer.from(transaction);
  const target = Buffer.alloc(FINGERPRINT_BYTES);
  target.writeUInt32LE(fingerprintHash(bytes, 0, bytes.length));
  return target;
}
