/**
 * One simulation: players and their clients, a storm of faults, the calm after it, and checkers that watch it all. Everything follows
 * from the seed.
 */
import { shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { lootFor } from '#shared/catalog/loot.ts';
import { createPrng, type Prng } from '#shared/prng.ts';
import { RULES_PROFILES, type Rules } from '#shared/rules.ts';
import { durationMs, gold, type Gold, itemId, type NodeName, type ShardId } from '#shared/units.ts';
import { failure } from '#server/shard/failures.ts';
import type { Command } from '#server/shard/message.ts';
import type { Opening } from '#server/market/account/opening.ts';
import type { ReportedEvent } from '#server/platform/platform.ts';
import { transactionId } from '#server/trade/transaction.ts';
import type { Violation } from './checker.ts';
import { startDamage } from './damage.ts';
import { startFaults } from './faults.ts';
import { startRooms } from './room-watch.ts';
import type { Phase } from './scheduler.ts';
import { startSearchers } from './search-watch.ts';
import type { Seams } from './seams.ts';
import { REGION, type NodeNature, type IndexFate } from './simulated-node.ts';
import { SimulatedWorld, type Scene } from './simulated-world.ts';
import { WallClocks } from './wall-clocks.ts';
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
  /** The end of the trace after a violation; all of it if that was asked for. */
  readonly lastEvents: readonly string[];
}

/** The storm ends after so much virtual time, however few trades there were. */
const STORM_US_MAX = 600_000_000;
/** If there were few, clients go on in fair weather for so long. */
const FAIR_WEATHER_US_MAX = 600_000_000;
/** Faults that come faster than nodes start leave no time for trades. */
const FAULT_PERIOD_US_MIN = 2_000_000;
const OPENING_US_MAX = 60_000_000;
/** Players who look at their shard at any time. */
const ROOMS = 2;
/** Disks are damaged so much more seldom than they fail. */
const DAMAGE_PERIODS = 8;
/** Players who look for something to buy. */
const SEARCHERS = 2;
/** Answers that are asked for once more at the end. */
const REPEATED = 30;
const LAST_EVENTS = 60;
/** The power is off before the last start. Longer than leases of quick restarts may add to a clock that was a minute ahead. */
const POWERLESS_US = 15_000_000;
/** A number of a transaction that no shard of a simulation comes to. */
const NEVER_MINTED = 999_999_999;
/** From such a message until its shard is loaded and closed. */
const CLOSING_US_MAX = 10_000_000;

/** Runs a simulation to its end, or to the first promise that is broken. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const prng = createPrng(`simulation ${options.seed}`);
  const rules = rulesFrom(prng.fork('rules'));
  const { seams = {}, isTraceEndless = false, nodes = 2 } = options;
  const [storm, day] = [{ isOver: false }, { isOver: false }];
  const clocks = new WallClocks(prng.fork('clocks'), storm);
  const world = new SimulatedWorld({
    prng,
    rules,
    nodes,
    nextRules: nextRules(prng.fork('fees'), rules),
    natureOf: natureOf(clocks, storm),
    seams,
    isTraceEndless,
    isExpected: isAboutClocks,
  });
  const players = playersFrom(prng.fork('players'));
  await open(world, prng.fork('loot'), players);
  const thinkUsMax = prng.fork('pace').pick([20_000, 200_000, 1_000_000]);
  const detourShare = prng.fork('detours').pick([0.1, 0.4, 1]);
  const late = prng.fork('latecomers');
  const latecomers = ['late-1', 'late-2'].map((name) => {
    const shard = shardId(name, REGION, 'softcore');
    return { shard, opening: openingOf(late, shard, gold(late.integer(2_000, 60_000))) };
  });
  const scene = (phase: Phase, label: string): Scene => ({ world, players, phase, prng: prng.fork(label) });
  const workload = new Workload({ ...scene(day, 'workload'), rules, latecomers, thinkUsMax, detourShare });
  const periodUs = Math.max(FAULT_PERIOD_US_MIN, thinkUsMax * prng.fork('faults').pick([8, 30, 120]));

  startFaults(scene(storm, 'storm'), periodUs);
  startDamage(scene(storm, 'damage'), periodUs * DAMAGE_PERIODS);
  clocks.start(world);
  startRooms(scene(day, 'rooms'), ROOMS, seams);
  startSearchers(scene(day, 'searches'), SEARCHERS);
  workload.start(prng.fork('clients').integer(3, 12));
  await world.until(() => world.purchases >= options.trades, STORM_US_MAX);
  void workload.moderate();
  world.trace.add('calm', 'the storm is over');
  world.heal();
  storm.isOver = true;
  await world.until(() => world.purchases >= options.trades, FAIR_WEATHER_US_MAX);
  day.isOver = true;
  await world.settle(() => workload.busy === 0);
  await world.drain();
  await world.check('live');

  for (const node of world.nodes) node.crash();
  // For so long that no clock has to be ahead for its start to be borne: those that have to be would never agree.
  await world.until(() => false, POWERLESS_US);
  await world.startAll();
  await world.agreeOnTime();
  await world.finish(workload.thawAll().then(() => workload.askAgain(world.book.answered().slice(-REPEATED))));
  await world.settle();
  await world.check('recovered');
  const [first] = players;
  const violations = first === undefined || world.referee.violations.length > 0 ? world.referee.violations : await loseState(world, first);
  return resultOf(world, options, violations);
}

/**
 * At the very end a shard hears of an outcome that it cannot know: it has lost its state, and must close itself. What that looks like to
 * the referee, a failed turn, is right here.
 */
