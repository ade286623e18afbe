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
import type { Persister } from '#server/journal/persister.ts';
import type { Platform } from '#server/platform/platform.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import type { ShardDefinition } from '#server/shard/definition.ts';
import type { Message, Reply } from '#server/shard/message.ts';
import { OutputGate } from './gate.ts';
import type { Envelope, Part } from './part.ts';
import { WakeList } from './wake-list.ts';

/** What a cell host needs from its surroundings. */
export interface CellHostOptions {
  readonly platform: Pick<Platform, 'clock' | 'timers' | 'report'>;
  readonly persister: Persister;
  readonly definition: ShardDefinition;
  /** Where messages between shards go: the world. */
  readonly world: Part;
  /** What to send back for a message to a shard that was never created, if anything: a late offer is aborted. */
  readonly replyOfNobody: (envelope: Envelope, now: Instant) => { readonly to: ShardId; readonly message: Message } | undefined;
  /** Shards in memory may take this much, about. */
  readonly memoryBudgetBytes: number;
  /** Called once if a turn that has happened could not be appended or sent on: memory and journal differ, and the process must end. */
  readonly onFault: (fault: Error) => void;
  /** Told of every change set with rows of projected entities, in the order of the journal, once durable: the feed of the index. */
  readonly onChanges: (position: number, changes: ChangeSet) => void;
}

/** Takes the final word to a command. */
export type Answering = (reply: Reply) => void;

/** A shard in memory, as its host sees it. The three fields are the host's own notes on it. */
export interface Tenant {
  /** What it was last counted with against the memory budget. */
  memoryBytes: number;
  /** For which time it is on the wake list; 0 for none. */
  wakeListedAt: number;
  /** Whether it was used since the eviction hand last came by. */
  isUsed: boolean;
  /** Lets the shard look at its alarms. */
  wake(): void;
  /** Takes up what waits in the inbox, now that the disk has caught up. */
  resume(): void;
  /** Drops the shard from memory, if nothing speaks against it; tells whether it did. */
  evict(): boolean;
  /** Puts the shard on the wake list for its earliest alarm. */
  listWake(): void;
  /** Whether somebody still waits for that operation. */
  isAwaited(operation: number): boolean;
  /** Tells whoever waits that the outcome of the trade is unknown, if it still is. */
  giveUp(operation: number, answering: Answering): void;
}

/** A command that waits for the outcome of its trade. */
export interface Expectation {
  readonly resident: Tenant;
  readonly operation: number;
  readonly answering: Answering;
}

/** See the head of this file. */
export class CellHost {
  readonly options: CellHostOptions;
  readonly gate: OutputGate;
  readonly wakeList: WakeList<Tenant>;
  /** Shards in memory, in the order in which the eviction hand comes to them. */
  readonly #residents = new Set<Tenant>();
  /** Shards that have changed since messages were last delivered. */
  readonly #changed = new Set<Tenant>();
  readonly #stalled = new Set<Tenant>();
  readonly #unloadable = new Map<ShardId, { readonly attempts: number; readonly wakeAgainAt: number }>();
  #envelopes: Envelope[] = [];
  #fresh: Expectation[] = [];
  readonly #watched: { readonly at: number; readonly expectation: Expectation }[] = [];
  #isWatching = false;
  #isDelivering = false;
  #memoryBytes = 0;
  #isStopped = false;

  constructor(options: CellHostOptions) {
    this.options = options;
    this.gate = new OutputGate(options.persister);
    this.wakeList = new WakeList(options.platform, (resident) => resident.wake());
  }

  /** The time for a turn. */
  now(): Instant {
    return this.options.platform.clock.now();
  }

  /** Everything up to here survives any crash. */
  get durable(): number {
    return this.options.persister.durable;
  }

  /** Whether turns must wait for the disk. */
  get mustWait(): boolean {
    return this.#isStopped || this.options.persister.full;
  }

