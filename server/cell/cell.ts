/**
 * A cell: a fixed slice of a market's shards, in one epoch of its ownership, and the one place
 * where they live.
 *
 * 1. There is one `ActiveShard` per shard in memory, and each is of this cell by the hash of its
 *    address: asserted when it is made.
 * 2. A cell is open from its making until `close`, and never again: opening it anew makes another
 *    `Cell`, which reads from disk. `OwnCells` sees to it that this is not before the former one is
 *    closed.
 * 3. One that is not open answers `unavailable`, which is the outcome of nothing.
 */
import { marketOf } from '#shared/address.ts';
import { assert } from '#shared/assert.ts';
import { cellOf, type CellEpoch } from '#shared/cell.ts';
import { TextMap } from '#shared/text-map.ts';
import type { ShardId } from '#shared/units.ts';
import { UNAVAILABLE, type Envelope, type Part } from '#server/routing/part.ts';
import type { Reply } from '#server/shard/message.ts';
import { ActiveShard, type HomeCell, type ShardListener } from './active-shard.ts';
import type { CellParts } from './cell-parts.ts';

/** The shards of one cell on this node. */
export class Cell implements Part, HomeCell {
  readonly cellEpoch: CellEpoch;
  readonly parts: CellParts;
  #shards = newShardMap();
  #state: 'open' | 'closing' | 'closed' = 'open';

  constructor(cellEpoch: CellEpoch, parts: CellParts) {
    this.cellEpoch = cellEpoch;
    this.parts = parts;
  }

  /**
   * Whether it takes messages, is waiting for its last turns to be durable, or is no longer here.
   */
  get state(): 'open' | 'closing' | 'closed' {
    return this.#state;
  }

  /** See `Part`. */
  accept(envelope: Envelope): Promise<Reply> {
    return this.#state === 'open' ? this.#active(envelope.to).accept(envelope) : UNAVAILABLE;
  }

  /**
   * Tells the listener how the shard stands and then each of its changes, all durable, in order,
   * until `unsubscribe`. Resolves with the refusal if the shard cannot be loaded or does not exist.
   */
  subscribe(shard: ShardId, listener: ShardListener): Promise<Reply> {
    return this.#state === 'open' ? this.#active(shard).subscribe(listener) : UNAVAILABLE;
  }

  /** Ends a subscription, also one that is still on its way: the listener hears nothing more. */
  unsubscribe(shard: ShardId, listener: ShardListener): void {
    this.#shards.get(shard)?.unsubscribe(listener);
  }

  /** The shard, if it is in memory and has nothing to do. */
  resting(shard: ShardId): ActiveShard | undefined {
    const active = this.#state === 'open' ? this.#shards.get(shard) : undefined;
    return active?.isResting === true ? active : undefined;
  }

  /** Whether the shard is in memory, or on its way: then it knows its own alarms. */
  isHere(shard: ShardId): boolean {
    return this.#shards.get(shard) !== undefined;
  }

  /** Loads the shard, if it is not in memory, and lets it look at its alarms. */
  wakeShard(shard: ShardId): void {
    if (this.#state === 'open') this.#active(shard).wake();
  }

  dropShard(shard: ShardId): void {
    const active = this.#shards.get(shard);
    if (active !== undefined) this.#shards.delete(shard, active);
  }

  /**
   * Takes no message from now on. What waits in inboxes is answered `unavailable`, what waits for a
   * trade `outcome-unknown`; all of it, and all that was done, goes out once it is durable.
   * Resolves then, with no shard in memory. Listeners hear nothing after that: their owner must end
   * them. Never resolves if the node stops before.
   */
  async close(): Promise<void> {
    assert(this.#state === 'open', () => `cell ${this.cellEpoch.cell} of ${this.cellEpoch.market} is closed twice`);
    this.#state = 'closing';
    // Shards stay known until all is durable: their listeners hear of it, and may leave.
    for (const shard of this.#shards.values()) shard.close();
    await this.parts.gate.settled();
    this.#shards = newShardMap();
    this.#state = 'closed';
  }

  /** The shard in memory; begins to load it if it is not. */
  #active(shard: ShardId): ActiveShard {
    const known = this.#shards.get(shard);
    if (known !== undefined) return known;
    const { market, cell } = this.cellEpoch;
    const isOwn = cellOf(shard, this.parts.cellsPerMarket) === cell && marketOf(shard) === market;
    assert(isOwn, () => `${shard} is not of cell ${cell} of ${market}`);
    const active = new ActiveShard(shard, this);
    this.#shards.set(shard, active);
    return active;
  }
}

function newShardMap(): TextMap<ActiveShard> {
  return new TextMap(({ id }) => id);
}
