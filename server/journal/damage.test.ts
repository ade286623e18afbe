/** The table "Damage" of docs/internals/journal.md, walked on real directories: each kind of damage to each file, and what comes of it. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { epoch } from '#shared/cell.ts';
import { position, type ShardId, shardVersion } from '#shared/units.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import type { RawChangeSet } from '#server/shard/change-set.ts';
import { openFilePersister } from './persister/open-file-persister.ts';
import { openDirectory } from './disk/directory.ts';
import { DIRECTORY_FORMAT } from './recovery/recovery.ts';
import { readImage } from './images/image-bytes.ts';
import { directoryName, fileName, writeMark } from './disk/image-files.ts';
import { SAMPLE_SHARDS, SampleDirectory, startOn, type Found } from './testing/storage-sample.ts';
import { DEFINITION, picker, SCHEMA_BY_TABLE, writeImage } from './testing/sample.ts';

const FILES = ['gavel.json', 'lock.db', 'journal.db', 'journal.db-wal', 'node.db', 'an image', 'published.json', 'staging'] as const;
const KINDS = ['flipped bit', 'cut', 'older', 'newer version', 'foreign', 'edited', 'missing', 'doubled'] as const;
type FileName = (typeof FILES)[number];
type Kind = (typeof KINDS)[number];

/** What a start on the damaged directory comes to. */
type Outcome =
  /** One sentence, and nothing in the directory is changed. */
  | { readonly kind: 'refused'; readonly sentence: string }
  /** Everything is there, and a remark says what was found, if there is one. */
  | { readonly kind: 'as before'; readonly remark?: string }
  /** As before, and remarks; mirrored rows have the version of their shard, and not of the turn that wrote them. */
  | { readonly kind: 'made anew'; readonly remarks: readonly string[] }
  /** Some shards cannot be loaded; all others are as before. */
  | { readonly kind: 'shard fault'; readonly sentence: string }
  /** Nobody can tell: the newest turns are gone, and what is there is of one moment. */
  | { readonly kind: 'newest lost'; readonly position: number };

interface Case {
  readonly file: FileName;
  readonly kind: Kind;
  /** More than one damage of a kind are told apart by this. */
  readonly where?: string;
  /** As a closed node left it, unless it says otherwise. */
  readonly of?: 'closed' | 'killed';
  readonly damage: (path: string) => void;
  readonly outcome: Outcome;
}

const refused = (sentence: string): Outcome => ({ kind: 'refused', sentence });
const asBefore = (remark?: string): Outcome => (remark === undefined ? { kind: 'as before' } : { kind: 'as before', remark });

const shardFault = (sentence: string): Outcome => ({ kind: 'shard fault', sentence });
const ANEW = 'were damaged, and were made anew from the shards';
const anew: Outcome = { kind: 'made anew', remarks: [ANEW] };

/** The shard whose image is damaged: it has turns in the journal that are in no image, and its image has four that are not in the journal. */
const [PLAYER, OTHER] = SAMPLE_SHARDS as readonly [ShardId, ShardId];
const IMAGE = join('images', directoryName(PLAYER), fileName(PLAYER));
const FORMAT = `"format": ${DIRECTORY_FORMAT}`;
const MARK = join('images', 'published.json');

