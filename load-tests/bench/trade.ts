/**
 * `bench trade`: durable trades between random shards of one node: sell, buyout, claims of both sides.
 *
 * Measured: buyouts per second at 256 at once, with images written and ledger and listings folded all the while; then the time of
 * single buyouts at 32 at once. Not measured: sockets, schemas, patches, searches.
 */
import { createPrng } from '#shared/prng.ts';
import type { Reply } from '#server/shard/message.ts';
import type { GavelNode } from '#server/node.ts';
import {
  areTexts,
  closeBenchNode,
  clientCommand,
  expectAnswer,
  fieldOf,
  inTemporaryDirectory,
  isText,
  itemOf,
  openBenchNode,
  openPlayers,
  percentile,
  rounded,
} from './harness.ts';

/** The scenario whose figures the README tells. */
export const TRADE_BENCH_DEFAULTS = {
  players: 10_000,
  itemsEach: 8,
  atOnce: 256,
  seconds: 60,
  // The second phase, for the time of single buyouts under light load.
  calmAtOnce: 32,
  calmSeconds: 10,
};

type Options = typeof TRADE_BENCH_DEFAULTS;

const PRICE = 1_000;
/** A player looks into the completed tab after so many sales or purchases. */
const CLAIM_EVERY = 6;
const WARM_UP_SECONDS = 5;

interface Trader {
  readonly number: number;
  /** Items at hand. */
  readonly stash: string[];
  unclaimed: number;
  isBusy: boolean;
}

/** Runs the benchmark in a directory that it removes. */
export function benchTrade(options: Options): Promise<object> {
  return inTemporaryDirectory(async (directory) => {
    const node = await openBenchNode(directory);
    await openPlayers(node, options.players, options.itemsEach);
    const market = new BenchMarket(node, options);
    await market.run(options.atOnce, WARM_UP_SECONDS);
    const result = await measure(node, market, options);
    await closeBenchNode(node);
    return result;
  });
}

async function measure(node: GavelNode, market: BenchMarket, options: Options): Promise<object> {
  const turnsBefore = node.persister.appended;
  const cpuBefore = process.cpuUsage();
  let backlogMaxBytes = 0;
  const watch = setInterval(
    () => void node.persister.stats().then(({ backlogBytes }) => (backlogMaxBytes = Math.max(backlogMaxBytes, backlogBytes))),
    500,
  );
  const first = await market.run(options.atOnce, options.seconds / 2);
  const halfway = await node.persister.stats();
  const second = await market.run(options.atOnce, options.seconds / 2);
  const end = await node.persister.stats();
  clearInterval(watch);
  const seconds = first.seconds + second.seconds;
  const cpu = process.cpuUsage(cpuBefore);
  const turns = node.persister.appended - turnsBefore;
  const loaded = [...first.timesMs, ...second.timesMs].toSorted((a, b) => a - b);
  const calm = (await market.run(options.calmAtOnce, options.calmSeconds)).timesMs.toSorted((a, b) => a - b);
  return {
    tradesPerSecond: Math.round(loaded.length / seconds),
    // Of single buyouts, in the calm phase and at full load.
    p50Ms: rounded(percentile(calm, 0.5)),
    p99Ms: rounded(percentile(calm, 0.99)),
    loadedP50Ms: rounded(percentile(loaded, 0.5)),
    loadedP99Ms: rounded(percentile(loaded, 0.99)),
    turnsPerSecond: Math.round(turns / seconds),
    trades: loaded.length,
    seconds: rounded(seconds),
    // Bytes of the journal that were in no image yet: half way through, at the end, and the most seen.
    backlogHalfwayBytes: halfway.backlogBytes,
    backlogEndBytes: end.backlogBytes,
    backlogMaxBytes,
    imagesWritten: end.imagesWritten,
    // Processor time of the whole process, in cores.
    cores: rounded((cpu.user + cpu.system) / 1e6 / seconds),
    rssBytes: process.memoryUsage().rss,
    refusals: market.refusals,
  };
}

/** The players' side: who has what, and what they do next. */
class BenchMarket {
  readonly refusals: Record<string, number> = {};
  readonly #node: GavelNode;
  readonly #prng = createPrng('bench trade');
  readonly #traders: readonly Trader[];

  constructor(node: GavelNode, { players, itemsEach }: Options) {
    this.#node = node;
    this.#traders = Array.from({ length: players }, (_, number) => ({
      number,
      stash: Array.from({ length: itemsEach }, (_unused, index) => itemOf(number, index)),
      unclaimed: 0,
      isBusy: false,
    }));
  }

  /** Trades with so many at once for so long. */
  async run(atOnce: number, seconds: number): Promise<{ readonly seconds: number; readonly timesMs: readonly number[] }> {
    const timesMs: number[] = [];
    const start = performance.now();
    const until = start + seconds * 1_000;
    await Promise.all(Array.from({ length: atOnce }, () => this.#keepTrading(until, timesMs)));
    return { seconds: (performance.now() - start) / 1_000, timesMs };
  }

  async #keepTrading(until: number, timesMs: number[]): Promise<void> {
    while (performance.now() < until) {
      const seller = this.#pick();
      const buyer = this.#pick();
      await this.#trade(seller, buyer, timesMs);
      seller.isBusy = false;
      buyer.isBusy = false;
      if (seller.unclaimed >= CLAIM_EVERY || seller.stash.length === 0) await this.#claim(seller);
      if (buyer.unclaimed >= CLAIM_EVERY) await this.#claim(buyer);
    }
  }

  #pick(): Trader {
    for (;;) {
      const trader = this.#traders[Math.floor(this.#prng.next() * this.#traders.length)];
      if (trader === undefined || trader.isBusy) continue;
      trader.isBusy = true;
      return trader;
    }
  }

  async #trade(seller: Trader, buyer: Trader, timesMs: number[]): Promise<void> {
    const item = seller.stash.pop();
    if (item === undefined) return;
    const listed = await clientCommand(this.#node, seller.number, 'sell', { itemId: item, buyout: PRICE });
    if (listed.kind === 'refusal') {
      seller.stash.push(item);
      return this.#count(listed);
    }
    const listingId = fieldOf(listed.value, 'listingId', isText);
    const start = performance.now();
    const bought = await clientCommand(this.#node, buyer.number, 'buyout', { listingId, price: PRICE });
    if (bought.kind === 'refusal') return this.#count(bought);
    timesMs.push(performance.now() - start);
    seller.unclaimed++;
    buyer.unclaimed++;
  }

  async #claim(trader: Trader): Promise<void> {
    trader.unclaimed = 0;
    const claimed = expectAnswer(await clientCommand(this.#node, trader.number, 'claim', { all: true }));
    trader.stash.push(...fieldOf(claimed, 'items', areTexts));
  }

  #count(reply: Extract<Reply, { kind: 'refusal' }>): void {
    this.refusals[reply.name] = (this.refusals[reply.name] ?? 0) + 1;
  }
}
