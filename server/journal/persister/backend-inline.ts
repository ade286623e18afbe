/**
 * The backend of the simulator: the planner of the real one, in the one thread that there is, over
 * stores that outlive it. Every step is a timer of its own, so that a crash can come between any
 * two.
 */
import type { Instant, Position, ShardId } from '#shared/units.ts';
import type { Timers } from '#server/platform/platform.ts';
import type { Backend, Opened } from './backend.ts';
import type { LoadedShard, PersisterDefinition, Query } from './persister.ts';
import { Projector } from '../fold/projector.ts';
import { decide, STORE_ROWS } from '../recovery/recovery.ts';
import { ImagePass, type PassResult } from '../images/image-pass.ts';
import { ShardLoader } from '../images/shard-loader.ts';
import { ShardRecords } from '../images/shard-records.ts';
import { StartUpkeep } from '../recovery/start-upkeep.ts';
import type { Batch, ImageStore, JournalStore, ProjectionStore } from '../disk/storage.ts';

/** What the backend works on: a `MemoryDisk`, or anything alike. */
export interface InlineStores {
  readonly journal: JournalStore;
  readonly images: ImageStore;
  readonly projections: ProjectionStore;
  /** Makes durable what is seen of journal and projections, before any of it is believed. */
  settle(): void;
  /** Throws away what was not finished; returns the number of images. */
  clearStaging(): number;
}

/** How long the disk takes, in milliseconds. Asked anew for each step. */
export interface InlineDelays {
  commitMs(): number;
  stepMs(): number;
}

interface Open {
  readonly records: ShardRecords;
  readonly loader: ShardLoader;
  readonly pass: ImagePass;
  readonly projector: Projector;
}

const NO_DELAY: InlineDelays = { commitMs: () => 0, stepMs: () => 0 };

/** The journal, images and projections of one simulated node. */
export class InlineBackend implements Backend {
  readonly #timers: Pick<Timers, 'after'>;
  readonly #stores: InlineStores;
  readonly #delays: InlineDelays;
  #open: Open | undefined;
  #isDead = false;

  constructor(timers: Pick<Timers, 'after'>, stores: InlineStores, delays: InlineDelays = NO_DELAY) {
    this.#timers = timers;
    this.#stores = stores;
    this.#delays = delays;
  }

  readonly query: Query = async (name, parameters, through) => {
    await this.#step();
    return this.#opened().projector.answer(name, parameters, through);
  };

  async open(definition: PersisterDefinition): Promise<Opened> {
    await this.#step();
    // Two steps, as of files: what was written by a process that was killed is read back before it
    // is durable.
    this.#stores.settle();
    await this.#step();
    const { journal, images, projections } = this.#stores;
    const { state } = journal;
    const { position, dropped } = state;
    const remarks = decide(STORE_ROWS, {
      instance: '',
      journal: { kind: 'open', instance: '', position, dropped, damage: undefined, imageVersions: 0 },
      projections: { kind: 'open', instance: '', folded: projections.folded },
      hasImages: true,
      mark: images.published === undefined ? { kind: 'missing' } : { kind: 'read', instance: '', through: images.published },
      staged: this.#stores.clearStaging(),
    });
    const projector = new Projector(journal, projections, definition);
    const records = new ShardRecords(journal, definition, dropped, projector.epochs);
    const [loader, pass] = [new ShardLoader(records, images), new ImagePass(records, images)];
    records.catchUp(position);
    const upkeep = new StartUpkeep({ store: projections, projector, loader: () => loader, definition });
    for (const run of upkeep.steps(position)) {
      run();
      await this.#step();
    }
    this.#open = { records, loader, pass, projector };
    return { ...state, remarks: [...remarks, ...upkeep.remarks] };
  }

  /** The process is gone: nothing that was asked for happens any more, and nobody is told. */
  kill(): void {
    this.#isDead = true;
  }

  async commit(batch: Batch): Promise<Position> {
    await this.#wait(this.#delays.commitMs());
    this.#stores.journal.commit(batch);
    const { position } = this.#stores.journal.state;
    // The crash between the write and the news of it is the one that matters.
    await this.#step();
    return position;
  }

  async extendLease(until: Instant): Promise<void> {
    await this.#wait(this.#delays.commitMs());
    this.#stores.journal.extendLease(until);
    await this.#step();
  }

  hintDurable(through: Position): void {
    this.#opened().records.catchUp(through);
  }

  async load(shard: ShardId, through: Position): Promise<LoadedShard> {
    await this.#step();
    return this.#opened().loader.load(shard, through);
  }

  async fold(through: Position): Promise<Position> {
    await this.#step();
    const folded = this.#opened().projector.foldChunk(through);
    await this.#step();
    return folded;
  }

  pass(through: Position): Promise<PassResult> {
    const { journal, images } = this.#stores;
    return this.#opened().pass.run(through, {
      images: {
        mark: (marked) => images.mark(marked),
        sync: (shards) => this.#step().then(() => images.sync(shards)),
        syncDirectories: (shards) => this.#step().then(() => images.syncDirectories(shards)),
      },
      pause: () => this.#step(),
      storeImageVersions: (versions, setAside) => this.#step().then(() => journal.storeImageVersions(versions, setAside)),
      drop: (upTo, recordsMax) => this.#step().then(() => journal.drop(upTo, recordsMax)),
    });
  }

  onFault(): void {
    // It has no thread that could die.
  }

  close(): Promise<void> {
    this.#isDead = true;
    return Promise.resolve();
  }

  #opened(): Open {
    if (this.#open === undefined) throw new Error('the data are not open');
    return this.#open;
  }

  #step(): Promise<void> {
    return this.#wait(this.#delays.stepMs());
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#timers.after(ms, () => {
        if (!this.#isDead) resolve();
      });
    });
  }
}
