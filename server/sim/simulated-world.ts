/**
 * A simulated world: some nodes, the bus between them, the model of their journals, and the referee
 * that watches. What happens in it is the business of whoever made it: a simulation at random, or a
 * directed scenario.
 */
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { limits } from '#shared/limits.ts';
import type { Prng } from '#shared/prng.ts';
import type { Rules } from '#shared/rules.ts';
import { instant, type Instant, type Market, nodeName, type NodeName, type ShardId, type TransactionId } from '#shared/units.ts';
import type { ReportedEvent } from '#server/platform/platform.ts';
import { cellOf } from '#shared/cell.ts';
import type { Feature } from '#server/market/feature.ts';
import { marketFeatures } from '#server/market/market.ts';
import { PLACES } from '#server/market/places.ts';
import { defineShard } from '#server/shard/definition.ts';
import type { Powerup } from '#server/shard/powerup.ts';
import { messageKey, type Outcome } from '#server/trade/messages.ts';
import { AnswerBook } from './answer-book.ts';
import type { CheckerPromise } from './checker.ts';
import { ListingBook } from './listing-book.ts';
import { marketCheckers } from './market-checkers.ts';
import { Model, type RowDelta } from './model.ts';
import { doubts, quietCheckers } from './quiet-checkers.ts';
import { Referee } from './referee.ts';
import { serviceCheckers } from './service-checkers.ts';
import { Scheduler, type Phase } from './scheduler.ts';
import type { Seams } from './seams.ts';
import { CALM_WEATHER, SimulatedBus } from './simulated-bus.ts';
import { inWords, LIVELY, REGION, SimulatedNode, type NodeNature } from './simulated-node.ts';
import { Trace } from './trace.ts';
import { tradeEffectOf } from './trade-effect.ts';
import { tradeCheckers } from './trade-checkers.ts';
import { turnCheckers } from './turn-checkers.ts';

/** What a world is made from. */
export interface WorldOptions {
  readonly prng: Prng;
  readonly rules: Rules;
  /** The rules of the next life of a node; always the same unless given. */
  readonly nextRules?: () => Rules;
  readonly nodes: number;
  readonly natureOf: (node: NodeName, prng: Prng) => NodeNature;
  readonly seams?: Seams;
  readonly isTraceEndless?: boolean;
  /** What the operator is told may be expected: a scenario that breaks a shard hears of it. */
  readonly isExpected?: (event: ReportedEvent) => boolean;
}

/** What those who do something in a simulation are given: where, with whom, until when, and chance of their own. */
export interface Scene {
  readonly world: SimulatedWorld;
  readonly players: readonly ShardId[];
  readonly phase: Phase;
  readonly prng: Prng;
}

const SHRINKING: CheckerPromise = {
  name: 'the backlog shrinks',
  sentence: 'what is durable goes into images and leaves the journal, at a node that runs',
};

/** The time of a pass in production: simulated nodes are in more of a hurry. */
const BACKLOG_US_MAX = limits.imagePassIntervalMs * 1_000;
/** From the repair of an image until all that its damage led to is on the disk. */
const DAMAGE_ECHO_US = 5_000_000;
/** From the repair of an image until its listings are for sale again. */
const RETURN_US_MAX = 2 * limits.retryMaxMs * 1_000;
const START_US_MAX = 60_000_000;
/** A start bears a clock that is so far behind, and waits for it; then the rest is within what peers bear. */
const AGREE_US_MAX = 2 * limits.clockBehindMaxMs * 1_000;
const CHECK_US_MAX = 60_000_000;
/** Without faults everything must be settled within this: a few of the longest pauses between repeats. */
const SETTLE_US_MAX = 4 * limits.retryMaxMs * 1_000;

