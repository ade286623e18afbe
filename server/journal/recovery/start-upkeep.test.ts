import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transactionId } from '#server/trade/transaction.ts';
import { instant, type Instant, type ShardId } from '#shared/units.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import { openFilePersister } from '../persister/open-file-persister.ts';
import { ShardFault, type Persister } from '../persister/persister.ts';
import { FileProjections } from '../disk/sqlite-projections.ts';
import { directoryName, fileName } from '../disk/image-files.ts';
import { cellEpoch, DEFINITION, offer, picker, purse, sampleShard, SampleShard } from '../testing/sample.ts';
import { slowFold, sortedRows, type SlowFold } from '../testing/slow-fold.ts';

const SHARDS = [0, 1, 2, 3];
const ALWAYS = instant(Number.MAX_SAFE_INTEGER);
const parents: string[] = [];
const opened: Persister[] = [];
afterEach(async () => {
  for (const persister of opened.splice(0)) await persister.close(0);
  for (const path of parents.splice(0)) rmSync(path, { recursive: true });
});

interface Used {
  readonly directory: string;
  readonly turns: readonly ChangeSet[];
}

let template: Used | undefined;
const templateParent = mkdtempSync(join(tmpdir(), 'gavel-upkeep-'));
afterAll(() => rmSync(templateParent, { recursive: true }));

/** A directory with turns of a few shards, most of them in images. */
async function used(): Promise<Used> {
  template ??= await make(join(templateParent, 'data'));
  const parent = mkdtempSync(join(tmpdir(), 'gavel-upkeep-'));
  parents.push(parent);
  const directory = join(parent, 'data');
  cpSync(template.directory, directory, { recursive: true });
  return { directory, turns: template.turns };
}

async function make(directory: string): Promise<Used> {
  const pick = picker(7);
  const shards = SHARDS.map((index) => new SampleShard(index, pick));
  const turns: ChangeSet[] = [];
  const append = async (count: number, persister: Persister): Promise<void> => {
    for (let turn = 0; turn < count; turn++) turns.push((shards[pick(SHARDS.length)] ?? shards[0] ?? never()).turn(1_000 + turns.length));
    const last =
      turns
        .slice(-count)
        .map((changes) => persister.append(changes))
        .at(-1) ?? 0;
    await new Promise<void>((resolve) => persister.onDurable((durable) => durable === last && resolve()));
  };
  const imaged = await open(directory);
  await append(60, imaged);
  await imaged.close(10_000);
  const pending = await open(directory);
  await append(20, pending);
  await pending.close(0);
  return { directory, turns };
}

async function open(directory: string, projected: readonly string[] = DEFINITION.projected): Promise<Persister> {
  const persister = await openFilePersister({ machine: nodeMachine(), definition: { ...DEFINITION, projected }, directory });
  opened.push(persister);
  return persister;
}

function edit(directory: string, sql: string): void {
  const database = new Database(join(directory, 'node.db'));
  database.exec(sql);
  database.close();
}

const PAGE_BYTES = 4_096;

/** Changes the root page of a table or an index of `node.db`, behind the back of SQLite. `alarmed` is a shard that has an alarm. */
function editPage(directory: string, name: string, change: (page: Buffer, alarmed: string) => void): void {
  const path = join(directory, 'node.db');
  const database = new Database(path);
  database.pragma('wal_checkpoint(TRUNCATE)');
  const root = Number(database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(name));
  const alarmed = String(database.prepare('SELECT shard FROM alarm').pluck().get());
  database.close();
  const bytes = readFileSync(path);
  change(bytes.subarray((root - 1) * PAGE_BYTES, root * PAGE_BYTES), alarmed);
  writeFileSync(path, bytes);
  const damaged = new Database(path, { readonly: true });
  expect(damaged.pragma('integrity_check', { simple: true })).not.toBe('ok');
  damaged.close();
}

/** No page of a tree has such a type. */
function loseType(page: Buffer): void {
  page[0] = 0;
}

/** Flips a bit of the instant that stands before the name of its shard in the index. */
function moveAlarm(page: Buffer, alarmed: string): void {
  for (let at = page.indexOf(alarmed); at > 0; at = page.indexOf(alarmed, at + 1)) page.writeUInt8(page.readUInt8(at - 1) ^ 4, at - 1);
}

async function dueOf(persister: Persister, now: Instant): Promise<readonly ShardId[]> {
  return (await persister.due(now, 100)).map(({ shard }) => shard);
}

async function expectFold(persister: Persister, expected: SlowFold): Promise<void> {
  expect(sortedRows(newest((await persister.projection(offer.name)).rows))).toEqual(newest(expected.rows));
  expect(await dueOf(persister, ALWAYS)).toEqual(expected.due);
  const { totals } = await persister.totals();
  expect(totals.filter(({ amount }) => amount !== 0n)).toEqual(expected.totals.toSorted((a, b) => (a.key < b.key ? -1 : 1)));
}

