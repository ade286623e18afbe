/**
 * Shard images as files: `images/<2 hex>/<name>.sqlite`, staged in `staging/`. No file is ever written where a reader could find it, and
 * no file stays open.
 */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { hashOf } from '#shared/hash.ts';
import { FIRST_EPOCH } from '#shared/cell.ts';
import { instant, NO_POSITION, NO_VERSION, position, type Position, type ShardId } from '#shared/units.ts';
import type { ShardHeader } from '#server/shard/change-set.ts';
import type { RecordFormat } from '#server/shard/record/format.ts';
import { encodeImage, nextRows, type ImageOrigin } from '../images/sqlite-file/image.ts';
import type { ImageMark } from '../recovery/recovery.ts';
import { ImageError, type Image, type ImageDraft, type ImageStore } from './storage.ts';
import { errorCode, errorMessage } from './disk-errors.ts';
import { checksum } from './checksums.ts';
import { machineFiles, replaceFile, type Files, type OpenFile } from './files.ts';
import { readImage, readRows } from '../images/image-bytes.ts';

/** Images are spread over so many directories. */
const DIRECTORIES = 256;
/** Directories synced at once. */
const DIRECTORIES_AT_ONCE = 16;

/** Owned by one thread. */
export class FileImages implements ImageStore {
  readonly #directory: string;
  readonly #images: string;
  readonly #staging: string;
  readonly #format: RecordFormat;
  readonly #files: Files;
  readonly #instance: string;
  readonly #staged = new Map<ShardId, OpenFile>();

  /** The images of the data directory `instance`, which must have its subdirectories: see `makeImageDirectories`. */
  constructor(directory: string, format: RecordFormat, instance: string, files = machineFiles) {
    this.#directory = directory;
    this.#instance = instance;
    this.#images = join(directory, 'images');
    this.#staging = join(directory, 'staging');
    this.#format = format;
    this.#files = files;
  }

