/**
 * What every database of a node has in common: how it is opened so that a commit survives a power
 * cut, and that this is so.
 */
import Database from 'better-sqlite3';
import { errorCode } from './disk-errors.ts';

/**
 * Marks the files of Gavel, databases and images, for `file` and for `PRAGMA application_id`:
 * "Gavl".
 */
export const APPLICATION_ID = 0x47_61_76_6c;

/** What caches and logs are measured in. */
export const MEBIBYTE = 1_024 * 1_024;

/** The oldest SQLite without the corruption at the reset of a write-ahead log. */
const SQLITE_VERSION_MIN = '3.51.3';

/**
 * How long an open waits for a database that another program has locked. Nobody is served yet, so
 * it may block.
 */
const OPEN_LOCKED_MS = 5_000;

/**
 * How long a call blocks its thread for a lock once the database is open. Threads that are asked by
 * others wait without blocking: see `worker-patience.ts`.
 */
const BLOCKED_MS = 50;

/** A database that is not as it must be. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}

/** How the tables of a database are laid out, and how older layouts become this one. */
export interface Layout {
  readonly pageBytes: number;
  readonly cacheBytes: number;
  /** The write-ahead log is moved into the database when it has grown by so many bytes. */
  readonly checkpointBytes: number;
  /** The present version. Every released one has been counted, from 1. */
  readonly version: number;
  /** A table of every version, by which one database of Gavel is told from another. */
  readonly table: string;
  /** Makes the present version in an empty database. Its version need not be set. */
  make(database: Database.Database): void;
  /** What takes a database of a version to the next one, by the older of the two. */
  readonly upgrades: Readonly<Record<number, (database: Database.Database) => void>>;
}

/**
 * Opens a database, whose commits are durable on return, in the present version of its layout, and
 * makes a store of it: makes the database if the file is empty or not there, and upgrades an older
 * one, each step in a transaction of its own. Throws `DatabaseError`, with nothing changed, if the
 * file was written by a newer version of Gavel, or not by Gavel, or is locked for `lockedMs`.
 */
export function openVersioned<Store>(
  path: string,
  layout: Layout,
  storeOf: (database: Database.Database) => Store,
  lockedMs = OPEN_LOCKED_MS,
): Store {
  const database = new Database(path, { timeout: lockedMs });
  try {
    makePresent(database, layout);
    const store = storeOf(database);
    database.pragma(`busy_timeout=${BLOCKED_MS}`);
    return store;
  } catch (error) {
    database.close();
    if (isLocked(error)) throw new DatabaseError(`${path} is locked by another program; close it, and start again`, { cause: error });
    throw error;
  }
}

/** Throws `DatabaseError` unless commits of this handle are synced. */
export function assertDurable(database: Database.Database): void {
  const synchronous = database.pragma('synchronous', { simple: true });
  if (synchronous !== 2) throw new DatabaseError(`${database.name} would not sync its commits (synchronous is ${String(synchronous)})`);
}

/** Opens a database for a thread that does not own it. */
export function openReader(path: string, cacheBytes: number): Database.Database {
  const database = new Database(path, { readonly: true, fileMustExist: true, timeout: 1_000 });
  database.pragma(`cache_size=${-Math.ceil(cacheBytes / 1_024)}`);
  return database;
}

/**
 * Whether an error says that another connection has the database locked: nothing has happened then.
 */
export function isLocked(error: unknown): boolean {
  return errorCode(error)?.startsWith('SQLITE_BUSY') === true;
}

/** What is read, or, if the pages of the database do not hang together, what `instead` makes of that. */
export function unlessCorrupt<T>(read: () => T, instead: (error: unknown) => T): T {
  try {
    return read();
  } catch (error) {
    if (errorCode(error)?.startsWith('SQLITE_CORRUPT') === true) return instead(error);
    throw error;
  }
}

