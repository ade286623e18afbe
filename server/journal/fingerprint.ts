/** Fingerprints of transaction ids: enough to pass over most ledger segments of a shard unread. A hit is looked at, never believed. */

/** The length of one fingerprint. */
export const FINGERPRINT_BYTES = 4;

/** Writes the fingerprint of the UTF-8 text in `bytes` from `start` to `end` into `target` at `at`: FNV-1a of 32 bits. */
export function fingerprintInto(target: Buffer, at: number, bytes: Uint8Array, start: number, end: number): void {
  let hash = 0x811c_9dc5;
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ (bytes[index] ?? 0), 0x0100_0193);
  target.writeUInt32LE(hash >>> 0, at);
}

/** The fingerprint of a transaction id. */
export function fingerprint(transaction: string): Uint8Array {
  const bytes = Buffer.from(transaction);
  const target = Buffer.alloc(FINGERPRINT_BYTES);
  fingerprintInto(target, 0, bytes, 0, bytes.length);
  return target;
}
