/**
 * Checksums, and those of what the journal holds: CRC-32 of the values that belong together, made
 * where they are written and checked wherever they are read. SQLite has none of its own, and a
 * flipped bit is often a value like any other: more gold, a later time.
 */
import { crc32 } from 'node:zlib';
import { FIRST_EPOCH } from '#shared/cell.ts';
import type { Epoch, Instant, ShardId, ShardVersion } from '#shared/units.ts';
import { JournalError, type Batch, type JournalState, type SetAsideRecord } from './storage.ts';

/**
 * The checksum of a row: of its small values as one text, and of its bytes, if it has any, in their
 * order. `NaN`, which equals nothing, if one of them is no bytes: a flipped bit can make a text or
 * nothing of them, whatever the table says, since SQLite checks types only when it writes.
 */
export function checksum(values: string, ...bytes: readonly Uint8Array[]): number {
  let sum = crc32(values);
  for (const some of bytes) {
    if (!ArrayBuffer.isView(some)) return Number.NaN;
    sum = crc32(some, sum);
  }
  return sum;
}

/** The batch with its checksum: nothing of it may change from here on. */
export function sealed(batch: Omit<Batch, 'sum'>): Batch {
  return { ...batch, sum: batchSum(batch) };
}

/** The same batch. Throws `JournalError` if it is not what was sealed. */
export function checkedBatch(batch: Batch): Batch {
  if (batchSum(batch) !== batch.sum) throw JournalError.of(`the turns ${batch.first} to ${batch.last} are not what was written`);
  return batch;
}

/**
 * These batches, checked: at least one if there is one, and no further one once `bytesMax` is
 * reached.
 */
export function checkedBatches(all: Iterable<Batch>, bytesMax: number, check = checkedBatch): readonly Batch[] {
  const batches: Batch[] = [];
  let bytes = 0;
  for (const batch of all) {
    batches.push(check(batch));
    bytes += batch.records.length;
    if (bytes >= bytesMax) break;
  }
  return batches;
}

/** The checksum of a batch, over everything that it says. */
export function batchSum({ first, last, now, records }: Omit<Batch, 'sum'>): number {
  return checksum(`${first} ${last} ${now}`, records);
}

/**
 * The checksum of the counters of a journal: a later lease or a higher position must not be
 * believed.
 */
export function countersSum(instance: string, { position, dropped, now, lease, setAsideBytes }: Omit<JournalState, 'bytes'>): number {
  return checksum(`${instance} ${position} ${dropped} ${now} ${lease} ${setAsideBytes}`);
}

/** The checksum of an `ImageVersion`. */
export function imageVersionSum(shard: ShardId, version: ShardVersion, now: Instant | null, epoch: Epoch): number {
  return checksum(`${shard} ${version} ${now}${laterEpoch(epoch)}`);
}

/**
 * An epoch in a checksum, after the other values: nothing for the first one. So what was written
 * before there were epochs, all of it in the first, keeps its checksum, and an upgrade neither
 * rewrites it nor believes what is damaged.
 */
export function laterEpoch(epoch: Epoch): string {
  return epoch === FIRST_EPOCH ? '' : ` ${epoch}`;
}

/** The checksum of a record that is put aside. */
export function keptSum({ shard, version, record }: SetAsideRecord): number {
  return checksum(`${shard} ${version}`, record);
}
