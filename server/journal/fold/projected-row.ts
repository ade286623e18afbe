/** Projected rows between the thread that keeps them and the one that wants them: packed, for there may be a million. */
import { NO_VERSION, type ShardId, type ShardVersion } from '#shared/units.ts';
import type { PackedRows, ProjectedRow } from '../persister/persister.ts';
import { RecordCursor } from '#server/shard/record/cursor.ts';
import type { RecordFormat } from '#server/shard/record/format.ts';
import type { LiveRow } from '../disk/storage.ts';

/** Packs rows. */
export function packRows(rows: readonly LiveRow[]): PackedRows {
  const shards: ShardId[] = [];
  const versions: ShardVersion[] = [];
  const ends: number[] = [];
  const records = new Uint8Array(rows.reduce((bytes, { record }) => bytes + record.length, 0));
  let end = 0;
  for (const { shard, version, record } of rows) {
    records.set(record, end);
    end += record.length;
    shards.push(shard);
    versions.push(version);
    ends.push(end);
  }
  return { shards, versions, ends, records };
}

/** The rows that were packed. */
export function unpackRows({ shards, versions, ends, records }: PackedRows, format: RecordFormat): readonly ProjectedRow[] {
  const cursor = new RecordCursor(format);
  const bytes = Buffer.from(records.buffer);
  return shards.map((shard, index) => {
    const put = cursor.put(bytes, index === 0 ? 0 : (ends[index - 1] ?? 0));
    return { shard, version: versions[index] ?? NO_VERSION, ...put };
  });
}