/** What is made from the journal. */
const MADE_CASES: readonly Case[] = [
  ...of('node.db', [
    ['flipped bit', sql('node.db', `UPDATE projected SET record = zeroblob(30) WHERE id = 5`), anew, 'a mirrored row'],
    ['flipped bit', sql('node.db', 'UPDATE alarm SET due = due + 1'), anew, 'alarms'],
    ['flipped bit', tear('node.db', 'alarm'), anew, 'the tree of alarms'],
    ['flipped bit', tear('node.db', 'alarm_by_due'), anew, 'the index of alarms'],
    ['flipped bit', tear('node.db', 'projected'), anew, 'the tree of mirrored rows'],
    ['flipped bit', sql('node.db', 'UPDATE total SET amount = amount + 1'), asBefore('summed up again'), 'totals'],
    [
      'flipped bit',
      sql('node.db', 'UPDATE cell SET cell = cell + 1 WHERE id = 1'),
      { kind: 'made anew', remarks: ['summed up again', ANEW] },
      'a cell',
    ],
    ['flipped bit', sql('node.db', 'UPDATE node SET folded = 21'), refused('do not say how far they go'), 'the position'],
    [
      'flipped bit',
      sql('node.db', `UPDATE ledger_segment SET last_seq = 99 WHERE shard = '${PLAYER}' AND first_seq = 1`),
      shardFault('is damaged in its lines 1 to 99'),
      'the ledger',
    ],
    ['cut', cut('node.db', 0.5), refused('damaged')],
    ['cut', cut('node.db', 0), refused('node.db) are missing'), 'to nothing'],
    ['older', exchange('node.db', 'older'), refused('node.db) are older than the journal')],
    ['newer version', sql('node.db', 'PRAGMA user_version=99'), refused('was written by a newer version of Gavel')],
    ['foreign', foreign('node.db'), refused('was not written by Gavel')],
    ['foreign', copy('journal.db', 'node.db'), refused('is another file of Gavel'), 'another file of Gavel'],
    ['edited', sql('node.db', 'DELETE FROM node'), refused('do not say how far they go'), 'no position'],
    ['edited', sql('node.db', `UPDATE node SET mirrored = '[]'`), refused('do not say how far they go'), 'the list of entities'],
    ['missing', remove('node.db'), refused('node.db) are missing')],
    ['doubled', copy('node.db', 'node.db.bak'), asBefore('left alone: node.db.bak')],
  ]),
  ...of('an image', [
    ['flipped bit', flipAt(IMAGE, -200), shardFault('its image is damaged')],
    ['cut', cut(IMAGE, 0.5), shardFault('its image is damaged')],
    ['cut', cut(IMAGE, 0), shardFault('its image is no database'), 'to nothing'],
    [
      'older',
      image((old) => writeImage({ ...old, version: shardVersion(3) }, SCHEMA_BY_TABLE, 'sample')),
      shardFault('is of version 3, and was of 4'),
    ],
    [
      'older',
      image((old) => writeImage({ ...old, version: shardVersion(99) }, SCHEMA_BY_TABLE, 'sample')),
      shardFault('knows of none after'),
      'a newer one',
    ],
    ['newer version', sql(IMAGE, 'PRAGMA user_version=99'), shardFault('which is newer than this program')],
    ['foreign', image((old) => writeImage(old, SCHEMA_BY_TABLE, 'other')), shardFault('is of another data directory')],
    ['foreign', write(IMAGE, 'x'.repeat(5_000)), shardFault('its image is no database'), 'no database'],
    ['edited', sql(IMAGE, `UPDATE gavel_ledger SET postings = '['`), shardFault('its image is damaged')],
    [
      'foreign',
      image((old) => writeImage({ ...old, epoch: epoch(2) }, SCHEMA_BY_TABLE, 'sample')),
      shardFault('of another epoch of its cell'),
      'an epoch',
    ],
    ['missing', remove(IMAGE), shardFault('is missing')],
    ['missing', removeAll('images'), refused('the shard images (images) are missing'), 'all of them'],
    ['doubled', copy(IMAGE, join('images', '00', fileName(PLAYER))), asBefore(), 'in another directory'],
    ['doubled', copy(IMAGE, `${IMAGE}.bak`), asBefore(), 'under another name'],
    ['doubled', copy(IMAGE, join('images', directoryName(OTHER), fileName(OTHER))), shardFault(`is that of ${PLAYER}`), 'as another shard'],
  ]),
  ...of('published.json', [
    ['flipped bit', flipAt(MARK, 30), refused('published.json is damaged')],
    ['cut', cut(MARK, 0.5), refused('published.json is damaged')],
    ['older', exchange(MARK, 'older'), refused('images) are older than the journal')],
    ['older', (path) => writeMark(path, 'sample', position(99)), refused('is older than the shard images'), 'the databases'],
    ['foreign', (path) => writeMark(path, 'other', position(16)), refused('images) are of another data directory')],
    ['edited', write(MARK, '{}'), refused('published.json is damaged')],
    ['missing', remove(MARK), asBefore('published.json was missing')],
    ['doubled', copy(MARK, `${MARK}.bak`), asBefore()],
  ]),
  ...of('staging', [
    ['foreign', write(join('staging', fileName(PLAYER)), 'half'), asBefore('were thrown away')],
    ['missing', removeAll('staging'), asBefore()],
  ]),
];

