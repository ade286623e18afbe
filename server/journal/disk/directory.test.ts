import { afterEach, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instant, position } from '#shared/units.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import { sealed } from './checksums.ts';
import { openDirectory, type OpenDirectory } from './directory.ts';
import { writeMark } from './image-files.ts';
import { DEFINITION, picker, SampleShard } from '../testing/sample.ts';

const opened: OpenDirectory[] = [];
const directories: string[] = [];
afterEach(() => {
  for (const directory of opened.splice(0)) directory.close();
  for (const path of directories.splice(0)) rmSync(path, { recursive: true });
});

function newPath(): string {
  const parent = mkdtempSync(join(tmpdir(), 'gavel-directory-'));
  directories.push(parent);
  return join(parent, 'data');
}

function open(path: string, definition = DEFINITION): OpenDirectory {
  const directory = openDirectory(path, definition, 'instance');
  opened.push(directory);
  return directory;
}

function shut(directory: OpenDirectory): void {
  opened.splice(opened.indexOf(directory), 1);
  directory.close();
}

/** A directory that was used, and closed. */
function usedPath(): string {
  const path = newPath();
  const directory = open(path);
  const shard = new SampleShard(1, picker(1));
  const writer = new RecordWriter(DEFINITION);
  for (let turn = 1; turn <= 3; turn++) {
    writer.changeSet(shard.turn(1_000));
    directory.journal.commit(sealed({ first: position(turn), last: position(turn), now: instant(1_000), records: writer.take() }));
  }
  shut(directory);
  return path;
}

/** Names, sizes and contents of everything in a directory. */
function picture(path: string): unknown {
  if (!existsSync(path)) return 'nothing';
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).toSorted();
  return names.map((name) => {
    const { size } = statSync(join(path, name));
    return [name, size, statSync(join(path, name)).isFile() ? readFileSync(join(path, name)).toString('base64') : ''];
  });
}

function editManifest(path: string, changes: object): void {
  const file = join(path, 'gavel.json');
  const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify(Object.assign({}, manifest, changes)));
}

