/**
 * The data directory of a node: whose it is, that nobody else uses it, and what a start finds in
 * it. Used by the thread that owns the journal.
 */
import Database from 'better-sqlite3';
import { accessSync, constants, existsSync, readFileSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Position } from '#shared/units.ts';
import { DataDirectoryError, type PersisterDefinition } from '../persister/persister.ts';
import {
  decide,
  DIRECTORY_FORMAT,
  DIRECTORY_ROWS,
  STORE_ROWS,
  type DirectoryFacts,
  type Manifest,
  type StoreFacts,
} from '../recovery/recovery.ts';
import { errorCode, errorMessage } from './disk-errors.ts';
import { machineFiles, replaceFile, type Files } from './files.ts';
import { DirectoryIdentity } from './identity.ts';
import { clearStaging, countStaged, hasImages, makeImageDirectories, readMark, writeMark } from './image-files.ts';
import { JournalError } from './storage.ts';
import { FileJournal } from './sqlite-journal.ts';
import { FileProjections } from './sqlite-projections.ts';
import { DatabaseError, isLocked, sqliteProblem } from './sqlite.ts';
import type { UpgradeFacts } from './projection-layout.ts';
import { WORLD_KEY_FILE } from './world-key.ts';

const KNOWN = ['gavel.json', 'gavel.json.new', WORLD_KEY_FILE, `${WORLD_KEY_FILE}.new`, 'lock.db', 'lock.db-journal', 'images', 'staging'];
const KNOWN_DATABASES = ['journal.db', 'node.db'].flatMap((name) => [name, `${name}-wal`, `${name}-shm`]);

/** A data directory that is open. */
export interface OpenDirectory {
  readonly journal: FileJournal;
  /** What all files of the directory carry. */
  readonly instance: string;
  readonly remarks: readonly string[];
  /** Of what was opened. */
  readonly identity: DirectoryIdentity;
  /** Lets go of the journal and of the directory. */
  close(): void;
}

/** Where the journal of a data directory is. */
export function journalPath(directory: string): string {
  return join(directory, 'journal.db');
}

/** Where the projections of a data directory are. */
export function projectionsPath(directory: string): string {
  return join(directory, 'node.db');
}

/**
 * Opens a data directory, or makes one; `instance` marks the files of a new one. Throws
 * `DataDirectoryError`, with nothing changed but the layout of its databases, if it is of another
 * world, newer, in use or damaged.
 */
export function openDirectory(path: string, definition: PersisterDefinition, instance: string, files = machineFiles): OpenDirectory {
  const problem = sqliteProblem();
  if (problem !== undefined) throw new DataDirectoryError(problem);
  decide(DIRECTORY_ROWS, inspect(path, definition));
  files.makeDirectory(path);
  const lock = lockDirectory(path);
  try {
    // Somebody else may have made the directory in between.
    const facts = inspect(path, definition);
    const remarks = decide(DIRECTORY_ROWS, facts);
    const manifest = settleManifest(path, facts.manifest, definition, instance, files);
    const { journal, remarks: more } = openStores(path, manifest, definition.places, files);
    const identity = new DirectoryIdentity(path);
    const close = (): void => {
      identity.close();
      journal.close();
      lock.close();
    };
    return { journal, instance: manifest.instance, remarks: [...remarks, ...more], identity, close };
  } catch (error) {
    lock.close();
    if (error instanceof DatabaseError || error instanceof JournalError) throw new DataDirectoryError(error.message, { cause: error });
    if (isDamage(error)) throw new DataDirectoryError(`a database in ${path} is damaged (${errorMessage(error)})`, { cause: error });
    throw error;
  }
}

function isDamage(error: unknown): boolean {
  // Also a word of a schema may have a flipped bit: then there is no such column, or a value is not
  // of its type.
  return /^SQLITE_(?:CORRUPT|NOTADB|ERROR|CONSTRAINT|MISMATCH)/.test(errorCode(error) ?? '');
}

function inspect(path: string, { world }: PersisterDefinition): DirectoryFacts {
  const names = entriesOf(path);
  const isKnown = (name: string): boolean => KNOWN.includes(name) || KNOWN_DATABASES.includes(name);
  return {
    path,
    manifest: names.includes('gavel.json') ? readManifest(path) : { kind: 'missing' },
    world,
    known: names.filter(isKnown),
    unknown: names.filter((name) => !isKnown(name)),
  };
}

function entriesOf(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) throw new DataDirectoryError(`${path} is not a directory`);
  return readdirSync(path);
}

function readManifest(path: string): DirectoryFacts['manifest'] {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(path, 'gavel.json'), 'utf8'));
    return isManifest(manifest) ? { kind: 'read', manifest } : { kind: 'unreadable' };
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: 'unreadable' };
    throw new DataDirectoryError(`${path} cannot be read`, { cause: error });
  }
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== 'object' || value === null) return false;
  const manifest = value as Partial<Record<keyof Manifest, unknown>>;
  const { format, instance, world, node, cellsPerRegion } = manifest;
  if (typeof format !== 'number' || !Number.isSafeInteger(format) || format < 1) return false;
  // A newer format may say other things; that it is newer is enough.
  if (format > DIRECTORY_FORMAT) return true;
  const isNamed = typeof instance === 'string' && typeof world === 'string' && typeof node === 'string';
  return isNamed && Number.isSafeInteger(cellsPerRegion);
}

