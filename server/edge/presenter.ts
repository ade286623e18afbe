/**
 * The presenter of one room: it folds the durable news of one shard into the room's state. Pure: no I/O, no clock.
 *
 * Owns the state object; nobody else writes to it, but for its `serverTime`.
 * 1. The state is what the shard's durable rows say, and nothing that is not durable is ever in it.
 * 2. Changes come one by one, without a gap: a gap throws, and the room has to start again from a snapshot.
 * 3. Of the completed tab the oldest entries are shown, as many as the rules say; the others move up as those are claimed.
 */
import { listingId, parseShardId } from '#shared/address.ts';
import { PlayerState } from '#shared/state.ts';
import type { ServerMessage } from '#shared/server-messages.ts';
import type { ShardId } from '#shared/units.ts';
import type { ShardNews } from '#server/cell/active-shard.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import type { AnyRow, Attributes, Entity, RowOf } from '#server/shard/entity.ts';
import { commodity, completed, item, listing, player, wallet, type CompletedRow } from '#server/market/entities.ts';
import { completedEntry, completedState, itemState, listingState, rowOf } from './views.ts';

/** What one entity's rows do to the state. */
interface Fold {
  readonly entity: string;
  readonly table: string;
  readonly put: (row: AnyRow) => void;
  readonly remove: (id: number) => void;
}

/** See the head of this file. */
export class Presenter {
  readonly state: PlayerState;
  readonly #shard: ShardId;
  readonly #completedShown: number;
  readonly #folds: readonly Fold[];
  /** What the state calls a row, where that is not made of the row's id. */
  readonly #keyByRow = new Map<number, string>();
  readonly #completedById = new Map<number, CompletedRow>();
  /** Entries of the completed tab whose place in the state has to be looked at, and which of them are new. */
  readonly #touched = new Set<number>();
  #added: CompletedRow[] = [];
  #version: number | undefined;

  constructor(shard: ShardId, completedShown: number) {
    const address = parseShardId(shard);
    if (address === undefined) throw new Error(`${shard} is no shard`);
    this.#shard = shard;
    this.#completedShown = completedShown;
    const { player: name, region, mode } = address;
    this.state = new PlayerState({ name, region, mode, frozen: false, serverTime: 0, gold: 0, held: 0 });
    this.#folds = this.#makeFolds();
  }

  /** Takes news in and returns what the player should be told of them. Throws `Error` if changes are missing before these. */
  apply(news: ShardNews): readonly ServerMessage[] {
    if (news.kind === 'change') return this.#change(news.changes);
    this.#clear();
    for (const fold of this.#folds) for (const row of news.rows(fold.entity)) fold.put(row);
    this.#version = news.header.version;
    this.state.serverTime = news.header.now;
    this.#showCompleted();
    return [];
  }

  #change(changes: ChangeSet): readonly ServerMessage[] {
    if (this.#version === undefined || changes.version !== this.#version + 1) {
      throw new Error(`change ${changes.version} of ${this.#shard} came after version ${this.#version ?? 'none'}`);
    }
    this.#version = changes.version;
    this.state.serverTime = changes.now;
    const wasFrozen = this.state.frozen;
    for (const { table, id } of changes.removes) this.#folds.find((fold) => fold.table === table)?.remove(id);
    for (const { entity, row } of changes.puts) this.#folds.find((fold) => fold.entity === entity.name)?.put(row);
    const messages = this.#added.map(messageOf);
    this.#showCompleted();
    return this.state.frozen === wasFrozen ? messages : [...messages, frozenNotice(this.state.frozen, changes.version)];
  }

  #makeFolds(): readonly Fold[] {
    const { state } = this;
    const kept = (): void => undefined;
    return [
      fold(player, ({ name, frozen }) => Object.assign(state, { name, frozen }), kept),
      fold(wallet, ({ gold, held }) => Object.assign(state, { gold, held }), kept),
      fold(
        item,
        (row) => {
          this.#keyByRow.set(row.id, row.itemId);
          state.stash.set(row.itemId, itemState(row.item.value));
        },
        (id) => state.stash.delete(this.#takeKey(id)),
      ),
      fold(
        commodity,
        (row) => {
          this.#keyByRow.set(row.id, row.commodity);
          state.commodities.set(row.commodity, row.quantity);
        },
        (id) => state.commodities.delete(this.#takeKey(id)),
      ),
      fold(
        listing,
        (row) => state.listings.set(listingId(row.id, this.#shard), listingState(row, this.#shard)),
        (id) => state.listings.delete(listingId(id, this.#shard)),
      ),
      fold(
        completed,
        (row) => {
          if (!this.#completedById.has(row.id)) this.#added.push(row);
          this.#completedById.set(row.id, row);
          this.#touched.add(row.id);
        },
        (id) => {
          this.#completedById.delete(id);
          this.#touched.add(id);
        },
      ),
    ];
  }

  #takeKey(row: number): string {
    const key = this.#keyByRow.get(row);
    if (key === undefined) throw new Error(`row ${row} of ${this.#shard} was removed but never seen`);
    this.#keyByRow.delete(row);
    return key;
  }

  #showCompleted(): void {
    if (this.#touched.size > 0) {
      const shown = [...this.#completedById.keys()].sort((a, b) => a - b).slice(0, this.#completedShown);
      const shownKeys = new Set(shown.map(String));
      for (const key of this.state.completed.keys()) if (!shownKeys.has(key)) this.state.completed.delete(key);
      for (const id of shown) {
        const row = this.#completedById.get(id);
        const isStale = this.#touched.has(id) || !this.state.completed.has(String(id));
        if (row !== undefined && isStale) this.state.completed.set(String(id), completedState(row));
      }
    }
    this.#touched.clear();
    this.#added = [];
  }

  #clear(): void {
    const { stash, commodities, listings, completed: shown } = this.state;
    for (const map of [stash, commodities, listings, shown]) map.clear();
    this.#keyByRow.clear();
    this.#completedById.clear();
  }
}

function fold<A extends Attributes>(entity: Entity<A>, put: (row: RowOf<A>) => unknown, remove: (id: number) => unknown): Fold {
  return {
    entity: entity.name,
    table: entity.schema.table,
    put: (row) => void put(rowOf(entity, row)),
    remove: (id) => void remove(id),
  };
}

/** What each kind of entry is told as, and in which words where the type alone does not say it. */
const NOTICE_BY_KIND = {
  bought: 'A purchase went through. The goods wait in your completed tab.',
  cancelled: 'A listing was cancelled. The goods wait in your completed tab.',
  outbid: 'You were outbid. Your gold waits in your completed tab.',
  returned: 'Something came back to you. It waits in your completed tab.',
} as const;

function messageOf(row: CompletedRow): ServerMessage {
  const entry = completedEntry(row);
  const id = `entry-${row.id}`;
  switch (entry.kind) {
    case 'sold':
    case 'expired':
      return { type: entry.kind, payload: { id, entry } };
    case 'bought':
    case 'cancelled':
    case 'outbid':
    case 'returned':
      return { type: 'notice', payload: { id, text: NOTICE_BY_KIND[entry.kind], entry } };
  }
}

function frozenNotice(isFrozen: boolean, version: number): ServerMessage {
  const text = isFrozen ? 'A moderator has frozen this account.' : 'This account is no longer frozen.';
  return { type: 'notice', payload: { id: `turn-${version}`, text } };
}
