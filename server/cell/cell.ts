/**
 * A cell: a fixed slice of a region's shards, and the one place where they take their turns.
 *
 * A message for a shard comes in; the shard is loaded if need be; messages wait in its inbox, in order, bounded. A turn
 * runs, its change set is appended, what it emitted goes on, and what it says waits at the output gate.
 *
 * 1. One shard object per shard, and one turn at a time.
 * 2. A shard that cannot be loaded answers nothing but `unavailable`, and the failure is not remembered.
 * 3. `busy` is never the outcome of anything: the sender keeps its state and asks again.
 */
import { limits } from '#shared/limits.ts';
import { refusal } from '#shared/refusals.ts';
import { instant, type ShardId } from '#shared/units.ts';
import type { LoadedShard } from '#server/journal/persister.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import { answer, isCommand, type Message, type Reply } from '#server/shard/message.ts';
import { Shard, type TurnResult } from '#server/shard/shard.ts';
import type { CellHost, Expectation, Housed } from './cell-host.ts';
import type { Envelope, Part } from './part.ts';
import { newResident, type Answering, type Resident, type ShardListener, type Waiting } from './resident.ts';

const TAKEN: Promise<Reply> = Promise.resolve(answer(undefined));
const BUSY: Promise<Reply> = Promise.resolve(refusal('busy'));
/** The epoch of every cell until cells move between nodes. */
const EPOCH = 1;

/** See the head of this file. */
export class Cell implements Part, Housed {
  readonly #index: number;
  readonly #host: CellHost;
  readonly #residents = new Map<ShardId, Resident>();

  constructor(index: number, host: CellHost) {
    this.#index = index;
    this.#host = host;
  }

  /** See `Part`. */
  accept({ to, message, creates = false }: Envelope): Promise<Reply> {
    const resident = this.#resident(to);
    if (resident === undefined) return BUSY;
    if (!isCommand(message)) {
      this.#enter(resident, { kind: 'message', message, creates, answering: undefined });
      return TAKEN;
    }
    return new Promise((resolve) => this.#enter(resident, { kind: 'message', message, creates, answering: resolve }));
  }

  /**
   * Tells the listener how the shard stands and then each of its changes, all durable, in order, until the returned function is
   * called. Resolves with the refusal if the shard cannot be loaded or does not exist.
   */
  subscribe(shard: ShardId, listener: ShardListener): Promise<Reply> {
    const resident = this.#resident(shard);
    if (resident === undefined) return BUSY;
    return new Promise((resolve) => this.#enter(resident, { kind: 'subscribe', listener, answering: resolve }));
  }

  /** Ends a subscription. */
  unsubscribe(shard: ShardId, listener: ShardListener): void {
    this.#residents.get(shard)?.listeners.delete(listener);
  }

  /** Loads the shard, if it is not in memory, and lets it look at its alarms. */
  wakeShard(shard: ShardId): void {
    const resident = this.#resident(shard);
    if (resident !== undefined) this.wake(resident);
  }

  wake(resident: Resident): void {
    this.#enter(resident, { kind: 'wake' });
  }

  resume(resident: Resident): void {
    this.#work(resident);
    this.#host.deliver();
  }

  evict(resident: Resident): boolean {
    const isBusy = resident.inbox.length > 0 || resident.listeners.size > 0 || resident.answeringByOperation.size > 0;
    if (isBusy || resident.residence.kind === 'loading' || resident.position > this.#host.options.persister.durable) return false;
    this.#forget(resident);
    return true;
  }

  /** The resident of that shard, on its way if it was not there; `undefined` if its inbox is full. */
  #resident(shard: ShardId): Resident | undefined {
    const known = this.#residents.get(shard);
    if (known !== undefined) return known.inbox.length < limits.inboxMessagesMax ? known : undefined;
    const resident = newResident(shard);
    this.#residents.set(shard, resident);
    this.#load(resident);
    return resident;
  }

  #enter(resident: Resident, waiting: Waiting): void {
    resident.inbox.push(waiting);
    resident.isUsed = true;
    if (resident.inbox.length === 1) this.#work(resident);
    this.#host.deliver();
  }

  /** Takes what waits in the inbox, as far as the shard is there and the disk keeps up. */
  #work(resident: Resident): void {
    for (;;) {
      if (resident.residence.kind === 'loading') return;
      const next = resident.inbox[0];
      if (next === undefined) return;
      if (this.#host.mustWait) return this.#host.stall(resident);
      this.#take(resident, resident.residence.shard, next);
      resident.inbox.shift();
    }
  }

  #take(resident: Resident, shard: Shard, next: Waiting): void {
    switch (next.kind) {
      case 'message':
        return this.#turn(resident, shard, next.message, next.answering);
      case 'wake':
        return this.#alarms(resident, shard);
      case 'subscribe': {
        const { listener, answering } = next;
        const { header } = shard;
        const rowsByEntity = new Map([...this.#host.options.definition.entityByName.keys()].map((name) => [name, shard.rows(name)]));
        resident.listeners.add(listener);
        this.#host.gate.release(() => {
          listener({ kind: 'snapshot', header, rows: (entity) => rowsByEntity.get(entity) ?? [] });
          answering(answer(undefined));
        });
      }
    }
  }