describe('a data directory', () => {
  it('is made where there is none, and opened again', () => {
    const path = usedPath();
    const { journal, remarks } = open(path);
    expect(journal.state.position).toBe(3);
    expect(remarks).toEqual([]);
    expect(readdirSync(join(path, 'images'))).toHaveLength(256 + 1);
  });

  it.each([
    ['a newer version', (path: string) => editManifest(path, { format: 99, world: undefined }), 'was written by a newer version of Gavel'],
    ['another world', (path: string) => editManifest(path, { world: 'elsewhere' }), 'belongs to the world elsewhere, and not to sample'],
    ['another node', (path: string) => editManifest(path, { node: 'two' }), 'belongs to the node two'],
    ['other cells', (path: string) => editManifest(path, { cellsPerRegion: 8 }), 'another number of cells'],
    ['a broken gavel.json', (path: string) => writeFileSync(join(path, 'gavel.json'), '{'), 'is not what Gavel writes'],
    ['no gavel.json', (path: string) => rmSync(join(path, 'gavel.json')), 'no gavel.json to say whose they are'],
  ])('of %s is refused in one sentence, and nothing in it is touched', (_what, change, sentence) => {
    const path = usedPath();
    change(path);
    const before = picture(path);
    expect(() => open(path)).toThrow(sentence);
    expect(picture(path)).toEqual(before);
  });

  it('that is a file is refused', () => {
    const path = newPath();
    writeFileSync(path, 'hello');
    expect(() => open(path)).toThrow('is not a directory');
    expect(readFileSync(path, 'utf8')).toBe('hello');
  });

  it('that is in use is refused, and the one who uses it goes on', () => {
    const path = newPath();
    const { journal } = open(path);
    expect(() => open(path)).toThrow('is in use by a running server');
    journal.commit(sealed({ first: position(1), last: position(1), now: instant(1), records: new Uint8Array(1) }));
    expect(journal.state.position).toBe(1);
  });

  it('with files of others in it keeps them, and says so', () => {
    const path = newPath();
    mkdirSync(path);
    writeFileSync(join(path, 'notes.txt'), 'mine');
    expect(open(path).remarks).toEqual(['not files of Gavel, left alone: notes.txt']);
    expect(readFileSync(join(path, 'notes.txt'), 'utf8')).toBe('mine');
  });

  it.each([
    ['the journal', 'journal.db', 'the journal (journal.db) is missing'],
    ['the projections after a drop', 'node.db', 'the projections (node.db) are missing'],
  ])('without %s is refused', (_what, file, sentence) => {
    const path = usedPath();
    const directory = open(path);
    writeMark(path, 'instance', position(3));
    directory.journal.drop(position(2), 10);
    shut(directory);
    rmSync(join(path, file));
    expect(() => open(path)).toThrow(sentence);
    expect(existsSync(join(path, file))).toBe(false);
  });

  it('without projections has them made again while the journal has everything', () => {
    const path = usedPath();
    rmSync(join(path, 'node.db'));
    expect(open(path).remarks).toEqual(['the projections (node.db) were missing, and were made again from the journal']);
  });

  it('whose journal lost a batch, or is no database, is refused', () => {
    const path = usedPath();
    const database = new Database(join(path, 'journal.db'));
    database.exec('DELETE FROM batch WHERE first = 2');
    database.close();
    expect(() => open(path)).toThrow('is damaged: it should hold the turns 1 to 3, and has 2 of them');
    writeFileSync(join(path, 'journal.db'), 'x'.repeat(8_192));
    expect(() => open(path)).toThrow('is damaged');
  });

  it('with the journal of another directory is refused', () => {
    const path = usedPath();
    editManifest(path, { instance: 'other' });
    expect(() => open(path)).toThrow('is of another data directory');
  });

  it('has whatever is missing of its directories of images made again', () => {
    const path = usedPath();
    const names = readdirSync(join(path, 'images'));
    for (const name of ['00', '7f', 'ff']) rmSync(join(path, 'images', name), { recursive: true });
    for (const name of ['.DS_Store', 'a', 'b']) writeFileSync(join(path, 'images', name), '');
    open(path);
    expect(readdirSync(join(path, 'images'))).toEqual(expect.arrayContaining(names));
  });

  it('is made with all directories above it', () => {
    const path = join(newPath(), 'some', 'where');
    expect(open(path).journal.state.position).toBe(0);
  });

  it('has its staging area cleared at a start', () => {
    const path = usedPath();
    writeFileSync(join(path, 'staging', 'ada@europe.softcore.sqlite'), 'half');
    expect(open(path).remarks).toEqual(['1 images that were not finished were thrown away; their turns are in the journal']);
    expect(readdirSync(join(path, 'staging'))).toEqual([]);
  });

  it('holds, cut where its log ended when a commit was confirmed, everything that was confirmed', () => {
    const path = newPath();
    const directory = open(path);
    const log = (of: string): string => join(of, 'journal.db-wal');
    const confirmedBytes: number[] = [];
    const commit = (turn: number): void => {
      directory.journal.commit(
        sealed({ first: position(turn), last: position(turn), now: instant(1), records: new Uint8Array(50_000).fill(turn) }),
      );
      confirmedBytes.push(statSync(log(path)).size);
    };
    for (let turn = 1; turn <= 5; turn++) commit(turn);
    // Copied by another process: within this one, closing a copied file would let go of SQLite's locks.
    for (const [index, bytes] of confirmedBytes.entries()) {
      for (const extraBytes of [0, 6_000]) {
        const copy = `${path}-${index}-${extraBytes}`;
        execFileSync('cp', ['-r', path, copy]);
        // What came after the last confirmed commit may be torn anywhere, or not be there at all.
        truncateSync(log(copy), Math.min(bytes + extraBytes, statSync(log(copy)).size));
        const recovered = open(copy);
        expect(recovered.journal.read(position(0), 1e9).map(({ last, records }) => [last, records[0]])).toEqual(
          Array.from({ length: index + 1 }, (_, turn) => [turn + 1, turn + 1]),
        );
        shut(recovered);
      }
    }
  });
});
