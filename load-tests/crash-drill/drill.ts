/**
 * The drill: one data directory, one player after the other life of a server on it.
 *
 * A round starts the server, connects the players, has every command answered that was not, checks everything, lets the players work,
 * and ends the server with their commands under way. Rounds differ in when it is killed: under load, also while it starts, or while it
 * stops. In the end it is stopped in order, twice, and a second server is refused. The first round that finds something is the last.
 */
import { pause } from '#client/wait.ts';
import { createPrng, type Prng } from '#shared/prng.ts';
import { limits } from '#shared/limits.ts';
import { WorldSeal } from '#server/edge/world-seal.ts';
import { Books } from '../books.ts';
import { check, checkLedgers } from './checks.ts';
import { GameServer } from './game-server.ts';
import { Player, type Role } from './player.ts';
import { ServerChild } from '../server-child.ts';
import { work } from './workload.ts';

/** When a round kills. Every round kills under load; some do it elsewhere too. */
export type RoundKind = 'load' | 'start' | 'stop';

const PATTERN: readonly RoundKind[] = ['load', 'start', 'load', 'stop'];

const ROLES: readonly Role[] = [
  ...['ada', 'bob', 'cid', 'dora'].map((guest) => ({ guest, region: 'europe', mode: 'softcore' as const })),
  ...['eve', 'finn'].map((guest) => ({ guest, region: 'asia', mode: 'hardcore' as const })),
];

/** A start takes a second; a recovery may take 10 s. */
const START_MS = 15_000;
const WORK_MIN_MS = 5;
const WORK_MAX_MS = 170;
/** An orderly stop takes about so long: kills fall before, in, and after it. */
const STOP_KILL_MAX_MS = 150;
const STARTS_KILLED_MAX = 3;

/** What a drill is given. */
export interface DrillSetup {
  readonly directory: string;
  readonly seed: string;
  readonly tell: (line: string) => void;
}

