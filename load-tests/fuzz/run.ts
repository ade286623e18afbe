/**
 * A run: a real server, players and callers who send rubbish, somebody who asks all the while whether the server lives, and the books.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pause } from '#client/wait.ts';
import { createPrng } from '#shared/prng.ts';
import { Books } from '../books.ts';
import { ServerChild } from '../server-child.ts';
import { FuzzPlayer, type FuzzMarket } from './game-door.ts';
import { knock } from './http-door.ts';
import { FuzzedIndex, HonestNode } from './fuzzed-index.ts';
import { IndexCaller } from './index-door.ts';
import type { RunOptions } from '../run-options.ts';
import { Findings } from './findings.ts';

const PLAYERS = 80;
/** Players who do nothing: nothing may happen to them. */
const BYSTANDERS = 5;
const CALLERS = 40;
/** Of the listing index, who get a quarter of the inputs. */
const INDEX_CALLERS = 24;
const INDEX_SHARE = 0.25;
/** What one of them sends at most before it looks again at what is left. */
const PART = 8;
/** Whatever comes, the server answers somebody else within this, on a machine that has other things to do. */
const LIVE_MS = 5_000;
const HEART_MS = 50;
const START_MS = 60_000;
const STOP_MS = 15_000;
/** No listing ends by itself, and rooms show everything: the books know only of what was answered. */
const DAYS_2_MS = 172_800_000;
const RULES = {
  extends: 'dev',
  durationMinMs: DAYS_2_MS,
  durationMaxMs: DAYS_2_MS,
  durationDefaultMs: DAYS_2_MS,
  listingsPerPlayerMax: 100,
  completedShown: 200,
  stashSlots: 1_000,
};

/** What is left to be sent, for all callers and players together. */
interface Budget {
  left: number;
}

/** A whole run on a server of its own. Rejects if there is none to be had. */
export async function runFuzz({ count: inputs, seed }: RunOptions, directory: string) {
  const secrets = {
    GAVEL_JWT_SECRET: newSecret(),
    GAVEL_WORLD_KEY: newSecret(),
    GAVEL_SERVICE_KEY: newSecret(),
    GAVEL_INDEX_KEY: newSecret(),
  };
  const data = join(directory, 'data');
  await mkdir(data);
  const findings = new Findings([...Object.values(secrets), directory], (line) => void process.stderr.write(`${line}\n`));
  const rules = join(directory, 'rules.json');
  await writeFile(rules, JSON.stringify(RULES));
  const index = await FuzzedIndex.start(secrets.GAVEL_INDEX_KEY, findings);
  const args = ['--rules', rules, '--session-rate', '1000000', '--address-rate', '1000000', '--index', index.url];
  const server = new ServerChild(data, { args, secrets });
  const url = new URL(await server.serving(START_MS));
  const prng = createPrng(seed);
  const honest = new HonestNode(index, prng.fork('honest'), findings);
  await honest.start();
  const market: FuzzMarket = { books: new Books(), findings, listings: [], counts: { answered: 0, refused: 0, closed: 0, failed: 0 } };
  const players = Array.from({ length: PLAYERS + BYSTANDERS }, (_, index) => {
    return new FuzzPlayer({ url, address: addressOf(index), guest: `player-${index}` }, prng.fork(`player ${index}`), market);
  });
  for (const player of players) await player.open();
  const heart = new Heart(url, server, findings);
  const startedAt = performance.now();
  const indexBudget: Budget = { left: Math.round(inputs * INDEX_SHARE) };
  const budget: Budget = { left: inputs - indexBudget.left };
  await Promise.all([
    ...players.slice(BYSTANDERS).map((player) => use(budget, server, market, (count) => player.play(count))),
    ...Array.from({ length: CALLERS }, (_, index) => {
      const caller = { url, address: addressOf(100 + index), serviceKey: secrets.GAVEL_SERVICE_KEY, prng: prng.fork(`caller ${index}`) };
      return use(budget, server, market, (count) => knock(caller, count, findings));
    }),
    ...Array.from({ length: INDEX_CALLERS }, (_, place) => {
      const caller = new IndexCaller(index, `fuzz-${place}`, prng.fork(`node ${place}`), findings);
      return use(indexBudget, index, market, (count) => caller.send(count));
    }),
  ]);
  const tookMs = performance.now() - startedAt;
  if (server.isRunning) await settle(players, market);
  const { worstMs } = await heart.stop();
  const indexFigures = await honest.stop();
  const ending = await server.stop(STOP_MS);
  await index.stop();
  if (ending.code !== 0)
    findings.violation(`the server ended with ${ending.code ?? ending.signal ?? 'nothing'}: ${server.complaints.slice(-2_000)}`);
  const perSecond = Math.round((inputs * 1_000) / tookMs);
  return {
    inputs: inputs - Math.max(0, budget.left) - Math.max(0, indexBudget.left),
    violations: findings.violations,
    seed,
    perSecond,
    livezWorstMs: worstMs,
    ...indexFigures,
    ...market.counts,
  };
}

