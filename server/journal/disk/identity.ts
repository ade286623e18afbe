/**
 * Whether what was opened is still what the path of the data directory leads to. An open file outlives its name: a node whose directory was
 * moved away would go on in files that no start finds again, and write by path into whatever has been put in their place.
 */
import { closeSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What a node holds on to for its life. `gavel.json` is read at the start only, and images come and go. */
const DATABASES = ['journal.db', 'node.db', 'lock.db'] as const;
const DIRECTORIES = ['images', 'staging'] as const;
const NAMES = [...DATABASES, ...DIRECTORIES];

/** Each thread that writes by path, or answers for what it wrote, has one of its own. */
export class DirectoryIdentity {
  readonly #path: string;
  readonly #identityByName: ReadonlyMap<string, string | undefined>;
  /**
   * The directories are kept open, so that none that comes later can be given their numbers. The databases are open already; here they must
   * not be opened, for whoever closes a file lets go of SQLite's locks on it.
   */
  readonly #held: readonly number[];

  /** Notes what is in a data directory that is open. */
  constructor(path: string) {
    this.#path = path;
    this.#held = DIRECTORIES.map((name) => openSync(join(path, name), 'r'));
    this.#identityByName = new Map(NAMES.map((name) => [name, identityOf(join(path, name))]));
  }

  /** Throws if anything was moved away, replaced or deleted. No more than a few calls of `stat`. */
  assertUnchanged(): void {
    const changed = NAMES.find((name) => identityOf(join(this.#path, name)) !== this.#identityByName.get(name));
    if (changed === undefined) return;
    throw new Error(
      `the data directory ${this.#path} was moved, replaced or deleted in part (${changed}) while the server ran: stop, and look at what ` +
        'is there before starting again',
    );
  }

  close(): void {
    for (const directory of this.#held) closeSync(directory);
  }
}

/** Device and inode, or `undefined` if there is nothing of that name. */
function identityOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}
