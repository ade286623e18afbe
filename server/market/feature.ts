/**
 * A feature of the market: a powerup, and what the rest of the program wants to know of it. Edge,
 * index, simulator and drill walk over the features of `market.ts` and name none of them.
 *
 * This is an interface and a static list that the compiler checks, not a plug-in system: nothing is
 * registered, found or loaded at run time.
 */
import type { Catalogue } from '#shared/catalog/catalogue.ts';
import type { Prng } from '#shared/prng.ts';
import type { Cause, CommandBody, CommandInput, CommandRequest, CommandType, ReadingCommandType, ServerMessage } from '#shared/protocol.ts';
import type { ListingState } from '#shared/protocol/listing.ts';
import type { Refusal } from '#shared/refusals.ts';
import type { Rules } from '#shared/rules.ts';
import type { IdKind } from '#shared/schemas.ts';
import type { IndexedListing } from '#shared/search.ts';
import type { PlainState, StateMap } from '#shared/state.ts';
import type { Instant, PlayerId, RowId, SealedId, ShardId, ShardVersion } from '#shared/units.ts';
import type { FoundAtNode } from '#server/listing-index/listing-feed.ts';
import type { SearchQuery } from '#server/listing-index/service.ts';
import type { Attributes, Entity, RowOf } from '#server/shard/entity.ts';
import type { Command, Handled, Message, Reply } from '#server/shard/message.ts';
import { onCommand, type Handler, type Powerup } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import type { AnyRow } from '#server/shard/row.ts';
import type { Asset, Place } from './places.ts';
import type { TradeKind } from '#server/trade/trade-kind.ts';

/** What features are made from: the rules in force, the regions of the world, what exists in it. */
export interface MarketOptions {
  readonly rules: Rules;
  readonly regions: readonly string[];
  readonly catalogue: Catalogue;
}

/** A powerup with what others ask of it. Everything beyond the powerup is optional. */
export interface Feature extends Powerup {
  /** Its kinds of trade, by name. */
  readonly trades?: Readonly<Record<string, MarketTrade>>;
  /** Its commands that are answered without a turn of the player's own shard. */
  readonly reads?: Partial<ReadTable>;
  /** How its rows show in the room of their player. Called once per room. */
  readonly view?: (room: Room) => View;
  /** Which gold and goods its rows hold. */
  readonly holdings?: readonly EntityHoldings[];
  /** Its rows that the listing index gets. One feature at most has some. */
  readonly indexed?: IndexedRows;
  /** What a player of the simulator or of the crash drill may do with it. */
  readonly steps?: readonly Step[];
}

/**
 * A kind of trade, with the causes of the lines that it writes into the ledgers of its two shards.
 */
export interface MarketTrade extends TradeKind {
  readonly causes: {
    /** At the holder, when it makes the hold. */
    readonly held: Cause;
    /** At the decider, when it commits. */
    readonly decided: Cause;
    /** At the holder, when it hears that it is committed. */
    readonly committed: Cause;
    /** At the holder, when it hears that it is aborted. */
    readonly released: Cause;
  };
}

/** Who asks. */
export interface Requester {
  readonly player: PlayerId;
  readonly shard: ShardId;
}

/** What a read may ask of its node. */
export interface ReadServices {
  readonly rules: Rules;
  readonly regions: readonly string[];
  /** The time of the node. */
  now(): Instant;
  /** Takes any command for any shard. */
  accept(envelope: { readonly to: ShardId; readonly message: Message }): Promise<Reply>;
  /** Asks the listing index, for all that this node has acknowledged to anybody. */
  search(query: SearchQuery): Promise<FoundAtNode>;
  /**
   * Durable ledger lines of an own shard with `seq` below `before`, newest first; a refusal if they
   * cannot be read for now.
   */
  history(shard: ShardId, before: number, limit: number): Promise<readonly LedgerEntry[] | Refusal>;
}

/** Answers one command that changes nothing. */
export type Read<Type extends ReadingCommandType> = (
  services: ReadServices,
  caller: Requester,
  request: CommandRequest<Type>,
) => Reply | Promise<Reply>;

/** A read for each command that changes nothing. */
export type ReadTable = { readonly [Type in ReadingCommandType]: Read<Type> };

/**
 * The room that a view is made for. The view alone writes the parts of the state that show its
 * rows.
 */
export interface Room {
  readonly state: PlainState;
  readonly shard: ShardId;
  readonly rules: Rules;
  /** An id as the player may see it: the fields of the state that hold ids take no other. */
  readonly seal: (kind: IdKind, id: string) => SealedId;
}

/**
 * How the rows of a feature show in one room. It keeps what it needs to know between two changes.
 */
export interface View {
  readonly folds: readonly RowFold[];
  /**
   * After the rows of a change, or of a snapshot: shows what depends on several rows, and returns
   * what the player is to be told of the change. What it returns after a snapshot is not sent.
   * `version` is that of the shard.
   */
  readonly settle?: (version: ShardVersion) => readonly ServerMessage[];
}