/** Whether the pages of tables and of their indexes hang together: one can be read to its last row, and yet fail whoever writes there. */
export function areTreesWhole(database: Database.Database, tables: readonly string[]): boolean {
  return tables.every((table) => database.pragma(`quick_check(${table})`, { simple: true }) === 'ok');
}

/** What is wrong with the SQLite that this program was built with, or `undefined`. */
export function sqliteProblem(version = sqliteVersion()): string | undefined {
  if (version.localeCompare(SQLITE_VERSION_MIN, 'en', { numeric: true }) >= 0) return undefined;
  return `SQLite ${version} can damage its files; Gavel needs ${SQLITE_VERSION_MIN} or later`;
}

/** Brings a database to the present version of its layout, and its commits to the disk. */
function makePresent(database: Database.Database, layout: Layout): void {
  const isEmpty = judge(database, layout);
  makeDurable(database, layout);
  if (isEmpty) {
    step(database, layout.version, () => {
      layout.make(database);
      database.pragma(`application_id=${APPLICATION_ID}`);
    });
  }
  for (let version = userVersion(database); version < layout.version; version++) {
    const upgrade = layout.upgrades[version];
    if (upgrade === undefined) throw new DatabaseError(`${database.name} has the version ${version}, which Gavel never wrote`);
    step(database, version + 1, upgrade);
  }
}

/**
 * Whether the database is still to be made. Throws `DatabaseError` if this program must not touch
 * it.
 */
function judge(database: Database.Database, { version, table }: Layout): boolean {
  const tables = database.prepare<[]>("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all();
  const application = database.pragma('application_id', { simple: true });
  const found = userVersion(database);
  if (tables.length === 0 && application === 0 && found === 0) return true;
  if (application !== APPLICATION_ID) throw new DatabaseError(`${database.name} was not written by Gavel`);
  if (found > version) throw new DatabaseError(`${database.name} was written by a newer version of Gavel`);
  if (!tables.includes(table)) throw new DatabaseError(`${database.name} is another file of Gavel: it has no table ${table}`);
  return false;
}

function makeDurable(database: Database.Database, { pageBytes, cacheBytes, checkpointBytes }: Layout): void {
  database.pragma(`page_size=${pageBytes}`);
  database.pragma('auto_vacuum=NONE');
  if (database.pragma('journal_mode=WAL', { simple: true }) !== 'wal')
    throw new DatabaseError(`${database.name} cannot have a write-ahead log`);
  database.pragma('synchronous=FULL');
  database.pragma(`cache_size=${-Math.ceil(cacheBytes / 1_024)}`);
  database.pragma(`wal_autocheckpoint=${Math.max(1, Math.floor(checkpointBytes / pageBytes))}`);
  database.pragma(`journal_size_limit=${checkpointBytes * 2}`);
  // The write shows whether the setting holds: SQLite in WAL mode falls back to NORMAL at the first
  // write of a handle.
  database.exec('BEGIN IMMEDIATE; COMMIT');
  assertDurable(database);
  checkpoint(database);
}

/**
 * Moves the whole log into the database, and syncs both. What a killed process wrote can be read
 * back from the page cache without being on the disk: whoever believed it would, after a power cut,
 * have told others of what is gone.
 */
function checkpoint(database: Database.Database): void {
  const [result] = database.pragma('wal_checkpoint(TRUNCATE)') as readonly { readonly busy: number }[];
  if (result?.busy !== 0) throw new DatabaseError(`${database.name} is locked by another program; close it, and start again`);
}

/** One step from version to version, whole or not at all. */
function step(database: Database.Database, version: number, run: (database: Database.Database) => void): void {
  database
    .transaction(() => {
      run(database);
      database.pragma(`user_version=${version}`);
    })
    .immediate();
}

function userVersion(database: Database.Database): number {
  return Number(database.pragma('user_version', { simple: true }));
}

function sqliteVersion(): string {
  const database = new Database(':memory:');
  try {
    return String(database.prepare('SELECT sqlite_version()').pluck().get());
  } finally {
    database.close();
  }
}
