/**
 * A shard as a part of its node: in memory, or on its way there, with the messages that wait for it.
 *
 * A message comes in; the shard is loaded if need be; messages wait in the inbox, in order, bounded. A turn runs, its change set is
 * appended, what it emitted goes on, and what it says waits at the output gate.
 *
 * 1. One turn at a time.
 * 2. A shard that cannot be loaded answers nothing but `unavailable`, and the failure is not remembered.
 * 3. `busy` is never the outcome of anything: the sender keeps its state and asks again.
 * 4. A shard leaves memory only when all of its turns are durable and nobody is connected or waits for it.
 */
import { limits } from '#shared/limits.ts';
import { refusal } from '#shared/refusals.ts';
import { instant, type Instant, type ShardId } from '#shared/units.ts';
import { ShardFault, type LoadedShard } from '#server/journal/persister/persister.ts';
import type { ChangeSet, ShardHeader } from '#server/shard/change-set.ts';
import { answer, isCommand, type Absence, type Command, type Message, type Reply } from '#server/shard/message.ts';
import { Shard, type TurnResult } from '#server/shard/shard.ts';
import type { AnyRow } from '#server/shard/row.ts';
import type { Answering, CellHost, Expectation, Tenant } from './cell-host.ts';
import { Chain } from './chain.ts';
import { HOMELESS } from './housing.ts';
import { TAKEN, type Envelope, type Part } from '#server/routing/part.ts';
import { NOWHERE } from './wake-list.ts';

/** What a subscriber of one shard hears, in order and only when durable: first how it stands, then each change. */
export type ShardNews =
  | { readonly kind: 'snapshot'; readonly header: ShardHeader; readonly rows: (entity: string) => readonly AnyRow[] }
  | { readonly kind: 'change'; readonly changes: ChangeSet };

/** Hears the news of one shard. */
export type ShardListener = (news: ShardNews) => void;

/** What a resident needs of its cell. */
export interface Home {
  readonly index: number;
  readonly epoch: number;
  readonly host: CellHost;
  /** The shard is no longer in memory. */
  forget(shard: ShardId): void;
}

/** What waits in an inbox. `next` belongs to the chain. */
type Waiting = { next: Waiting | undefined } & (
  | { readonly kind: 'message'; readonly message: Message; readonly creates: boolean; readonly answering: Answering | undefined }
  /** There is no subscription any more once it was taken back. */
  | { readonly kind: 'subscribe'; subscription: Subscription | undefined }
  | { readonly kind: 'wake' }
);

interface Subscription {
  readonly listener: ShardListener;
  readonly answering: Answering;
}

const BUSY: Promise<Reply> = Promise.resolve(refusal('busy'));
/** There are hundreds of thousands of residents, and next to nobody listens to or waits for most of them. */
const NOBODY: readonly never[] = [];
/** The least pause before an alarm that was just handled may ring again. */
const RING_AGAIN_MS = 20;

/** See the head of this file. */
export class Resident implements Part, Tenant {
  readonly id: ShardId;
  seat = HOMELESS;
  memoryBytes = 0;
  isUsed = true;
  isTouched = false;
  wakeSeat = NOWHERE;
  wakeSlot = 0;
  readonly #home: Home;
  readonly #host: CellHost;
  readonly #inbox = new Chain<Waiting>();
  #listeners: readonly ShardListener[] = NOBODY;
  /** Who waits for an operation under way. */
  #expectations: readonly Expectation[] = NOBODY;
  /** `undefined` while it is loaded, and once it has left. */
  #shard: Shard | undefined;
  /** The journal position of its last change. */
  #position = 0;

  constructor(id: ShardId, home: Home) {
    this.id = id;
    this.#home = home;
    this.#host = home.host;
    this.#load();
  }

