/**
 * A shard: one player's state in one region and mode, in memory. It changes in turns and in no other
 * way. How it works inside is told in `docs/internals/shard-engine.md`.
 *
 * The caller (the cell) owns the order: it appends the change set of a turn before it starts the next
 * one, and lets nothing out before the journal is durable.
 *
 * S1 A turn that refuses, throws or does nothing leaves no trace.
 * S2 Versions count the turns with an effect, without gaps.
 * S3 A shard's time never runs back: no turn has an earlier `now` than the one before it.
 * S4 A row id is given once. Every row's id is below `nextId`, in memory and in every record.
 * S5 `wakeAt` is the earliest alarm of any row that is not suspended, or 0. If a shard was kept with
 *    another one, loading it is a turn that says so.
 * S6 The postings of a ledger line sum to zero per asset (T7).
 * S7 A command that makes the player's own rows grow beyond their bound is refused; nothing else is.
 * S8 A turn and the part of another shard in it are kept both or neither (U1).
 */
import { assert } from '#shared/assert.ts';
import { limits } from '#shared/limits.ts';
import { refusal } from '#shared/refusals.ts';
import type { Epoch, Instant, ShardId } from '#shared/units.ts';
import { rowFromRaw, type ChangeSet, type RawChangeSet, type Remove, type ShardHeader } from './change-set.ts';
import { upgradedRow, type ShardDefinition } from './definition.ts';
import {
  canCountFailure,
  clearFailure,
  countFailure,
  failure,
  isQuarantined,
  isSuspended,
  quarantine,
  retryStuck,
  StateLost,
} from './failures.ts';
import { inspect } from './inspection.ts';
import { installedPowerup } from './install.ts';
import { isAlarm, isCommand, type AlarmMessage, type Emitted, type Handled, type Message } from './message.ts';
import { recall, remember } from './operations.ts';
import { ShardTurn, type Completed } from './shard-turn.ts';
import { ShardState } from './shard-state.ts';
import { alarmKey } from './table.ts';
import type { JoinedEffect, JoinedTurn, Neighbours, Partner } from './turn.ts';
import type { AnyRow } from './row.ts';

/** What a turn did. `failed` is a bug that was taken back; with `changes`, the failure itself was noted. */
export interface TurnResult {
  readonly handled: Handled;
  readonly changes: ChangeSet | undefined;
  readonly emitted: readonly Emitted[];
  readonly completed: readonly Completed[];
  /** What the shard that joined the turn did in it. */
  readonly joined?: JoinedEffect;
  readonly failed?: Error;
}

const QUIET: Pick<TurnResult, 'changes' | 'emitted' | 'completed'> = { changes: undefined, emitted: [], completed: [] };

export class Shard implements Partner {
  readonly #definition: ShardDefinition;
  readonly #state: ShardState;

  private constructor(definition: ShardDefinition, state: ShardState) {
    this.#definition = definition;
    this.#state = state;
  }

  /** A shard that does not exist yet: version 0, nothing in it. Its first turn installs the powerups. */
  static create(definition: ShardDefinition, shard: ShardId, cell: number, epoch: Epoch, now: Instant): Shard {
    return new Shard(definition, new ShardState(definition, shard, cell, epoch, now));
  }

