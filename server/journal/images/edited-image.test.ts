/** An image that somebody has edited with SQLite, and a real node beside it: a mistake costs its own player, and nobody else. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listingId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { epoch } from '#shared/cell.ts';
import { nodeName, rowId, type ShardId } from '#shared/units.ts';
import { opening, player, TEST_REGIONS } from '#server/market/testing/market-bench.ts';
import { marketFeatures } from '#server/market/market.ts';
import { PLACES } from '#server/market/places.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import type { Reply } from '#server/shard/message.ts';
import { defineShard } from '#server/shard/definition.ts';
import { Shard } from '#server/shard/shard.ts';
import { command } from '#server/shard/testing/shard-driver.ts';
import { openNode, type GavelNode } from '#server/node.ts';
import { openFilePersister } from '../persister/open-file-persister.ts';
import { directoryName, fileName } from '../disk/image-files.ts';

const ADA = player('ada');
const BOB = player('bob');
const definition = defineShard(marketFeatures({ rules: RULES_PROFILES.dev, regions: TEST_REGIONS, catalogue: BUILT_IN_CATALOGUE }), {
  places: PLACES,
});
const parent = mkdtempSync(join(tmpdir(), 'gavel-edited-'));
const directory = join(parent, 'data');
const image = join(directory, 'images', directoryName(ADA), fileName(ADA));
const whole = join(parent, 'whole.sqlite');
const faults: Error[] = [];
let node: GavelNode;
let operations = 0;

function open(): Promise<GavelNode> {
  const machine = { ...nodeMachine(), report: () => undefined };
  return openNode({
    machine,
    isClockTrusted: true,
    rules: RULES_PROFILES.dev,
    catalogue: BUILT_IN_CATALOGUE,
    regions: TEST_REGIONS,
    world: 'test',
    node: nodeName('one'),
    openPersister: (definition) => openFilePersister({ machine, definition, directory }),
    memoryBudgetBytes: 1e9,
    // The purchase that fails below is to have minted its transaction.
    tradesBy: 'messages',
    onFault: (fault) => faults.push(fault),
  });
}

function tell(to: ShardId, kind: string, body: unknown): Promise<Reply> {
  return node.world.accept({ to, message: command(kind, body, `op${++operations}`), creates: false });
}

beforeAll(async () => {
  node = await open();
  for (const shard of [ADA, BOB]) {
    const [name = ''] = shard.split('@');
    const message = command('open', opening(name, { gold: 1_000, items: 3 }), undefined, 'service');
    await node.world.accept({ to: shard, message, creates: true });
  }
  await tell(ADA, 'sell', { itemId: 'ada-2', buyout: 500, durationMs: 3_600_000 });
  await tell(ADA, 'buyout', { listingId: listingId(rowId(999), BOB), price: 5 });
  await node.close(5_000);
  copyFileSync(image, whole);
  node = await open();
}, 30_000);

afterAll(async () => {
  await node.close(0);
  rmSync(parent, { recursive: true });
});

const NEARLY_ALL = Number.MAX_SAFE_INTEGER - 5;
const LISTING_V1 = `UPDATE gavel_shard SET next_id = 2000; CREATE TABLE listing_v1(id INTEGER PRIMARY KEY, item TEXT, buyout INTEGER, postedAt INTEGER, startsAt INTEGER,
  cancelUntil INTEGER, endsAt INTEGER)`;

/** Adds a hold under the transaction of a purchase that is over. */
function holdOf(trade: string, terms: object, gold = 5): string {
  return `CREATE TABLE hold_v1(id INTEGER PRIMARY KEY, tx TEXT, trade TEXT, decider TEXT, gold INTEGER, terms TEXT, offerUntil INTEGER,
      repeatAt INTEGER, attempts INTEGER, operation INTEGER);
    INSERT INTO hold_v1 VALUES (1999, '1.1.${ADA}', '${trade}', '${BOB}', ${gold}, '${JSON.stringify(terms)}', 1, 1, 0, NULL);
    UPDATE wallet_v1 SET held = ${gold}; UPDATE gavel_shard SET next_id = 2000`;
}

/** Loads the shard as its cell does. */
async function load(): Promise<string> {
  const loaded = await node.persister.load(ADA);
  if (loaded.kind === 'edited') Shard.loadEdited(definition, loaded.shard, 1, epoch(1));
  return loaded.kind;
}

