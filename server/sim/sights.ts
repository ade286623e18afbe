/**
 * What the players of a simulation see: the room of each, made of its durable rows by the
 * presenter, and what is durably for sale.
 */
import type { Rules } from '#shared/rules.ts';
import type { PlayerState } from '#shared/state.ts';
import type { ShardId, ShardVersion } from '#shared/units.ts';
import { Presenter } from '#server/edge/presenter.ts';
import type { Sight } from '#server/market/feature.ts';
import type { SimulatedWorld } from './simulated-world.ts';

/** Keeps the room of each player, and makes it anew when its shard has had a turn. */
export class Sights {
  readonly #world: Pick<SimulatedWorld, 'features' | 'listings' | 'model'>;
  readonly #rules: Rules;
  readonly #others: readonly ShardId[];
  readonly #roomByShard = new Map<ShardId, { readonly version: ShardVersion; readonly state: PlayerState }>();

  /** `others` are players who may never come. */
  constructor(world: Pick<SimulatedWorld, 'features' | 'listings' | 'model'>, rules: Rules, others: readonly ShardId[]) {
    this.#world = world;
    this.#rules = rules;
    this.#others = others;
  }

  /** What the player sees now; throws if it has not come yet. */
  of(shard: ShardId): Sight {
    return { shard, state: this.#room(shard), listings: this.#world.listings.live(), others: this.#others, rules: this.#rules };
  }

  #room(id: ShardId): PlayerState {
    const { model, features } = this.#world;
    const shard = model.shards.get(id);
    if (shard === undefined) throw new Error(`${id} has not come yet`);
    const { header, rowsByEntity } = shard;
    const known = this.#roomByShard.get(id);
    if (known?.version === header.version) return known.state;
    const presenter = new Presenter(features, id, this.#rules);
    presenter.apply({ kind: 'snapshot', header, rows: (entity) => [...(rowsByEntity.get(entity)?.values() ?? [])] });
    this.#roomByShard.set(id, { version: header.version, state: presenter.state });
    return presenter.state;
  }
}
