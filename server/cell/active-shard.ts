/**
 * A shard in memory, or on its way there: its inbox, its turns, its listeners.
 *
 * A message comes in; the shard is loaded if need be; messages wait in the inbox, in order,
 * bounded. A turn runs, its change set is appended, what it emitted goes on, and what it says waits
 * at the output gate.
 *
 * It owns its state, its inbox and its listeners. What its surroundings need to know of it is in
 * the fields of three interfaces, which they alone write: `BudgetedShard` (except `isUsed`),
 * `AlarmedShard`, `ReplyingShard`. The crossings:
 *
 *   inward    accept, subscribe, unsubscribe, close   the cell
 *             evict                                   the memory budget
 *             isResting, join, took                   another shard, for a turn of both
 *             wakeAt, wake                            the alarm timers
 *   outward   loop.run, append, send                  the order of turns, of the journal, of messages in the node
 *             gate.release                            all output, until it is durable
 *             memory.chargeMemory, uncharge           what it takes in memory
 *             timers.touch, remove                    its earliest alarm
 *             replies.reply, complete, giveUp         commands that wait for their trade
 *             backoff.failed, succeeded               whether it can be loaded
 *             cell.dropShard                          it is no longer in memory
 *
 * 1. One turn at a time.
 * 2. A shard that cannot be loaded answers nothing but `unavailable`, and the failure is not
 *    remembered here.
 * 3. `busy` and `unavailable` are never the outcome of anything: the sender keeps its state and
 *    asks again.
 * 4. It is evicted only when all of its turns are durable, it has no listener, and no message and
 *    no reply waits.
 * 5. It takes part in a turn of another shard only while it is in memory and its inbox is empty.
 * 6. Once it has left, it takes no message and no turn: asserted. The cell loads the shard anew for
 *    the next message.
 */
import { assert } from '#shared/assert.ts';
import type { CellEpoch } from '#shared/cell.ts';
import { limits } from '#shared/limits.ts';
import { refusal } from '#shared/refusals.ts';
import { type Instant, NO_POSITION, NO_VERSION, position, type Position, type ShardId } from '#shared/units.ts';
import { ShardFault, type LoadedShard } from '#server/journal/persister/persister.ts';
import { TAKEN, type Envelope } from '#server/routing/part.ts';
import type { ChangeSet, ShardHeader } from '#server/shard/change-set.ts';
import { answer, isCommand, type Absence, type Command, type Message, type Reply } from '#server/shard/message.ts';
import { Shard, type TurnResult } from '#server/shard/shard.ts';
import type { AnyRow } from '#server/shard/row.ts';
import type { JoinedTurn } from '#server/shard/turn.ts';
import { NO_TIMER, type AlarmedShard } from './alarms/timers.ts';
import type { CellParts, RestingShard } from './cell-parts.ts';
import { Fifo } from './lists/fifo.ts';
import { NOT_CHARGED, type BudgetedShard } from './memory-budget.ts';
import { NO_REPLIES, type ReplyingShard, type Respond } from './pending-replies.ts';

/**
 * What a subscriber of one shard hears, in order and only when durable: first how it stands, then
 * each change.
 */
export type ShardNews =
  | { readonly kind: 'snapshot'; readonly header: ShardHeader; readonly rows: (entity: string) => readonly AnyRow[] }
  | { readonly kind: 'change'; readonly changes: ChangeSet };

/** Hears the news of one shard. */
export type ShardListener = (news: ShardNews) => void;

/** The cell that a shard is in. */
export interface HomeCell {
  readonly cellEpoch: CellEpoch;
  readonly parts: CellParts;
  /** The shard is no longer in memory. */
  dropShard(shard: ShardId): void;
}

interface Active {
  readonly kind: 'active';
  readonly shard: Shard;
  /** The journal position of its last change in this life of it. */
  position: Position;
}

type State = { readonly kind: 'loading' } | Active | { readonly kind: 'left' };

const LOADING: State = { kind: 'loading' };
const LEFT: State = { kind: 'left' };

/**
 * What waits in an inbox. `next` belongs to the list; `respond` is `undefined` for what has no
 * answer, and for a subscription that was taken back.
 */
type Waiting = { next: Waiting | undefined; respond: Respond | undefined } & (
  | { readonly kind: 'message'; readonly message: Message; readonly creates: boolean }
  | { readonly kind: 'subscribe'; readonly listener: ShardListener }
  | { readonly kind: 'wake' }
);