type MadeRow = readonly [kind: Kind, damage: Case['damage'], outcome: Outcome, where?: string];

function of(file: FileName, rows: readonly MadeRow[]): readonly Case[] {
  return rows.map(([kind, damage, outcome, where]) => ({ file, kind, damage, outcome, ...(where === undefined ? {} : { where }) }));
}

const CASES: readonly Case[] = [
  ...MADE_CASES,
  ...of('gavel.json', [
    ['flipped bit', edit(FORMAT, '"format": 7'), refused('newer version'), 'the format'],
    ['flipped bit', edit('{', '['), refused('is not what Gavel writes'), 'a brace'],
    ['flipped bit', edit('"sample",\n  "w', '"sambl",\n  "w'), refused('another data directory'), 'the instance'],
    ['older', edit(FORMAT, '"format": 1'), asBefore()],
    ['cut', cut('gavel.json', 0.5), refused('is not what Gavel writes')],
    ['newer version', edit(FORMAT, `"format": ${DIRECTORY_FORMAT + 1}`), refused('newer version')],
    ['foreign', write('gavel.json', '[1, 2]'), refused('is not what Gavel writes')],
    ['edited', edit(FORMAT, '"format": 1.5'), refused('is not what Gavel writes'), 'half a format'],
    ['edited', edit(FORMAT, '"format": 0'), refused('is not what Gavel writes'), 'no format'],
    ['edited', edit('64', '32'), refused('another number of cells'), 'the cells'],
    ['missing', remove('gavel.json'), refused('no gavel.json to say whose they are')],
    ['doubled', copy('gavel.json', 'gavel.json~'), asBefore('left alone: gavel.json~')],
  ]),

  { file: 'lock.db', kind: 'flipped bit', damage: write('lock.db', '\u{1}'), outcome: asBefore() },
  { file: 'lock.db', kind: 'foreign', damage: write('lock.db', 'x'.repeat(5_000)), outcome: asBefore() },
  { file: 'lock.db', kind: 'edited', damage: sql('lock.db', 'CREATE TABLE t(a)'), outcome: asBefore() },
  { file: 'lock.db', kind: 'missing', damage: remove('lock.db'), outcome: asBefore() },
  { file: 'lock.db', kind: 'doubled', damage: copy('lock.db', 'lock.db.bak'), outcome: asBefore('left alone: lock.db.bak') },

  {
    file: 'journal.db',
    kind: 'flipped bit',
    where: 'a record',
    damage: flip('journal.db', 'Player4@'),
    outcome: refused('are not what was written'),
  },
  { file: 'journal.db', kind: 'cut', where: 'in the middle', damage: cut('journal.db', 0.5), outcome: refused('is damaged') },
  { file: 'journal.db', kind: 'cut', where: 'to nothing', damage: cut('journal.db', 0), outcome: refused('journal.db) is missing') },
  { file: 'journal.db', kind: 'older', damage: exchange('journal.db', 'older'), outcome: refused('is older than the projections') },
  {
    file: 'journal.db',
    kind: 'newer version',
    damage: sql('journal.db', 'PRAGMA user_version=99'),
    outcome: refused('was written by a newer version of Gavel'),
  },
  {
    file: 'journal.db',
    kind: 'foreign',
    where: 'another program',
    damage: foreign('journal.db'),
    outcome: refused('was not written by Gavel'),
  },
  {
    file: 'journal.db',
    kind: 'foreign',
    where: 'no database',
    damage: write('journal.db', 'x'.repeat(8_192)),
    outcome: refused('is damaged'),
  },
  {
    file: 'journal.db',
    kind: 'foreign',
    where: 'another file of Gavel',
    damage: copy('node.db', 'journal.db'),
    outcome: refused('is another file of Gavel'),
  },
  {
    file: 'journal.db',
    kind: 'foreign',
    where: 'another data directory',
    damage: edit('"sample",\n  "w', '"other",\n  "w'),
    outcome: refused('is of another data directory'),
  },
  {
    file: 'journal.db',
    kind: 'edited',
    where: 'a batch',
    damage: sql('journal.db', 'UPDATE batch SET now = 0 WHERE first = 17'),
    outcome: refused('the turns 17 to 19 are not what was written'),
  },
  {
    file: 'journal.db',
    kind: 'edited',
    where: 'the lease',
    damage: sql('journal.db', 'UPDATE journal SET lease = 0'),
    outcome: refused('its counters are not what was written'),
  },
  {
    file: 'journal.db',
    kind: 'edited',
    where: 'no counters',
    damage: sql('journal.db', 'DELETE FROM journal'),
    outcome: refused('its counters are missing'),
  },
  {
    file: 'journal.db',
    kind: 'edited',
    where: 'a note',
    damage: sql('journal.db', "UPDATE shard SET now = 1 WHERE id LIKE 'Player0@%'"),
    outcome: { kind: 'shard fault', sentence: 'the note of its image is damaged' },
  },
  {
    file: 'journal.db',
    kind: 'flipped bit',
    where: 'the shard of a record put aside',
    damage: keptAside(`shard = '${OTHER}'`),
    outcome: refused('a record that was put aside is not what was written'),
  },
  {
    file: 'journal.db',
    kind: 'flipped bit',
    where: 'the version of a record put aside',
    damage: keptAside('version = version + 1'),
    outcome: refused('a record that was put aside is not what was written'),
  },
  {
    file: 'journal.db',
    kind: 'edited',
    where: 'a note less',
    damage: sql('journal.db', "DELETE FROM shard WHERE id LIKE 'Player3@%'"),
    outcome: { kind: 'shard fault', sentence: 'its image is not of this journal' },
  },
  {
    file: 'journal.db',
    kind: 'missing',
    where: 'a batch',
    damage: sql('journal.db', 'DELETE FROM batch WHERE first = 20'),
    outcome: refused('it should hold the turns 17 to 24, and has 5 of them'),
  },
  { file: 'journal.db', kind: 'missing', where: 'the file', damage: remove('journal.db'), outcome: refused('journal.db) is missing') },
  { file: 'journal.db', kind: 'missing', where: 'a table', damage: sql('journal.db', 'DROP TABLE kept'), outcome: refused('is damaged') },
  {
    file: 'journal.db',
    kind: 'doubled',
    where: 'a batch',
    damage: sql('journal.db', 'INSERT INTO batch SELECT first + 1, last, now, sum, records FROM batch WHERE first = 17'),
    outcome: refused('it should hold the turns 17 to 24, and has 10 of them'),
  },
  {
    file: 'journal.db',
    kind: 'doubled',
    where: 'the file',
    damage: copy('journal.db', 'journal.db.bak'),
    outcome: asBefore('left alone: journal.db.bak'),
  },

  {
    file: 'journal.db-wal',
    kind: 'flipped bit',
    where: 'the first frame',
    of: 'killed',
    damage: flipAt('journal.db-wal', 100),
    outcome: refused('journal.db) is older than the shard images'),
  },
  {
    file: 'journal.db-wal',
    kind: 'flipped bit',
    where: 'the last frame',
    of: 'killed',
    damage: flipAt('journal.db-wal', -100),
    outcome: { kind: 'newest lost', position: 22 },
  },
  {
    file: 'journal.db-wal',
    kind: 'cut',
    where: 'the last frame',
    of: 'killed',
    damage: cut('journal.db-wal', -100),
    outcome: { kind: 'newest lost', position: 22 },
  },
  {
    file: 'journal.db-wal',
    kind: 'cut',
    where: 'to nothing',
    of: 'killed',
    damage: cut('journal.db-wal', 0),
    outcome: refused('journal.db) is older than the shard images'),
  },
  {
    file: 'journal.db-wal',
    kind: 'older',
    of: 'killed',
    damage: exchange('journal.db-wal', 'older-killed'),
    outcome: refused('is older than the projections'),
  },
  {
    file: 'journal.db-wal',
    kind: 'foreign',
    of: 'killed',
    damage: write('journal.db-wal', 'x'.repeat(40_000)),
    outcome: refused('journal.db) is older than the shard images'),
  },
  {
    file: 'journal.db-wal',
    kind: 'missing',
    of: 'killed',
    damage: remove('journal.db-wal'),
    outcome: refused('journal.db) is older than the shard images'),
  },
  {
    file: 'journal.db-wal',
    kind: 'doubled',
    of: 'killed',
    damage: copy('journal.db-wal', 'wal.bak'),
    outcome: asBefore('left alone: wal.bak'),
  },
];

