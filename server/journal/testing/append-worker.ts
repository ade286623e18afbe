/**
 * A process that appends sample turns to a data directory, as fast as it can, and says on standard
 * output what is durable: made to be killed. `node append-worker.ts DIRECTORY SEED`. It goes on
 * where the directory ends. On a fault it says so and exits with code 3.
 */
import { writeSync } from 'node:fs';
import { nodeMachine } from '#server/platform/node-machine.ts';
import { MEBIBYTE } from '../disk/sqlite.ts';
import { openFilePersister } from '../persister/open-file-persister.ts';
import { DEFINITION } from './sample.ts';
import { sampleTurns } from './sample-turns.ts';

const AHEAD_MAX = 2_000;
const STEP = 50;

const [directory = '', seed = '0'] = process.argv.slice(2);
const persister = await openFilePersister({
  machine: nodeMachine(),
  definition: DEFINITION,
  directory,
  pace: { foldChunkBytes: MEBIBYTE / 4, foldIntervalMs: 20, imagePassBytes: MEBIBYTE, imagePassIntervalMs: 50 },
});
const say = (text: string): void => void writeSync(1, `${text}\n`);
persister.onFault((fault) => {
  say(`fault ${fault.name} ${fault.message}`);
  process.exit(3);
});
persister.onDurable((durable) => say(`durable ${durable}`));
say(`open ${persister.recovered.position}`);
const turns = sampleTurns(Number(seed));
for (let skipped = 0; skipped < persister.recovered.position; skipped++) turns.next();
for (;;) {
  for (let count = 0; count < STEP && persister.appended - persister.durable < AHEAD_MAX; count++) persister.append(turns.next().value);
  await new Promise(setImmediate);
}