  get published(): Position | undefined {
    const mark = readMark(this.#directory);
    return mark.kind === 'read' ? mark.through : undefined;
  }

  read(shard: ShardId): Image | undefined {
    const path = this.#path(shard);
    const bytes = readIfThere(path);
    if (bytes === undefined) return undefined;
    const { image, origin } = readImage(bytes, this.#format, path);
    this.#assertOurs(shard, image, origin);
    return { kind: origin.isEdited ? 'edited' : 'found', shard: image };
  }

  *shards(): Iterable<ShardId> {
    for (let index = 0; index < DIRECTORIES; index++) {
      const name = hexByte(index);
      for (const file of readdirSync(join(this.#images, name))) {
        const shard = shardOfFile(file);
        // Whatever else is there is never looked for where it is: a second file of a shard in another directory, a copy under another name.
        if (fileName(shard) === file && directoryName(shard) === name) yield shard;
      }
    }
  }

  draft(shard: ShardId): ImageDraft {
    const { schemas } = this.#format;
    const path = this.#path(shard);
    const bytes = readIfThere(path);
    const old = bytes === undefined ? undefined : readRows(bytes, this.#format, path);
    if (old !== undefined) this.#assertOurs(shard, old.header, old.origin);
    return {
      version: old?.header.version ?? NO_VERSION,
      now: old?.header.now ?? instant(0),
      epoch: old?.header.epoch ?? FIRST_EPOCH,
      stage: (changes) => this.#stage(shard, encodeImage(nextRows(old, changes, schemas), schemas, this.#instance)),
    };
  }

  async sync(shards: readonly ShardId[]): Promise<void> {
    await Promise.all(
      shards.map(async (shard) => {
        const file = this.#staged.get(shard);
        if (file === undefined) throw new Error(`the image of ${shard} was not staged`);
        await this.#files.syncSoon(file);
        this.#staged.delete(shard);
      }),
    );
  }

  mark(through: Position): void {
    const published = this.published ?? NO_POSITION;
    writeMark(this.#directory, this.#instance, through > published ? through : published, this.#files);
  }

  publish(shards: readonly ShardId[]): void {
    for (const shard of shards) {
      if (this.#staged.has(shard)) throw new Error(`the image of ${shard} was not synced`);
      this.#files.rename(join(this.#staging, fileName(shard)), this.#path(shard));
    }
  }

  async syncDirectories(shards: readonly ShardId[]): Promise<void> {
    const directories = [...new Set(shards.map(directoryName))];
    for (let start = 0; start < directories.length; start += DIRECTORIES_AT_ONCE) {
      const some = directories.slice(start, start + DIRECTORIES_AT_ONCE);
      await Promise.all(some.map((name) => this.#files.syncDirectorySoon(join(this.#images, name))));
    }
  }

  /** Throws `ImageError` for the image of another shard, or of another data directory: of whatever version, it does not belong here. */
  #assertOurs(shard: ShardId, header: ShardHeader, { instance }: ImageOrigin): void {
    if (header.shard !== shard) throw new ImageError(`its image is that of ${header.shard}`);
    if (instance !== undefined && instance !== this.#instance) throw new ImageError('its image is of another data directory');
  }

  #path(shard: ShardId): string {
    return join(this.#images, directoryName(shard), fileName(shard));
  }

  #stage(shard: ShardId, bytes: Buffer): void {
    this.#staged.set(shard, this.#files.write(join(this.#staging, fileName(shard)), bytes));
  }
}

/**
 * Makes the directories of images, durably; those that are there stay: a backup tool may have left out some, since they were empty. They are
 * synced, too: who made them may have been killed before. Their own names, in the directory, are for the caller to sync.
 */
export function makeImageDirectories(directory: string, files: Files): void {
  files.makeDirectory(join(directory, 'staging'));
  const images = join(directory, 'images');
  files.makeDirectory(images);
  const present = new Set(readdirSync(images));
  const missing = Array.from({ length: DIRECTORIES }, (_, index) => hexByte(index)).filter((name) => !present.has(name));
  for (const name of missing) files.makeDirectory(join(images, name));
  files.syncDirectory(images);
}

/** Whether there is any image in the directory. */
export function hasImages(directory: string): boolean {
  const images = join(directory, 'images');
  if (!existsSync(images)) return false;
  return imageDirectories(images).some((name) => readdirSync(join(images, name)).length > 0);
}

function imageDirectories(images: string): readonly string[] {
  return readdirSync(images).filter((name) => /^[0-9a-f]{2}$/.test(name));
}

/** The number of images that a pass had begun. */
export function countStaged(directory: string): number {
  return stagedNames(directory).length;
}

/** Removes what a pass before a crash left in the staging area. */
export function clearStaging(directory: string, files: Files): void {
  for (const name of stagedNames(directory)) files.remove(join(directory, 'staging', name));
}

function stagedNames(directory: string): readonly string[] {
  const staging = join(directory, 'staging');
  return existsSync(staging) ? readdirSync(staging).filter((name) => name.endsWith(SUFFIX)) : [];
}

const SUFFIX = '.sqlite';

/**
 * The file name of a shard: a capital becomes `+` and its small letter, so that `Ada` and `ada` are two files on every file system. No
 * shard id contains a `+`.
 */
export function fileName(shard: ShardId): string {
  return `${shard.replaceAll(/[A-Z]/g, (letter) => `+${letter.toLowerCase()}`)}${SUFFIX}`;
}

/** The shard that a file name stands for. */
function shardOfFile(name: string): ShardId {
  return name.slice(0, -SUFFIX.length).replaceAll(/\+([a-z])/g, (_, letter: string) => letter.toUpperCase()) as ShardId;
}

/** One of 256 directories, by the hash of the shard, folded to a byte. */
export function directoryName(shard: ShardId): string {
  const hash = hashOf(shard);
  return hexByte((hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & 0xff);
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0');
}

/** The whole file, or `undefined` if there is none. A fifth of what `readFileSync` costs for so small a file. */
function readIfThere(path: string): Buffer | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const bytes = Buffer.allocUnsafe(fstatSync(file).size);
    for (let offset = 0; offset < bytes.length;) {
      const read = readSync(file, bytes, offset, bytes.length - offset, offset);
      if (read === 0) throw new ImageError('its image ends early');
      offset += read;
    }
    return bytes;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new ImageError(`its image cannot be read (${errorMessage(error)})`, { cause: error });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/**
 * The file of the mark: no image has anything of a later position. It moves before an image does, so
 * images of today beside databases of yesterday are told at the start, and not after somebody has
 * traded on them.
 */
const MARK = 'published.json';

/** What the images of a data directory say of themselves. */
export function readMark(directory: string): ImageMark {
  const path = join(directory, 'images', MARK);
  if (!existsSync(path)) return { kind: 'missing' };
  return parseMark(readFileSync(path, 'utf8')) ?? { kind: 'damaged' };
}

/** Writes the mark, durably, in the place of the one that is there. */
export function writeMark(directory: string, instance: string, through: Position, files = machineFiles): void {
  replaceFile(files, join(directory, 'images'), MARK, `${JSON.stringify({ instance, through, sum: markSum(instance, through) })}\n`);
}

function parseMark(text: string): ImageMark | undefined {
  try {
    const { instance, through, sum } = JSON.parse(text) as Partial<Record<'instance' | 'through' | 'sum', unknown>>;
    if (typeof instance !== 'string' || typeof through !== 'number' || sum !== markSum(instance, position(through))) return undefined;
    return { kind: 'read', instance, through: position(through) };
  } catch {
    // No JSON, null, or no position.
    return undefined;
  }
}

function markSum(instance: string, through: Position): number {
  return checksum(`${instance} ${through}`);
}