  /** Whether the node takes no more turns. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Shards in memory, and the bytes that they take, about. */
  get usage(): { readonly shards: number; readonly bytes: number } {
    return { shards: this.#residents.size, bytes: this.#memoryBytes };
  }

  /** Counts a shard in, or anew after a turn, and makes room if the budget is passed. */
  house(resident: Tenant, memoryBytes: number): void {
    this.#memoryBytes += memoryBytes - resident.memoryBytes;
    resident.memoryBytes = memoryBytes;
    resident.isUsed = true;
    this.#residents.add(resident);
    this.#changed.add(resident);
    if (this.#memoryBytes > this.options.memoryBudgetBytes) this.#evictSome();
  }

  /** Counts a shard out. */
  release(resident: Tenant): void {
    this.#memoryBytes -= resident.memoryBytes;
    this.wakeList.remove(resident);
    this.#residents.delete(resident);
    this.#changed.delete(resident);
    this.#stalled.delete(resident);
  }

  /** Takes turns, and delivers what they sent. What throws in here has broken the order of the journal: the node stops. */
  run(turns: () => void): void {
    if (this.#isStopped) return;
    try {
      turns();
      this.#deliver();
    } catch (error) {
      this.stop();
      this.options.onFault(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Notes a shard that cannot be loaded; tells whether it is time to say so: at first, then ever more rarely. */
  noteUnloadable(shard: ShardId): boolean {
    const attempts = (this.#unloadable.get(shard)?.attempts ?? 0) + 1;
    const pauseMs = Math.min(limits.retryMaxMs, limits.retryFirstMs * limits.retryFactor ** attempts);
    if (this.#unloadable.size < UNLOADABLE_MAX) this.#unloadable.set(shard, { attempts, wakeAgainAt: this.now() + pauseMs });
    return (attempts & (attempts - 1)) === 0;
  }

  /** A shard was loaded: whatever was wrong with it is over. */
  noteLoaded(shard: ShardId): void {
    if (this.#unloadable.size > 0) this.#unloadable.delete(shard);
  }

  /** How many shards could not be loaded when last asked for. */
  get unloadable(): number {
    return this.#unloadable.size;
  }

  /** Whether a shard with an alarm is worth a try by now. */
  isWakeable(shard: ShardId): boolean {
    const known = this.#unloadable.get(shard);
    return known === undefined || known.wakeAgainAt <= this.now();
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
    if (this.#isProjected(changes)) this.gate.release(() => this.options.onChanges(position, changes));
    return position;
  }

  /** Sends a message on its way. Its cause is appended; between nodes, the bus waits for the gate. */
  send(to: ShardId, message: Message): void {
    this.#envelopes.push({ to, message });
  }

  /** Delivers what was sent, and what that leads to, until nothing is left. */
  #deliver(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    for (let index = 0; index < this.#envelopes.length && !this.#isStopped; index++) {
      const envelope = this.#envelopes[index];
      if (envelope !== undefined) void this.options.world.accept(envelope); // Never rejects; a `busy` is driven again by the sender's alarm.
    }
    this.#envelopes = [];
    this.#isDelivering = false;
    // Only now: what a trade within the node wants to be woken for is over by the time that it is delivered.
    if (!this.#isStopped) for (const resident of this.#changed) resident.listWake();
    this.#changed.clear();
    if (this.#fresh.length > 0) this.#watchFresh();
  }

  /** Sees to it that a command does not wait for ever for the outcome of its trade. */
  expect(expectation: Expectation): void {
    this.#fresh.push(expectation);
  }

  /** No more turns, no more output: the process is ending. */
  stop(): void {
    this.#isStopped = true;
    this.gate.shut();
    this.wakeList.clear();
  }

  /** Trades within the node are over by now; the clock runs only for what still waits. */
  #watchFresh(): void {
    const at = this.now() + OUTCOME_WAIT_MS;
    for (const expectation of this.#fresh) {
      if (expectation.resident.isAwaited(expectation.operation)) this.#watched.push({ at, expectation });
    }
    this.#fresh = [];
    if (this.#watched.length > 0 && !this.#isWatching) this.#watch(OUTCOME_WAIT_MS);
  }

  #watch(afterMs: number): void {
    this.#isWatching = true;
    this.options.platform.timers.after(Math.max(WATCH_STEP_MS, afterMs), () => {
      this.#isWatching = false;
      if (this.#isStopped) return;
      const now = this.now();
      const late = this.#watched.findIndex(({ at }) => at > now);
      const over = this.#watched.splice(0, late === -1 ? this.#watched.length : late);
      for (const { expectation } of over) expectation.resident.giveUp(expectation.operation, expectation.answering);
      const next = this.#watched[0];
      if (next !== undefined && !this.#isWatching) this.#watch(next.at - now);
    });
  }

  #isProjected({ puts, removes }: ChangeSet): boolean {
    const { projectedTables } = this.options.definition;
    return puts.some(({ entity }) => projectedTables.has(entity.schema.table)) || removes.some(({ table }) => projectedTables.has(table));
  }

  #resumeStalled(): void {
    const stalled = [...this.#stalled];
    this.#stalled.clear();
    for (const resident of stalled) resident.resume();
  }

  /** Second chance: the hand goes round the shards in the order of their coming; who was used since stays once more. */
  #evictSome(): void {
    let looks = Math.min(this.#residents.size, EVICTION_LOOKS);
    for (const resident of this.#residents) {
      if (looks-- === 0 || this.#memoryBytes <= this.options.memoryBudgetBytes) return;
      this.#residents.delete(resident);
      this.#residents.add(resident);
      if (resident.isUsed) resident.isUsed = false;
      else resident.evict();
    }
  }
}

/** Shards remembered as damaged at most; more than that is a disk that is gone. */
const UNLOADABLE_MAX = 100_000;

/** How many shards one turn looks at for eviction: enough to keep up, too few to be felt. */
const EVICTION_LOOKS = 16;

/** Late outcomes are looked for in steps, so that thousands per second cost no more than a few. */
const WATCH_STEP_MS = 250;

/** How often the node asks for shards on disk whose alarm is due. */
export const ALARM_SCAN_MS = 500;

/** How many shards one scan wakes at most. */
export const ALARM_SCAN_SHARDS = 512;

/** How long a command waits for the outcome of its trade before it is told `outcome-unknown`. */
export const OUTCOME_WAIT_MS = limits.offerWindowMs / 2;
