/**
 * One simulation: some nodes of one world, players and their clients, a storm of faults, the calm after it, and checkers that watch it
 * all. Everything follows from the seed.
 */
import { shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { lootFor } from '#shared/catalog/loot.ts';
import { limits } from '#shared/limits.ts';
import { createPrng, type Prng } from '#shared/prng.ts';
import { RULES_PROFILES, type Rules } from '#shared/rules.ts';
import { durationMs, gold, itemId, type ShardId } from '#shared/units.ts';
import type { ReportedEvent } from '#server/platform/platform.ts';
import { cellOf } from '#server/routing/hash.ts';
import { marketPowerups } from '#server/market/market.ts';
import type { Opening } from '#server/market/opening.ts';
import { defineShard } from '#server/shard/definition.ts';
import type { Powerup } from '#server/shard/powerup.ts';
import { AnswerBook } from './answer-book.ts';
import type { Checker, Violation } from './checker.ts';
import { Faults } from './faults.ts';
import { Model } from './model.ts';
import { doubts, quietCheckers } from './quiet-checkers.ts';
import { Referee } from './referee.ts';
import { Scheduler } from './scheduler.ts';
import type { Seams } from './seams.ts';
import { SimulatedBus } from './simulated-bus.ts';
import { SimulatedNode } from './simulated-node.ts';
import { Trace } from './trace.ts';
import { tradeCheckers } from './trade-checkers.ts';
import { turnCheckers } from './turn-checkers.ts';
import { CLOCK_OFFSET_MS_MAX } from './virtual-platform.ts';
import { Workload } from './workload.ts';

/** What is asked of a simulation. */
export interface SimulationOptions {
  readonly seed: string | number;
  /** Purchases after which the storm ends. */
  readonly trades: number;
  readonly nodes?: number;
  /** Deliberate faults. */
  readonly seams?: Seams;
  /** Whether to keep the whole trace in place of its end. */
  readonly isTraceEndless?: boolean;
}

/** What came of it. */
export interface SimulationResult {
  readonly seed: string | number;
  readonly trades: number;
  readonly crashes: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly violations: readonly Violation[];
  /** Equal for two runs of one seed. */
  readonly digest: string;
  readonly lastEvents: readonly string[];
}

const REGION = 'europe';
/** The storm ends after so much virtual time, however few trades there were. */
const STORM_US_MAX = 900_000_000;
/** After the storm everything must be settled within this: a few of the longest pauses between repeats. */
const CALM_US_MAX = 4 * limits.retryMaxMs * 1_000;
/** Faults that come faster than nodes start leave no time for trades. */
const FAULT_PERIOD_US_MIN = 2_000_000;
const OPENING_US_MAX = 60_000_000;
const CHECK_US_MAX = 60_000_000;

/** Runs a simulation to its end, or to the first promise that is broken. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #prng: Prng;
  readonly #scheduler = new Scheduler();
  readonly #trace: Trace;
  readonly #bus: SimulatedBus;
  readonly #model: Model;
  readonly #book: AnswerBook;
  readonly #referee: Referee;
  readonly #rules: Rules;
  readonly #powerups: readonly Powerup[];
  readonly #nodes: readonly SimulatedNode[];
  readonly #players: readonly ShardId[];
  readonly #thinkUsMax: number;
  #trades = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#prng = createPrng(`simulation ${options.seed}`);
    const nowUs = (): number => this.#scheduler.nowUs;
    this.#trace = new Trace(nowUs, options.isTraceEndless === true);
    this.#bus = new SimulatedBus(this.#scheduler, this.#prng.fork('bus'));
    this.#thinkUsMax = this.#prng.fork('pace').pick([20_000, 200_000, 1_000_000]);
    this.#rules = rulesFrom(this.#prng.fork('rules'));
    const powerups = marketPowerups(this.#rules, [REGION]);
    this.#powerups = options.seams?.powerups?.(powerups) ?? powerups;
    const definition = defineShard(this.#powerups);
    this.#model = new Model(definition, (turn) => {
      for (const { cause } of turn.changes.ledger) if (cause === 'purchase') this.#trades++;
      this.#trace.add('durable', turn.node, turn.position, turn.changes.shard, turn.changes.version, wordsOf(turn.deltas));
      this.#referee.turn(turn);
    });
    this.#book = new AnswerBook(this.#model, nowUs, (checker, detail) => this.#referee.complain(checker, detail));
    this.#referee = new Referee([...turnCheckers(), ...tradeCheckers(), ...this.#book.checkers, ...quietCheckers], nowUs);
    this.#nodes = this.#buildNodes();
    const players = this.#prng.fork('players').integer(4, 12);
    this.#players = Array.from({ length: players }, (_, index) => shardId(`player${index}`, REGION, 'softcore'));
  }

  async run(): Promise<SimulationResult> {
    const scheduler = this.#scheduler;
    const prng = this.#prng.fork('phases');
    const workload = this.#workload();
    const faults = new Faults({
      scheduler,
      prng: this.#prng.fork('faults'),
      bus: this.#bus,
      nodes: this.#nodes,
      periodUs: Math.max(FAULT_PERIOD_US_MIN, this.#thinkUsMax * prng.pick([8, 30, 120])),
    });
    await this.#open();
    faults.start();
    workload.start(prng.integer(3, 12));
    await this.#until(() => this.#trades >= this.#options.trades, STORM_US_MAX);
    this.#trace.add('calm', 'the storm is over');
    faults.stop();
    workload.finish();
    await this.#until(() => workload.busy === 0 && this.#allServe && doubts(this.#model).length === 0, CALM_US_MAX);
    await this.#check('live');
    for (const node of this.#nodes) node.crash();
    for (const node of this.#nodes) node.start();
    await this.#until(() => this.#allServe, CHECK_US_MAX);
    await this.#finish(workload.thawAll().then(() => workload.askAgain(this.#book.answered().slice(-REPEATED))));
    await this.#until(() => doubts(this.#model).length === 0, CALM_US_MAX);
    await this.#check('recovered');
    return this.#result();
  }

  get #allServe(): boolean {
    return this.#nodes.every(({ node }) => node !== undefined);
  }

  /** Runs until the condition holds, the time is over, or a promise is broken. */
  #until(isDone: () => boolean, spanUs: number): Promise<boolean> {
    return this.#scheduler.runUntil(() => this.#referee.violations.length > 0 || isDone(), this.#scheduler.nowUs + spanUs);
  }

  /** Runs until a promise of the simulation itself has settled. */
  async #finish(promise: Promise<void>): Promise<void> {
    let isSettled = false;
    void promise.then(() => (isSettled = true));
    const isInTime = await this.#until(() => isSettled, CHECK_US_MAX);
    if (!isInTime) this.#referee.complain(LIVELY, 'a check did not come to an end');
  }

  async #check(when: string): Promise<void> {
    if (this.#referee.violations.length > 0) return;
    this.#trace.add('check', when);
    if (!this.#allServe) return this.#referee.complain(LIVELY, 'a node has not come back');
    await this.#finish(this.#referee.quiet({ model: this.#model, nodes: this.#nodes }));
  }

  #buildNodes(): readonly SimulatedNode[] {
    const names = Array.from({ length: this.#options.nodes ?? 2 }, (_, index) => `node-${index + 1}`);
    const prng = this.#prng.fork('nodes');
    const ownerOf = (_market: string, cell: number): string => names[cell % names.length] ?? '';
    return names.map((name) => {
      const own = prng.fork(name);
      const isSlow = own.chance(0.3);
      return new SimulatedNode({
        name,
        scheduler: this.#scheduler,
        prng: own,
        bus: this.#bus,
        definition: this.#model.definition,
        powerups: this.#powerups,
        rules: this.#rules,
        catalogue: BUILT_IN_CATALOGUE,
        regions: [REGION],
        ownerOf,
        memoryBudgetBytes: own.pick([30_000, 100_000, 100_000_000]),
        delays: { commitMs: () => own.next() * (isSlow ? 20 : 2), stepMs: () => own.next() * 0.6 },
        persisterHaste: own.pick([5, 40, 200]),
        clockOffsetMs: () => own.integer(-CLOCK_OFFSET_MS_MAX, CLOCK_OFFSET_MS_MAX),
        witness: {
          durable: (node, batch) => this.#model.observe(node, batch),
          reported: (node, event) => this.#reported(node, event),
          broke: (node, error) =>
            this.#referee.complain(LIVELY, `${node}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
          changed: (node, what) => this.#trace.add('node', node, what),
        },
        seams: this.#options.seams ?? {},
      });
    });
  }

  /** Errors are for the operator of a real node, and none of the faults of a simulation may cause one. */
  #reported(node: string, { level, message, error }: ReportedEvent): void {
    this.#trace.add('report', node, level, message);
    if (level === 'error' || level === 'alert') {
      this.#referee.complain(LIVELY, `${node} reports: ${message}${error instanceof Error ? `: ${error.stack ?? error.message}` : ''}`);
    }
  }

  #workload(): Workload {
    return new Workload({
      scheduler: this.#scheduler,
      prng: this.#prng.fork('workload'),
      model: this.#model,
      book: this.#book,
      trace: this.#trace,
      rules: this.#rules,
      players: this.#players,
      nodes: this.#nodes,
      ownerOf: (shard) => this.#ownerOf(shard),
      thinkUsMax: this.#thinkUsMax,
    });
  }

  #ownerOf(shard: ShardId): SimulatedNode {
    const node = this.#nodes[cellOf(shard, limits.cellsPerRegion) % this.#nodes.length];
    if (node === undefined) throw new Error(`nobody owns ${shard}`);
    return node;
  }

  /** Opens every player's shard, in good weather. */
  async #open(): Promise<void> {
    for (const node of this.#nodes) node.start();
    await this.#until(() => this.#allServe, OPENING_US_MAX);
    const prng = this.#prng.fork('loot');
    for (const [index, shard] of this.#players.entries()) {
      const items = lootFor(BUILT_IN_CATALOGUE, {
        seed: prng.uint32(),
        count: prng.integer(3, 10),
        idOf: (nth) => itemId(`item-${index}-${nth}`),
      });
      const body: Opening = {
        name: `player${index}`,
        start: {
          gold: gold(prng.chance(0.05) ? Number.MAX_SAFE_INTEGER - 2_000 : prng.integer(2_000, 60_000)),
          items,
          commodities: [{ commodity: 'iron-ore', quantity: 5 }],
        },
      };
      void this.#ownerOf(shard).accept({ to: shard, creates: true, message: openCommand(body) });
    }
    await this.#until(() => this.#model.shards.size === this.#players.length, OPENING_US_MAX);
  }

  #result(): SimulationResult {
    const { violations } = this.#referee;
    return {
      seed: this.#options.seed,
      trades: this.#trades,
      crashes: this.#nodes.reduce((sum, node) => sum + node.crashes, 0),
      events: this.#scheduler.count,
      virtualMs: Math.floor(this.#scheduler.nowUs / 1_000),
      violations,
      digest: this.#trace.digest,
      lastEvents:
        violations.length > 0 || this.#options.isTraceEndless === true
          ? this.#trace.lines(this.#options.isTraceEndless === true ? Number.MAX_SAFE_INTEGER : LAST_EVENTS)
          : [],
    };
  }
}

