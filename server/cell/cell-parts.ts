/** The parts that all cells of one node share, put together. What each does is in its own file. */
import type { Instant, Position, ShardId } from '#shared/units.ts';
import type { Journal } from '#server/journal/persister/persister.ts';
import type { Platform } from '#server/platform/platform.ts';
import type { Envelope, Part } from '#server/routing/part.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import type { ShardDefinition } from '#server/shard/definition.ts';
import type { Absence, Emitted } from '#server/shard/message.ts';
import type { Neighbours, Partner } from '#server/shard/turn.ts';
import { AlarmTimers } from './alarms/timers.ts';
import { LoadBackoff, type LoadListener } from './load-backoff.ts';
import { MemoryBudget } from './memory-budget.ts';
import { NodeLoop } from './node-loop.ts';
import { OutputGate } from './output-gate.ts';
import { PendingReplies } from './pending-replies.ts';

/** What cells need of the journal. */
export type CellJournal = Pick<Journal, 'appended' | 'durable' | 'isFull' | 'append' | 'onDurable' | 'whenReady' | 'load'>;

/** A shard of this node that can take part in a turn of another one. */
export interface RestingShard extends Partner {
  /** Its part is in the journal at that position: its surroundings hear of it as of any turn. */
  took(position: Position, changes: ChangeSet): void;
}

/** What the parts are made from, and what else cells need of their node. */
export interface CellPartsOptions extends LoadListener {
  readonly platform: Pick<Platform, 'readings' | 'clock' | 'timers' | 'report'>;
  readonly journal: CellJournal;
  readonly definition: ShardDefinition;
  /** How many cells a market has. */
  readonly cellsPerMarket: number;
  /**
   * What to send back for a message to a shard that cannot take it, if anything: a late offer may
   * be aborted.
   */
  readonly replyInPlaceOf: (envelope: Envelope, now: Instant, absence: Absence) => Emitted | undefined;
  /**
   * A shard that is in memory on this node and has nothing to do: trades with it take one turn of
   * both. `undefined` for any other.
   */
  readonly resting: (shard: ShardId) => RestingShard | undefined;
  /**
   * Told of every change set with rows of projected entities, in the order of the journal, once
   * durable: the feed of the index.
   */
  readonly onChanges: (position: Position, changes: ChangeSet) => void;
  /** Where messages between shards go: the world. */
  readonly world: Part;
  /** Shards in memory may take this much, about. */
  readonly memoryBudgetBytes: number;
  /**
   * Called once if a turn that has happened could not be appended or sent on: memory and journal
   * differ, and the process must end.
   */
  readonly onFault: (fault: Error) => void;
}

/** The parts, and what else cells need. */
export interface CellParts extends CellPartsOptions {
  readonly gate: OutputGate;
  readonly loop: NodeLoop;
  readonly memory: MemoryBudget;
  readonly timers: AlarmTimers;
  readonly replies: PendingReplies;
  readonly backoff: LoadBackoff;
  /** What turns are told of other shards. */
  readonly neighbours: Neighbours;
  /** No more turns and no more output: the process is ending. */
  stop(): void;
}

/** Puts the parts together. */
export function createCellParts(options: CellPartsOptions): CellParts {
  const { platform, journal, world, memoryBudgetBytes, onFault } = options;
  const gate = new OutputGate(journal);
  const timers = new AlarmTimers(platform);
  const replies = new PendingReplies(gate, platform);
  const loop = new NodeLoop({
    now: () => platform.clock.now(),
    journal,
    world,
    onDelivered: () => {
      timers.setTouched(loop.turnTime);
      replies.watch();
    },
    onFault: (fault) => {
      stop();
      onFault(fault);
    },
  });
  const stop = (): void => {
    loop.stop();
    gate.shut();
    timers.clear();
    replies.stop();
  };
  const memory = new MemoryBudget(memoryBudgetBytes);
  const backoff = new LoadBackoff(platform.readings, options);
  const neighbours: Neighbours = {
    isUnloadable: (shard) => backoff.isUnloadable(shard),
    partner: options.resting,
  };
  return { ...options, gate, loop, memory, timers, replies, backoff, neighbours, stop };
}