function edit(change: string | ((database: Database.Database) => void)): void {
  copyFileSync(whole, image);
  for (const ending of ['-wal', '-shm']) rmSync(image + ending, { force: true });
  const database = new Database(image);
  if (typeof change === 'string') database.exec(change);
  else change(database);
  if (database.open) database.close();
}

describe('an image that was edited, and is not as a shard must be,', () => {
  it.each<readonly [what: string, change: string | ((database: Database.Database) => void), why: string]>([
    ['postings that are no JSON', `UPDATE gavel_ledger SET postings = '[["wallet","gold",' WHERE seq = 1`, 'JSON'],
    ['postings of another shape', `UPDATE gavel_ledger SET postings = '{"a":1}' WHERE seq = 1`, 'is not a function'],
    [
      'postings from nowhere',
      `UPDATE gavel_ledger SET postings = '[["moon","gold",1]]' WHERE seq = 1`,
      'line 1 of the ledger of its image is none',
    ],
    ...['"x"', '1.5', '-5', 'null'].map(
      (balance) =>
        [
          `a posting with a balance of ${balance}`,
          `UPDATE gavel_ledger SET postings = '[["wallet","gold",1,${balance}]]' WHERE seq = 1`,
          'line 1 of the ledger of its image is none',
        ] as const,
    ),
    ['no header', 'DELETE FROM gavel_shard', 'does not say what shard it is'],
    ['a header without a column', 'ALTER TABLE gavel_shard DROP COLUMN seq', 'does not say what shard it is'],
    ...['version', 'cell', 'epoch', 'now', 'generation', 'seq', 'ledger_seq', 'wake_at'].map(
      (counter) => [`another ${counter}`, `UPDATE gavel_shard SET ${counter} = ${counter} + 1`, 'that somebody has changed'] as const,
    ),
    ['unclaimed gold that no entry has', 'UPDATE wallet_v1 SET unclaimed = 5', 'has 5'],
    [
      'ledger lines that are gone',
      'DELETE FROM gavel_ledger WHERE seq = (SELECT max(seq) FROM gavel_ledger)',
      'are not the last ones up to',
    ],
    ['another directory', `UPDATE gavel_shard SET instance = 'elsewhere'`, 'that somebody has changed'],
    ['a next id that is taken', 'UPDATE gavel_shard SET next_id = 2', 'and the next one would get the id 2'],
    ['a table that nobody knows', `CREATE TABLE gone_v1(id INTEGER PRIMARY KEY)`, 'has the table gone_v1'],
    ['a table in its list that is not there', `INSERT INTO gavel_table VALUES ('gone_v1', 'gone', 1)`, 'has the table gone_v1'],
    ['a column that has another name', 'ALTER TABLE wallet_v1 RENAME COLUMN held TO helt', 'no such column'],
    ['an item that is no JSON', `UPDATE item_v1 SET item = '{"id":'`, 'JSON'],
    ['an item that is none', `UPDATE item_v1 SET item = '{"id":"x"}'`, 'the item of row'],
    ['an item that is null', `UPDATE item_v1 SET item = 'null'`, 'the item of row'],
    ['gold below zero', 'UPDATE wallet_v1 SET gold = -5', '[wallet.gold = gold()] must be'],
    ['gold beyond all numbers', 'UPDATE wallet_v1 SET gold = 9223372036854775807', 'has a gold in wallet_v1 that is no gold'],
    ['held gold without a hold', 'UPDATE wallet_v1 SET held = 5', 'its wallet has 5 held, and its rows say 0'],
    [
      'two wallets',
      'INSERT INTO wallet_v1 SELECT id + 1000, gold, held, unclaimed FROM wallet_v1; UPDATE gavel_shard SET next_id = 2000',
      'it must have one wallet',
    ],
    ['no wallet', 'DELETE FROM wallet_v1', 'it must have one wallet'],
    ['two rows with one id', `UPDATE wallet_v1 SET id = (SELECT min(id) FROM item_v1)`, 'is in item_v1 and in wallet_v1'],
    ['two rows with one unique value', `UPDATE item_v1 SET itemId = 'same'`, 'two rows of item have the itemId "same"'],
    [
      'an item copied from a listing',
      `UPDATE item_v1 SET itemId = 'ada-2', item = (SELECT item FROM listing_v2) WHERE itemId = 'ada-0'`,
      'the item ada-2 is in two rows',
    ],
    [
      'an item with the id of another',
      `UPDATE item_v1 SET itemId = 'ada-9' WHERE itemId = 'ada-0'`,
      'of item has the itemId of another item',
    ],
    [
      'a listing of an earlier release whose item is none',
      `${LISTING_V1}; INSERT INTO listing_v1 VALUES (1999, '{"id":"x"}', 5, 1, 1, 1, 9)`,
      'the item of row 1999 of listing is none',
    ],
    ['an answer that is none', `UPDATE operation_v1 SET reply = '{"a":1}'`, 'the reply of row'],
    ['a refusal that is none', `UPDATE operation_v1 SET reply = '{"kind":"refusal","name":"no"}'`, 'the reply of row'],
    [
      'parts of the gold that together are more than one player can have',
      `${holdOf('buyout', { row: 999, price: NEARLY_ALL }, NEARLY_ALL)};
      CREATE TABLE completed_v1(id INTEGER PRIMARY KEY, entry TEXT, item TEXT, commodity TEXT, quantity INTEGER, gold INTEGER, fees TEXT, tx TEXT,
        at INTEGER);
      INSERT INTO completed_v1 VALUES (1998, 'sold', NULL, NULL, NULL, ${NEARLY_ALL}, '[]', NULL, 1);
      UPDATE wallet_v1 SET gold = 0, unclaimed = ${NEARLY_ALL}`,
      'its gold passes',
    ],
    ['a hold of more than was promised', holdOf('buyout', { row: 999, price: 6 }), 'is not one of a buyout'],
    ['a hold for no row', holdOf('buyout', { price: 5 }), 'is not one of a buyout'],
    ['a hold of a trade that nobody knows', holdOf('swap', { row: 999, price: 5 }), 'no kind of trade is called swap'],
    ['a text that is too long', `UPDATE player_v1 SET name = '${'x'.repeat(65)}'`, '[player.name = text()] must be'],
    [
      'a table without types',
      'DROP TABLE wallet_v1; CREATE TABLE wallet_v1(id, gold, held, unclaimed); INSERT INTO wallet_v1 VALUES (2, 1.5, 0, 0)',
      'has a gold in wallet_v1 that is no gold',
    ],
    ['a newer format', 'PRAGMA user_version = 99', 'is of format 99'],
    ['the mark of another program', 'PRAGMA application_id = 7', 'is not a file of Gavel'],
    [
      'a log beside it',
      (database) => {
        database.exec('PRAGMA journal_mode = WAL; UPDATE wallet_v1 SET gold = 7');
        writeFileSync(join(parent, 'log'), readFileSync(`${image}-wal`));
        database.close();
        copyFileSync(join(parent, 'log'), `${image}-wal`);
      },
      'has a -wal beside it',
    ],
  ])('because of %s, makes its player unavailable, and nobody else', async (_what, change, why) => {
    edit(change);
    await expect(load()).rejects.toThrow(why);
    expect(await tell(ADA, 'claim', { all: true })).toMatchObject({ name: 'unavailable' });
    expect(await tell(BOB, 'claim', { all: true })).toMatchObject({ kind: 'answer' });
    expect(faults).toEqual([]);
  });
});

