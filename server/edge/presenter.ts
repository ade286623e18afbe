/**
 * The presenter of one room: it folds the durable news of one shard into the room's state, by the
 * views of the features. Pure: no I/O, no clock.
 *
 * Owns the state object; nobody else writes to it, but for its `serverTime`.
 * 1. The state is what the shard's durable rows say, and nothing that is not durable is ever in it.
 * 2. Ids in the state are sealed; those in what it returns are not yet.
 * 3. Changes come one by one, without a gap: a gap throws, and the room has to start again from a
 *    snapshot.
 */
import { parseShardId } from '#shared/address.ts';
import type { ServerMessage } from '#shared/protocol.ts';
import type { Rules } from '#shared/rules.ts';
import type { ShardId, ShardVersion } from '#shared/units.ts';
import type { ShardNews } from '#server/cell/active-shard.ts';
import type { Feature, Room, RowFold, View } from '#server/market/feature.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import { RoomState } from './room-state/room-state.ts';

export class Presenter {
  readonly state: RoomState;
  readonly #shard: ShardId;
  readonly #views: readonly View[];
  readonly #folds: readonly RowFold[];
  #version: ShardVersion | undefined;

  constructor(features: readonly Feature[], shard: ShardId, rules: Rules, seal: Room['seal']) {
    const address = parseShardId(shard);
    if (address === undefined) throw new Error(`${shard} is no shard`);
    this.#shard = shard;
    const { player: name, region, mode } = address;
    const state = new RoomState({ name, region, mode, frozen: false, serverTime: 0, gold: 0, held: 0 });
    this.state = state;
    this.#views = features.flatMap(({ view }) => view?.({ state: state.fields, shard, rules, seal }) ?? []);
    this.#folds = this.#views.flatMap(({ folds }) => folds);
  }

  /**
   * Takes news in and returns what the player should be told of them. Throws `Error` if changes are
   * missing before these.
   */
  apply(news: ShardNews): readonly ServerMessage[] {
    if (news.kind === 'change') return this.#change(news.changes);
    for (const fold of this.#folds) {
      fold.clear?.();
      for (const row of news.rows(fold.entity)) fold.put(row);
    }
    this.#version = news.header.version;
    this.state.fields.serverTime = news.header.now;
    this.#settle(news.header.version);
    return [];
  }

  #change(changes: ChangeSet): readonly ServerMessage[] {
    if (this.#version === undefined || changes.version !== this.#version + 1) {
      throw new Error(`change ${changes.version} of ${this.#shard} came after version ${this.#version ?? 'none'}`);
    }
    this.#version = changes.version;
    this.state.fields.serverTime = changes.now;
    for (const { table, id } of changes.removes) this.#folds.find((fold) => fold.table === table)?.remove?.(id);
    for (const { entity, row } of changes.puts) this.#folds.find((fold) => fold.entity === entity.name)?.put(row);
    return this.#settle(changes.version);
  }

  #settle(version: ShardVersion): readonly ServerMessage[] {
    return this.#views.flatMap(({ settle }) => settle?.(version) ?? []);
  }
}
