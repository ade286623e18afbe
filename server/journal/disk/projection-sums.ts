/** The checksum of each kind of row of `node.db`: a CRC-32 of its values. */
import { checksum } from './checksums.ts';
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
  return checksum(`${instance} ${folded} ${mirrored ?? ''}`);
}

/** Of an alarm. */
export function alarmSum(shard: string, due: number): number {
  return checksum(`${shard} ${due}`);
}

/** Of a mirrored row. */
export function rowSum(entity: string, shard: string, id: number, version: number, record: Uint8Array): number {
  return checksum(`${entity} ${shard} ${id} ${version}`, record);
}

/** Of a segment of the ledger. */
export function segmentSum({ shard, firstSeq, lastSeq, transactions, lines }: LedgerSegment): number {
  return checksum(`${shard} ${firstSeq} ${lastSeq}`, transactions, lines);
}

/** Of a total. */
export function totalSum(key: string, amount: string): number {
  return checksum(`${key} ${amount}`);
}