/** Rows that are made anew have the version of their shard, and not that of the turn that wrote them. */
function newest<R extends { readonly version: number }>(rows: Iterable<R>): readonly R[] {
  return Array.from(rows, (row) => ({ ...row, version: 0 }));
}

function never(): never {
  throw new Error('there is no such shard');
}

/** Passes may have been cut off by the end of a test's life. */
const isOfProjections = (remark: string): boolean => remark.includes('node.db');
const ANEW = 'were made anew from the shards';

describe('a start', () => {
  it('makes nothing anew where all is well', async () => {
    const { directory, turns } = await used();
    const persister = await open(directory);
    expect(persister.recovered.remarks.filter(isOfProjections)).toEqual([]);
    await expectFold(persister, slowFold(turns, offer.schema.table));
    await persister.close(0);
  });

  it('that projects other entities than the last one makes rows and alarms anew, once', async () => {
    const { directory, turns } = await used();
    const other = await open(directory, [purse.name, offer.name]);
    expect(other.recovered.remarks.filter(isOfProjections)).toEqual([
      `the mirrored rows and alarms in node.db were not of what this version projects, and ${ANEW}`,
    ]);
    expect((await other.projection(purse.name)).rows).toHaveLength(SHARDS.length);
    await expectFold(other, slowFold(turns, offer.schema.table));
    await other.close(0);
    const again = await open(directory, [offer.name, purse.name]);
    expect(again.recovered.remarks.filter(isOfProjections)).toEqual([]);
    await again.close(0);
  });

  it('that is cut off while it makes them anew leaves it to the next one', async () => {
    const { directory, turns } = await used();
    // What `forget` does, and a part of the rest.
    edit(directory, `DELETE FROM projected WHERE id % 2 = 0; DELETE FROM alarm`);
    const projections = FileProjections.openFor(join(directory, 'node.db'), '');
    projections.upkeep.forget();
    projections.upkeep.put(
      ['offer'],
      [{ kind: 'loaded', shard: sampleShard(0), of: cellEpoch(sampleShard(0)), due: instant(5), rows: [] }],
    );
    projections.close();
    const persister = await open(directory);
    expect(persister.recovered.remarks.filter(isOfProjections)).toEqual([expect.stringContaining(ANEW)]);
    await expectFold(persister, slowFold(turns, offer.schema.table));
    await persister.close(0);
  });

  it.each([
    ['a mirrored row', `UPDATE projected SET record = zeroblob(40) WHERE id = (SELECT min(id) FROM projected)`],
    ['an alarm', 'UPDATE alarm SET due = due + 1'],
    ['the shard of an alarm', `UPDATE alarm SET shard = shard || 'x'`],
  ])('that finds %s damaged makes them anew', async (_what, sql) => {
    const { directory, turns } = await used();
    edit(directory, sql);
    const persister = await open(directory);
    expect(persister.recovered.remarks.filter(isOfProjections)).toEqual([
      `the mirrored rows and alarms in node.db were damaged, and ${ANEW}`,
    ]);
    await expectFold(persister, slowFold(turns, offer.schema.table));
    await persister.close(0);
  });

  it.each([
    ['an alarm moved in the index', 'alarm_by_due', moveAlarm],
    ['the index of alarms torn', 'alarm_by_due', loseType],
    ['the alarms torn', 'alarm', loseType],
    ['the mirrored rows torn', 'projected', loseType],
    ['the list of what is left out torn', 'left_out', loseType],
  ])('that finds %s makes them anew, once', async (_what, name, change) => {
    const { directory, turns } = await used();
    editPage(directory, name, change);
    const persister = await open(directory);
    expect(persister.recovered.remarks.filter(isOfProjections)).toEqual([
      `the mirrored rows and alarms in node.db were damaged, and ${ANEW}`,
    ]);
    await expectFold(persister, slowFold(turns, offer.schema.table));
    await persister.close(0);
    const again = await open(directory);
    expect(again.recovered.remarks.filter(isOfProjections)).toEqual([]);
    await expectFold(again, slowFold(turns, offer.schema.table));
    await again.close(0);
  });

  it.each([
    ['a cell', (directory: string) => edit(directory, 'UPDATE cell SET epoch = 2 WHERE id = 1')],
    ['the cells torn', (directory: string) => editPage(directory, 'cell', loseType)],
    ['a cell gone', (directory: string) => edit(directory, 'DELETE FROM cell')],
  ])('that finds %s makes anew all that is named by it, once', async (_what, damage) => {
    const { directory, turns } = await used();
    damage(directory);
    const persister = await open(directory);
    expect(persister.recovered.remarks.filter(isOfProjections)).toEqual([
      'the totals in node.db were damaged, and were summed up again from the ledger',
      `the mirrored rows and alarms in node.db were damaged, and ${ANEW}`,
    ]);
    await expectFold(persister, slowFold(turns, offer.schema.table));
    await persister.close(0);
    const again = await open(directory);
    expect(again.recovered.remarks.filter(isOfProjections)).toEqual([]);
    await expectFold(again, slowFold(turns, offer.schema.table));
    await again.close(0);
  });

  it('that finds a total damaged sums all up again from the ledger, and folds on', async () => {
    const { directory, turns } = await used();
    edit(directory, `UPDATE total SET amount = amount + 1 WHERE key = (SELECT min(key) FROM total)`);
    const persister = await open(directory);
    expect(persister.recovered.remarks.filter(isOfProjections)).toEqual([
      'the totals in node.db were damaged, and were summed up again from the ledger',
    ]);
    await expectFold(persister, slowFold(turns, offer.schema.table));
    await persister.close(0);
  });

  it('is refused if totals and ledger are both damaged, or the row of the node', async () => {
    const { directory } = await used();
    edit(directory, 'UPDATE total SET amount = 1; UPDATE ledger_segment SET lines = zeroblob(9)');
    await expect(open(directory)).rejects.toThrow('the projections (node.db) are damaged in their ledger');
    edit(directory, 'UPDATE node SET folded = folded + 1');
    await expect(open(directory)).rejects.toThrow('the projections (node.db) are damaged');
  });

  it('tells of damaged ledger lines only who asks for them, and goes on', async () => {
    const { directory, turns } = await used();
    edit(directory, `UPDATE ledger_segment SET last_seq = last_seq + 1 WHERE shard = '${sampleShard(1)}'`);
    const persister = await open(directory);
    const faults: Error[] = [];
    persister.onFault((fault) => faults.push(fault));
    await expect(persister.history(sampleShard(1), 1e9, 10)).rejects.toThrow(ShardFault);
    const others = slowFold(turns, offer.schema.table).lines(sampleShard(2));
    expect(await persister.history(sampleShard(2), 1e9, 1_000)).toEqual(others.toReversed());
    expect(faults).toEqual([]);
    await persister.close(0);
  });

  it.each(['ledger_segment', 'ledger_segment_by_shard'])(
    'tells only who asks for ledger lines that %s does not hang together, and goes on',
    async (name) => {
      const { directory, turns } = await used();
      const folded = await open(directory);
      await folded.close(10_000);
      editPage(directory, name, loseType);
      const persister = await open(directory);
      const faults: Error[] = [];
      persister.onFault((fault) => faults.push(fault));
      await expect(persister.history(sampleShard(1), 1e9, 10)).rejects.toThrow(ShardFault);
      await expect(
        persister.transaction(transactionId({ holder: sampleShard(1), generation: 1, seq: 1 }), [sampleShard(1)]),
      ).rejects.toThrow(ShardFault);
      await expectFold(persister, slowFold(turns, offer.schema.table));
      expect(faults).toEqual([]);
      await persister.close(0);
    },
  );

  it('leaves out a shard that cannot be loaded, due at once, and takes it in when its file is whole', async () => {
    const { directory, turns } = await used();
    const bad = sampleShard(2);
    const image = join(directory, 'images', directoryName(bad), fileName(bad));
    const whole = readFileSync(image);
    writeFileSync(image, whole.subarray(0, 700));
    edit(directory, 'UPDATE alarm SET due = due + 1');
    const without = await open(directory);
    expect(without.recovered.remarks.filter(isOfProjections)).toEqual([
      expect.stringContaining(`; 1 that cannot be loaded are left out until they can (${bad})`),
    ]);
    const { rows, due } = slowFold(turns, offer.schema.table);
    expect(sortedRows(newest((await without.projection(offer.name)).rows))).toEqual(newest(rows.filter(({ shard }) => shard !== bad)));
    expect(await dueOf(without, instant(1))).toEqual([bad]);
    await without.close(0);
    const still = await open(directory);
    expect(still.recovered.remarks.filter((remark) => remark.includes('shards'))).toEqual([
      `1 shards still cannot be loaded: their listings are not found until their files are whole (${bad})`,
    ]);
    await still.close(0);
    writeFileSync(image, whole);
    const again = await open(directory);
    expect(again.recovered.remarks.filter(isOfProjections)).toEqual([
      '1 shards that could not be loaded at an earlier start are in node.db now',
    ]);
    expect(sortedRows(newest((await again.projection(offer.name)).rows))).toEqual(newest(rows));
    expect(await dueOf(again, ALWAYS)).toEqual(due);
    await again.close(0);
  });

  it('takes a second file of a shard elsewhere for none', async () => {
    const { directory, turns } = await used();
    const shard = sampleShard(0);
    const elsewhere = directoryName(shard) === '00' ? '01' : '00';
    const bytes = readFileSync(join(directory, 'images', directoryName(shard), fileName(shard)));
    for (const name of [fileName(shard), 'copy.sqlite', 'notes.txt']) writeFileSync(join(directory, 'images', elsewhere, name), bytes);
    edit(directory, 'UPDATE alarm SET due = due + 1');
    const persister = await open(directory);
    expect((await persister.projection(offer.name)).rows).toHaveLength(slowFold(turns, offer.schema.table).rows.length);
    await persister.close(0);
  });
});
