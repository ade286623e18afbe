/**
 * One node without the rest, for the tests of cells: a market of one cell over the real persister
 * on a disk in memory, in virtual time.
 */
import { marketName } from '#shared/address.ts';
import { epoch } from '#shared/cell.ts';
import { limits } from '#shared/limits.ts';
import { createPrng } from '#shared/prng.ts';
import { refusal } from '#shared/refusals.ts';
import { FIRST_ROW_ID, instant, nodeName, type Position, type RowId, type ShardId } from '#shared/units.ts';
import { InlineBackend } from '#server/journal/persister/backend-inline.ts';
import { openPersister } from '#server/journal/persister/open-persister.ts';
import { ShardFault, type Persister } from '#server/journal/persister/persister.ts';
import { MemoryDisk } from '#server/journal/disk/memory.ts';
import type { Platform, ReportedEvent } from '#server/platform/platform.ts';
import { PLACES } from '#server/market/places.ts';
import { Region } from '#server/routing/region.ts';
import { World } from '#server/routing/world.ts';
import { defineShard } from '#server/shard/definition.ts';
import { bytes, defineEntity, integer, nullable, timestamp } from '#server/shard/entity.ts';
import { answer, DONE, type Message, type Reply } from '#server/shard/message.ts';
import { onAlarm, onCommand, onMessage, type Powerup } from '#server/shard/powerup.ts';
import { command } from '#server/shard/testing/shard-driver.ts';
import { Scheduler } from '#server/sim/scheduler.ts';
import { virtualMachine } from '#server/sim/virtual-platform.ts';
import type { Cell } from '../cell.ts';
import { createCellParts, type CellParts, type CellPartsOptions } from '../cell-parts.ts';
import { OwnCells } from '../own-cells.ts';

/** The market of the cell. */
export const TEST_MARKET = marketName('europe', 'softcore');

/** How long the disk takes to make a commit durable. */
export const COMMIT_MS = 50;

/** What a test shard counts with. One row. */
export const counter = defineEntity('counter', {
  version: 1,
  attributes: { value: integer(), due: nullable(timestamp({ alarm: 'count-up' })) },
});
/** Rows of any size. */
export const ballast = defineEntity('ballast', { version: 1, attributes: { data: bytes({ maxLength: limits.shardBytesMax }) } });

/** A message from shard to shard: the receiver adds the value. */
export interface Ping extends Message {
  readonly kind: 'ping';
  readonly value: number;
}

/** Counts, waits, sends and fails on demand. */
export const counting: Powerup = {
  name: 'counting',
  entities: [counter, ballast],
  projections: [counter],
  install: (turn) => void turn.insert(counter, { value: 0 }),
  handlers: {
    add: onCommand<{ readonly value: number }>((turn, { value }) => {
      const [row] = turn.table(counter).rows();
      if (row === undefined) throw new Error('there is no counter');
      turn.put(counter, { ...row, value: row.value + value });
      return answer(row.value + value);
    }),
    look: onCommand((turn) => answer(turn.table(counter).first()?.value)),
    refuse: onCommand(() => refusal('stash-full')),
    fail: onCommand(() => {
      throw new Error('a bug');
    }),
    ring: onCommand<{ readonly afterMs: number }>((turn, { afterMs }) => {
      const [row] = turn.table(counter).rows();
      if (row !== undefined) turn.put(counter, { ...row, due: instant(turn.now + afterMs) });
      return answer(undefined);
    }),
    tell: onCommand<{ readonly to: ShardId; readonly value: number }>((turn, { to, value }) => {
      turn.insert(ballast, { data: new Uint8Array() });
      const ping: Ping = { kind: 'ping', key: 'ping/1', value };
      turn.emit(to, ping);
      return answer(undefined);
    }),
    load: onCommand<{ readonly size: number }>((turn, { size }) => {
      const row = turn.table(ballast).first();
      const data = new Uint8Array(size);
      if (row === undefined) turn.insert(ballast, { data });
      else turn.put(ballast, { ...row, data });
      return answer(size);
    }),
    begin: onCommand((turn) => {
      turn.insert(ballast, { data: new Uint8Array() });
      return { kind: 'later', operation: turn.operation ?? FIRST_ROW_ID };
    }),
    ping: onMessage<Ping>((turn, { value }) => {
      const [row] = turn.table(counter).rows();
      if (row !== undefined) turn.put(counter, { ...row, value: row.value + value });
      return DONE;
    }),
    end: onMessage<Message & { readonly operation: RowId }>((turn, { operation }) => {
      turn.complete(operation, answer('ended'));
      return DONE;
    }),
  },
  alarms: { 'count-up': onAlarm(counter, (turn, row) => turn.put(counter, { ...row, value: row.value + 1_000, due: null })) },
};

/** A backend whose loads are counted, and fail as often as a test says. */
export class FlakyBackend extends InlineBackend {
  readonly loads: ShardId[] = [];
  failuresLeft = 0;