/** What cannot happen to a file, and why. */
const NOT_POSSIBLE: Partial<Record<`${FileName}: ${Kind}`, string>> = {
  'lock.db: cut': 'it is empty',
  'lock.db: older': 'it is always the same',
  'lock.db: newer version': 'it has no version',
  'journal.db-wal: newer version': 'it has none of its own',
  'journal.db-wal: edited': 'as a flipped bit',
  'published.json: newer version': 'it has none of its own',
  'staging: flipped bit': 'whatever is there is thrown away',
  'staging: cut': 'whatever is there is thrown away',
  'staging: older': 'whatever is there is thrown away',
  'staging: newer version': 'whatever is there is thrown away',
  'staging: edited': 'whatever is there is thrown away',
  'staging: doubled': 'whatever is there is thrown away',
};

const directory = new SampleDirectory();
const expected: { all?: Found } = {};
beforeAll(async () => {
  await directory.prepare();
  expected.all = startOn(directory.copy('closed'));
});
afterAll(() => directory.remove());

describe('a data directory with damage', () => {
  it('is in the table for each kind of each file', () => {
    const missing = FILES.flatMap((file) => KINDS.map((kind) => `${file}: ${kind}` as const)).filter(
      (pair) => NOT_POSSIBLE[pair] === undefined && !CASES.some(({ file, kind }) => pair === `${file}: ${kind}`),
    );
    expect(missing).toEqual([]);
  });

  it('without any is as it was left, also by a node that was killed', () => {
    expect(startOn(directory.copy('killed'))).toEqual(expected.all);
  });

  it.each(CASES.map((some) => [`${some.file}: ${some.kind}${some.where === undefined ? '' : ` (${some.where})`}`, some] as const))(
    '%s',
    (_name, { of = 'closed', damage, outcome }) => {
      const path = directory.copy(of);
      damage(path);
      check(path, of, outcome);
    },
  );

  it('is refused by a node with its threads just so, before anything is folded', async () => {
    const path = directory.copy('closed');
    sql('journal.db', 'UPDATE batch SET records = zeroblob(length(records)) WHERE first = 17')(path);
    const before = picture(path);
    const opening = openFilePersister({ machine: nodeMachine(), definition: DEFINITION, directory: path });
    await expect(opening).rejects.toMatchObject({
      name: 'DataDirectoryError',
      message: 'the journal (journal.db) is damaged: the turns 17 to 19 are not what was written',
    });
    expect(picture(path)).toEqual(before);
  });

  it('anywhere in journal.db is refused, costs one shard, or does nothing', () => {
    const pick = picker(Number(process.env['GAVEL_FLIP_SEED'] ?? '1'));
    const copy = directory.copy('closed');
    const file = join(copy, 'journal.db');
    const whole = readFileSync(file);
    const counts = { refused: 0, fault: 0, nothing: 0 };
    for (let round = 0; round < Number(process.env['GAVEL_FLIP_ROUNDS'] ?? '150'); round++) {
      const bytes = Buffer.from(whole);
      // Most of the file is free pages: rather where something is.
      const at = aimed(bytes, pick);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8));
      writeFileSync(file, bytes);
      counts[flippedOutcome(copy, at)]++;
      for (const name of ['journal.db-wal', 'journal.db-shm']) rmSync(join(copy, name), { force: true });
    }
    expect(counts.refused).toBeGreaterThan(0);
  });

  it('anywhere in the mirror does nothing, or has it made anew', () => {
    const pick = picker(Number(process.env['GAVEL_FLIP_SEED'] ?? '1'));
    const copy = directory.copy('closed');
    const file = join(copy, 'node.db');
    const whole = readFileSync(file);
    let anewCount = 0;
    for (let round = 0; round < Number(process.env['GAVEL_FLIP_ROUNDS'] ?? '60'); round++) {
      const bytes = Buffer.from(whole);
      const page = rootPage(file, bytes, ['alarm', 'alarm_by_due', 'projected', 'left_out'][round % 4] ?? never());
      const at = aimed(page, pick);
      page[at] = (page[at] ?? 0) ^ (1 << pick(8));
      writeFileSync(file, bytes);
      const found = startOrSentence(copy);
      expect([round, withoutVersions(found)]).toEqual([
        round,
        withoutVersions({ ...(expected.all ?? never()), remarks: expect.any(Array) as never }),
      ]);
      if (typeof found !== 'string' && found.remarks.length > 0) anewCount++;
      for (const name of ['node.db-wal', 'node.db-shm']) rmSync(join(copy, name), { force: true });
      writeFileSync(file, whole);
    }
    expect(anewCount).toBeGreaterThan(0);
  });

  it('anywhere in gavel.json is refused', () => {
    const copy = directory.copy('closed');
    const file = join(copy, 'gavel.json');
    const whole = readFileSync(file);
    for (let bit = 0; bit < whole.length * 8; bit += 5) {
      const bytes = Buffer.from(whole);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit % 8));
      writeFileSync(file, bytes);
      expect([bit, startOrSentence(copy)]).toEqual([bit, expect.any(String)]);
    }
  });
});

