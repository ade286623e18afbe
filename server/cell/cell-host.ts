/**
 * What the cells of one node share: journal, output gate, wake list, memory budget, and the queue of messages between
 * shards of the node.
 *
 * 1. One message is taken at a time, whole: the node is one order of turns, the order of its journal.
 * 2. Messages between shards of the node are taken in the order in which they were emitted, after their cause is appended.
 * 3. A shard leaves memory only when all of its turns are durable and nobody is connected or waits for it.
 */
import { limits } from '#shared/limits.ts';
import type { Instant, ShardId } from '#shared/units.ts';
import type { Journal } from '#server/journal/persister/persister.ts';
import type { Platform } from '#server/platform/platform.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import type { ShardDefinition } from '#server/shard/definition.ts';
import type { AnyRow } from '#server/shard/entity.ts';
import type { Absence, Emitted, Reply } from '#server/shard/message.ts';
import type { Neighbours } from '#server/shard/turn.ts';
import { OutputGate } from './gate.ts';
import { Housing, type Lodger } from './housing.ts';
import type { Envelope, Part } from '#server/routing/part.ts';
import { Queue } from './queue.ts';
import { WakeList, type Sleeper } from './wake-list.ts';

/** What a cell host needs from its surroundings. */
export interface CellHostOptions {
  readonly platform: Pick<Platform, 'readings' | 'clock' | 'timers' | 'report'>;
  readonly persister: Journal;
  readonly definition: ShardDefinition;
  /** Where messages between shards go: the world. */
  readonly world: Part;
  /** What to send back for a message to a shard that cannot take it, if anything: a late offer may be aborted. */
  readonly replyInPlaceOf: (envelope: Envelope, now: Instant, absence: Absence) => Emitted | undefined;
  /** Shards in memory may take this much, about. */
  readonly memoryBudgetBytes: number;
  /** Called once if a turn that has happened could not be appended or sent on: memory and journal differ, and the process must end. */
  readonly onFault: (fault: Error) => void;
  /** Told of every change set with rows of projected entities, in the order of the journal, once durable: the feed of the index. */
  readonly onChanges: (position: number, changes: ChangeSet) => void;
  /** Told of a shard that cannot be loaded, at each attempt: what it leads to may fail, too, and is tried again with the next one. */
  readonly onUnloadable: (shard: ShardId) => void;
  /** Told that such a shard is there again, or known to have never been there, as of that durable version: its rows, as this program reads them. */
  readonly onLoadable: (shard: ShardId, version: number, rows: (entity: string) => readonly AnyRow[]) => void;
}

/** Takes the final word to a command. */
export type Answering = (reply: Reply) => void;

/** Takes turns when told to. */
export interface Worker {
  work(): void;
}

/** A shard in memory, as its host sees it. */
export interface Tenant extends Worker, Lodger, Sleeper {
  /** Whether it has been touched by the delivery under way: the host's own note. */
  isTouched: boolean;
  /** Lets the shard look at its alarms. */
  wake(): void;
  /** Puts the shard on the wake list for its earliest alarm. */
  listWake(): void;
  /** Tells whoever waits that the outcome of the trade is unknown, if it still is. */
  giveUp(expectation: Expectation): void;
}

/** A command that waits for the outcome of its trade. The resident owns it. */
export interface Expectation {
  readonly resident: Tenant;
  readonly operation: number;
  /** `undefined` once it is answered. */
  answering: Answering | undefined;
}

/** See the head of this file. */
export class CellHost implements Neighbours {
  readonly options: CellHostOptions;
  readonly gate: OutputGate;
  readonly wakeList: WakeList<Tenant>;
  readonly #housing: Housing;
  readonly #envelopes = new Queue<Envelope>();
  /** Shards that may want to be woken at another time than before the delivery under way. */
  readonly #touched = new Queue<Tenant>();
  /** Commands that began to wait during the delivery under way. */
  readonly #expected = new Queue<Expectation>();
  /** Who waits gets a word after a span of the machine: the node's own time may stand still. */
  readonly #watched = new Queue<{ readonly atMs: number; readonly expectation: Expectation }>();
  readonly #stalled = new Set<Tenant>();
  /** By the time of the last attempt. */
  readonly #unloadable = new Map<ShardId, { readonly attempts: number; readonly wakeAgainAtMs: number }>();
  #turnTime: Instant;
  #isWatching = false;
  #isRunning = false;
  #isStopped = false;

