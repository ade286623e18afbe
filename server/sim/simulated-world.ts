/**
 * A simulated world: some nodes, the bus between them, the model of their journals, and the referee that watches. What happens in it is
 * the business of whoever made it: a simulation at random, or a directed scenario.
 */
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { limits } from '#shared/limits.ts';
import type { Prng } from '#shared/prng.ts';
import type { Rules } from '#shared/rules.ts';
import { instant, type Instant, type Market, nodeName, type NodeName, type RowId, type ShardId } from '#shared/units.ts';
import type { InlineDelays } from '#server/journal/persister/backend-inline.ts';
import type { ReportedEvent } from '#server/platform/platform.ts';
import { cellOf } from '#shared/cell.ts';
import type { Feature } from '#server/market/feature.ts';
import { marketFeatures } from '#server/market/market.ts';
import { PLACES } from '#server/market/places.ts';
import { defineShard } from '#server/shard/definition.ts';
import type { Powerup } from '#server/shard/powerup.ts';
import { AnswerBook } from './answer-book.ts';
import type { Checker } from './checker.ts';
import { ListingBook } from './listing-book.ts';
import { marketCheckers } from './market-checkers.ts';
import { Model } from './model.ts';
import { doubts, quietCheckers } from './quiet-checkers.ts';
import { Referee } from './referee.ts';
import { Scheduler } from './scheduler.ts';
import type { Seams } from './seams.ts';
import { SimulatedBus } from './simulated-bus.ts';
import { SimulatedNode, type WallOffset } from './simulated-node.ts';
import { Trace } from './trace.ts';
import { tradeEffectOf } from './trade-effect.ts';
import { tradeCheckers } from './trade-checkers.ts';
import { turnCheckers } from './turn-checkers.ts';

/** What one node of the world is like. */
export interface NodeNature {
  readonly memoryBudgetBytes: number;
  readonly delays: InlineDelays;
  readonly persisterHaste: number;
  readonly indexMs?: () => number;
  readonly wallOffsetMs: WallOffset;
}

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

/** The one region of every simulated world. */
export const REGION = 'europe';

const LIVELY: Pick<Checker, 'name' | 'sentence'> = {
  name: 'nodes run',
  sentence: 'a node starts from whatever a crash has left, serves, and reports no error but those of its disk',
};

const SHRINKING: Pick<Checker, 'name' | 'sentence'> = {
  name: 'the backlog shrinks',
  sentence: 'what is durable goes into images and leaves the journal, at a node that runs',
};

/** The time of a pass in production: simulated nodes are in more of a hurry. */
const BACKLOG_US_MAX = limits.imagePassIntervalMs * 1_000;

const DAMAGE_ECHO_US = 5_000_000;
/** From the repair of an image until its listings are for sale again. */
const RETURN_US_MAX = 2 * limits.retryMaxMs * 1_000;
const NEVER_BACK: Pick<Checker, 'name' | 'sentence'> = {
  name: 'time never runs back',
  sentence: 'what a node says of time in one life, it says in the next: its time begins no earlier than it ended',
};

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
  readonly #damagedUntilUs = new Map<string, number>();
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
    const ofMarket = marketCheckers({ rulesOf, bodyOf: (shard, key) => this.book.bodyOf(shard, key) });
    const ofTrades = tradeCheckers({
      timeOf: clocks.of,
      isDamaged: (shard) => this.isDamaged(shard),
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
        bus: this.bus,
        definition,
        powerupsOf,
        nextRules: () => options.nextRules?.() ?? rules,
        catalogue: BUILT_IN_CATALOGUE,
        regions: [REGION],
        ownerOf,
        ...options.natureOf(name, own),
        witness: {
          journal: (node) => this.model.listener(node),
          reported: (node, event) => this.#reported(node, event),
          broke: (node, error) => this.referee.complain(LIVELY, `${node}: ${inWords(error)}`),
          changed: (node, what) => this.trace.add('node', node, what),
          toldTime: (node, latest, now) => {
            if (now < latest) this.referee.complain(NEVER_BACK, `${node} was at ${latest}, and starts at ${now}`);
          },
        },
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
    this.ownerOf(shard).disk.damage(shard, how);
  }

  /** Puts the image back as it was. */
  repair(shard: ShardId): void {
    this.trace.add('repair', shard);
    this.#damagedUntilUs.set(shard, this.scheduler.nowUs);
    this.ownerOf(shard).disk.repair(shard);
  }

  /** Whether the image of a shard is damaged, or was a moment ago: what that led to may still be on its way to the disk. */
  isDamaged(shard: string): boolean {
    return (this.#damagedUntilUs.get(shard) ?? Number.NEGATIVE_INFINITY) + DAMAGE_ECHO_US > this.scheduler.nowUs;
  }

  /** Whether the listings of a shard may be missing in the index: it was damaged not long ago, and may not have been asked for since. */
  isOutOfIndex(shard: string): boolean {
    return (this.#damagedUntilUs.get(shard) ?? Number.NEGATIVE_INFINITY) + RETURN_US_MAX > this.scheduler.nowUs;
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
    return [...this.#damagedUntilUs.keys()].some((shard) => message.includes(shard) && this.isDamaged(shard));
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

function inWords(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function wordsOf(
  deltas: readonly { readonly entity: string; readonly id: RowId; readonly before: unknown; readonly after: unknown }[],
): string {
  return deltas.map(({ entity, id, before, after }) => `${signOf(before, after)}${entity}/${id}`).join(' ');
}

function signOf(before: unknown, after: unknown): string {
  if (after === undefined) return '-';
  return before === undefined ? '+' : '~';
}