export class SimulatedWorld {
  readonly scheduler = new Scheduler();
  readonly trace: Trace;
  readonly bus: SimulatedBus;
  readonly model: Model;
  readonly book: AnswerBook;
  readonly listings = new ListingBook((name) => this.nodes.find((node) => node.name === name)?.index);
  readonly referee: Referee;
  /** The market as it was agreed: what checkers and players know of it. */
  readonly features: readonly Feature[];
  readonly nodes: readonly SimulatedNode[];
  readonly #options: WorldOptions;
  /** Until when the image of a shard is, or was, damaged, in virtual time. */
  readonly #damagedUntilUs = new Map<ShardId, number>();
  #purchases = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { prng, rules, seams = {} } = options;
    const nowUs = (): number => this.scheduler.nowUs;
    this.trace = new Trace(nowUs, options.isTraceEndless === true);
    this.bus = new SimulatedBus(this.scheduler, prng.fork('bus'));
    const featuresOf = (agreed: Rules): readonly Feature[] => {
      return marketFeatures({ rules: agreed, regions: [REGION], catalogue: BUILT_IN_CATALOGUE });
    };
    this.features = featuresOf(rules);
    const powerupsOf = (agreed: Rules): readonly Powerup[] => {
      const market = featuresOf(seams.rules?.(agreed) ?? agreed);
      return seams.powerups?.(market) ?? market;
    };
    const definition = defineShard(powerupsOf(rules), { places: PLACES });
    this.model = new Model(definition, (turn) => {
      for (const line of turn.changes.ledger) if (tradeEffectOf(line) === 'purchase') this.#purchases++;
      this.trace.add('durable', turn.node, turn.position, turn.changes.shard, turn.changes.version, wordsOf(turn.deltas));
      this.referee.turn(turn);
    });
    const clocks = { of: (shard: ShardId) => this.ownerOf(shard).time, latest: () => latestOf(this.nodes) };
    this.book = new AnswerBook(this.model, clocks, (checker, detail) => this.referee.complain(checker, detail));
    const rulesOf = (name: NodeName, at: Instant): Rules => this.nodes.find((node) => node.name === name)?.rulesAt(at) ?? rules;
    const bodyOf = (shard: string, key: string): unknown => this.book.bodyOf(shard, key);
    const ofMarket = [...marketCheckers({ rulesOf, bodyOf }), ...serviceCheckers({ bodyOf })];
    const ofTrades = tradeCheckers({
      timeOf: clocks.of,
      isDamaged: (shard) => this.isDamaged(shard, DAMAGE_ECHO_US),
      kinds: Object.fromEntries(this.features.flatMap(({ trades = {} }) => Object.entries(trades))),
    });
    this.referee = new Referee(
      [...turnCheckers(this.features), ...ofTrades, ...ofMarket, ...this.book.checkers, this.listings, ...quietCheckers],
      nowUs,
    );
    const names = Array.from({ length: options.nodes }, (_, index) => nodeName(`node-${index + 1}`));
    const ownerOf = (_market: Market, cell: number): NodeName => names[cell % names.length] ?? nodeName('nobody');
    this.nodes = names.map((name) => {
      const own = prng.fork(name);
      return new SimulatedNode({
        name,
        scheduler: this.scheduler,
        prng: own,
        trace: this.trace,
        bus: this.bus,
        definition,
        model: this.model,
        referee: this.referee,
        onReport: (node, event) => this.#reported(node, event),
        powerupsOf,
        nextRules: () => options.nextRules?.() ?? rules,
        ownerOf,
        ...options.natureOf(name, own),
        seams,
      });
    });
  }

  /** Purchases that are durable. */
  get purchases(): number {
    return this.#purchases;
  }

  /** Whether every node serves. */
  get allServe(): boolean {
    return this.nodes.every(({ node }) => node !== undefined);
  }

  /** The node that owns a shard. */
  ownerOf(shard: ShardId): SimulatedNode {
    const node = this.nodes[cellOf(shard, limits.cellsPerRegion) % this.nodes.length];
    if (node === undefined) throw new Error(`nobody owns ${shard}`);
    return node;
  }

  /** Damages the image of a shard, if it has one by now. */
  damage(shard: ShardId, how: 'garble' | 'remove' = 'garble'): void {
    this.trace.add('damage', how, shard);
    this.#damagedUntilUs.set(shard, Number.POSITIVE_INFINITY);
    this.ownerOf(shard).disk.images.damage(shard, how);
  }

  /** Puts the image of a shard back as it was, if it is damaged. */
  repair(shard: ShardId): void {
    if (!this.isDamaged(shard)) return;
    this.trace.add('repair', shard);
    this.#damagedUntilUs.set(shard, this.scheduler.nowUs);
    this.ownerOf(shard).disk.images.repair(shard);
  }

  /** Whether the image of a shard is damaged, or was so long ago. */
  isDamaged(shard: ShardId, agoUs = 0): boolean {
    return (this.#damagedUntilUs.get(shard) ?? Number.NEGATIVE_INFINITY) + agoUs > this.scheduler.nowUs;
  }

  /** Whether the listings of a shard may be missing in the index: it was damaged not long ago, and may not have been asked for since. */
  isOutOfIndex(shard: ShardId): boolean {
    return this.isDamaged(shard, RETURN_US_MAX);
  }

  /** Has a shard hear that a transaction is aborted, as the node of its decider would say it. */
  tellAborted(tx: TransactionId, to: ShardId, decider: ShardId): void {
    const message: Outcome = {
      kind: 'outcome',
      key: messageKey('outcome', tx),
      tx,
      decider,
      verdict: { kind: 'aborted', reason: 'listing-gone' },
    };
    const bytes = new TextEncoder().encode(JSON.stringify({ kind: 'envelope', call: null, envelope: { to, message } }));
    this.bus.inject({ from: this.ownerOf(decider).name, to: this.ownerOf(to).name, bytes });
  }

  /** Everything works from now on: images, bus and disks are whole, and nodes that are down come back. */
  heal(): void {
    for (const shard of this.#damagedUntilUs.keys()) this.repair(shard);
    this.bus.weather(CALM_WEATHER);
    for (const node of this.nodes) {
      this.bus.mend(node.name);
      node.disk.inject(() => 'work');
      node.start();
    }
  }

  /** Runs until the condition holds, the time is over, or a promise is broken. */
  until(isDone: () => boolean, spanUs: number): Promise<boolean> {
    return this.scheduler.runUntil(() => this.referee.violations.length > 0 || isDone(), this.scheduler.nowUs + spanUs);
  }

  /** Starts the nodes that are down, and runs until all serve. */
  async startAll(): Promise<void> {
    for (const node of this.nodes) node.start();
    await this.until(() => this.allServe, START_US_MAX);
  }

  /** Runs until the nodes agree on the time, as far as peers must: those that were ahead stand still for the others. A promise, too. */
  async agreeOnTime(): Promise<void> {
    const isAgreed = (): boolean => latestOf(this.nodes) - earliestOf(this.nodes) <= limits.clockPeerDifferenceMaxMs;
    if (!(await this.until(isAgreed, AGREE_US_MAX))) this.referee.complain(LIVELY, 'nodes whose wall clocks agree differ in their time');
  }

  /** Runs until nothing is in doubt and `isDone` holds, or for as long as that may take. */
  async settle(isDone: () => boolean = () => true): Promise<void> {
    await this.until(() => isDone() && this.allServe && doubts(this.model).length === 0, SETTLE_US_MAX);
  }

  /** Runs until all that is durable now is in images and dropped from the journals; that it is so in time is a promise, too. */
  async drain(): Promise<void> {
    const through = new Map(this.nodes.map((node) => [node, node.disk.journal.state.position]));
    const isDropped = (): boolean => [...through].every(([{ disk }, position]) => disk.journal.state.dropped >= position);
    if (await this.until(isDropped, BACKLOG_US_MAX)) return;
    const left = [...through].map(([{ name, disk }, position]) => `${name} has dropped ${disk.journal.state.dropped} of ${position}`);
    if (this.referee.violations.length === 0) this.referee.complain(SHRINKING, left.join(', '));
  }

  /** Runs until the promise has settled; that it does in time is a promise, too. */
  async finish(promise: Promise<unknown>): Promise<void> {
    let isSettled = false;
    void promise.then(() => (isSettled = true));
    const isInTime = await this.until(() => isSettled, CHECK_US_MAX);
    if (!isInTime) this.referee.complain(LIVELY, 'a check did not come to an end');
  }

  /** Has the referee look at the whole. */
  async check(when: string): Promise<void> {
    if (this.referee.violations.length > 0) return;
    this.trace.add('check', when);
    if (!this.allServe) return this.referee.complain(LIVELY, 'a node has not come back');
    await this.finish(this.referee.quiet({ model: this.model, nodes: this.nodes }));
  }

  /** Whether an operator is told of a shard whose file is damaged, or was a moment ago. */
  #isOfDamage(message: string): boolean {
    return [...this.#damagedUntilUs.keys()].some((shard) => message.includes(shard) && this.isDamaged(shard, DAMAGE_ECHO_US));
  }

  /** Errors are for the operator of a real node, and none of the faults of a simulation may cause one. */
  #reported(node: NodeName, event: ReportedEvent): void {
    const { level, message, error } = event;
    this.trace.add('report', node, level, message);
    if ((level !== 'error' && level !== 'alert') || this.#isOfDamage(message) || this.#options.isExpected?.(event) === true) return;
    this.referee.complain(LIVELY, `${node} reports: ${message}${error === undefined ? '' : `: ${inWords(error)}`}`);
  }
}

function earliestOf(nodes: readonly SimulatedNode[]): Instant {
  return instant(Math.min(...nodes.map(({ time }) => time)));
}

/** No node's time is later. */
function latestOf(nodes: readonly SimulatedNode[]): Instant {
  return instant(Math.max(...nodes.map(({ time }) => time)));
}

function wordsOf(deltas: readonly RowDelta[]): string {
  return deltas
    .map(({ entity, id, before, after }) => `${after === undefined ? '-' : before === undefined ? '+' : '~'}${entity}/${id}`)
    .join(' ');
}