  override async load(shard: ShardId, through: Position): ReturnType<InlineBackend['load']> {
    this.loads.push(shard);
    const raw = await super.load(shard, through);
    if (this.failuresLeft-- > 0) throw new ShardFault('the disk did not answer');
    return raw;
  }
}

/** What differs from one bench to another. */
export interface BenchOptions {
  readonly memoryBudgetBytes?: number;
  readonly disk?: MemoryDisk;
  readonly powerups?: readonly Powerup[];
  readonly replyInPlaceOf?: CellPartsOptions['replyInPlaceOf'];
  readonly onUnloadable?: CellPartsOptions['onUnloadable'];
  readonly onLoadable?: CellPartsOptions['onLoadable'];
}

/** One node without the rest: cell, parts, persister, disk. */
export class Bench {
  readonly scheduler = new Scheduler();
  readonly reported: ReportedEvent[] = [];
  readonly changed: number[] = [];
  /** What must end the process. */
  readonly faults: Error[] = [];
  readonly parts: CellParts;
  readonly cells: OwnCells;
  readonly world = new World();
  #cell: Cell;
  readonly backend: FlakyBackend;
  readonly persister: Persister;

  private constructor(
    scheduler: Scheduler,
    reported: ReportedEvent[],
    partsOf: (world: World, changed: number[], faults: Error[], resting: CellPartsOptions['resting']) => CellParts,
    backend: FlakyBackend,
    persister: Persister,
  ) {
    this.scheduler = scheduler;
    this.reported = reported;
    this.parts = partsOf(this.world, this.changed, this.faults, (shard) => this.cells.of(shard)?.resting(shard));
    this.cells = new OwnCells(this.parts);
    this.world.add(TEST_MARKET, new Region(1));
    this.#cell = this.openCell();
    this.world.open();
    this.backend = backend;
    this.persister = persister;
    persister.onFault(() => this.parts.stop());
  }

  static async open({
    memoryBudgetBytes = 1e9,
    disk,
    powerups = [counting],
    replyInPlaceOf = () => undefined,
    onUnloadable = () => undefined,
    onLoadable = () => undefined,
  }: BenchOptions = {}): Promise<Bench> {
    const scheduler = new Scheduler();
    const reported: ReportedEvent[] = [];
    const life = {
      isOver: false,
      wallOffsetMs: 0,
      onThrow: (error: unknown) => {
        throw error;
      },
      onReport: (event: ReportedEvent) => void reported.push(event),
    };
    const machine = virtualMachine(scheduler, createPrng('cell'), life);
    // Without a node there is no time of the node: the clock is that of the machine.
    const platform: Platform = { ...machine, clock: { now: () => machine.readings.wall() } };
    const definition = defineShard(powerups, { places: PLACES });
    const backend = new FlakyBackend(platform.timers, disk ?? new MemoryDisk(definition), {
      commitMs: () => COMMIT_MS,
      stepMs: () => 1,
    });
    const opening = openPersister(
      platform,
      {
        schemas: definition.schemas,
        places: definition.places,
        projected: definition.projected,
        world: { name: 'test', node: nodeName('one'), cellsPerRegion: 1 },
      },
      backend,
    );
    await scheduler.runUntil(() => false, scheduler.nowUs + 10_000_000);
    const persister = await opening;
    return new Bench(
      scheduler,
      reported,
      (world, changed, faults, resting) =>
        createCellParts({
          platform,
          journal: persister,
          definition,
          cellsPerMarket: 1,
          world,
          replyInPlaceOf,
          resting,
          memoryBudgetBytes,
          onFault: (fault) => void faults.push(fault),
          onChanges: (position) => void changed.push(position),
          onUnloadable,
          onLoadable,
        }),
      backend,
      persister,
    );
  }

  /** The cell of all shards, as it was opened last. */
  get cell(): Cell {
    return this.#cell;
  }

  /** Opens the cell. */
  openCell(value = 1): Cell {
    this.#cell = this.cells.open({ market: TEST_MARKET, cell: 0, epoch: epoch(value) });
    this.world.replace(TEST_MARKET, 0, this.#cell);
    return this.#cell;
  }

  /** Lets so much virtual time pass. */
  async run(ms: number): Promise<void> {
    await this.scheduler.runUntil(() => false, this.scheduler.nowUs + ms * 1_000);
  }

  /** Hands over a command; the reply shows up in the returned object when it comes. */
  ask(
    shard: ShardId,
    kind: string,
    body: unknown = {},
    more: { readonly op?: string; readonly creates?: boolean } = {},
  ): { reply?: Reply } {
    const asked: { reply?: Reply } = {};
    const { op, creates = false } = more;
    this.world.accept({ to: shard, message: command(kind, body, op), creates }).then(
      (reply) => (asked.reply = reply),
      () => undefined,
    );
    return asked;
  }

  /** Creates shards and waits until they are durable. */
  async create(...shards: readonly ShardId[]): Promise<void> {
    for (const shard of shards) this.ask(shard, 'look', {}, { creates: true });
    await this.run(1_000);
  }
}
