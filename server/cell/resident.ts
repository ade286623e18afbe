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
import { instant, type ShardId } from '#shared/units.ts';
import type { LoadedShard } from '#server/journal/persister.ts';
import type { ChangeSet, ShardHeader } from '#server/shard/change-set.ts';
import type { AnyRow } from '#server/shard/entity.ts';
import { answer, isCommand, type Message, type Reply } from '#server/shard/message.ts';
import { Shard, type TurnResult } from '#server/shard/shard.ts';
import type { Answering, CellHost, Tenant } from './cell-host.ts';
import type { Envelope, Part } from './part.ts';

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

type Waiting =
  | { readonly kind: 'message'; readonly message: Message; readonly creates: boolean; readonly answering: Answering | undefined }
  | { readonly kind: 'subscribe'; readonly listener: ShardListener; readonly answering: Answering }
  | { readonly kind: 'wake' };

const TAKEN: Promise<Reply> = Promise.resolve(answer(undefined));
const BUSY: Promise<Reply> = Promise.resolve(refusal('busy'));
/** The least pause before an alarm that was just handled may ring again. */
const RING_AGAIN_MS = 20;

/** See the head of this file. */
export class Resident implements Part, Tenant {
  readonly id: ShardId;
  memoryBytes = 0;
  wakeListedAt = 0;
  isUsed = true;
  readonly #home: Home;
  readonly #host: CellHost;
  readonly #inbox: Waiting[] = [];
  readonly #listeners = new Set<ShardListener>();
  /** Who waits for an operation under way, by the operation's row. */
  readonly #answeringsByOperation = new Map<number, Answering[]>();
  /** `undefined` while it is loaded. */
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
    if (isCommand(message)) return new Promise((resolve) => this.#enter({ kind: 'message', message, creates, answering: resolve }));
    this.#enter({ kind: 'message', message, creates, answering: undefined });
    return TAKEN;
  }