  constructor(options: CellHostOptions) {
    this.options = options;
    this.gate = new OutputGate(options.persister);
    this.wakeList = new WakeList(options.platform, (resident) => resident.wake());
    this.#housing = new Housing(options.memoryBudgetBytes);
    this.#turnTime = this.now();
  }

  /** The time. */
  now(): Instant {
    return this.options.platform.clock.now();
  }

  /** Milliseconds of the machine, for spans. */
  get #monotonicMs(): number {
    return this.options.platform.readings.monotonicMs();
  }

  /** The time for the turns under way: read once for a message and all that it leads to within the node. */
  get turnTime(): Instant {
    return this.#turnTime;
  }

  /** Everything up to here survives any crash. */
  get durable(): number {
    return this.options.persister.durable;
  }

  /** Whether turns must wait for the disk. */
  get mustWait(): boolean {
    return this.#isStopped || this.options.persister.isFull;
  }

  /** Whether the node takes no more turns. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Shards in memory, and the bytes that they take, about. */
  get usage(): { readonly shards: number; readonly bytes: number } {
    return this.#housing.usage;
  }

  /** Counts a shard in, or anew after a turn, and makes room if the budget is passed. */
  house(resident: Tenant, memoryBytes: number): void {
    this.#housing.house(resident, memoryBytes);
    this.touch(resident);
  }

  /** Counts a shard out. */
  release(resident: Tenant): void {
    this.#housing.release(resident);
    this.wakeList.remove(resident);
    this.#stalled.delete(resident);
  }

  /** Has the shard put on the wake list once the delivery under way is over. */
  touch(resident: Tenant): void {
    if (resident.isTouched) return;
    resident.isTouched = true;
    this.#touched.push(resident);
  }

  /**
   * Has turns taken, and delivers what they sent, unless that is what is happening already. What throws in here has broken the order of
   * the journal: the node stops.
   */
  run(worker: Worker): void {
    if (this.#isStopped) return;
    try {
      if (this.#isRunning) return worker.work();
      this.#isRunning = true;
      this.#turnTime = this.now();
      worker.work();
      this.#deliver();
      this.#isRunning = false;
    } catch (error) {
      this.stop();
      this.options.onFault(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Notes a shard that cannot be loaded; tells whether it is time to say so: at first, then ever more rarely. */
  noteUnloadable(shard: ShardId): boolean {
    const attempts = (this.#unloadable.get(shard)?.attempts ?? 0) + 1;
    const pauseMs = Math.min(limits.retryMaxMs, limits.retryFirstMs * limits.retryFactor ** attempts);
    if (attempts === 1 && this.#unloadable.size >= UNLOADABLE_MAX) return true;
    this.#unloadable.delete(shard); // To the end: whoever has waited longest is tried next, so that nobody waits for ever.
    this.#unloadable.set(shard, { attempts, wakeAgainAtMs: this.#monotonicMs + pauseMs });
    this.options.onUnloadable(shard);
    return (attempts & (attempts - 1)) === 0;
  }

  /** A shard was loaded, as of that version and with these rows: whatever was wrong with it is over. */
  noteLoaded(shard: ShardId, version: number, rows: (entity: string) => readonly AnyRow[]): void {
    if (this.#unloadable.size > 0 && this.#unloadable.delete(shard)) this.options.onLoadable(shard, version, rows);
  }

  /** See `Neighbours`: what could not be loaded when it was last tried. */
  isUnloadable(shard: ShardId): boolean {
    return this.#unloadable.size > 0 && this.#unloadable.has(shard);
  }

  /** Shards that could not be loaded and are worth another try, whether or not anybody asks for them: at most so many. */
  unloadableToTry(limit: number): readonly ShardId[] {
    const shards: ShardId[] = [];
    const nowMs = this.#monotonicMs;
    for (const [shard, { wakeAgainAtMs }] of this.#unloadable) {
      if (shards.length >= limit) break;
      if (wakeAgainAtMs <= nowMs) shards.push(shard);
    }
    return shards;
  }

  /** How many shards could not be loaded when last asked for. */
  get unloadable(): number {
    return this.#unloadable.size;
  }

  /** Whether a shard with an alarm is worth a try by now. */
  isWakeable(shard: ShardId): boolean {
    const known = this.#unloadable.get(shard);
    return known === undefined || known.wakeAgainAtMs <= this.#monotonicMs;
  }

  /** Has the shard's inbox taken up once the disk has caught up. */
  stall(resident: Tenant): void {
    if (this.#isStopped) return;
    if (this.#stalled.size === 0) void this.options.persister.whenReady().then(() => this.#resumeStalled());
    this.#stalled.add(resident);
  }

  /** Appends the changes of a turn and tells, once durable, who wants to know. Returns the journal position. */
  append(changes: ChangeSet): number {
    const position = this.options.persister.append(changes);
    if (this.#isProjected(changes)) this.#feed(position, changes);
    return position;
  }

  #feed(position: number, changes: ChangeSet): void {
    this.gate.release(() => this.options.onChanges(position, changes));
  }

  /** Sends a message on its way. Its cause is appended; between nodes, the bus waits for the gate. */
  send(envelope: Envelope): void {
    this.#envelopes.push(envelope);
  }

  /** Delivers what was sent, and what that leads to, until nothing is left. */
  #deliver(): void {
    for (let envelope = this.#envelopes.shift(); envelope !== undefined && !this.#isStopped; envelope = this.#envelopes.shift()) {
      void this.options.world.accept(envelope); // Never rejects; a `busy` is driven again by the sender's alarm.
    }
    if (this.#isStopped) return;
    // Only now: what a trade within the node wants to be woken for, and who waits for it, is over by the time that it is delivered.
    for (let resident = this.#touched.shift(); resident !== undefined; resident = this.#touched.shift()) {
      resident.isTouched = false;
      resident.listWake();
    }
    for (let expectation = this.#expected.shift(); expectation !== undefined; expectation = this.#expected.shift()) {
      if (expectation.answering !== undefined) this.#watch(expectation);
    }
  }

  /** Sees to it that a command does not wait for ever for the outcome of its trade. */
  expect(expectation: Expectation): void {
    this.#expected.push(expectation);
  }

  /** No more turns, no more output: the process is ending. */
  stop(): void {
    this.#isStopped = true;
    this.gate.shut();
    this.wakeList.clear();
  }

  #watch(expectation: Expectation): void {
    this.#watched.push({ atMs: this.#monotonicMs + OUTCOME_WAIT_MS, expectation });
    if (!this.#isWatching) this.#watchAfter(OUTCOME_WAIT_MS);
  }

  #watchAfter(ms: number): void {
    this.#isWatching = true;
    this.options.platform.timers.after(Math.max(WATCH_STEP_MS, ms), () => {
      this.#isWatching = false;
      if (this.#isStopped) return;
      const nowMs = this.#monotonicMs;
      for (let next = this.#watched.first; next !== undefined; next = this.#watched.first) {
        if (next.atMs > nowMs) return this.#watchAfter(next.atMs - nowMs);
        this.#watched.shift();
        next.expectation.resident.giveUp(next.expectation);
      }
    });
  }

  #isProjected({ puts, removes }: ChangeSet): boolean {
    const { projectedTables } = this.options.definition;
    for (const { entity } of puts) if (projectedTables.has(entity.schema.table)) return true;
    for (const { table } of removes) if (projectedTables.has(table)) return true;
    return false;
  }

  #resumeStalled(): void {
    const stalled = [...this.#stalled];
    this.#stalled.clear();
    for (const resident of stalled) this.run(resident);
  }
}

/** Shards remembered as damaged at most; more than that is a disk that is gone. */
const UNLOADABLE_MAX = 100_000;

/** Late outcomes are looked for in steps, so that thousands per second cost no more than a few. */
const WATCH_STEP_MS = 250;

/** How long a command waits for the outcome of its trade before it is told `outcome-unknown`. */
export const OUTCOME_WAIT_MS = limits.offerWindowMs / 2;