/** Uses up the budget, part by part, as long as the server lives. */
async function use(
  budget: Budget,
  door: { readonly isRunning: boolean },
  { counts }: FuzzMarket,
  send: (count: number) => Promise<number>,
): Promise<void> {
  while (budget.left > 0 && door.isRunning) {
    const count = Math.min(budget.left, PART);
    budget.left -= count;
    try {
      const sent = await send(count);
      budget.left += count - sent;
    } catch {
      // Not let in, or cut off: what was sent, was sent. Too much of that shows in the result.
      counts.failed += count;
    }
  }
}

/** Every command gets its answer; then everybody must have what the books say. */
async function settle(players: readonly FuzzPlayer[], { books, findings }: FuzzMarket): Promise<void> {
  await Promise.all(players.map((player) => player.finish()));
  const holdings = new Map<string, Awaited<ReturnType<FuzzPlayer['holdings']>>[1]>();
  for (const player of players) {
    const [shard, has] = await player.holdings();
    holdings.set(shard, has);
  }
  for (const fault of books.faults(holdings)) findings.violation(fault);
}

/** Asks all the while whether the server lives, as an orchestrator would. */
class Heart {
  readonly #done: Promise<void>;
  readonly #server: ServerChild;
  readonly #findings: Findings;
  #isOver = false;
  #worstMs = 0;

  constructor(url: URL, server: ServerChild, findings: Findings) {
    this.#server = server;
    this.#findings = findings;
    this.#done = this.#beat(url);
  }

  /** The worst answer so far, and no more questions. */
  async stop(): Promise<{ readonly worstMs: number }> {
    this.#isOver = true;
    await this.#done;
    return { worstMs: Math.round(this.#worstMs) };
  }

  async #beat(url: URL): Promise<void> {
    let complaints = '';
    while (!this.#isOver && this.#server.isRunning) {
      const startedAt = performance.now();
      try {
        const answer = await fetch(new URL('/livez', url), { signal: AbortSignal.timeout(LIVE_MS) });
        if (answer.status !== 200) this.#findings.violation(`/livez was answered with ${answer.status}`);
        await answer.arrayBuffer();
      } catch {
        this.#findings.violation(`/livez was not answered within ${LIVE_MS} ms`);
      }
      this.#worstMs = Math.max(this.#worstMs, performance.now() - startedAt);
      const said = this.#server.complaints;
      const fault = /^gavel (?:error|alert): .*$/m.exec(said.startsWith(complaints) ? said.slice(complaints.length) : said)?.[0];
      complaints = said;
      if (fault !== undefined) this.#findings.violation(`the server reports: ${fault}`);
      await pause(HEART_MS);
    }
  }
}

/** Addresses of this machine, so that no single one is too busy. */
function addressOf(index: number): string {
  return `127.0.0.${2 + (index % 200)}`;
}

function newSecret(): string {
  return randomBytes(32).toString('base64url');
}