function check(path: string, of: 'closed' | 'killed', outcome: Outcome): void {
  const before = picture(path);
  const found = startOrSentence(path);
  switch (outcome.kind) {
    case 'refused':
      expect(found).toEqual(expect.stringContaining(outcome.sentence));
      // What a killed node left in the log is moved into the database before it is judged.
      if (of === 'closed') expect(picture(path)).toEqual(before);
      return;
    case 'as before':
      expect(found).toEqual({ ...expected.all, remarks: outcome.remark === undefined ? [] : [expect.stringContaining(outcome.remark)] });
      return;
    case 'made anew':
      expect(withoutVersions(found)).toEqual(
        withoutVersions({
          ...(expected.all ?? never()),
          remarks: outcome.remarks.map((remark) => expect.stringContaining(remark)) as never,
        }),
      );
      return;
    case 'shard fault':
      expect(faultsOf(found)).toEqual([expect.stringContaining(outcome.sentence)]);
      return;
    case 'newest lost':
      expect(found).toMatchObject({ position: outcome.position });
  }
}

/** What is not as before: the sentences of shards that cannot be loaded. Anything else that differs fails. */
function faultsOf(found: Found | string): readonly string[] {
  if (typeof found === 'string') throw new Error(`it did not start: ${found}`);
  const faults = [...found.shards.values()].filter((shard) => typeof shard === 'string');
  const shards = new Map([...found.shards].map(([id, shard]) => [id, typeof shard === 'string' ? expected.all?.shards.get(id) : shard]));
  expect({ ...found, shards }).toEqual(expected.all);
  return faults;
}