/**
 * Whose the directory is, in the present format, durably. Written before any store is made: so a
 * store without it is never one that was just being made. And before any is upgraded: see
 * `DIRECTORY_FORMAT`.
 */
function settleManifest(
  path: string,
  found: DirectoryFacts['manifest'],
  { world }: PersisterDefinition,
  instance: string,
  files: Files,
): Manifest {
  const manifest: Manifest =
    found.kind === 'read'
      ? { ...found.manifest, format: DIRECTORY_FORMAT }
      : { format: DIRECTORY_FORMAT, instance, world: world.name, node: world.node, cellsPerRegion: world.cellsPerRegion };
  if (found.kind === 'read' && found.manifest.format === DIRECTORY_FORMAT) {
    // A start before this one may have been killed: that its file is seen does not mean that it is
    // durable.
    files.syncDirectory(path);
    return manifest;
  }
  // The names of the directory and of those above it: this start, or one that was killed, may have
  // made them.
  if (found.kind !== 'read') syncAbove(path, files);
  replaceFile(files, path, 'gavel.json', `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/** A directory that we may not look into is one that we made nothing in. */
function syncAbove(path: string, files: Files): void {
  for (let above = resolve(path); above !== dirname(above);) {
    above = dirname(above);
    try {
      files.syncDirectory(above);
    } catch (error) {
      if (errorCode(error) !== 'EACCES') throw error;
    }
  }
}

/**
 * The lock is one of SQLite's, on an empty database: it works between processes, and ends with its
 * process however that ends. Whatever somebody wrote into the file is thrown away: it holds no
 * data, and must not be what keeps a node from its own. Emptied where it is rather than replaced: a
 * lock is on the file and not on its name, so of two starts at once still only one gets it.
 */
function lockDirectory(path: string): Database.Database {
  const file = join(path, 'lock.db');
  try {
    return lockFile(file);
  } catch (error) {
    // Whoever reads the garbage has passed the lock: nobody holds it.
    if (!isDamage(error)) throw error;
    truncateSync(file);
    rmSync(`${file}-journal`, { force: true });
    return lockFile(file);
  }
}

function lockFile(file: string): Database.Database {
  const lock = new Database(file, { timeout: 0 });
  try {
    // Of a file that may not be written SQLite would take a lock that keeps nobody out.
    accessSync(file, constants.W_OK);
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (/^E(?:ACCES|ROFS|PERM)$/.test(errorCode(error) ?? ''))
      throw new DataDirectoryError(`${file} cannot be written, and without it two servers could use the directory`, { cause: error });
    if (isLocked(error)) throw new DataDirectoryError(`${dirname(file)} is in use by a running server`, { cause: error });
    throw error;
  }
}

function openStores(
  path: string,
  { instance, cellsPerRegion }: Manifest,
  places: readonly string[],
  files: Files,
): { readonly journal: FileJournal; readonly remarks: readonly string[] } {
  const existingJournal = isMade(journalPath(path)) ? FileJournal.openFor(journalPath(path), instance) : undefined;
  try {
    const facts: StoreFacts = {
      instance,
      journal: existingJournal === undefined ? { kind: 'missing' } : journalFacts(existingJournal),
      projections: projectionFacts(path, instance, { cellsPerRegion, places }),
      hasImages: hasImages(path),
      mark: readMark(path),
      staged: countStaged(path),
    };
    const remarks = decide(STORE_ROWS, facts);
    // After this point the directory is in order, and anything in it may be changed.
    makeImageDirectories(path, files);
    clearStaging(path, files);
    const journal = existingJournal ?? FileJournal.openFor(journalPath(path), instance);
    if (facts.projections.kind === 'missing') FileProjections.openFor(projectionsPath(path), instance).close();
    files.syncDirectory(path);
    // Only now: where there is a mark there is a journal, whatever a power cut leaves. Without it,
    // a start is refused.
    if (facts.mark.kind === 'missing') writeMark(path, instance, journal.state.position, files);
    return { journal, remarks };
  } catch (error) {
    existingJournal?.close();
    throw error;
  }
}

function journalFacts(journal: FileJournal): StoreFacts['journal'] {
  const { instance, state, damage } = journal;
  return { kind: 'open', instance, position: state.position, dropped: state.dropped, damage, imageVersions: journal.imageVersions() };
}

function projectionFacts(path: string, instance: string, of: UpgradeFacts): StoreFacts['projections'] {
  if (!isMade(projectionsPath(path))) return { kind: 'missing' };
  const projections = FileProjections.openFor(projectionsPath(path), instance, of);
  try {
    return { kind: 'open', instance: projections.instance, folded: projections.folded satisfies Position };
  } finally {
    projections.close();
  }
}

/**
 * A database that was never written to is an empty file: the start that was making it did not come
 * further.
 */
function isMade(path: string): boolean {
  return existsSync(path) && (statSync(path).size > 0 || existsSync(`${path}-wal`));
}
