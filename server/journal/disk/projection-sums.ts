/**
 * The checksum of each kind of row of `node.db`: a CRC-32 of its values. Cells are named by their
 * number in `cell`.
 */
import type { Epoch, Market, Position, RowId, ShardVersion } from '#shared/units.ts';
import { checksum, laterEpoch } from './checksums.ts';
import type { LedgerSegment } from './storage.ts';

/** Of the row of the node itself. */
export function nodeSum({
  instance,
  folded,
  mirrored,
}: {
  readonly instance: string;
  readonly folded: Position;
  readonly mirrored: string | null;
}): number {
  return checksum(`${instance} ${folded} ${mirrored ?? ''}`);
}

/** Of a row of the table of cells. */
export function cellSum({
  id,
  market,
  cell,
  epoch,
}: {
  readonly id: number;
  readonly market: Market;
  readonly cell: number;
  readonly epoch: Epoch;
}): number {
  return checksum(`${id} ${market} ${cell} ${epoch}`);
}

/** Of an alarm. */
export function alarmSum(shard: string, cell: number, due: number): number {
  return checksum(`${shard} ${cell} ${due}`);
}

/** Of a mirrored row. */
export function rowSum(entity: string, cell: number, shard: string, id: RowId, version: ShardVersion, record: Uint8Array): number {
  return checksum(`${entity} ${cell} ${shard} ${id} ${version}`, record);
}

/** Of a segment of the ledger. */
export function segmentSum({ shard, epoch, firstSeq, lastSeq, transactions, lines }: LedgerSegment): number {
  return checksum(`${shard} ${firstSeq} ${lastSeq}${laterEpoch(epoch)}`, transactions, lines);
}

/** Of a total. */
export function totalSum(cell: number, key: string, amount: string): number {
  return checksum(`${cell} ${key} ${amount}`);
}