function withoutVersions(found: Found | string): unknown {
  return typeof found === 'string' ? found : { ...found, rows: found.rows.map((row) => ({ ...(row as object), version: 0 })) };
}

function never(): never {
  throw new Error('there is nothing to compare with');
}

function flippedOutcome(path: string, at: number): 'refused' | 'fault' | 'nothing' {
  const found = startOrSentence(path);
  if (typeof found === 'string') return 'refused';
  try {
    return faultsOf(found).length > 0 ? 'fault' : 'nothing';
  } catch (error) {
    throw new Error(`a bit of byte ${at} was believed`, { cause: error });
  }
}

function aimed(bytes: Buffer, pick: (below: number) => number): number {
  for (;;) {
    const at = pick(bytes.length);
    if (bytes[at] !== 0) return at;
  }
}

function startOrSentence(path: string): Found | string {
  try {
    return startOn(path);
  } catch (error) {
    if (error instanceof Error) return error.message;
    throw error;
  }
}

/** The contents of everything in a directory, but for what SQLite makes and removes by itself. */
function picture(path: string): readonly string[] {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => !/-(?:shm|wal)$/.test(name));
  return names.toSorted().map((name) => {
    const file = join(path, name);
    return `${name} ${statSync(file).isFile() ? createHash('sha256').update(readFileSync(file)).digest('hex') : ''}`;
  });
}