const BUSY: Promise<Reply> = Promise.resolve(refusal('busy'));
/**
 * Shared: most shards have no listener, and an array for each would cost megabytes at hundreds of
 * thousands of shards.
 */
const NO_LISTENERS: readonly ShardListener[] = [];
const NO_ROWS = (): readonly AnyRow[] => [];

const takeInbox = (shard: ActiveShard): void => shard.takeInbox();

/** One shard of one cell, from its first message to its eviction. */
export class ActiveShard implements BudgetedShard, AlarmedShard, ReplyingShard, RestingShard {
  readonly id: ShardId;
  budgetIndex = NOT_CHARGED;
  memoryBytes = 0;
  isUsed = true;
  timerIndex = NO_TIMER;
  timerSlot = 0;
  isTouched = false;
  pendingReplies = NO_REPLIES;
  readonly #cell: HomeCell;
  readonly #parts: CellParts;
  readonly #inbox = new Fifo<Waiting>();
  #listeners = NO_LISTENERS;
  #state: State = LOADING;

  constructor(id: ShardId, cell: HomeCell) {
    this.id = id;
    this.#cell = cell;
    this.#parts = cell.parts;
    this.#load();
  }

  /** See `Part`. */
  accept({ message, creates = false }: Omit<Envelope, 'to'>): Promise<Reply> {
    if (!this.#hasRoom()) return BUSY;
    if (isCommand(message)) return this.#ask(message, creates);
    this.#enter({ kind: 'message', message, creates, respond: undefined, next: undefined });
    return TAKEN;
  }

  #ask(message: Command, creates: boolean): Promise<Reply> {
    return new Promise((respond) => this.#enter({ kind: 'message', message, creates, respond, next: undefined }));
  }

  /** See `Cell.subscribe`. */
  subscribe(listener: ShardListener): Promise<Reply> {
    if (!this.#hasRoom()) return BUSY;
    return new Promise((respond) => this.#enter({ kind: 'subscribe', listener, respond, next: undefined }));
  }

  /**
   * Ends a subscription, also one that still waits in the inbox: the listener hears nothing more.
   */
  unsubscribe(listener: ShardListener): void {
    if (this.#listeners.includes(listener)) this.#listeners = this.#listeners.filter((one) => one !== listener);
    else this.#takeBack(listener);
  }

  get wakeAt(): Instant | 0 {
    return this.#state.kind === 'active' ? this.#state.shard.wakeAt : 0;
  }

  wake(): void {
    if (this.#hasRoom()) this.#enter({ kind: 'wake', respond: undefined, next: undefined });
  }

  /** Whether it is in memory and has nothing to do. */
  get isResting(): boolean {
    return this.#state.kind === 'active' && this.#inbox.length === 0;
  }

  join(now: Instant): JoinedTurn | undefined {
    assert(this.#state.kind === 'active' && this.isResting, 'a shard that has something to do takes part in a turn of another one');
    this.isUsed = true;
    return this.#state.shard.join(now);
  }

  took(appended: Position, changes: ChangeSet): void {
    assert(this.#state.kind === 'active', 'a shard that is not in memory has taken part in a turn');
    this.#took(this.#state, appended, changes);
  }

  evict(): boolean {
    if (this.#inbox.length > 0 || this.#listeners.length > 0 || this.pendingReplies.length > 0) return false;
    if (this.#state.kind !== 'active' || this.#state.position > this.#parts.journal.durable) return false;
    this.#leave();
    this.#cell.dropShard(this.id);
    return true;
  }

  /**
   * Leaves memory because its cell is being closed: what waits in the inbox hears `unavailable`,
   * and what waits for the outcome of a trade `outcome-unknown`. Listeners hear of the changes that
   * are not durable yet, and nothing after them.
   */
  close(): void {
    this.#leave();
    for (let waiting = this.#inbox.first; waiting !== undefined; waiting = waiting.next) this.#refuse(waiting, refusal('unavailable'));
    this.#inbox.clear();
    this.#parts.replies.giveUp(this);
  }

  /** Takes what waits in the inbox, as far as the shard is there and the disk keeps up. */
  takeInbox(): void {
    for (;;) {
      const next = this.#inbox.first;
      const state = this.#state;
      if (next === undefined || state.kind !== 'active') return;
      if (this.#parts.loop.mustWait) return this.#parts.loop.runWhenReady(takeInbox, this);
      this.#take(state, next);
      this.#inbox.shift();
    }
  }

  #hasRoom(): boolean {
    assert(this.#state !== LEFT, 'a shard that has left memory is handed a message');
    return this.#inbox.length < limits.inboxMessagesMax;
  }

  #enter(waiting: Waiting): void {
    this.isUsed = true;
    this.#inbox.push(waiting);
    if (this.#inbox.length === 1) this.#parts.loop.run(takeInbox, this);
  }

  #takeBack(listener: ShardListener): void {
    for (let waiting = this.#inbox.first; waiting !== undefined; waiting = waiting.next) {
      if (waiting.kind !== 'subscribe' || waiting.listener !== listener || waiting.respond === undefined) continue;
      this.#refuse(waiting, refusal('unavailable'));
      waiting.respond = undefined;
      return;
    }
  }

  #take(active: Active, next: Waiting): void {
    switch (next.kind) {
      case 'message':
        return this.#turn(active, next.message, next.respond);
      case 'wake':
        return this.#alarms(active);
      case 'subscribe':
        return this.#welcome(active, next.listener, next.respond);
    }
  }

  #turn(active: Active, message: Message, respond: Respond | undefined): void {
    assert(this.#state === active, 'a shard that has left memory takes a turn');
    const result = active.shard.turn(message, this.#parts.loop.turnTime, this.#parts.neighbours);
    this.#settle(active, result, respond);
    if (result.failed !== undefined) this.#report(`a turn of ${this.id} failed on ${message.kind}`, result.failed);
  }

  /**
   * Appends what the turn changed, sends on what it emitted, and answers. From the append on, the
   * turn has happened.
   */
  #settle(active: Active, result: TurnResult, respond: Respond | undefined): void {
    const { changes, emitted, completed, handled, joined } = result;
    const { loop, replies } = this.#parts;
    if (changes !== undefined) this.#append(active, changes, joined?.changes);
    for (const envelope of emitted) loop.send(envelope);
    if (joined !== undefined) for (const envelope of joined.emitted) loop.send(envelope);
    for (const { operation, reply } of completed) replies.complete(this, operation, reply);
    if (respond !== undefined) replies.reply(this, handled, respond);
  }

  #append(active: Active, changes: ChangeSet, ofPartner?: ChangeSet): void {
    const appended = this.#parts.loop.append(changes, ofPartner);
    if (ofPartner !== undefined) this.#partner(ofPartner.shard).took(position(appended - 1), ofPartner);
    this.#took(active, appended, changes);
  }

  #partner(shard: ShardId): RestingShard {
    const partner = this.#parts.resting(shard);
    assert(partner !== undefined, () => `${shard} has taken part in a turn, and is not there to hear of it`);
    return partner;
  }

  /** Its changes are in the journal, at that position. */
  #took(active: Active, appended: Position, changes: ChangeSet): void {
    active.position = appended;
    this.#publish(appended, changes);
    this.#charge(active);
  }

  /**
   * Tells the two audiences of a change, once it is durable: the feed of the index, and the
   * listeners of this moment.
   */
  #publish(position: Position, changes: ChangeSet): void {
    const { definition, onChanges } = this.#parts;
    const listeners = this.#listeners;
    const isProjected = hasProjectedRows(changes, definition.projectedTables);
    if (!isProjected && listeners.length === 0) return;
    this.#parts.gate.release(() => {
      if (isProjected) onChanges(position, changes);
      for (const listener of listeners) if (this.#listeners.includes(listener)) listener({ kind: 'change', changes });
    });
  }

  #charge({ shard }: Active): void {
    this.#parts.memory.chargeMemory(this, shard.memoryBytes);
    this.#parts.timers.touch(this);
  }

  #alarms(active: Active): void {
    for (const alarm of active.shard.dueAlarms(this.#parts.loop.turnTime)) this.#turn(active, alarm, undefined);
    this.#parts.timers.touch(this);
  }

  #welcome({ shard }: Active, listener: ShardListener, respond: Respond | undefined): void {
    if (respond === undefined) return;
    const { header } = shard;
    const { entityByName } = this.#parts.definition;
    const rowsByEntity = new Map([...entityByName.keys()].map((name) => [name, shard.rows(name)]));
    this.#listeners = [...this.#listeners, listener];
    this.#parts.gate.release(() => {
      if (this.#listeners.includes(listener)) listener({ kind: 'snapshot', header, rows: (entity) => rowsByEntity.get(entity) ?? [] });
      respond(answer(undefined));
    });
  }

  #load(): void {
    const { loop, journal } = this.#parts;
    journal.load(this.id).then(
      (loaded) => loop.run(() => this.#loaded(loaded), undefined),
      (error: unknown) => loop.run(() => this.#unloadable(error, error instanceof ShardFault ? error.lastTurnAt : undefined), undefined),
    );
  }

  #loaded(loaded: LoadedShard): void {
    if (this.#state !== LOADING) return; // Its cell was closed meanwhile.
    const { backoff, definition } = this.#parts;
    if (loaded.kind === 'absent') {
      backoff.succeeded(this.id, NO_VERSION, NO_ROWS);
      return this.#absent();
    }
    let opened: ReturnType<typeof Shard.load>;
    try {
      const { cell, epoch } = this.#cell.cellEpoch;
      const of = [definition, loaded.shard, cell, epoch] as const;
      opened = loaded.kind === 'edited' ? Shard.loadEdited(...of) : Shard.load(...of);
    } catch (error) {
      // An image that was edited says nothing for certain, not even when its last turn was.
      return this.#unloadable(error, loaded.kind === 'edited' ? undefined : loaded.shard.now);
    }
    const { shard, upgrade } = opened;
    const active: Active = { kind: 'active', shard, position: NO_POSITION };
    this.#state = active;
    backoff.succeeded(this.id, loaded.shard.version, (entity) => shard.rows(entity));
    this.#charge(active);
    if (upgrade !== undefined) this.#append(active, upgrade);
    this.takeInbox();
  }

  /**
   * The shard does not exist. The first message with `creates` makes it; everything before that is
   * refused.
   */
  #absent(): void {
    while (this.#state === LOADING) {
      const waiting = this.#inbox.first;
      if (waiting === undefined) {
        this.#leave();
        return this.#cell.dropShard(this.id);
      }
      // Nothing was decided yet, so the disk is simply asked again when it has caught up.
      if (this.#parts.loop.mustWait) return this.#parts.loop.runWhenReady(() => this.#load(), undefined);
      if (waiting.kind === 'message' && waiting.creates) this.#create(waiting.message, waiting.respond);
      else this.#turnAway(waiting, refusal('unauthorized', { reason: 'no such player here' }), { kind: 'never-created' });
      this.#inbox.shift();
    }
    this.takeInbox();
  }

  #create(message: Message, respond: Respond | undefined): void {
    const { cell, epoch } = this.#cell.cellEpoch;
    const { loop, neighbours, definition } = this.#parts;
    const shard = Shard.create(definition, this.id, cell, epoch, loop.turnTime);
    const result = shard.turn(message, loop.turnTime, neighbours);
    const active: Active = { kind: 'active', shard, position: NO_POSITION };
    if (result.changes !== undefined) this.#state = active;
    this.#settle(active, result, respond);
    if (result.failed !== undefined) this.#report(`${this.id} could not be created`, result.failed);
  }

  #unloadable(error: unknown, lastTurnAt: Instant | undefined): void {
    if (this.#state !== LOADING) return; // Its cell was closed meanwhile.
    this.#parts.backoff.failed(this.id);
    if (this.#parts.backoff.isToReport(this.id)) this.#report(`${this.id} could not be loaded`, error);
    this.#leave();
    this.#cell.dropShard(this.id);
    for (let waiting = this.#inbox.first; waiting !== undefined; waiting = waiting.next) {
      this.#turnAway(waiting, refusal('unavailable'), { kind: 'unloadable', lastTurnAt });
    }
  }

  /**
   * Refuses what this shard cannot take. A message between shards has no answer, but its sender may
   * be sent one in place of the shard.
   */
  #turnAway(waiting: Waiting, refused: Reply, absence: Absence): void {
    if (this.#refuse(waiting, refused) || waiting.kind !== 'message') return;
    const { loop, replyInPlaceOf } = this.#parts;
    const reply = replyInPlaceOf({ to: this.id, message: waiting.message }, loop.turnTime, absence);
    if (reply !== undefined) loop.send(reply);
  }

  /** Tells what waits for word, if anything does. */
  #refuse({ respond }: Waiting, refused: Reply): boolean {
    if (respond !== undefined) this.#parts.gate.release(() => respond(refused));
    return respond !== undefined;
  }

  #leave(): void {
    this.#state = LEFT;
    this.#parts.memory.uncharge(this);
    this.#parts.timers.remove(this);
  }

  #report(message: string, error: unknown): void {
    this.#parts.platform.report({ level: 'error', message, error });
  }
}

function hasProjectedRows({ puts, removes }: ChangeSet, projectedTables: ReadonlySet<string>): boolean {
  for (const { entity } of puts) if (projectedTables.has(entity.schema.table)) return true;
  for (const { table } of removes) if (projectedTables.has(table)) return true;
  return false;
}