  #turn(resident: Resident, shard: Shard, message: Message, answering: Answering | undefined): void {
    const result = shard.turn(message, this.#host.now());
    this.#settle(resident, shard, result);
    if (answering !== undefined) this.#answer(resident, result, answering);
    if (result.failed !== undefined) this.#report(`a turn of ${resident.id} failed on ${message.kind}`, result.failed);
  }

  /** Appends what the turn changed and sends on what it emitted. From here on the turn has happened. */
  #settle(resident: Resident, shard: Shard, { changes, emitted, completed }: TurnResult): void {
    if (changes !== undefined) this.#append(resident, shard, changes);
    for (const { to, message } of emitted) this.#host.send(to, message);
    for (const { operation, reply } of completed) {
      const answerings = resident.answeringByOperation.get(operation) ?? [];
      resident.answeringByOperation.delete(operation);
      for (const answering of answerings) this.#host.gate.release(() => answering(reply));
    }
  }

  #append(resident: Resident, shard: Shard, changes: ChangeSet): void {
    resident.position = this.#host.append(changes);
    for (const listener of resident.listeners) this.#host.gate.release(() => listener({ kind: 'change', changes }));
    this.#host.house(this, resident, shard.memoryBytes);
    if (changes.wakeAt !== 0) this.#host.wakeList.add(resident, changes.wakeAt);
  }

  #answer(resident: Resident, { handled }: TurnResult, answering: Answering): void {
    switch (handled.kind) {
      case 'answer':
      case 'refusal':
        return this.#host.gate.release(() => answering(handled));
      case 'done':
        return this.#host.gate.release(() => answering(answer(undefined)));
      case 'later':
        return this.#await(resident, handled.operation, answering);
    }
  }

  #await(resident: Resident, operation: number, answering: Answering): void {
    const answerings = resident.answeringByOperation.get(operation);
    if (answerings === undefined) resident.answeringByOperation.set(operation, [answering]);
    else answerings.push(answering);
    this.#host.expect({ resident, operation, answering });
  }

  giveUp({ resident, operation, answering }: Expectation): void {
    const answerings = resident.answeringByOperation.get(operation);
    const index = answerings?.indexOf(answering) ?? -1;
    if (answerings === undefined || index === -1) return;
    answerings.splice(index, 1);
    if (answerings.length === 0) resident.answeringByOperation.delete(operation);
    this.#host.gate.release(() => answering(refusal('outcome-unknown')));
  }

  #alarms(resident: Resident, shard: Shard): void {
    for (const alarm of shard.dueAlarms(this.#host.now())) this.#turn(resident, shard, alarm, undefined);
    const { wakeAt } = shard.header;
    // An alarm that is due again at once is a handler's bug, or a stuck row: it must not spin.
    if (wakeAt !== 0) this.#host.wakeList.add(resident, instant(Math.max(wakeAt, this.#host.now() + RING_AGAIN_MS)));
  }

  #load(resident: Resident): void {
    this.#host.options.persister.load(resident.id).then(
      (loaded) => this.#loaded(resident, loaded),
      (error: unknown) => this.#unavailable(resident, error),
    );
  }

  #loaded(resident: Resident, loaded: LoadedShard): void {
    if (this.#host.isStopped) return;
    if (loaded.kind === 'absent') return this.#absent(resident);
    try {
      const { shard, upgrade } = Shard.load(this.#host.options.definition, loaded.shard, this.#index, EPOCH);
      resident.residence = { kind: 'loaded', shard };
      this.#host.house(this, resident, shard.memoryBytes);
      if (upgrade !== undefined) this.#append(resident, shard, upgrade);
      const { wakeAt } = shard.header;
      if (wakeAt !== 0) this.#host.wakeList.add(resident, wakeAt);
    } catch (error) {
      return this.#unavailable(resident, error);
    }
    this.#work(resident);
    this.#host.deliver();
  }

  /** Nobody was here before. Who may create the shard does; the others hear that there is none. */
  #absent(resident: Resident): void {
    while (resident.residence.kind === 'loading' && resident.inbox.length > 0) {
      const waiting = resident.inbox[0];
      if (waiting === undefined) break;
      if (this.#host.mustWait) return this.#retryLoad(resident);
      if (waiting.kind === 'message' && waiting.creates) this.#create(resident, waiting);
      else this.#turnAway(resident, waiting);
      resident.inbox.shift();
    }
    if (resident.residence.kind === 'loading') this.#forget(resident);
    else this.#work(resident);
    this.#host.deliver();
  }

  #create(resident: Resident, { message, answering }: Extract<Waiting, { kind: 'message' }>): void {
    const shard = Shard.create(this.#host.options.definition, resident.id, this.#index, EPOCH, this.#host.now());
    const result = shard.turn(message, this.#host.now());
    if (result.changes !== undefined) resident.residence = { kind: 'loaded', shard };
    this.#settle(resident, shard, result);
    if (answering !== undefined) this.#answer(resident, result, answering);
    if (result.failed !== undefined) this.#report(`${resident.id} could not be created`, result.failed);
  }

  #turnAway(resident: Resident, waiting: Waiting): void {
    if (waiting.kind === 'wake') return;
    const { answering } = waiting;
    if (answering !== undefined)
      return this.#host.gate.release(() => answering(refusal('unauthorized', { reason: 'no such player here' })));
    if (waiting.kind !== 'message') return;
    const reply = this.#host.options.replyOfNobody({ to: resident.id, message: waiting.message }, this.#host.now());
    if (reply !== undefined) this.#host.send(reply.to, reply.message);
  }

  /** The disk is behind: nothing was decided yet, so the question is simply asked again when it has caught up. */
  #retryLoad(resident: Resident): void {
    if (!this.#host.isStopped) void this.#host.options.persister.whenReady().then(() => this.#load(resident));
  }

  #unavailable(resident: Resident, error: unknown): void {
    this.#report(`${resident.id} could not be loaded`, error);
    this.#forget(resident);
    for (const waiting of resident.inbox) {
      if (waiting.kind === 'wake' || waiting.answering === undefined) continue;
      const { answering } = waiting;
      this.#host.gate.release(() => answering(refusal('unavailable')));
    }
  }

  #forget(resident: Resident): void {
    this.#residents.delete(resident.id);
    this.#host.release(resident);
  }

  #report(message: string, error: unknown): void {
    this.#host.options.platform.report({ level: 'error', message, error });
  }
}

/** The least pause before an alarm that was just handled may ring again. */
const RING_AGAIN_MS = 20;
