/** The order in which real files are written, synced and renamed, as a whole life of a node's stores does it. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { instant, position, type ShardId } from '#shared/units.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import { sealed } from './checksums.ts';
import { Projector } from '../fold/projector.ts';
import { ImagePass } from '../images/image-pass.ts';
import { ShardRecords } from '../images/shard-records.ts';
import { openDirectory, projectionsPath } from './directory.ts';
import { directoryName, fileName, FileImages } from './image-files.ts';
import { FileProjections } from './sqlite-projections.ts';
import { Death, RecordedFiles, type Rule, type Ruling } from '../testing/recorded-files.ts';
import { DEFINITION, EPOCHS, picker, SampleShard } from '../testing/sample.ts';

const SHARDS = 2;

const places: string[] = [];
afterEach(() => {
  for (const place of places.splice(0)) rmSync(place, { recursive: true });
});

/** A data directory that is to be made, with parents that are to be made. */
function newPath(): string {
  const place = mkdtempSync(join(tmpdir(), 'gavel-order-'));
  places.push(place);
  return join(place, 'var', 'gavel', 'data');
}

function imagePath(path: string, shard: ShardId): string {
  return join(path, 'images', directoryName(shard), fileName(shard));
}

/** What a start relies on when it answers. */
function startPaths(path: string): readonly string[] {
  const images = join(path, 'images');
  const names = readdirSync(images).filter((name) => name === 'published.json' || /^[0-9a-f]{2}$/.test(name));
  return [join(path, 'gavel.json'), join(path, 'staging'), ...names.map((name) => join(images, name))];
}

/** One whole life: a start, a turn of each shard, a fold, and an image pass. Its files are closed in the end, as after a kill. */
async function live(path: string, files: RecordedFiles): Promise<void> {
  const directory = openDirectory(path, DEFINITION, 'instance', files);
  const projections = FileProjections.openFor(projectionsPath(path), 'instance');
  try {
    files.rely('a start answers', startPaths(path));
    const { journal } = directory;
    const { position: before, dropped } = journal.state;
    const writer = new RecordWriter(DEFINITION);
    // Each life has shards of its own, so that each has everything to do.
    for (let index = 0; index < SHARDS; index++) writer.changeSet(new SampleShard(before + index, picker(index)).turn(1_000));
    journal.commit(sealed({ first: position(before + 1), last: position(before + SHARDS), now: instant(1_000), records: writer.take() }));
    new Projector(journal, projections, DEFINITION).foldThrough(position(before + SHARDS));
    const images = new FileImages(path, DEFINITION, 'instance', files);
    const pass = new ImagePass(new ShardRecords(journal, DEFINITION, dropped, EPOCHS), images);
    const noted: string[] = [];
    await pass.run(position(before + SHARDS), {
      images,
      pause: () => Promise.resolve(),
      storeImageVersions: (versions, setAside) => {
        noted.push(...versions.map(({ shard }) => imagePath(path, shard)));
        files.rely('images are noted', noted);
        return Promise.resolve(journal.storeImageVersions(versions, setAside));
      },
      drop: (through, recordsMax) => {
        files.rely('records are dropped', noted);
        return Promise.resolve(journal.drop(through, recordsMax));
      },
    });
  } finally {
    projections.close();
    directory.close();
  }
}

/** Does all calls but one. Before stores are made in a directory, whose it is must be durable; before an image is published, the mark. */
function allBut(path: string, index = Number.POSITIVE_INFINITY, instead: Ruling = 'do'): Rule {
  return (call, at, files) => {
    if (call === `make ${join(path, 'staging')}`) files.rely('stores are made', [join(path, 'gavel.json')]);
    if (call.startsWith('rename') && call.endsWith('.sqlite'))
      files.rely('an image is published', [join(path, 'images', 'published.json')]);
    return at === index ? instead : 'do';
  };
}

/** A place for data that a backup tool has brought back: without a directory that was empty. */
async function restoredPath(): Promise<string> {
  const path = newPath();
  await live(path, new RecordedFiles(allBut(path)));
  rmdirSync(join(path, 'images', '80'));
  return path;
}

/** The calls of a life that are about files of ours, with their numbers. */
async function callsOfALife(path: string): Promise<readonly (readonly [call: string, index: number])[]> {
  const place = dirname(dirname(dirname(path)));
  const files = new RecordedFiles(allBut(path));
  await live(path, files);
  return files.calls.flatMap((call, index) => (call.includes(place) ? [[call.replace(place, ''), index] as const] : []));
}

const calls = await callsOfALife(newPath());
const syncs = calls.filter(([call]) => call.startsWith('sync'));
/** In a first life the mark of the images is made right after their directories, and syncs them once more. */
const [doubledSync] = syncs.filter(([call]) => call.endsWith('images'));
const firstSyncs = syncs.filter((sync) => sync !== doubledSync);
const restoredSyncs = (await callsOfALife(await restoredPath())).filter(([call]) => call.startsWith('sync') && call.endsWith('images'));
/** One of the 256 directories stands for all. */
const deaths = calls.filter(([call]) => !/^make .*.images.(?!80)[0-9a-f]{2}$/.test(call));

describe('the order of what is done to files', () => {
  it('is right in a first life and in the next', async () => {
    const path = newPath();
    const files = new RecordedFiles(allBut(path));
    for (let life = 0; life < 2; life++) await live(path, files);
    expect([...files.faults]).toEqual([]);
  });

  it.each(firstSyncs)('is noticed to be wrong without "%s", number %i', async (_call, index) => {
    const path = newPath();
    const files = new RecordedFiles(allBut(path, index, 'pretend'));
    await live(path, files);
    expect([...files.faults]).not.toEqual([]);
  });

  it.each(restoredSyncs)('is noticed to be wrong without "%s", number %i, where a directory has to be made again', async (_call, index) => {
    const path = await restoredPath();
    const files = new RecordedFiles(allBut(path, index, 'pretend'));
    await live(path, files);
    expect([...files.faults]).not.toEqual([]);
  });

  it.each(deaths)('is right also after a death before "%s", number %i', async (_call, index) => {
    const path = newPath();
    const files = new RecordedFiles(allBut(path, index, 'die'));
    await expect(live(path, files)).rejects.toThrow(Death);
    files.nextLife(allBut(path));
    await live(path, files);
    expect([...files.faults]).toEqual([]);
  });
});
