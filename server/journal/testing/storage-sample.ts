/**
 * A data directory with something in each of its files, and what a start makes of one: without
 * threads, so that it can be done often.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instant, type Position, position, type ShardId } from '#shared/units.ts';
import type { RawChangeSet } from '#server/shard/change-set.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import { sealed } from '../disk/checksums.ts';
import { ShardFault, type Total } from '../persister/persister.ts';
import { unpackRows } from '../fold/projected-row.ts';
import { Projector } from '../fold/projector.ts';
import { ImagePass } from '../images/image-pass.ts';
import { ShardLoader } from '../images/shard-loader.ts';
import { ShardRecords } from '../images/shard-records.ts';
import { StartUpkeep } from '../recovery/start-upkeep.ts';
import { journalPath, openDirectory, projectionsPath } from '../disk/directory.ts';
import { FileImages } from '../disk/image-files.ts';
import { FileJournalReader } from '../disk/sqlite-journal.ts';
import { FileProjections } from '../disk/sqlite-projections.ts';
import { DEFINITION, EPOCHS, offer, passHands, picker, SampleShard, sampleShard } from './sample.ts';

const SHARDS = 5;

/** The shards of the directory; the last one is in no image. */
export const SAMPLE_SHARDS: readonly ShardId[] = Array.from({ length: SHARDS }, (_, index) => sampleShard(index));

/** A shard, a ledger, or why there is none. */
type Answer = RawChangeSet | readonly LedgerEntry[] | string | undefined;

/**
 * What a start finds: everything that can be asked for, with the sentence of its fault in the place
 * of a shard that cannot be loaded.
 */
export interface Found {
  readonly position: Position;
  readonly lease: number;
  readonly remarks: readonly string[];
  /** Each shard, and each shard's ledger. */
  readonly shards: ReadonlyMap<string, Answer>;
  readonly rows: readonly unknown[];
  readonly totals: readonly Total[];
}

/** A prepared directory of which there can be as many copies as are needed. */
export class SampleDirectory {
  readonly #parent = mkdtempSync(join(tmpdir(), 'gavel-sample-'));
  #copies = 0;

  /**
   * Four shards have images; the first two of them and the fifth have turns that are only in the
   * journal. The last batch is not folded. One copy as a node left it that was closed, one as it
   * left it that was killed, its commits in the log; older ones from before the images.
   */
  async prepare(instance = 'sample'): Promise<void> {
    const path = join(this.#parent, 'open');
    const pick = picker(7);
    const shards = SAMPLE_SHARDS.map((_, index) => new SampleShard(index, pick));
    const writer = new RecordWriter(DEFINITION);
    const directory = openDirectory(path, DEFINITION, instance);
    const { journal } = directory;
    const { pass, images, projector, upkeep, close } = openReaders(path, position(0), instance);
    for (const run of upkeep.steps(position(0))) run();
    const take = (some: readonly SampleShard[]): void => {
      const first = journal.state.position + 1;
      for (const shard of some) writer.changeSet(shard.turn(1_700_000_000_000 + first));
      const last = journal.state.position + some.length;
      journal.commit(
        sealed({ first: position(first), last: position(last), now: instant(1_700_000_000_000 + first), records: writer.take() }),
      );
    };
    journal.extendLease(instant(1_700_000_010_000));
    for (let round = 0; round < 4; round++) take(shards.slice(0, 4));
    this.#copyOpen(path, 'older-killed');
    cpSync(join(this.#parent, 'older-killed'), join(this.#parent, 'older'), { recursive: true });
    openDirectory(join(this.#parent, 'older'), DEFINITION, instance).close();
    projector.foldThrough(position(16));
    await pass.run(position(16), passHands(journal, images));
    for (let round = 0; round < 2; round++) take([...shards.slice(0, 2), ...shards.slice(4)]);
    projector.foldThrough(position(22));
    take(shards.slice(0, 2));
    this.#copyOpen(path, 'killed');
    close();
    directory.close();
    cpSync(path, join(this.#parent, 'closed'), { recursive: true });
  }

  /** A new copy. */
  copy(of: 'closed' | 'killed' | 'older' | 'older-killed'): string {
    const path = join(this.#parent, `copy-${++this.#copies}`);
    cpSync(join(this.#parent, of), path, { recursive: true });
    return path;
  }

  remove(): void {
    rmSync(this.#parent, { recursive: true });
  }

  /** By another process: within this one, closing a copied file would let go of SQLite's locks. */
  #copyOpen(path: string, name: string): void {
    execFileSync('cp', ['-r', path, join(this.#parent, name)]);
  }
}

/**
 * Opens a directory as a node does, asks for everything, and lets go of it. Throws what a node
 * would end with.
 */
export function startOn(path: string): Found {
  const directory = openDirectory(path, DEFINITION, 'new');
  const readers: { close?: () => void } = {};
  try {
    const { position, dropped, lease } = directory.journal.state;
    const { records, loader, projector, upkeep, close } = openReaders(path, dropped, directory.instance);
    readers.close = close;
    records.catchUp(position);
    for (const run of upkeep.steps(position)) run();
    const remarks = [...directory.remarks, ...upkeep.remarks];
    const rows = unpackRows(projector.projection(offer.name).rows, DEFINITION);
    const { totals } = projector.totals();
    const shards = SAMPLE_SHARDS.flatMap((shard): readonly (readonly [string, Answer])[] => [
      [shard, orFault(() => loaded(loader, shard, position))],
      [`the ledger of ${shard}`, orFault(() => projector.history(shard, Number.MAX_SAFE_INTEGER, 1_000))],
    ]);
    return { position, lease, remarks, shards: new Map(shards), rows: [...rows], totals };
  } finally {
    readers.close?.();
    directory.close();
  }
}

function loaded(loader: ShardLoader, shard: ShardId, position: Position): RawChangeSet | undefined {
  const found = loader.load(shard, position);
  return found.kind === 'absent' ? undefined : found.shard;
}

function orFault<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof ShardFault) return error.message;
    throw error;
  }
}

function openReaders(path: string, dropped: Position, instance: string) {
  const journal = FileJournalReader.open(journalPath(path));
  const projections = FileProjections.openFor(projectionsPath(path), '');
  const images = new FileImages(path, DEFINITION, instance);
  const records = new ShardRecords(journal, DEFINITION, dropped, EPOCHS);
  const loader = new ShardLoader(records, images);
  const projector = new Projector(journal, projections, DEFINITION);
  return {
    images,
    records,
    loader,
    pass: new ImagePass(records, images),
    upkeep: new StartUpkeep({ store: projections, projector, loader: () => loader, definition: DEFINITION }),
    projector,
    close: () => {
      projections.close();
      journal.close();
    },
  };
}
