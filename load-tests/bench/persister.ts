/**
 * How many turns per second the persister takes for good, with images and folds running, and what it costs the main thread.
 *
 *     node load-tests/bench/persister.ts [--seconds 20] [--shards 10000] [--json]
 *
 * It does not measure shards, trades or the network: the change sets are made beforehand, and only their counters move.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openFilePersister } from '#server/journal/persister/open-file-persister.ts';
import { DEFINITION, SampleShard } from '#server/journal/testing/sample.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import type { ChangeSet, LedgerEntry } from '#server/shard/change-set.ts';
import { instant } from '#shared/units.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    shards: { type: 'string', default: '10000' },
    ahead: { type: 'string', default: '8192' },
    rate: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const shardCount = Number(values.shards);
const aheadMax = Number(values.ahead);
const rate = Number(values.rate);

/** Turns of one shard, over and over, with versions, row ids and ledger numbers moved on. */
class Treadmill {
  readonly #turns: readonly ChangeSet[];
  readonly #ids: number;
  readonly #lines: number;
  #round = 0;
  #next = 0;

  constructor(index: number) {
    const shard = new SampleShard(index, (below) => Math.floor(Math.random() * below));
    this.#turns = Array.from({ length: 8 }, (_, turn) => shard.turn(1_700_000_000_000 + turn));
    this.#ids = (this.#turns.at(-1)?.nextId ?? 0) + 10;
    this.#lines = this.#turns.at(-1)?.ledgerSeq ?? 0;
  }

  turn(now: number): ChangeSet {
    const turn = this.#turns[this.#next];
    if (turn === undefined) throw new Error('a treadmill has eight turns');
    const { version, ledgerSeq, ledger } = turn;
    const lines = this.#round * this.#lines;
    const moved: ChangeSet = {
      ...turn,
      version: version + this.#round * this.#turns.length,
      now: instant(now),
      nextId: turn.nextId + this.#ids,
      ledgerSeq: ledgerSeq + lines,
      ledger: ledger.map((entry): LedgerEntry => ({ ...entry, seq: entry.seq + lines })),
    };
    this.#next = (this.#next + 1) % this.#turns.length;
    if (this.#next === 0) this.#round++;
    return moved;
  }
}

const directory = mkdtempSync(join(tmpdir(), 'gavel-bench-'));
const machine = nodeMachine();
const persister = await openFilePersister({ machine, definition: DEFINITION, directory });
persister.onFault((fault) => {
  throw fault;
});
const treadmills = Array.from({ length: shardCount }, (_, index) => new Treadmill(index));

const latencies: number[] = [];
let probe = { position: 0, at: 0 };
persister.onDurable((durable) => {
  if (probe.position !== 0 && durable >= probe.position) {
    latencies.push(performance.now() - probe.at);
    probe = { position: 0, at: 0 };
  }
});

/** Processor seconds of this process by kind of thread, where the system tells them (Linux). */
function threadSeconds(): ReadonlyMap<string, number> {
  const seconds = new Map<string, number>();
  let workers = 0;
  try {
    for (const task of readdirSync('/proc/self/task').toSorted((a, b) => Number(a) - Number(b))) {
      const text = readFileSync(`/proc/self/task/${task}/stat`, 'utf8');
      const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'));
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      const used = (Number(fields[11]) + Number(fields[12])) / 100;
      // The threads of the persister are started in this order.
      const known =
        name === 'WorkerThread' ? (['commits', 'images', 'folds'][workers++] ?? 'other') : name.includes('Main') ? 'main' : 'other';
      seconds.set(known, (seconds.get(known) ?? 0) + used);
    }
  } catch {
    return new Map();
  }
  return seconds;
}

const threadsBefore = threadSeconds();
let appendMs = 0;
let backlogMax = 0;
const loopBefore = performance.eventLoopUtilization();
const cpuBefore = process.cpuUsage();
const startedAt = performance.now();
const until = startedAt + seconds * 1_000;
let reportedAt = startedAt;
let reportedPosition = 0;
while (performance.now() < until) {
  if (persister.isFull) await persister.whenReady();
  const allowed = rate === 0 ? Number.POSITIVE_INFINITY : ((performance.now() - startedAt) * rate) / 1_000 - persister.appended;
  const turns: ChangeSet[] = [];
  for (let count = 0; count < Math.min(512, allowed) && persister.appended + count - persister.durable < aheadMax; count++) {
    const treadmill = treadmills[Math.floor(Math.random() * shardCount)];
    if (treadmill !== undefined) turns.push(treadmill.turn(Date.now()));
  }
  const before = performance.now();
  for (const turn of turns) persister.append(turn);
  appendMs += performance.now() - before;
  if (probe.position === 0) probe = { position: persister.appended, at: performance.now() };
  await new Promise(turns.length > 0 ? setImmediate : (resolve) => setTimeout(resolve, 0.2));
  const now = performance.now();
  if (now - reportedAt > 2_000) {
    const { backlogBytes, imagesWritten, foldedPosition } = await persister.stats();
    backlogMax = Math.max(backlogMax, backlogBytes);
    if (!values.json) {
      const perSecond = Math.round(((persister.durable - reportedPosition) * 1_000) / (now - reportedAt));
      const unfolded = persister.durable - foldedPosition;
      console.log(
        `${perSecond} turns/s, backlog ${(backlogBytes / 2 ** 20).toFixed(0)} MiB, ${imagesWritten} images, ${unfolded} not folded`,
      );
    }
    reportedAt = now;
    reportedPosition = persister.durable;
  }
}
const elapsedMs = performance.now() - startedAt;
const appended = persister.appended;
const loop = performance.eventLoopUtilization(loopBefore);
const cpu = process.cpuUsage(cpuBefore);
const stats = await persister.stats();
latencies.sort((a, b) => a - b);
const result = {
  turnsPerSecond: Math.round((appended * 1_000) / elapsedMs),
  bytesPerTurn: Math.round(stats.committedBytes / appended),
  turnsPerCommit: Math.round(appended / stats.commits),
  appendMicroseconds: Number(((appendMs * 1_000) / appended).toFixed(2)),
  appendShareOfMainThread: Number((appendMs / elapsedMs).toFixed(3)),
  mainThreadUtilization: Number(loop.utilization.toFixed(3)),
  microsecondsPerTurn: Object.fromEntries(
    [...threadSeconds()].map(([name, used]) => [name, Number((((used - (threadsBefore.get(name) ?? 0)) * 1e6) / appended).toFixed(2))]),
  ),
  processCores: Number(((cpu.user + cpu.system) / 1_000 / elapsedMs).toFixed(2)),
  commitP50Ms: Number((latencies[Math.floor(latencies.length / 2)] ?? 0).toFixed(2)),
  commitP99Ms: Number((latencies[Math.floor(latencies.length * 0.99)] ?? 0).toFixed(2)),
  imagesWritten: stats.imagesWritten,
  backlogMaxMiB: Math.round(Math.max(backlogMax, stats.backlogBytes) / 2 ** 20),
  notFolded: appended - stats.foldedPosition,
};
console.log(values.json ? JSON.stringify(result) : result);
const closedAt = performance.now();
await persister.close(60_000);
if (!values.json) console.log(`closed after ${((performance.now() - closedAt) / 1_000).toFixed(1)} s`);
rmSync(directory, { recursive: true });
