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
/** Does a transaction, or has it fail. */
export type Transact = (operation: MemoryOperation, run: () => void) => void;

/** A store that can go back to what it was. */
export interface Restorable<State> {
  snapshot(): State;
  restore(state: State): void;
}

type StateOf<Store> = Store extends Restorable<infer State> ? State : never;

/** A store of transactions, with what is left of it if the power fails. */
export class Synced<Store extends Restorable<StateOf<Store>>> {
  readonly store: Store;
  #before: StateOf<Store> | undefined;

  constructor(open: (transact: Transact) => Store, write: Write) {
    this.store = open((operation, run) => {
      write(operation, (isSynced) => {
        if (!isSynced) this.#before ??= this.store.snapshot();
        run();
        if (isSynced) this.sync();
      });
    });
  }

  /** What is durable, if it is not all that is seen. */
  get before(): StateOf<Store> | undefined {
    return this.#before;
  }

  sync(): void {
    this.#before = undefined;
  }

  cutPower(survives: () => boolean): void {
    if (this.#before !== undefined && !survives()) this.store.restore(this.#before);
    this.sync();
  }
}
