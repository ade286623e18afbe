/** The thread that owns `node.db`: folds the journal into it and answers from it. */
import { parentPort } from 'node:worker_threads';
import type { Position } from '#shared/units.ts';
import type { PersisterDefinition, QueryCalls, QueryName } from '../persister/persister.ts';
import { Projector } from './projector.ts';
import type { OpenedDirectory } from '../commit/commit-worker.ts';
import { ShardLoader } from '../images/shard-loader.ts';
import { ShardRecords } from '../images/shard-records.ts';
import { StartUpkeep } from '../recovery/start-upkeep.ts';
import { FileImages } from '../disk/image-files.ts';
import { journalPath, projectionsPath } from '../disk/directory.ts';
import { FileJournalReader } from '../disk/sqlite-journal.ts';
import { FileProjections } from '../disk/sqlite-projections.ts';
import { patiently, type LockPatience } from '../threads/worker-patience.ts';
import { serve, Transferred } from '../threads/worker-port.ts';

interface Open {
  readonly projector: Projector;
  readonly projections: FileProjections;
  readonly journal: FileJournalReader;
  readonly patience: LockPatience;
  readonly upkeep: StartUpkeep;
}

const state: { open: Open | undefined } = { open: undefined };

function opened(): Open {
  if (state.open === undefined) throw new Error('the projections are not open');
  return state.open;
}

function ask<T>(question: (projector: Projector) => T): Promise<T> {
  const run = (): T => question(opened().projector);
  return patiently('node.db', opened().patience.projectionsLockedMs, run, () => opened().projections.probe());
}

/**
 * What the main thread may ask for. Rejects with `StoreLockedError` if another program keeps the
 * database locked.
 */
export type FoldApi = typeof api;

const api = {
  open(directory: string, definition: PersisterDefinition, { instance, dropped }: OpenedDirectory, patience: LockPatience): void {
    const journal = FileJournalReader.open(journalPath(directory));
    const projections = FileProjections.openFor(projectionsPath(directory), instance);
    const projector = new Projector(journal, projections, definition);
    // The image worker writes no image before all is open: until then this thread may read them.
    const loader = (): ShardLoader =>
      new ShardLoader(new ShardRecords(journal, definition, dropped, projector.epochs), new FileImages(directory, definition, instance));
    const upkeep = new StartUpkeep({ store: projections, projector, loader, definition });
    state.open = { projector, projections, journal, patience, upkeep };
  },
  /**
   * Folds everything up to that position and makes good what has to be before it answers, with one
   * sentence for each thing out of the ordinary.
   */
  async recover(position: Position): Promise<readonly string[]> {
    const { upkeep } = opened();
    for (const run of upkeep.steps(position)) await ask(run);
    return upkeep.remarks;
  },
  fold: (through: Position) => ask((projector) => projector.foldChunk(through)),
  query: <Name extends QueryName>(name: Name, parameters: Parameters<QueryCalls[Name]>, through: Position) =>
    ask((projector) => {
      const answer = projector.answer(name, parameters, through);
      return new Transferred(answer, buffersOf(answer));
    }),
  close() {
    state.open?.projections.close();
    state.open?.journal.close();
    state.open = undefined;
  },
};

/** Projected rows are handed over rather than copied: there may be a million. */
function buffersOf(answer: ReturnType<QueryCalls[QueryName]>): readonly ArrayBuffer[] {
  return 'rows' in answer ? [answer.rows.records.buffer] : [];
}

if (parentPort !== null) serve(parentPort, api);
