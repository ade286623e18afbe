/** The checksum of each kind of row of `node.db`: a CRC-32 of its values. */
import { crc32 } from 'node:zlib';
import type { LedgerSegment } from './storage.ts';

/** Of the row of the node itself. */
export function nodeSum({
  instance,
  folded,
  mirrored,
}: {
  readonly instance: string;
  readonly folded: number;
  readonly mirrored: string | null;
}): number {
  return crc32(`${instance} ${folded} ${mirrored ?? ''}`);
}

/** Of an alarm. */
export function alarmSum(shard: string, due: number): number {
  return crc32(`${shard} ${due}`);
}

/** Of a mirrored row. */
export function rowSum(entity: string, shard: string, id: number, version: number, record: Uint8Array): number {
  return crc32(record, crc32(`${entity} ${shard} ${id} ${version}`));
}

/** Of a segment of the ledger. */
export function segmentSum({ shard, firstSeq, lastSeq, transactions, lines }: LedgerSegment): number {
  return crc32(lines, crc32(transactions, crc32(`${shard} ${firstSeq} ${lastSeq}`)));
}

/** Of a total. */
export function totalSum(key: string, amount: string): number {
  return crc32(`${key} ${amount}`);
}