  /** See `Part`. */
  accept({ message, creates = false }: Omit<Envelope, 'to'>): Promise<Reply> {
    if (this.#inbox.length >= limits.inboxMessagesMax) return BUSY;
    if (isCommand(message)) return this.#ask(message, creates);
    this.#enter({ kind: 'message', message, creates, answering: undefined, next: undefined });
    return TAKEN;
  }

  #ask(message: Command, creates: boolean): Promise<Reply> {
    return new Promise((answering) => this.#enter({ kind: 'message', message, creates, answering, next: undefined }));
  }

  /** See `Cell.subscribe`. */
  subscribe(listener: ShardListener): Promise<Reply> {
    if (this.#inbox.length >= limits.inboxMessagesMax) return BUSY;
    return new Promise((answering) => this.#enter({ kind: 'subscribe', subscription: { listener, answering }, next: undefined }));
  }

  /** Ends a subscription, also one that is still on its way: the listener hears nothing more. */
  unsubscribe(listener: ShardListener): void {
    if (this.#listeners.includes(listener)) this.#listeners = this.#listeners.filter((one) => one !== listener);
    else this.#takeBack(listener);
  }

  wake(): void {
    if (this.#inbox.length < limits.inboxMessagesMax) this.#enter({ kind: 'wake', next: undefined });
  }

  evict(): boolean {
    const isWanted = this.#inbox.length > 0 || this.#listeners.length > 0 || this.#expectations.length > 0;
    if (isWanted || this.#shard === undefined || this.#position > this.#host.durable) return false;
    this.#leave();
    return true;
  }

  listWake(): void {
    const wakeAt = this.#shard?.wakeAt ?? 0;
    // An alarm that is due again at once is a handler's bug, or a stuck row: it must not spin.
    if (wakeAt !== 0) this.#host.wakeList.add(this, instant(Math.max(wakeAt, this.#host.turnTime + RING_AGAIN_MS)));
  }

  giveUp(expectation: Expectation): void {
    if (expectation.answering === undefined) return;
    this.#tellOutcome(expectation, refusal('outcome-unknown'));
    this.#expectations = this.#expectations.filter(isOpen);
  }

  /** Takes what waits in the inbox, as far as the shard is there and the disk keeps up. */
  work(): void {
    for (;;) {
      const next = this.#inbox.first;
      if (next === undefined || this.#shard === undefined) return;
      if (this.#host.mustWait) return this.#host.stall(this);
      this.#take(this.#shard, next);
      this.#inbox.shift();
    }
  }

  #enter(waiting: Waiting): void {
    this.isUsed = true;
    this.#inbox.push(waiting);
    if (this.#inbox.length === 1) this.#host.run(this);
  }

  #takeBack(listener: ShardListener): void {
    for (let waiting = this.#inbox.first; waiting !== undefined; waiting = waiting.next) {
      if (waiting.kind !== 'subscribe' || waiting.subscription?.listener !== listener) continue;
      const { answering } = waiting.subscription;
      waiting.subscription = undefined;
      return this.#host.gate.release(() => answering(refusal('unavailable')));
    }
  }

  #take(shard: Shard, next: Waiting): void {
    switch (next.kind) {
      case 'message':
        return this.#turn(shard, next.message, next.answering);
      case 'wake':
        return this.#alarms(shard);
      case 'subscribe':
        return this.#welcome(shard, next.subscription);
    }
  }

  #turn(shard: Shard, message: Message, answering: Answering | undefined): void {
    const result = shard.turn(message, this.#host.turnTime, this.#host);
    this.#settle(shard, result);
    if (answering !== undefined) this.#answer(result, answering);
    if (result.failed !== undefined) this.#report(`a turn of ${this.id} failed on ${message.kind}`, result.failed);
  }

  /** Appends what the turn changed and sends on what it emitted. From here on the turn has happened. */
  #settle(shard: Shard, { changes, emitted, completed }: TurnResult): void {
    if (changes !== undefined) this.#append(shard, changes);
    for (const envelope of emitted) this.#host.send(envelope);
    for (const { operation, reply } of completed) this.#complete(operation, reply);
  }

  #complete(operation: number, reply: Reply): void {
    if (this.#expectations.length === 0) return;
    for (const expectation of this.#expectations) if (expectation.operation === operation) this.#tellOutcome(expectation, reply);
    this.#expectations = this.#expectations.filter(isOpen);
  }

  #tellOutcome(expectation: Expectation, reply: Reply): void {
    const { answering } = expectation;
    expectation.answering = undefined;
    if (answering !== undefined) this.#host.gate.release(() => answering(reply));
  }

  #append(shard: Shard, changes: ChangeSet): void {
    this.#position = this.#host.append(changes);
    if (this.#listeners.length > 0) this.#tellAll(changes);
    this.#host.house(this, shard.memoryBytes);
  }

  #tellAll(changes: ChangeSet): void {
    for (const listener of this.#listeners) this.#host.gate.release(() => this.#tell(listener, changes));
  }

  #tell(listener: ShardListener, changes: ChangeSet): void {
    if (this.#listeners.includes(listener)) listener({ kind: 'change', changes });
  }

  #answer({ handled }: TurnResult, answering: Answering): void {
    switch (handled.kind) {
      case 'answer':
      case 'refusal':
        return this.#host.gate.release(() => answering(handled));
      case 'done':
        return this.#host.gate.release(() => answering(answer(undefined)));
      case 'later':
        return this.#await(handled.operation, answering);
    }
  }

  #await(operation: number, answering: Answering): void {
    const expectation: Expectation = { resident: this, operation, answering };
    this.#expectations = [...this.#expectations, expectation];
    this.#host.expect(expectation);
  }

  #alarms(shard: Shard): void {
    for (const alarm of shard.dueAlarms(this.#host.turnTime)) this.#turn(shard, alarm, undefined);
    this.#host.touch(this);
  }

  #welcome(shard: Shard, subscription: Subscription | undefined): void {
    if (subscription === undefined) return;
    const { listener, answering } = subscription;
    const { header } = shard;
    const rowsByEntity = new Map([...this.#host.options.definition.entityByName.keys()].map((name) => [name, shard.rows(name)]));
    this.#listeners = [...this.#listeners, listener];
    this.#host.gate.release(() => {
      if (this.#listeners.includes(listener)) listener({ kind: 'snapshot', header, rows: (entity) => rowsByEntity.get(entity) ?? [] });
      answering(answer(undefined));
    });
  }

  #load(): void {
    this.#host.options.persister.load(this.id).then(
      (loaded) => this.#host.run({ work: () => this.#loaded(loaded) }),
      (error: unknown) => this.#host.run({ work: () => this.#unavailable(error, lastTurnOf(error)) }),
    );
  }

  #loaded(loaded: LoadedShard): void {
    if (loaded.kind === 'absent') {
      this.#host.noteLoaded(this.id, 0, () => NOBODY);
      return this.#absent();
    }
    let opened: ReturnType<typeof Shard.load>;
    try {
      const of = [this.#host.options.definition, loaded.shard, this.#home.index, this.#home.epoch] as const;
      opened = loaded.kind === 'edited' ? Shard.loadEdited(...of) : Shard.load(...of);
    } catch (error) {
      // What somebody has edited says nothing for certain, not even when its last turn was.
      return this.#unavailable(error, loaded.kind === 'edited' ? undefined : loaded.shard.now);
    }
    const { shard, upgrade } = opened;
    this.#shard = shard;
    this.#host.noteLoaded(this.id, loaded.shard.version, (entity) => shard.rows(entity));
    this.#host.house(this, shard.memoryBytes);
    if (upgrade !== undefined) this.#append(shard, upgrade);
    this.work();
  }

  /** Nobody was here before. Who may create the shard does; the others hear that there is none. */
  #absent(): void {
    while (this.#shard === undefined) {
      const waiting = this.#inbox.first;
      if (waiting === undefined) break;
      if (this.#host.mustWait) return this.#retryLoad();
      if (waiting.kind === 'message' && waiting.creates) this.#create(waiting.message, waiting.answering);
      else this.#turnAway(waiting);
      this.#inbox.shift();
    }
    if (this.#shard === undefined) this.#leave();
    else this.work();
  }

  #create(message: Message, answering: Answering | undefined): void {
    const { index, epoch } = this.#home;
    const shard = Shard.create(this.#host.options.definition, this.id, index, epoch, this.#host.turnTime);
    const result = shard.turn(message, this.#host.turnTime, this.#host);
    if (result.changes !== undefined) this.#shard = shard;
    this.#settle(shard, result);
    if (answering !== undefined) this.#answer(result, answering);
    if (result.failed !== undefined) this.#report(`${this.id} could not be created`, result.failed);
  }

  #turnAway(waiting: Waiting): void {
    const answering = answeringOf(waiting);
    if (answering !== undefined)
      return this.#host.gate.release(() => answering(refusal('unauthorized', { reason: 'no such player here' })));
    this.#replyInPlace(waiting, { kind: 'never-created' });
  }

  /** A message between shards that this shard will not take: its sender may be told all the same. */
  #replyInPlace(waiting: Waiting, absence: Absence): void {
    if (waiting.kind !== 'message') return;
    const reply = this.#host.options.replyInPlaceOf({ to: this.id, message: waiting.message }, this.#host.turnTime, absence);
    if (reply !== undefined) this.#host.send(reply);
  }

  /** The disk is behind: nothing was decided yet, so the question is simply asked again when it has caught up. */
  #retryLoad(): void {
    if (!this.#host.isStopped) void this.#host.options.persister.whenReady().then(() => this.#load());
  }

  #unavailable(error: unknown, lastTurnAt: Instant | undefined): void {
    if (this.#host.noteUnloadable(this.id)) this.#report(`${this.id} could not be loaded`, error);
    this.#leave();
    for (let waiting = this.#inbox.first; waiting !== undefined; waiting = waiting.next) {
      const answering = answeringOf(waiting);
      if (answering !== undefined) this.#host.gate.release(() => answering(refusal('unavailable')));
      else this.#replyInPlace(waiting, { kind: 'unloadable', lastTurnAt });
    }
  }

  /** Who has left takes no more turns: the next message finds a resident of its own. */
  #leave(): void {
    this.#shard = undefined;
    this.#home.forget(this.id);
    this.#host.release(this);
  }

  #report(message: string, error: unknown): void {
    this.#host.options.platform.report({ level: 'error', message, error });
  }
}

function lastTurnOf(error: unknown): Instant | undefined {
  return error instanceof ShardFault ? error.lastTurnAt : undefined;
}

function isOpen({ answering }: Expectation): boolean {
  return answering !== undefined;
}

/** Who waits for word of it, if anybody does. */
function answeringOf(waiting: Waiting): Answering | undefined {
  switch (waiting.kind) {
    case 'message':
      return waiting.answering;
    case 'subscribe':
      return waiting.subscription?.answering;
    case 'wake':
      return undefined;
  }
}