  /**
   * A shard from what is durable. If rows are of older versions, powerups are new, a program of another version number gave up on some, or
   * it was kept with another time to wake it than its rows say, `upgrade` is the turn that the caller must append before any other. Throws `Error` if a table has no way to the present version.
   */
  static load(
    definition: ShardDefinition,
    raw: RawChangeSet,
    cell: number,
    epoch: Epoch,
  ): { readonly shard: Shard; readonly upgrade: ChangeSet | undefined } {
    const shard = new Shard(definition, ShardState.fromRaw(definition, raw, cell, epoch));
    return { shard, upgrade: shard.#upgrade(raw) };
  }

  /**
   * A shard from an edited image: as `load`, but everything in it is checked first. Throws `Error` with one
   * sentence if it is not as a shard must be.
   */
  static loadEdited(...of: Parameters<typeof Shard.load>): ReturnType<typeof Shard.load> {
    const [definition, raw] = of;
    inspect(definition, raw);
    const loaded = Shard.load(...of);
    const turn = new ShardTurn(loaded.shard.#state, loaded.shard.#state.now);
    for (const powerup of definition.powerups) {
      const problem = powerup.inspect?.(turn);
      if (problem !== undefined) throw new Error(problem);
    }
    return loaded;
  }

  get id(): ShardId {
    return this.#state.shard;
  }

  /** The earliest alarm of any row, or 0. */
  get wakeAt(): Instant | 0 {
    return this.#state.wakeAt;
  }

  /** The counters as of the last turn. */
  get header(): ShardHeader {
    return this.#state.header;
  }

  /** What the shard takes in memory, in bytes, about: rows cost several times their encoded size as objects. */
  get memoryBytes(): number {
    return 8_192 + this.#state.bytes * 4;
  }

  /**
   * Takes one message. Never throws for what a handler does. A turn that fails with a part of another
   * shard in it is taken back whole and taken again without: by messages, each shard counts its own
   * failures.
   */
  turn(message: Message, platformNow: Instant, neighbours?: Neighbours): TurnResult {
    const turn = new ShardTurn(this.#state, this.#notBefore(platformNow), neighbours);
    if (isQuarantined(turn)) return { ...QUIET, handled: isCommand(message) ? refusal('unavailable') : { kind: 'done' } };
    if (message.key !== undefined && isSuspended(turn, message.key)) return { ...QUIET, handled: { kind: 'done' } };
    const { ownBytes } = this.#state;
    try {
      const handled = this.#handle(turn, message);
      if (handled.kind === 'refusal' || !this.#state.log.hasEffect) {
        this.#takeBack(turn);
        // A turn without effect may still repeat what is known: an outcome, a `settled`.
        return { ...QUIET, handled, emitted: handled.kind === 'refusal' ? [] : turn.emitted };
      }
      if (isCommand(message) && this.#state.ownBytes > ownBytes && this.#isTooLarge()) {
        this.#takeBack(turn);
        return { ...QUIET, handled: refusal('shard-full') };
      }
      this.#tidy(turn);
      const joined = turn.joined?.keep();
      const result = this.#commit(turn, handled);
      return joined === undefined ? result : { ...result, joined };
    } catch (error) {
      const failed = error instanceof Error ? error : new Error(String(error));
      this.#takeBack(turn);
      if (turn.joined === undefined) return this.#fail(message, turn.now, failed);
      return {
        ...this.turn(message, platformNow, { isUnloadable: (shard) => turn.neighbours.isUnloadable(shard), partner: () => undefined }),
        failed,
      };
    }
  }

  /** Takes part in a turn of another shard, unless something of its own has failed before. */
  join(platformNow: Instant): JoinedTurn | undefined {
    const state = this.#state;
    assert(state.log.isEmpty, () => `${state.shard} is to take part in a turn in the middle of one`);
    if (state.version === 0 || !state.isEmpty(failure)) return undefined;
    const turn = new ShardTurn(state, this.#notBefore(platformNow));
    return { turn, keep: () => this.#keepPart(turn), takeBack: () => this.#takeBack(turn) };
  }

  /** The alarms that are due by `now`, oldest row first; those that are suspended after failures are left out. */
  dueAlarms(platformNow: Instant): readonly AlarmMessage[] {
    const { wakeAt, now: last } = this.#state;
    const now = platformNow > last ? platformNow : last;
    if (wakeAt === 0 || wakeAt > now) return [];
    const turn = new ShardTurn(this.#state, now);
    const due: AlarmMessage[] = [];
    for (const table of this.#state.tables) {
      for (const alarms of table.alarms) {
        const { alarm } = alarms;
        alarms.forEach((at, row) => {
          const key = alarmKey(alarm, row);
          if (at <= turn.now && !isSuspended(turn, key)) due.push({ kind: 'alarm', alarm, entity: table.entity.name, row, key });
        });
      }
    }
    return due;
  }

  /** Every row of an entity, as of the last turn. Rows are immutable: the list may be kept. */
  rows(entity: string): readonly AnyRow[] {
    return this.#state.tableNamed(entity).rows();
  }

  #notBefore(platformNow: Instant): Instant {
    return platformNow > this.#state.now ? platformNow : this.#state.now;
  }

  #takeBack({ start, joined }: ShardTurn): void {
    this.#state.rollback(start);
    joined?.takeBack();
  }

  #keepPart(turn: ShardTurn): JoinedEffect {
    if (!this.#state.log.hasEffect) {
      this.#takeBack(turn);
      return { changes: undefined, emitted: turn.emitted };
    }
    this.#tidy(turn);
    return this.#commit(turn, { kind: 'done' });
  }

  #handle(turn: ShardTurn, message: Message): Handled {
    if (isAlarm(message)) return this.#alarm(turn, message);
    const handler = this.#definition.handlers.get(message.kind);
    if (handler === undefined) throw new Error(`no powerup handles ${message.kind}`);
    if (this.#state.version === 0) this.#install(turn);
    if (!isCommand(message)) {
      const handled = handler(turn, message);
      if (message.key !== undefined) clearFailure(turn, message.key);
      return handled;
    }
    const known = recall(turn, message);
    if (known !== undefined) return known;
    for (const guard of this.#definition.guards) {
      const refused = guard(turn, message);
      if (refused !== undefined) return refused;
    }
    if (message.op !== undefined) turn.operation = turn.reserveId();
    const handled = handler(turn, message);
    const isDone = handled.kind === 'answer';
    if (turn.operation !== undefined && this.#state.log.hasEffect && (isDone || handled.kind === 'later')) {
      remember(turn, turn.operation, message, isDone ? handled : undefined);
    }
    return handled;
  }

  #alarm(turn: ShardTurn, message: AlarmMessage): Handled {
    const table = this.#state.tableNamed(message.entity);
    const row = table.get(message.row);
    const handler = this.#definition.alarms.get(message.alarm);
    const due = table.alarms.find(({ alarm }) => alarm === message.alarm)?.dueOf(message.row);
    // An earlier alarm of the same wake may have moved this one, or ended its row.
    if (row === undefined || handler === undefined || due === undefined || due > turn.now) return { kind: 'done' };
    handler(turn, row);
    if (message.key !== undefined) clearFailure(turn, message.key);
    return { kind: 'done' };
  }

  /** In the first turn of a shard, and whenever it is loaded: a program with another list of powerups may have run before. */
  #install(turn: ShardTurn): void {
    const installed = turn.table(installedPowerup);
    for (const powerup of this.#definition.powerups) {
      if (installed.find('name', powerup.name) !== undefined) continue;
      turn.insert(installedPowerup, { name: powerup.name });
      powerup.install?.(turn);
    }
  }

  /**
   * Only commands that make the player's own rows grow are refused, and only for those rows: no stranger and no operator can close a shard.
   * What trades bring back must always fit into what is kept back for it.
   */
  #isTooLarge(): boolean {
    return this.#state.ownBytes > limits.shardBytesMax - limits.shardBytesReserved;
  }

