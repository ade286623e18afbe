/**
 * `bench siege`: what calm players feel while others attack: one attack after the other, on a real server with the limits of
 * production, over real sockets.
 *
 * Twelve calm players search, ask for the rules, sell, cancel and claim, each a little below what a player may. `p99Ratio` is the worst of the attacks: the 99th percentile of the calm players' answers during it, over that of
 * before all attacks. `busy` is the share of its time that the server's main thread was at work. An attack is held off if that is at most 2, or at most 10 ms more. `/livez` is asked all the time, and the
 * server is stopped in the last attack. Attackers are processes of the lowest priority with addresses of their own: what they
 * take of the two processors themselves is not to be measured, but some of it always is.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ServerChild } from '../server-child.ts';
import {
  closeBenchNode,
  clientCommand,
  expectAnswer,
  inTemporaryDirectory,
  itemOf,
  openBenchNode,
  openPlayers,
  percentile,
  rounded,
} from './harness.ts';
import { ask, RawClient, type Ended } from './raw-client.ts';

/** The full size; `--seconds 2 --listings 1000 --guests 300` is a short one. */
export const SIEGE_BENCH_DEFAULTS = { seconds: 8, listings: 10_000, guests: 2_500 };

/** In their order; the server is stopped in the last one. */
const ATTACKS = ['dear', 'crowd', 'junk', 'guests', 'offers', 'slowloris', 'reader'] as const;
/** The limits of production, in a world that lets guests in. */
const SETTINGS = ['--regions', 'europe', '--address-rate', '500', '--session-rate', '20'];
const HELD_RATIO = 2;
const HELD_MORE_MS = 10;
const CALM_PLAYERS = 12;
/** Of one player: some 18 tokens a second. */
const CALM_EVERY_MS = 110;
const LIVEZ_EVERY_MS = 20;
const LISTINGS_EACH = 10;
/** Of Linux. */
const TICK_MS = 10;
/** Between two attacks: what is left of the one before shall not count for the next. */
const REST_MS = 1_500;

interface Felt {
  readonly p99Ms: number;
  readonly p50Ms: number;
  readonly livezMaxMs: number;
  readonly answers: number;
  /** Refusals of calm players, by their names. */
  readonly refused: Readonly<Record<string, number>>;
}

/** Runs the benchmark. */
export function benchSiege(options: typeof SIEGE_BENCH_DEFAULTS): Promise<object> {
  return inTemporaryDirectory(async (directory) => {
    await fillMarket(directory, options.listings);
    const server = new ServerChild(directory, { args: SETTINGS });
    try {
      return await besiege(await server.serving(60_000), server, options);
    } finally {
      await server.kill();
    }
  });
}

async function fillMarket(directory: string, listings: number): Promise<void> {
  const node = await openBenchNode(directory, undefined, undefined, { world: 'gavel', node: 'node-1' });
  const players = Math.ceil(listings / LISTINGS_EACH);
  await openPlayers(node, players, LISTINGS_EACH);
  for (let player = 0; player < players; player++) {
    const sells = Array.from({ length: LISTINGS_EACH }, (_, index) =>
      clientCommand(node, player, 'sell', { itemId: itemOf(player, index), buyout: 1_000 + index }),
    );
    for (const reply of await Promise.all(sells)) expectAnswer(reply);
  }
  await closeBenchNode(node);
}

async function besiege(url: string, server: ServerChild, { seconds, guests }: typeof SIEGE_BENCH_DEFAULTS): Promise<object> {
  const calm = await Calm.come(url);
  await calm.feel(seconds * 1_000); // A process that has just started is slow: it must not make attacks look harmless.
  const before = await calm.feel(seconds * 1_000);
  const attacks: Record<string, Felt & { readonly busy: number; readonly ratio: number; readonly isHeld: boolean }> = {};
  let stopMs = 0;
  for (const attack of ATTACKS) {
    process.stderr.write(`  ${attack}\n`);
    const attackers = await startAttack(attack, [url, String(guests), calm.target]);
    try {
      const spentMs = mainThreadMs(server.pid);
      const felt = await calm.feel(seconds * 1_000);
      const busy = rounded((mainThreadMs(server.pid) - spentMs) / (seconds * 1_000));
      const ratio = rounded(felt.p99Ms / before.p99Ms);
      attacks[attack] = { ...felt, busy, ratio, isHeld: ratio <= HELD_RATIO || felt.p99Ms - before.p99Ms <= HELD_MORE_MS };
      if (attack === ATTACKS.at(-1)) ({ tookMs: stopMs } = await server.stop(20_000));
    } finally {
      attackers.kill('SIGKILL');
    }
    await calm.pause(REST_MS);
  }
  const [worst, { ratio: p99Ratio }] = Object.entries(attacks).reduce((a, b) => (b[1].ratio > a[1].ratio ? b : a));
  const isHeld = Object.values(attacks).every((each) => each.isHeld);
  return { p99Ratio, worst, isHeld, stopMs: Math.round(stopMs), before, attacks };
}

