/**
 * An index of its own, and a node that uses it all the while: it finds exactly its own rows, within a second each time unless the machine
 * is busy, and is never cut.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pause } from '#client/wait.ts';
import packageJson from '#package.json' with { type: 'json' };
import type { Prng } from '#shared/prng.ts';
import { compareListings, matches } from '#shared/search.ts';
import { nodeName, position } from '#shared/units.ts';
import { RemoteListingIndex } from '#server/listing-index/remote.ts';
import type { SearchAnswer, SearchQuery } from '#server/listing-index/service.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import type { Findings } from './findings.ts';
import * as inputs from './index-inputs.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What follows `exec node` in `npm run index`. */
const MAIN = ROOT + (packageJson.scripts.index.split(' ').at(-1) ?? '');
const START_MS = 10_000;
const HONEST_ROWS = 20;
const HONEST_MS = 20;
/** How often an honest search may fail in a row, each after a second: this machine has other things to do. */
const TRIES_MAX = 3;
/** The heap is enough for a few of the largest frames at once: an index that keeps what it should not comes to its end. Arrays are beside it. */
const HEAP_MB = 768;
const MEMORY_MB_MAX = 1_500;
const HONEST = nodeName('honest');

/** An index of its own, in a process whose complaints are looked through. */
export class FuzzedIndex {
  readonly #child: ChildProcess;
  readonly #findings: Findings;
  readonly url: string;
  readonly key: string;
  #isStopped = false;

  private constructor(child: ChildProcess, url: string, key: string, findings: Findings) {
    this.#child = child;
    this.#findings = findings;
    this.url = url;
    this.key = key;
    let said = '';
    child.stderr?.on('data', (chunk) => {
      said = (said + String(chunk)).slice(-10_000);
      const fault = /^gavel (?:error|alert): .*$|^\s+at .*$|^.*Warning: .*$/m.exec(said)?.[0];
      if (fault !== undefined) findings.violation(`the index reports: ${fault}`);
      said = said.slice(said.lastIndexOf('\n') + 1);
    });
    child.once('exit', (code, signal) => {
      if (!this.#isStopped) findings.violation(`the index ended with ${code ?? signal ?? 'nothing'}: ${said}`);
    });
    process.once('exit', () => void child.kill('SIGKILL'));
  }

  /** Starts one. Rejects if it does not listen. */
  static async start(key: string, findings: Findings): Promise<FuzzedIndex> {
    const env = { ...process.env, GAVEL_INDEX_KEY: key };
    const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, MAIN, '--port', '0'], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said: readonly unknown[] = await once(child.stdout, 'data', { signal: AbortSignal.timeout(START_MS) });
    const url = /ws:\/\/\S+(?=\.$)/m.exec(String(said[0]))?.[0];
    if (url === undefined) throw new Error(`the index does not listen: ${String(said[0])}`);
    return new FuzzedIndex(child, url, key, findings);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What its process takes; 0 where nobody can say. */
  memoryMb(): number {
    const path = `/proc/${this.#child.pid}/status`;
    if (!this.isRunning || !existsSync(path)) return 0;
    const mb = Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(path, 'utf8'))?.[1] ?? 0) / 1_024);
    if (mb > MEMORY_MB_MAX) this.#findings.violation(`the index takes ${mb} MB`);
    return mb;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    if (!this.isRunning) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** A node that means well, and looks all the while at whether the index has exactly its rows. */
export class HonestNode {
  readonly #index: FuzzedIndex;
  readonly #remote: RemoteListingIndex;
  readonly #prng: Prng;
  readonly #findings: Findings;
  readonly #rows: readonly ReturnType<typeof inputs.someListing>[];
  #isOver = false;
  #memoryMbMax = 0;
  #worstMs = 0;
  #done: Promise<void> | undefined;

  constructor(index: FuzzedIndex, prng: Prng, findings: Findings) {
    const { url, key } = index;
    const machine = nodeMachine(() => undefined);
    this.#index = index;
    this.#prng = prng;
    this.#findings = findings;
    this.#remote = new RemoteListingIndex({ address: () => url, key, node: HONEST, itemClasses: inputs.itemClasses, machine });
    this.#rows = inputs.HONEST_SHARDS.flatMap((shard) =>
      Array.from({ length: HONEST_ROWS }, (_, place) => inputs.someListing(prng, shard, place + 1)),
    );
  }

  /** Feeds its rows, and begins to look. */
  async start(): Promise<void> {
    const life = { node: HONEST, incarnation: 'only' };
    await this.#remote.reachable();
    void this.#remote.lost().then(() => {
      if (!this.#isOver) this.#findings.violation('the index has cut the connection of an honest node');
    });
    const cells = inputs.HONEST_SHARDS.map((shard) => inputs.cellAt(shard));
    await this.#remote.apply({ ...life, kind: 'open', cells });
    const changes = this.#rows.map((row) => ({ cell: inputs.cellAt(row.shard), changes: [{ kind: 'put', row } as const] }));
    await this.#remote.apply({ ...life, kind: 'rows', cells: changes });
    this.#done = this.#look();
  }

  /** Looks no more; the worst time of a search, and the most memory that the index had. */
  async stop(): Promise<{ readonly indexWorstMs: number; readonly indexMbMax: number }> {
    this.#isOver = true;
    await this.#done;
    this.#remote.close();
    return { indexWorstMs: Math.round(this.#worstMs), indexMbMax: this.#memoryMbMax };
  }

  /** Asks until there is an answer: a search gives itself a second. */
  async #search(query: SearchQuery): Promise<SearchAnswer> {
    const startedAt = performance.now();
    let answer: SearchAnswer = { kind: 'unavailable' };
    for (let tries = 0; tries < TRIES_MAX && answer.kind === 'unavailable'; tries++) {
      answer = await this.#remote.search(query, { atLeast: { node: HONEST, position: position(0) } });
    }
    this.#worstMs = Math.max(this.#worstMs, performance.now() - startedAt);
    return answer;
  }

  async #look(): Promise<void> {
    const findings = this.#findings;
    while (!this.#isOver && this.#index.isRunning) {
      const criteria = inputs.someCriteria(this.#prng);
      const sort = { by: this.#prng.pick(['buyout', 'level', 'might']), descending: this.#prng.chance(0.5) };
      const query = { market: inputs.HONEST_MARKET, criteria, sort, limit: 100, now: inputs.FUZZ_NOW };
      const answer = await this.#search(query);
      const found = answer.kind === 'found' ? answer.rows.map(({ id }) => id) : answer.kind;
      const context = { now: inputs.FUZZ_NOW, itemClasses: inputs.itemClasses };
      const wanted = this.#rows.filter((row) => matches(criteria, row, context)).toSorted((a, b) => compareListings(sort, a, b));
      if (String(found) !== String(wanted.map(({ id }) => id)))
        findings.violation(`an honest search for ${JSON.stringify(query)} finds ${String(found)}`);
      const stats = await this.#remote.stats().catch(() => undefined);
      const own = stats?.feeds.find(({ node }) => node === HONEST);
      if (own?.rows !== this.#rows.length || own.cells !== new Set(this.#rows.map(({ shard }) => shard)).size || own.position !== 0)
        findings.violation(`an honest node's feed has become ${JSON.stringify(own)}`);
      this.#memoryMbMax = Math.max(this.#memoryMbMax, this.#index.memoryMb());
      await pause(HONEST_MS);
    }
  }
}
