/**
 * `npm run demo`: starts a real server with a data directory of its own, plays a story over real sockets, cuts the power once in
 * the middle, and ends with exit code 0 only if every coin and every item is where it belongs.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GameClient } from '#client/game-client.ts';
import { Books } from './demo/books.ts';
import { Narrator, standardStage, type Say } from './demo/narrator.ts';
import { abandonServers, ServerProcess } from './demo/server-process.ts';
import { play } from './demo/story.ts';

/** The story takes a few seconds; a machine under load may take some more. */
const DEADLINE_MS = 55_000;

async function main(): Promise<number> {
  const narrator = new Narrator(standardStage());
  const dataDirectory = await mkdtemp(join(tmpdir(), 'gavel-demo-'));
  const clients: GameClient[] = [];
  let server: ServerProcess | undefined;
  const bail = (): never => {
    abandonServers();
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
    const first = await narrator.step('The server starts', async (say) => {
      const started = await ServerProcess.start({ dataDirectory, port: 0 });
      say(`${started.url}, process ${started.pid}, data in ${dataDirectory}`);
      return started;
    });
    server = first;
    const powerCut = async (say: Say): Promise<void> => {
      await server?.kill();
      const killedAt = performance.now();
      server = await ServerProcess.start({ dataDirectory, port: first.port });
      say(
        `kill -9 for process ${first.pid}; process ${server.pid} has recovered and serves after ${(performance.now() - killedAt).toFixed(0)} ms`,
      );
    };
    await play({ narrator, books: new Books(), url: first.url, powerCut, clients });
    await narrator.step('Everybody leaves, and the server stops in order', async () => {
      await Promise.all(clients.map((client) => client.close()));
      const code = await server?.stop();
      if (code !== 0) throw new Error(`the server ended with ${code ?? 'a signal'}`);
    });
    narrator.verdict(true, 'Nothing was lost, nothing was made.');
    return 0;
  } catch (error) {
    narrator.verdict(false, `It went wrong: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    clearTimeout(giveUp);
    await Promise.all(clients.map((client) => client.close()));
    abandonServers();
    await server?.kill();
    await rm(dataDirectory, { recursive: true, force: true });
  }
}

process.exitCode = await main();
