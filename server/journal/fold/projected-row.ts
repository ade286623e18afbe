/** Projected rows between the thread that keeps them and the one that wants them: packed, for there may be a million. */
import { type ShardId, shardVersion } from '#shared/units.ts';
import type { PackedRows, ProjectedRow, ProjectedRows } from '../persister/persister.ts';
import { RecordCursor } from '#server/shard/record/cursor.ts';
import type { RecordFormat } from '#server/shard/record/format.ts';
import type { LiveRow } from '../disk/storage.ts';

/** Packs rows. */
export function packRows(rows: readonly LiveRow[]): PackedRows {
  const shards: ShardId[] = [];
  const shardEnds: number[] = [];
  const versions = new Float64Array(rows.length);
  const ends = new Float64Array(rows.length);
  const records = new Uint8Array(rows.reduce((bytes, { record }) => bytes + record.length, 0));
  let end = 0;
  for (const [index, { shard, version, record }] of rows.entries()) {
    records.set(record, end);
    end += record.length;
    if (shards.at(-1) !== shard) shards.push(shard);
    shardEnds[shards.length - 1] = index + 1;
    versions[index] = version;
    ends[index] = end;
  }
  return { shards, shardEnds: Float64Array.from(shardEnds), versions, ends, records };
}

/** The rows that were packed. */
export function unpackRows(packed: PackedRows, format: RecordFormat): ProjectedRows {
  return { length: packed.ends.length, [Symbol.iterator]: () => unpacked(packed, format) };
}

function* unpacked({ shards, shardEnds, versions, ends, records }: PackedRows, format: RecordFormat): Generator<ProjectedRow> {
  const cursor = new RecordCursor(format);
  const bytes = Buffer.from(records.buffer);
  let row = 0;
  for (const [index, shard] of shards.entries()) {
    for (; row < (shardEnds[index] ?? 0); row++) {
      const put = cursor.put(bytes, row === 0 ? 0 : (ends[row - 1] ?? 0));
      yield { shard, version: shardVersion(versions[row] ?? 0), ...put };
    }
  }
}