/** One per data directory. */
export class Drill {
  readonly #setup: DrillSetup;
  readonly #prng: Prng;
  readonly #books = new Books();
  readonly #worldKey = crypto.randomUUID();
  readonly #gameServer = new GameServer(this.#books);
  readonly #players = ROLES.map((role) => new Player(role, this.#books, new WorldSeal(this.#worldKey)));
  readonly #result = {
    violations: 0,
    /** Commands sent in the rounds, and those of them that had no answer when the server was gone. */
    commands: 0,
    interrupted: 0,
    /** Kills by what the server was doing. */
    killed: { load: 0, start: 0, stop: 0 } satisfies Record<RoundKind, number>,
    /** From the start of a process to its being ready, on data that a kill left. */
    slowestStartMs: 0,
    /** From Ctrl-C to the end of the process, with commands under way. */
    slowestStopMs: 0,
  };

  constructor(setup: DrillSetup) {
    this.#setup = setup;
    this.#prng = createPrng(setup.seed);
  }

  /** Runs the rounds, up to the first that finds something, and the end. Rejects only if the drill itself cannot go on. */
  async run(rounds: number) {
    const startedAt = performance.now();
    let round = 0;
    while (round < rounds && this.#isGood) {
      const kind = PATTERN[round % PATTERN.length] ?? 'load';
      round++;
      await this.#round(round, kind, this.#prng.fork(round));
    }
    if (this.#isGood) await this.#stopInOrder(this.#prng.fork('stop'));
    if (this.#isGood) await this.#lastLook();
    const seconds = Number(((performance.now() - startedAt) / 1_000).toFixed(1));
    return { rounds: round, seed: this.#setup.seed, ...this.#result, serviceCalls: this.#gameServer.answered, seconds };
  }

  #newServer(): ServerChild {
    return new ServerChild(this.#setup.directory, { secrets: { GAVEL_WORLD_KEY: this.#worldKey } });
  }

  get #isGood(): boolean {
    return this.#result.violations === 0;
  }

  async #round(round: number, kind: RoundKind, prng: Prng): Promise<void> {
    if (kind === 'start') await this.#killStarts(prng);
    const server = await this.#ready(prng);
    // What is wrong stays as it is, for whoever looks into it.
    if (!this.#isGood) return this.#abandon(server);
    const { commands, interrupted, workMs } = await this.#workUntil(prng, async () => {
      if (kind === 'stop') {
        server.interrupt();
        await pause(prng.integer(0, STOP_KILL_MAX_MS));
      } else if (!server.isRunning) this.#violation('the server ended by itself');
      await server.kill();
    });
    this.#result.killed[kind === 'stop' ? 'stop' : 'load']++;
    this.#listen(server);
    this.#setup.tell(`round ${round} (${kind}): ${commands} commands in ${workMs} ms, ${interrupted} without an answer`);
  }

  /** Kills the server a few times between its first moment and a little after it serves. */
  async #killStarts(prng: Prng): Promise<void> {
    const typicalMs = this.#result.slowestStartMs === 0 ? 1_000 : this.#result.slowestStartMs;
    for (let left = prng.integer(1, STARTS_KILLED_MAX); left > 0; left--) {
      const server = this.#newServer();
      await pause(prng.integer(0, Math.round(typicalMs * 1.1)));
      if (!server.isRunning) this.#violation('the server ended while it started');
      await server.kill();
      this.#listen(server);
      this.#result.killed.start++;
    }
  }

  /** A server that serves, with all players in it, all commands answered and everything checked. */
  async #ready(prng: Prng): Promise<ServerChild> {
    const server = this.#newServer();
    const startedAt = performance.now();
    const url = await server.serving(START_MS);
    this.#result.slowestStartMs = Math.max(this.#result.slowestStartMs, Math.round(performance.now() - startedAt));
    await Promise.all(this.#players.map((player) => player.connect(url)));
    for (const fault of await this.#gameServer.connect(server, url)) this.#violation(fault);
    for (const fault of await check(this.#players, this.#books, prng.fork('check'))) this.#violation(fault);
    return server;
  }

  /** Lets the players work for a while, then ends the server in the way given, and lets go of all connections. */
  async #workUntil(prng: Prng, end: () => Promise<void>) {
    const stop = new AbortController();
    const working = work(this.#players, prng.fork('work'), stop.signal);
    const serving = this.#gameServer.work(this.#players, prng.fork('service'), stop.signal);
    const workMs = prng.integer(WORK_MIN_MS, WORK_MAX_MS);
    await pause(workMs);
    await end();
    stop.abort();
    await serving;
    await Promise.all(this.#players.map((player) => player.leave()));
    const { commands, interrupted } = await working;
    this.#result.commands += commands;
    this.#result.interrupted += interrupted;
    return { commands, interrupted, workMs };
  }

  /** Ctrl-C with commands under way: exit code 0, in time. */
  async #stopInOrder(prng: Prng): Promise<void> {
    const server = await this.#ready(prng);
    if (!this.#isGood) return this.#abandon(server);
    await this.#workUntil(prng, () => this.#stop(server));
  }

  /**
   * After a stop in order everything is there too. A second server on the same directory is refused, and the first goes on: what it does
   * then is checked without a restart, so that rooms and index are seen as they follow live. In the end it stops without load.
   */
  async #lastLook(): Promise<void> {
    const server = await this.#ready(this.#prng.fork('last look'));
    for (const fault of await checkLedgers(this.#players)) this.#violation(fault);
    await this.#refuseSecond();
    await this.#workCalmly(this.#prng.fork('calm work'));
    for (const fault of await check(this.#players, this.#books, this.#prng.fork('after the second'))) this.#violation(fault);
    await Promise.all(this.#players.map((player) => player.leave()));
    await this.#stop(server);
  }

  async #workCalmly(prng: Prng): Promise<void> {
    const working = work(this.#players, prng, AbortSignal.timeout(WORK_MAX_MS));
    this.#result.commands += (await working).commands;
  }

  async #refuseSecond(): Promise<void> {
    const second = this.#newServer();
    const { code } = await second.end(START_MS);
    if (code === 0 || code === null || !/in use by a running server/.test(second.complaints)) {
      this.#violation(`a second server on the same directory ended with ${code ?? 'a signal'} and said: ${second.complaints}`);
    }
  }

  async #abandon(server: ServerChild): Promise<void> {
    await server.kill();
    this.#listen(server);
    await Promise.all(this.#players.map((player) => player.leave()));
  }

  async #stop(server: ServerChild): Promise<void> {
    const { code, tookMs } = await server.stop(limits.drainMaxMs * 2);
    this.#result.slowestStopMs = Math.max(this.#result.slowestStopMs, Math.round(tookMs));
    if (code !== 0) this.#violation(`the server stopped with ${code ?? 'a signal'} instead of 0`);
    if (tookMs > limits.drainMaxMs) this.#violation(`the server took ${Math.round(tookMs)} ms to stop`);
    this.#listen(server);
  }

  /** A server that has something to say on standard error in a drill has met what it should not. */
  #listen(server: ServerChild): void {
    for (const line of server.complaints.split('\n')) {
      if (/^gavel( error| alert)?:/.test(line)) this.#violation(`the server said: ${line}`);
    }
  }

  #violation(sentence: string): void {
    this.#result.violations++;
    this.#setup.tell(`VIOLATION ${sentence}`);
  }
}