/** What the rows of one entity do to the state. */
export interface RowFold extends Folding<AnyRow> {
  readonly entity: string;
  readonly table: string;
}

/** What happens to the state as rows come and go. */
export interface Folding<Row> {
  readonly put: (row: Row) => void;
  /** A row that goes is known by its id alone. Left out where no row ever goes. */
  readonly remove?: (id: RowId) => void;
  /** Forgets every row, before a snapshot. Left out where the rows of a snapshot say all anew. */
  readonly clear?: () => void;
}

/** What a row says is where: so much of an asset at a place. */
export interface Holding {
  readonly place: Place;
  readonly asset: Asset;
  readonly amount: number;
}

/** The holdings of the rows of one entity. */
export interface EntityHoldings {
  readonly entity: Entity;
  readonly of: (row: AnyRow) => readonly Holding[];
}

/** The rows of one entity as the listing index knows them. */
export interface IndexedRows {
  readonly entity: Entity;
  /** What the index knows of a row that a shard of that version has. */
  readonly indexed: (shard: ShardId, version: ShardVersion, row: AnyRow) => IndexedListing;
}

/** A listing that a player has seen, its own ones too; it may be gone by now. */
export type SeenListing = Readonly<Pick<ListingState, 'startBid' | 'currentBid' | 'buyout' | 'startsAt' | 'endsAt'>> & {
  readonly id: string;
};

/** What steps look at in a room. */
export type SeenState = {
  readonly [Name in 'stash' | 'listings' | 'completed']: Pick<PlainState[Name], 'keys'>;
};

/** What a player of the simulator or of the crash drill sees of the market. */
export interface Sight {
  readonly shard: ShardId;
  /** Its room, as its client or the server has it. */
  readonly state: SeenState;
  /** Listings of its market, oldest first. */
  readonly listings: readonly SeenListing[];
  /** Other players of its market; some of them may never have come. */
  readonly others: readonly ShardId[];
  readonly rules: Rules;
  /**
   * What no player can do, and whoever plays one here can: tell whose a listing is by its id, and
   * name one that may not be there.
   */
  readonly ids: {
    readonly parse: (id: string) => { readonly row: RowId; readonly shard: ShardId } | undefined;
    readonly idOf: (row: RowId, shard: ShardId) => string;
  };
}

/** A command that a player would like to send; the one who sends it adds the `op`. */
export type Wish = { readonly [Type in CommandType]: { readonly type: Type; readonly body: CommandInput<Type> } }[CommandType];

/** One thing that players do. Pure: it asks nothing but what it is given. */
export interface Step {
  readonly name: string;
  /** How often it is done, relative to the others. */
  readonly weight: number;
  /** A command, which may well be refused; `undefined` if there is nothing to do it with. */
  readonly wish: (sight: Sight, prng: Prng) => Wish | undefined;
}

/**
 * The server's side of commands; the types of their bodies follow from the protocol:
 * `handlers: onCommands({ sell: (turn, body) => ... })`.
 */
export function onCommands(runs: { readonly [Type in CommandType]?: Run<Type> }): Readonly<Record<string, Handler>> {
  return Object.fromEntries(Object.entries(runs).map(([type, run]) => [type, onCommand(run as Run<CommandType>)]));
}

type Run<Type extends CommandType> = (turn: Turn, body: CommandBody<Type>, command: Command) => Handled;

/** A fold of an entity's rows. */
export function fold<A extends Attributes>(entity: Entity<A>, folding: Folding<RowOf<A>>): RowFold {
  return { ...folding, entity: entity.name, table: entity.schema.table, put: (row) => folding.put(rowOf(entity, row)) };
}

/** A fold that shows each row as the value of one key of a map. A row never changes its key. */
export function foldIntoMap<A extends Attributes, Value>(
  entity: Entity<A>,
  map: Pick<StateMap<Value>, 'set' | 'delete' | 'clear'>,
  shown: (row: RowOf<A>) => readonly [key: string, value: Value],
): RowFold {
  const keyById = new Map<RowId, string>();
  return fold(entity, {
    put: (row) => {
      const [key, value] = shown(row);
      keyById.set(row.id, key);
      map.set(key, value);
    },
    remove: (id) => {
      const key = keyById.get(id);
      if (key === undefined) throw new Error(`row ${id} of ${entity.name} was removed but never seen`);
      keyById.delete(id);
      map.delete(key);
    },
    clear: () => {
      keyById.clear();
      map.clear();
    },
  });
}

/** The holdings of an entity's rows. */
export function holds<A extends Attributes>(entity: Entity<A>, of: (row: RowOf<A>) => readonly Holding[]): EntityHoldings {
  return { entity, of: (row) => of(rowOf(entity, row)) };
}

/** The row as its entity types it. */
export function rowOf<A extends Attributes>(_entity: Entity<A>, row: AnyRow): RowOf<A> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The engine has made and checked the row by this very entity, whose name selected it.
  return row as RowOf<A>;
}
