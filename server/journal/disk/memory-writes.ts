/** How the disk in memory writes, fails to write, and goes back to what was synced. */

/** The calls that can be made to fail. */
export const MEMORY_OPERATIONS = [
  'commit',
  'lease',
  'image-versions',
  'drop',
  'stage',
  'sync',
  'mark',
  'publish',
  'sync-directories',
  'apply',
  'upkeep',
  'settle',
] as const;
/** One of them. */
export type MemoryOperation = (typeof MEMORY_OPERATIONS)[number];

/** What a call does: work, fail before anything was written, write and fail then, or write and fail to sync. */
export type WriteOutcome = 'work' | 'fail' | 'write-then-fail' | 'write-unsynced';

/** Decides what each call does. */
export type Inject = (operation: MemoryOperation) => WriteOutcome;

/** What the simulated disk says when it was told to fail. */
export class InjectedFailure extends Error {
  override readonly name = 'InjectedFailure';
}

/** Does a call, or has it fail; `run` is told whether what it writes is synced as well. */
export type Write = (operation: MemoryOperation, run: (isSynced: boolean) => void) => void;

/** What a store of transactions holds, with what is left of it if the power fails. */
export class Synced<Content> {
  content: Content;
  readonly #copy: (content: Content) => Content;
  readonly #write: Write;
  #before: Content | undefined;

  /** `copy` makes another content of the same things; these are never changed. */
  constructor(content: Content, copy: (content: Content) => Content, write: Write) {
    this.content = content;
    this.#copy = copy;
    this.#write = write;
  }

  /** What is there also after a power cut. */
  get durable(): Content {
    return this.#before ?? this.content;
  }

  /** Does a transaction, which changes the content, or has it fail. */
  transact(operation: MemoryOperation, run: (content: Content) => void): void {
    this.#write(operation, (isSynced) => {
      if (!isSynced) this.#before ??= this.snapshot();
      run(this.content);
      if (isSynced) this.sync();
    });
  }

  snapshot(): Content {
    return this.#copy(this.content);
  }

  /** Brings back what was held when that snapshot was taken. */
  restore(snapshot: Content): void {
    this.content = this.#copy(snapshot);
  }

  sync(): void {
    this.#before = undefined;
  }

  cutPower(survives: () => boolean): void {
    if (this.#before !== undefined && !survives()) this.content = this.#before;
    this.sync();
  }
}