async function loseState(world: SimulatedWorld, shard: ShardId): Promise<readonly Violation[]> {
  world.tellAborted(transactionId({ holder: shard, generation: 1, seq: NEVER_MINTED }), shard, shard);
  const isClosed = (): boolean => world.model.rows(shard, failure).some(({ key }) => key === 'quarantine');
  if (await world.scheduler.runUntil(isClosed, world.scheduler.nowUs + CLOSING_US_MAX)) return [];
  const detail = `${shard} has heard of an outcome that it never offered, and goes on`;
  const atMs = Math.floor(world.scheduler.nowUs / 1_000);
  return [{ checker: 'T6 lost state is found out', sentence: 'a shard that lost its state is closed', detail, atMs }];
}

function resultOf(
  world: SimulatedWorld,
  { seed, isTraceEndless = false }: SimulationOptions,
  violations: readonly Violation[],
): SimulationResult {
  const isTold = violations.length > 0 || isTraceEndless;
  return {
    seed,
    trades: world.purchases,
    crashes: world.nodes.reduce((sum, node) => sum + node.crashes, 0),
    events: world.scheduler.count,
    virtualMs: Math.floor(world.scheduler.nowUs / 1_000),
    violations,
    digest: world.trace.digest,
    lastEvents: isTold ? world.trace.lines(isTraceEndless ? Number.POSITIVE_INFINITY : LAST_EVENTS) : [],
  };
}

/** Nodes differ: in speed, in memory, in how often images are written, and in what their clocks show. */
function natureOf(clocks: WallClocks, storm: Phase): (node: NodeName, prng: Prng) => NodeNature {
  return (_node, prng) => {
    const commitMsMax = prng.chance(0.3) ? 20 : 2;
    const indexMsMax = prng.pick([0, 0, 10, 80]);
    const indexCutShare = prng.pick([0, 0, 0.01, 0.1]);
    const indexFate = (): IndexFate =>
      !storm.isOver && prng.chance(indexCutShare) ? prng.pick(['lost', 'answer-lost', 'restart']) : 'taken';
    const messagesShare = prng.pick([0, 0.3, 1]);
    return {
      memoryBudgetBytes: prng.pick([30_000, 100_000, 100_000_000]),
      delays: { commitMs: () => prng.next() * commitMsMax, stepMs: () => prng.next() * 0.6 },
      persisterHaste: prng.pick([5, 40, 200]),
      ...(indexMsMax === 0 ? {} : { indexMs: () => prng.next() * indexMsMax }),
      ...(indexCutShare === 0 ? {} : { indexFate }),
      wallOffsetMs: clocks.ofNode(prng),
      tradesBy: () => (prng.chance(messagesShare) ? 'messages' : 'units'),
    };
  };
}

/** That somebody has set a clock is for the operator, and what the simulation is about. */
function isAboutClocks({ message }: ReportedEvent): boolean {
  return message.startsWith('the wall clock is ');
}

function playersFrom(prng: Prng): readonly ShardId[] {
  return Array.from({ length: prng.integer(4, 12) }, (_, index) => shardId(`player${index}`, REGION, 'softcore'));
}

/** Opens every player's shard, in good weather. Now and then one is so rich that a sale to it must be refused. */
async function open(world: SimulatedWorld, prng: Prng, players: readonly ShardId[]): Promise<void> {
  await world.startAll();
  for (const shard of players) {
    const amount = gold(prng.chance(0.05) ? Number.MAX_SAFE_INTEGER - 2_000 : prng.integer(2_000, 60_000));
    const message: Command = { kind: 'open', issuer: 'service', body: openingOf(prng, shard, amount) };
    void world.ownerOf(shard).accept({ to: shard, creates: true, message });
  }
  await world.until(() => world.model.shards.size === players.length, OPENING_US_MAX);
}

/** Gold and goods to begin with. */
function openingOf(prng: Prng, shard: ShardId, amount: Gold): Opening {
  const name = shard.slice(0, shard.indexOf('@'));
  const items = lootFor(BUILT_IN_CATALOGUE, { seed: prng.uint32(), count: prng.integer(3, 10), idOf: (nth) => itemId(`${name}-${nth}`) });
  return { name, start: { gold: amount, items, commodities: [{ commodity: 'iron-ore', quantity: 5 }] } };
}

/** A game designer changes the fee now and then: it comes into force with the next start of each node. */
function nextRules(prng: Prng, rules: Rules): () => Rules {
  const fees = prng.pick([[rules.gold.saleFeeBasisPoints], [0, 1_234, 10_000]]);
  return () => ({ ...rules, gold: { ...rules.gold, saleFeeBasisPoints: prng.pick(fees) } });
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
    listingsPerPlayerMax: prng.pick([2, 8]),
    stashSlots: prng.pick([10, 14]),
    completedShown: prng.pick([3, 12]),
  };
}
