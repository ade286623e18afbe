import { afterEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ShardId } from '#shared/units.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import { openFilePersister } from './persister/open-file-persister.ts';
import { DEFINITION, offer, picker, replay } from './testing/sample.ts';
import { sampleTurns } from './testing/sample-turns.ts';
import { slowFold, sortedRows } from './testing/slow-fold.ts';

/** More by hand: `GAVEL_KILL_ROUNDS=100 npm test -- server/journal/kill`. */
const ROUNDS = Number(process.env['GAVEL_KILL_ROUNDS'] ?? '4');
const CHILD = fileURLToPath(new URL('./testing/append-worker.ts', import.meta.url));

const directories: string[] = [];
afterEach(() => {
  for (const path of directories.splice(0)) rmSync(path, { recursive: true });
});

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'gavel-kill-'));
  directories.push(directory);
  return directory;
}

interface Life {
  readonly openedAt: number;
  readonly acknowledged: number;
  readonly fault: string | undefined;
}

/** Starts the process, lets it live for so long after it has opened, kills it, and says what it had acknowledged. */
function live(command: string, args: readonly string[], lifeMs: number): Promise<Life> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  let timer: NodeJS.Timeout | undefined;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    timer ??= setTimeout(() => child.kill('SIGKILL'), lifeMs);
  });
  return new Promise((resolve) => {
    child.on('close', () => {
      clearTimeout(timer);
      // A last line that is cut off was not heard.
      const lines = text.slice(0, text.lastIndexOf('\n')).split('\n');
      const last = (word: string): string | undefined => lines.findLast((line) => line.startsWith(word))?.slice(word.length + 1);
      const openedAt = Number(last('open') ?? 0);
      resolve({ openedAt, acknowledged: Number(last('durable') ?? openedAt), fault: last('fault') });
    });
  });
}

/** Opens the directory and compares everything in it with what the seed says must be there. Returns the highest position. */
async function check(directory: string, seed: number, acknowledged: number): Promise<number> {
  const persister = await openFilePersister({ machine: nodeMachine(), definition: DEFINITION, directory });
  try {
    const { position } = persister.recovered;
    expect(position).toBeGreaterThanOrEqual(acknowledged);
    const turns: ChangeSet[] = [];
    for (const changes of sampleTurns(seed)) {
      if (turns.length === position) break;
      turns.push(changes);
    }
    const turnsByShard = Map.groupBy(turns, ({ shard }): ShardId => shard);
    for (const [shard, its] of turnsByShard) expect(await persister.load(shard)).toEqual({ kind: 'found', shard: replay(its) });
    const { rows } = await persister.projection(offer.name);
    expect(sortedRows(rows)).toEqual(slowFold(turns, offer.schema.table).rows);
    return position;
  } finally {
    await persister.close(0);
  }
}

describe('a process that is killed', () => {
  it('has everything that it acknowledged, after any number of kills', async () => {
    const directory = newDirectory();
    const seed = Math.floor(Math.random() * 1e9);
    const pick = picker(seed);
    let position = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { openedAt, acknowledged } = await live(process.execPath, [CHILD, directory, String(seed)], 20 + pick(250));
      expect([seed, openedAt]).toEqual([seed, position]);
      if (round === ROUNDS - 1 || pick(3) === 0) position = await check(directory, seed, acknowledged);
      else position = await positionOf(directory);
      expect(position).toBeGreaterThanOrEqual(acknowledged);
    }
  }, 600_000);
});

describe('a process whose disk is full', () => {
  it('ends with a fault, and has everything that it acknowledged', async () => {
    const directory = newDirectory();
    // No file may pass 3 MiB: the first to be refused is the journal or its log.
    const life = await live('bash', ['-c', `ulimit -f 3072; exec "${process.execPath}" "${CHILD}" "${directory}" 11`], 15_000);
    expect(life.fault).toMatch(/SqliteError|Error/);
    expect(life.acknowledged).toBeGreaterThan(0);
    expect(await check(directory, 11, life.acknowledged)).toBeGreaterThanOrEqual(life.acknowledged);
  }, 120_000);
});

async function positionOf(directory: string): Promise<number> {
  const persister = await openFilePersister({ machine: nodeMachine(), definition: DEFINITION, directory });
  await persister.close(0);
  return persister.recovered.position;
}
