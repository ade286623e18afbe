/**
 * Powerups: behaviour installed on shards, after Axiom's. Each brings the entities, handlers and alarms of one concern;
 * the engine knows none of them by name.
 */
import type { Refusal } from '#shared/refusals.ts';
import type { Attributes, Entity, RowOf, Values } from './entity.ts';
import type { Command, Handled, Message } from './message.ts';
import type { Turn } from './turn.ts';
import type { AnyRow, EntitySchema } from './row.ts';

/** Handles one kind of message, synchronously. A throw is a bug: everything is taken back, and it is reported. */
export type Handler = (turn: Turn, message: Message) => Handled;

/** Handles the alarm of one row that is due. It must move or clear the alarm, or remove the row. */
export type AlarmHandler = (turn: Turn, row: AnyRow) => void;

/** Takes rows of one version of an entity to the next one. */
export interface Upgrader {
  readonly from: EntitySchema;
  readonly to: EntitySchema;
  readonly upgrade: (row: AnyRow) => AnyRow;
}

/** What an inspection sees of a shard. */
export type Inspected = Pick<Turn, 'shard' | 'table' | 'minted'>;

/** One concern of a shard. */
export interface Powerup {
  readonly name: string;
  /** Guards, installs and tidying run from the highest priority to the lowest; equal ones in the order of the list. Default 0. */
  readonly priority?: number;
  readonly entities: readonly Entity[];
  /** By the kind of message. No two powerups may handle the same kind. */
  readonly handlers?: Readonly<Record<string, Handler>>;
  /** By the alarm's name, as the attribute declares it. */
  readonly alarms?: Readonly<Record<string, AlarmHandler>>;
  /** Entities of which the node mirrors the live rows, for the index and the directory. */
  readonly projections?: readonly Entity[];
  readonly upgraders?: readonly Upgrader[];
  /** May refuse any command before its handler sees it. */
  readonly guard?: (turn: Turn, command: Command) => Refusal | undefined;
  /** Runs at the end of every `tidyEveryTurns`-th turn that changed something, for small clean-ups. */
  readonly tidy?: (turn: Turn) => void;
  /** What is wrong with the rows of an edited shard, if anything: what no attribute can tell by itself. */
  readonly inspect?: (turn: Inspected) => string | undefined;
  /** Runs once per shard, in its first turn or in the first one after the powerup came to be. */
  readonly install?: (turn: Turn) => void;
}

/** A handler for a command whose body the edge has parsed as `Body`. */
export function onCommand<Body>(run: (turn: Turn, body: Body, command: Command) => Handled): Handler {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The edge has parsed the body by the schema of this very kind.
  return (turn, message) => run(turn, (message as Command).body as Body, message as Command);
}

/** A handler for a message of one kind between shards. */
export function onMessage<M extends Message>(run: (turn: Turn, message: M) => Handled): Handler {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The kind selected this handler; what comes over the bus is decoded by its kind.
  return (turn, message) => run(turn, message as M);
}

/** A handler for an alarm of this entity's rows. */
export function onAlarm<A extends Attributes>(_entity: Entity<A>, run: (turn: Turn, row: RowOf<A>) => void): AlarmHandler {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The alarm belongs to one attribute of one entity: `defineShard` asserts it.
  return (turn, row) => run(turn, row as RowOf<A>);
}

/** An upgrader from the old definition of an entity, kept for this purpose, to a newer one. */
export function upgrader<Old extends Attributes, New extends Attributes>(
  from: Entity<Old>,
  to: Entity<New>,
  upgrade: (row: RowOf<Old>) => Values<New>,
): Upgrader {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The row was read by the schema of this very version.
  return { from: from.schema, to: to.schema, upgrade: (row) => ({ ...upgrade(row as RowOf<Old>), id: row.id }) };
}