describe('an image that was edited as it may be', () => {
  it.each([
    ['in a row', ''],
    ['with a row more', `INSERT INTO commodity_v1 VALUES (999, 'iron', 5); UPDATE gavel_shard SET next_id = 1000;`, 'commodity_v1'],
    ['and left with a write-ahead log', 'PRAGMA journal_mode = WAL;'],
    ['and has other pages', 'PRAGMA page_size = 4096; VACUUM;'],
  ])('%s, is its player', async (_what, change, table = '') => {
    edit((database) => {
      if (table !== '')
        database.exec(`CREATE TABLE ${table}(id INTEGER PRIMARY KEY, commodity TEXT NOT NULL, quantity INTEGER NOT NULL) STRICT`);
      database.exec(`${change} UPDATE wallet_v1 SET gold = 77`);
    });
    expect(await load()).toBe('edited');
    expect(faults).toEqual([]);
  });

  it('answers, and is checked again whenever it is loaded, for its next images come from this one', async () => {
    edit('UPDATE wallet_v1 SET gold = 77');
    expect(await tell(ADA, 'sell', { itemId: 'ada-0', buyout: 5, durationMs: 3_600_000 })).toMatchObject({ kind: 'answer' });
    await node.close(5_000);
    node = await open();
    expect(await load()).toBe('edited');
    expect(await tell(ADA, 'claim', { all: true })).toMatchObject({ kind: 'answer' });
  });
});