function edit(from: string, to: string) {
  return (path: string): void => {
    const file = join(path, 'gavel.json');
    const text = readFileSync(file, 'utf8');
    if (!text.includes(from)) throw new Error(`there is no ${from} in ${text}`);
    writeFileSync(file, text.replace(from, to));
  };
}

function write(name: string, text: string) {
  return (path: string): void => writeFileSync(join(path, name), text);
}

/** Cuts a file to this share of it, or, if it is negative, by so many bytes. */
function cut(name: string, share: number) {
  return (path: string): void => {
    const { size } = statSync(join(path, name));
    truncateSync(join(path, name), share < 0 ? size + share : Math.floor(size * share));
  };
}

function remove(name: string) {
  return (path: string): void => rmSync(join(path, name));
}

function removeAll(name: string) {
  return (path: string): void => rmSync(join(path, name), { recursive: true });
}

/** Puts another image in the place of that of the player. */
function image(make: (old: RawChangeSet) => Buffer) {
  return (path: string): void => {
    const file = join(path, IMAGE);
    writeFileSync(file, make(readImage(readFileSync(file), DEFINITION).image));
  };
}

function copy(name: string, to: string) {
  return (path: string): void => cpSync(join(path, name), join(path, to));
}

/** Puts the file of an older copy of the directory in the place of this one. */
function exchange(name: string, of: 'older' | 'older-killed') {
  return (path: string): void => {
    const other = directory.copy(of);
    for (const suffix of name.endsWith('-wal') ? [''] : ['', '-wal']) {
      if (existsSync(join(other, name + suffix))) cpSync(join(other, name + suffix), join(path, name + suffix));
    }
  };
}

/** Gives the root of a table or an index a type that no page has. */
function tear(name: string, tree: string): Case['damage'] {
  return (path) => {
    const bytes = readFileSync(join(path, name));
    const page = rootPage(join(path, name), bytes, tree);
    page.writeUInt8(page.readUInt8(0) ^ 1, 0);
    writeFileSync(join(path, name), bytes);
  };
}

/** The part of a database's bytes that is the root of a table or an index. */
function rootPage(file: string, bytes: Buffer, tree: string): Buffer {
  const database = new Database(file);
  const pageBytes = Number(database.pragma('page_size', { simple: true }));
  const root = Number(database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(tree));
  database.close();
  return bytes.subarray((root - 1) * pageBytes, root * pageBytes);
}

function sql(name: string, statements: string) {
  return (path: string): void => {
    const database = new Database(join(path, name));
    database.exec(statements);
    database.close();
  };
}

/** A record is put aside for the player, and its row changed. */
function keptAside(change: string) {
  return (path: string): void => {
    const directory = openDirectory(path, DEFINITION, '');
    directory.journal.storeImageVersions([], [{ shard: PLAYER, version: shardVersion(7), record: Uint8Array.of(1, 2, 3) }]);
    directory.close();
    sql('journal.db', `UPDATE kept SET ${change}`)(path);
  };
}

function foreign(name: string) {
  return (path: string): void => {
    rmSync(join(path, name));
    sql(name, 'CREATE TABLE notes(a); PRAGMA journal_mode=WAL')(path);
  };
}

/** Flips one bit of the first place where that text stands; it must not stand in a free page. */
function flip(name: string, text: string) {
  return (path: string): void => {
    const at = readFileSync(join(path, name)).indexOf(text);
    if (at === -1) throw new Error(`there is no ${text} in ${name}`);
    flipAt(name, at)(path);
  };
}

/** Flips one bit of that byte, counted from the end if it is negative. */
function flipAt(name: string, at: number) {
  return (path: string): void => {
    const bytes = readFileSync(join(path, name));
    const index = at < 0 ? bytes.length + at : at;
    bytes[index] = (bytes[index] ?? 0) ^ 1;
    writeFileSync(join(path, name), bytes);
  };
}