/** Answers that are asked for once more at the end. */
const REPEATED = 30;
const LAST_EVENTS = 60;

const LIVELY: Pick<Checker, 'name' | 'sentence'> = {
  name: 'nodes run',
  sentence: 'a node starts from whatever a crash has left, serves, and reports no error but those of its disk',
};

function openCommand(body: Opening): { kind: string; issuer: 'service'; body: Opening } {
  return { kind: 'open', issuer: 'service', body };
}

function wordsOf(
  deltas: readonly { readonly entity: string; readonly id: number; readonly before: unknown; readonly after: unknown }[],
): string {
  return deltas
    .map(({ entity, id, before, after }) => `${after === undefined ? '-' : before === undefined ? '+' : '~'}${entity}/${id}`)
    .join(' ');
}

/** Short times and small capacities, so that everything that can end does. */
function rulesFrom(prng: Prng): Rules {
  return {
    ...RULES_PROFILES.dev,
    startDelayMs: durationMs(prng.pick([0, 0, 300])),
    cancelWindowMs: durationMs(prng.pick([2_000, 60_000])),
    durationMinMs: durationMs(500),
    durationMaxMs: durationMs(600_000),
    durationDefaultMs: durationMs(30_000),
    listingsPerPlayerMax: 8,
    stashSlots: 14,
    completedShown: 12,
  };
}