  /** Now and then: what is looked at is old, lies far apart in memory, and costs less when it is looked at together. */
  #tidy(turn: ShardTurn): void {
    if ((this.#state.version + 1) % limits.tidyEveryTurns !== 0) return;
    for (const tidy of this.#definition.tidies) tidy(turn);
  }

  #commit(turn: ShardTurn, handled: Handled): TurnResult {
    const suspended = turn.isEmpty(failure) ? undefined : (key: string): boolean => isSuspended(turn, key);
    const changes = this.#state.commit(turn.now, this.#state.nextWake(suspended), turn.ledger);
    return { handled, changes, emitted: turn.emitted, completed: turn.completed };
  }

  /** Notes what failed: alarms and trade messages back off, and get stuck in the end. Commands are simply answered. */
  #fail(message: Message, now: Instant, failed: Error): TurnResult {
    if (message.key === undefined || this.#state.version === 0) return { ...QUIET, handled: refusal('internal'), failed };
    const turn = new ShardTurn(this.#state, now);
    if (failed instanceof StateLost) quarantine(turn, failed.message);
    // Without a count it is tried again whenever it comes, and its sender backs off. An alarm has no sender.
    else if (!isAlarm(message) && !canCountFailure(turn, message.key)) return { ...QUIET, handled: { kind: 'done' }, failed };
    else countFailure(turn, message.key, failed.message, this.#definition.build);
    return { ...this.#commit(turn, { kind: 'done' }), failed };
  }

  #upgrade(raw: RawChangeSet): ChangeSet | undefined {
    const definition = this.#definition;
    const removes: Remove[] = [];
    for (const put of raw.puts) {
      if (definition.entityByTable.has(put.table)) continue;
      const schema = definition.schemas.get(put.table);
      if (schema === undefined) throw new Error(`shard ${raw.shard} has rows of ${put.table}, which this program does not know`);
      const { entity, row } = upgradedRow(definition, put.table, rowFromRaw(schema, put));
      this.#state.tableNamed(entity).put(row);
      removes.push({ table: put.table, id: put.id });
    }
    const turn = new ShardTurn(this.#state, this.#state.now);
    this.#install(turn);
    retryStuck(turn, definition.build);
    const { changes } = this.#commit(turn, { kind: 'done' });
    if (changes === undefined || (removes.length === 0 && changes.puts.length === 0 && changes.wakeAt === raw.wakeAt)) {
      this.#state.version = raw.version;
      return undefined;
    }
    return { ...changes, removes: [...removes, ...changes.removes] };
  }
}
