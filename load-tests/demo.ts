/**
 * `npm run demo`: starts a real server with a data directory of its own, plays a story over real sockets, cuts the power once in
 * the middle, and ends with exit code 0 only if every coin and every item is where it belongs.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GameClient } from '#client/game-client.ts';
import { Books } from './books.ts';
import { Narrator, standardStage, type Say } from './demo/narrator.ts';
import { play } from './demo/story.ts';
import { ServerChild } from './server-child.ts';

/** The story takes a few seconds; a machine under load may take some more. */
const DEADLINE_MS = 55_000;
/** A start takes far less; recovery of a long journal up to ten seconds. */
const START_MS = 20_000;
const STOP_MS = 8_000;

async function main(): Promise<number> {
  const narrator = new Narrator(standardStage());
  const dataDirectory = await mkdtemp(join(tmpdir(), 'gavel-demo-'));
  const clients: GameClient[] = [];
  let server: ServerChild | undefined;
  const bail = (): never => {
    rmSync(dataDirectory, { recursive: true, force: true });
    process.exit(1);
  };
  const giveUp = setTimeout(() => {
    narrator.verdict(false, `The demo took longer than ${DEADLINE_MS / 1_000} s.`);
    bail();
  }, DEADLINE_MS);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, bail);
  narrator.title('Gavel: an auction house that keeps every player in a small store of its own');
  try {
    const first = new ServerChild(dataDirectory);
    server = first;
    const url = await narrator.step('The server starts', async (say) => {
      const served = await first.serving(START_MS);
      say(`${served}, process ${first.pid}, data in ${dataDirectory}`);
      return served;
    });
    const powerCut = async (say: Say): Promise<void> => {
      await server?.kill();
      const killedAt = performance.now();
      const next = new ServerChild(dataDirectory, { port: Number(new URL(url).port) });
      server = next;
      await next.serving(START_MS);
      say(
        `kill -9 for process ${first.pid}; process ${next.pid} has recovered and serves after ${(performance.now() - killedAt).toFixed(0)} ms`,
      );
    };
    await play({ narrator, books: new Books(), url, powerCut, clients });
    await narrator.step('Everybody leaves, and the server stops in order', async () => {
      await Promise.all(clients.map((client) => client.close()));
      const ending = await server?.stop(STOP_MS);
      if (ending?.code !== 0) throw new Error(`the server ended with ${ending?.code ?? 'a signal'}`);
    });
    narrator.verdict(true, 'Nothing was lost, nothing was made.');
    return 0;
  } catch (error) {
    narrator.verdict(false, `It went wrong: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    clearTimeout(giveUp);
    await Promise.all(clients.map((client) => client.close()));
    await server?.kill();
    await rm(dataDirectory, { recursive: true, force: true });
  }
}

process.exitCode = await main();
