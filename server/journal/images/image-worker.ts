/**
 * The thread that loads shards and writes their images. A load waits for at most a few milliseconds
 * of a pass.
 */
import { parentPort, type MessagePort } from 'node:worker_threads';
import type { Position, ShardId } from '#shared/units.ts';
import type { ImageVersionApi, OpenedDirectory } from '../commit/commit-worker.ts';
import type { LoadedShard, PersisterDefinition } from '../persister/persister.ts';
import { ImagePass, type PassHands, type PassResult } from './image-pass.ts';
import { packShard, type PackedShard } from './packed-shard.ts';
import { ShardLoader } from './shard-loader.ts';
import { ShardRecords } from './shard-records.ts';
import { journalPath } from '../disk/directory.ts';
import { DirectoryIdentity } from '../disk/identity.ts';
import { CellEpochs } from '../disk/cell-epochs.ts';
import { FileImages } from '../disk/image-files.ts';
import { FileJournalReader } from '../disk/sqlite-journal.ts';
import { PortCaller, serve } from '../threads/worker-port.ts';

/** A `LoadedShard` on its way between threads. */
export type SentShard =
  { readonly kind: 'found' | 'edited'; readonly shard: PackedShard } | { readonly kind: Extract<LoadedShard['kind'], 'absent'> };

interface Open {
  readonly records: ShardRecords;
  readonly loader: ShardLoader;
  readonly pass: ImagePass;
  readonly hands: PassHands;
  readonly journal: FileJournalReader;
  readonly identity: DirectoryIdentity;
}

/** A pass works for this long, then lets the loads that wait go first. */
const SLICE_MS = 2;

const state: { open: Open | undefined; sliceStartedAt: number } = { open: undefined, sliceStartedAt: 0 };

function opened(): Open {
  if (state.open === undefined) throw new Error('the images are not open');
  return state.open;
}

async function pause(): Promise<void> {
  if (performance.now() - state.sliceStartedAt < SLICE_MS) return;
  await new Promise(setImmediate);
  state.sliceStartedAt = performance.now();
}

/**
 * Images are written by path. Looked at before the mark, which is the first that a pass writes, and
 * again before images are put in place.
 */
function watched(images: FileImages, identity: DirectoryIdentity): PassHands['images'] {
  return {
    mark(through) {
      identity.assertUnchanged();
      images.mark(through);
    },
    async sync(shards) {
      await images.sync(shards);
      identity.assertUnchanged();
    },
    syncDirectories: (shards) => images.syncDirectories(shards),
  };
}

/** What the main thread may ask for. */
export type ImageApi = typeof api;

const api = {
  /** Takes up what is pending between two positions. */
  open(directory: string, definition: PersisterDefinition, { instance, dropped, position }: OpenedDirectory, port: MessagePort): void {
    const journal = FileJournalReader.open(journalPath(directory));
    const identity = new DirectoryIdentity(directory);
    const images = new FileImages(directory, definition, instance);
    const records = new ShardRecords(journal, definition, dropped, new CellEpochs(definition));
    records.catchUp(position);
    const [loader, pass] = [new ShardLoader(records, images), new ImagePass(records, images)];
    const owner = new PortCaller<ImageVersionApi>(port);
    const hands: PassHands = {
      images: watched(images, identity),
      pause,
      storeImageVersions: (versions, setAside) => owner.call('storeImageVersions', [versions, setAside]),
      drop: (through, recordsMax) => owner.call('drop', [through, recordsMax]),
    };
    state.open = { records, loader, pass, hands, journal, identity };
  },
  hintDurable: (through: Position) => opened().records.catchUp(through),
  load(shard: ShardId, through: Position): SentShard {
    const loaded = opened().loader.load(shard, through);
    return loaded.kind === 'absent' ? loaded : { kind: loaded.kind, shard: packShard(loaded.shard) };
  },
  pass(through: Position): Promise<PassResult> {
    const { pass, hands } = opened();
    return pass.run(through, hands);
  },
  close() {
    state.open?.journal.close();
    state.open?.identity.close();
    state.open = undefined;
  },
};

if (parentPort !== null) serve(parentPort, api);