  /** See `Cell.subscribe`. */
  subscribe(listener: ShardListener): Promise<Reply> {
    if (this.#inbox.length >= limits.inboxMessagesMax) return BUSY;
    return new Promise((resolve) => this.#enter({ kind: 'subscribe', listener, answering: resolve }));
  }

  /** Ends a subscription, also one that is still on its way: the listener hears nothing more. */
  unsubscribe(listener: ShardListener): void {
    if (this.#listeners.delete(listener)) return;
    const index = this.#inbox.findIndex((waiting) => waiting.kind === 'subscribe' && waiting.listener === listener);
    const waiting = this.#inbox[index];
    if (waiting?.kind !== 'subscribe') return;
    this.#inbox[index] = { kind: 'wake' };
    this.#host.gate.release(() => waiting.answering(refusal('unavailable')));
  }

  wake(): void {
    if (this.#inbox.length < limits.inboxMessagesMax) this.#enter({ kind: 'wake' });
  }

  resume(): void {
    this.#host.run(() => this.#work());
  }

  evict(): boolean {
    const isWanted = this.#inbox.length > 0 || this.#listeners.size > 0 || this.#answeringsByOperation.size > 0;
    if (isWanted || this.#shard === undefined || this.#position > this.#host.durable) return false;
    this.#leave();
    return true;
  }

  listWake(): void {
    const wakeAt = this.#shard?.wakeAt ?? 0;
    // An alarm that is due again at once is a handler's bug, or a stuck row: it must not spin.
    if (wakeAt !== 0) this.#host.wakeList.add(this, instant(Math.max(wakeAt, this.#host.now() + RING_AGAIN_MS)));
  }

  isAwaited(operation: number): boolean {
    return this.#answeringsByOperation.has(operation);
  }

  giveUp(operation: number, answering: Answering): void {
    const answerings = this.#answeringsByOperation.get(operation);
    const index = answerings?.indexOf(answering) ?? -1;
    if (answerings === undefined || index === -1) return;
    answerings.splice(index, 1);
    if (answerings.length === 0) this.#answeringsByOperation.delete(operation);
    this.#host.gate.release(() => answering(refusal('outcome-unknown')));
  }

  #enter(waiting: Waiting): void {
    this.#inbox.push(waiting);
    this.isUsed = true;
    this.#host.run(() => {
      if (this.#inbox.length === 1) this.#work();
    });
  }

  /** Takes what waits in the inbox, as far as the shard is there and the disk keeps up. */
  #work(): void {
    for (;;) {
      const next = this.#inbox[0];
      if (next === undefined || this.#shard === undefined) return;
      if (this.#host.mustWait) return this.#host.stall(this);
      this.#take(this.#shard, next);
      this.#inbox.shift();
    }
  }

  #take(shard: Shard, next: Waiting): void {
    switch (next.kind) {
      case 'message':
        return this.#turn(shard, next.message, next.answering);
      case 'wake':
        return this.#alarms(shard);
      case 'subscribe':
        return this.#welcome(shard, next.listener, next.answering);
    }
  }

  #turn(shard: Shard, message: Message, answering: Answering | undefined): void {
    const result = shard.turn(message, this.#host.now());
    this.#settle(shard, result);
    if (answering !== undefined) this.#answer(result, answering);
    if (result.failed !== undefined) this.#report(`a turn of ${this.id} failed on ${message.kind}`, result.failed);
  }

  /** Appends what the turn changed and sends on what it emitted. From here on the turn has happened. */
  #settle(shard: Shard, { changes, emitted, completed }: TurnResult): void {
    if (changes !== undefined) this.#append(shard, changes);
    for (const { to, message } of emitted) this.#host.send(to, message);
    for (const { operation, reply } of completed) {
      const answerings = this.#answeringsByOperation.get(operation) ?? [];
      this.#answeringsByOperation.delete(operation);
      for (const answering of answerings) this.#host.gate.release(() => answering(reply));
    }
  }

  #append(shard: Shard, changes: ChangeSet): void {
    this.#position = this.#host.append(changes);
    for (const listener of this.#listeners) this.#host.gate.release(() => this.#tell(listener, changes));
    this.#host.house(this, shard.memoryBytes);
  }

  #tell(listener: ShardListener, changes: ChangeSet): void {
    if (this.#listeners.has(listener)) listener({ kind: 'change', changes });
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
    const answerings = this.#answeringsByOperation.get(operation);
    if (answerings === undefined) this.#answeringsByOperation.set(operation, [answering]);
    else answerings.push(answering);
    this.#host.expect({ resident: this, operation, answering });
  }

  #alarms(shard: Shard): void {
    for (const alarm of shard.dueAlarms(this.#host.now())) this.#turn(shard, alarm, undefined);
    this.listWake();
  }

  #welcome(shard: Shard, listener: ShardListener, answering: Answering): void {
    const { header } = shard;
    const rowsByEntity = new Map([...this.#host.options.definition.entityByName.keys()].map((name) => [name, shard.rows(name)]));
    this.#listeners.add(listener);
    this.#host.gate.release(() => {
      if (this.#listeners.has(listener)) listener({ kind: 'snapshot', header, rows: (entity) => rowsByEntity.get(entity) ?? [] });
      answering(answer(undefined));
    });
  }

  #load(): void {
    this.#host.options.persister.load(this.id).then(
      (loaded) => this.#host.run(() => this.#loaded(loaded)),
      (error: unknown) => this.#unavailable(error),
    );
  }

  #loaded(loaded: LoadedShard): void {
    this.#host.noteLoaded(this.id);
    if (loaded.kind === 'absent') return this.#absent();
    let opened: ReturnType<typeof Shard.load>;
    try {
      opened = Shard.load(this.#host.options.definition, loaded.shard, this.#home.index, this.#home.epoch);
    } catch (error) {
      return this.#unavailable(error);
    }
    const { shard, upgrade } = opened;
    this.#shard = shard;
    this.#host.house(this, shard.memoryBytes);
    if (upgrade !== undefined) this.#append(shard, upgrade);
    this.#work();
  }

  /** Nobody was here before. Who may create the shard does; the others hear that there is none. */
  #absent(): void {
    while (this.#shard === undefined) {
      const waiting = this.#inbox[0];
      if (waiting === undefined) break;
      if (this.#host.mustWait) return this.#retryLoad();
      if (waiting.kind === 'message' && waiting.creates) this.#create(waiting.message, waiting.answering);
      else this.#turnAway(waiting);
      this.#inbox.shift();
    }
    if (this.#shard === undefined) this.#leave();
    else this.#work();
  }

  #create(message: Message, answering: Answering | undefined): void {
    const { index, epoch } = this.#home;
    const shard = Shard.create(this.#host.options.definition, this.id, index, epoch, this.#host.now());
    const result = shard.turn(message, this.#host.now());
    if (result.changes !== undefined) this.#shard = shard;
    this.#settle(shard, result);
    if (answering !== undefined) this.#answer(result, answering);
    if (result.failed !== undefined) this.#report(`${this.id} could not be created`, result.failed);
  }

  #turnAway(waiting: Waiting): void {
    if (waiting.kind === 'wake') return;
    const { answering } = waiting;
    if (answering !== undefined)
      return this.#host.gate.release(() => answering(refusal('unauthorized', { reason: 'no such player here' })));
    if (waiting.kind !== 'message') return;
    const reply = this.#host.options.replyOfNobody({ to: this.id, message: waiting.message }, this.#host.now());
    if (reply !== undefined) this.#host.send(reply.to, reply.message);
  }

  /** The disk is behind: nothing was decided yet, so the question is simply asked again when it has caught up. */
  #retryLoad(): void {
    if (!this.#host.isStopped) void this.#host.options.persister.whenReady().then(() => this.#load());
  }

  #unavailable(error: unknown): void {
    if (this.#host.noteUnloadable(this.id)) this.#report(`${this.id} could not be loaded`, error);
    this.#leave();
    for (const waiting of this.#inbox) {
      if (waiting.kind === 'wake' || waiting.answering === undefined) continue;
      const { answering } = waiting;
      this.#host.gate.release(() => answering(refusal('unavailable')));
    }
  }

  #leave(): void {
    this.#home.forget(this.id);
    this.#host.release(this);
  }

  #report(message: string, error: unknown): void {
    this.#host.options.platform.report({ level: 'error', message, error });
  }
}
