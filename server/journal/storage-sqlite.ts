/** What every database of a node has in common: how it is opened so that a commit survives a power cut, and that this is so. */
import Database from 'better-sqlite3';

/** The oldest SQLite without the corruption at the reset of a write-ahead log. */
const SQLITE_VERSION_MIN = [3, 51, 3] as const;

/** A database that is not as it must be. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}

/** How a database is opened. */
export interface OpenOptions {
  readonly path: string;
  readonly pageBytes: number;
  readonly cacheBytes: number;
  /** The write-ahead log is moved into the database when it has grown by so many bytes. */
  readonly checkpointBytes: number;
}

/** Opens or makes a database whose commits are durable on return. Throws `DatabaseError` if SQLite does not grant that. */
export function openDurable({ path, pageBytes, cacheBytes, checkpointBytes }: OpenOptions): Database.Database {
  const database = new Database(path, { timeout: 5_000 });
  try {
    database.pragma(`page_size=${pageBytes}`);
    database.pragma('auto_vacuum=NONE');
    if (database.pragma('journal_mode=WAL', { simple: true }) !== 'wal') throw new DatabaseError(`${path} cannot have a write-ahead log`);
    database.pragma('synchronous=FULL');
    database.pragma(`cache_size=${-Math.ceil(cacheBytes / 1_024)}`);
    database.pragma(`wal_autocheckpoint=${Math.max(1, Math.floor(checkpointBytes / pageBytes))}`);
    database.pragma(`journal_size_limit=${checkpointBytes * 2}`);
    // The write shows whether the setting holds: SQLite in WAL mode falls back to NORMAL at the first write of a handle.
    database.exec('BEGIN IMMEDIATE; COMMIT');
    assertDurable(database);
    return database;
  } catch (error) {
    database.close();
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
  const database = new Database(path, { readonly: true, fileMustExist: true, timeout: 5_000 });
  database.pragma(`cache_size=${-Math.ceil(cacheBytes / 1_024)}`);
  return database;
}

/** What is wrong with the SQLite that this program was built with, or `undefined`. */
export function sqliteProblem(version = sqliteVersion()): string | undefined {
  const parts = version.split('.').map(Number);
  for (const [index, minimum] of SQLITE_VERSION_MIN.entries()) {
    const part = parts[index] ?? 0;
    if (part > minimum) return undefined;
    if (part < minimum) return `SQLite ${version} can damage its files; Gavel needs ${SQLITE_VERSION_MIN.join('.')} or later`;
  }
  return undefined;
}

function sqliteVersion(): string {
  const database = new Database(':memory:');
  try {
    return String(database.prepare('SELECT sqlite_version()').pluck().get());
  } finally {
    database.close();
  }
}