/** Processor time of the thread that runs the turns, where the system tells it. */
function mainThreadMs(pid = 0): number {
  try {
    const fields = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return Number.NaN;
  }
}

async function startAttack(attack: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('siege-child.ts', import.meta.url)), attack, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  return child;
}

/** One calm player: looks, looks again, and sells, cancels and claims the same item over and over. */
class CalmPlayer {
  readonly #client: RawClient;
  readonly #item: string;
  readonly #op: string;
  #turns = 0;
  #commands = 0;
  #listing: string | undefined;

  private constructor(client: RawClient, item: string, op: string) {
    this.#client = client;
    this.#item = item;
    this.#op = op;
  }

  static async come(url: string, guest: string): Promise<CalmPlayer> {
    const client = await RawClient.join({ url, localAddress: '127.0.0.1' }, guest);
    const [item] = historySchema.parse(valueOf(await client.call('history', {}))).lines.flatMap((line) => line.item ?? []);
    if (item === undefined) throw new Error(`${guest} has no items`);
    return new CalmPlayer(client, item, `${guest}-${Date.now()}`);
  }

  /** Sells something, and returns the listing. */
  async sell(buyout: number): Promise<string> {
    return soldSchema.parse(valueOf(await this.#client.call('sell', { op: `${this.#op}-target`, itemId: this.#item, buyout }))).listingId;
  }

  /** Does the next thing, and returns how it ended. */
  async act(target: string): Promise<Ended> {
    switch (this.#commands++ % 4) {
      case 0:
        return this.#client.call('search', { criteria: { itemClass: 'ring', stats: [{ stat: 'might', min: 20 }] }, limit: 10 });
      case 1:
        return this.#client.call('rules', {});
      case 2:
        return this.#client.call('listing', { listingId: target });
      default:
        return this.#turn();
    }
  }

  async #turn(): Promise<Ended> {
    const turn = this.#turns++;
    const op = `${this.#op}-${turn}`;
    if (turn % 3 === 0) {
      const ended = await this.#client.call('sell', { op, itemId: this.#item, buyout: 1_000 });
      this.#listing = ended.kind === 'answered' ? soldSchema.parse(ended.value).listingId : undefined;
      return ended;
    }
    if (turn % 3 === 1 && this.#listing !== undefined) return this.#client.call('cancel', { op, listingId: this.#listing });
    return this.#client.call('claim', { op, all: true });
  }
}

const historySchema = z.looseObject({ lines: z.array(z.looseObject({ item: z.string().optional() })) });
const soldSchema = z.looseObject({ listingId: z.string() });

function valueOf(ended: Ended): unknown {
  if (ended.kind === 'answered') return ended.value;
  throw new Error(`a calm player was not served: ${JSON.stringify(ended)}`);
}

/** The calm players. */
class Calm {
  readonly #url: string;
  readonly #players: readonly CalmPlayer[];
  /** A listing that nobody buys for what attackers offer. */
  readonly target: string;

  private constructor(url: string, players: readonly CalmPlayer[], target: string) {
    this.#url = url;
    this.#players = players;
    this.target = target;
  }

  static async come(url: string): Promise<Calm> {
    const numbers = Array.from({ length: CALM_PLAYERS }, (_, number) => number);
    const players = await Promise.all(numbers.map((number) => CalmPlayer.come(url, `calm-${number}`)));
    const seller = await CalmPlayer.come(url, 'seller');
    return new Calm(url, players, await seller.sell(50_000));
  }

  /** Plays for that long. */
  async feel(ms: number): Promise<Felt> {
    const [times, livez]: [number[], number[]] = [[], []];
    const refused: Record<string, number> = {};
    const count = (name: string): void => void (refused[name] = (refused[name] ?? 0) + 1);
    const until = performance.now() + ms;
    const every = async (periodMs: number, into: number[], act: () => Promise<void>): Promise<void> => {
      while (performance.now() < until) {
        const startedAt = performance.now();
        await act();
        const tookMs = performance.now() - startedAt;
        into.push(tookMs);
        await this.pause(periodMs - tookMs);
      }
    };
    const play = async (player: CalmPlayer): Promise<void> => {
      const ended = await player.act(this.target);
      if (ended.kind !== 'answered') count(ended.kind === 'refused' ? ended.name : ended.kind);
    };
    const poll = async (): Promise<void> => {
      try {
        await ask({ url: this.#url, localAddress: '127.0.0.1' }, 'GET', '/livez');
      } catch {
        count('livez');
      }
    };
    await Promise.all([
      every(LIVEZ_EVERY_MS, livez, poll),
      ...this.#players.map((player) => every(CALM_EVERY_MS, times, () => play(player))),
    ]);
    times.sort((a, b) => a - b);
    return {
      p99Ms: rounded(percentile(times, 0.99)),
      p50Ms: rounded(percentile(times, 0.5)),
      livezMaxMs: rounded(Math.max(...livez)),
      answers: times.length,
      refused,
    };
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void setTimeout(resolve, Math.max(0, ms)));
  }
}
