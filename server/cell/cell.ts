/**
 * A cell: a fixed slice of a region's shards, and the one place where they live. It is the unit of ownership: what is here is on this
 * node, and there is one resident per shard.
 */
import { TextMap } from '#shared/text-map.ts';
import type { ShardId } from '#shared/units.ts';
import type { Reply } from '#server/shard/message.ts';
import type { CellHost } from './cell-host.ts';
import type { Envelope, Part } from '#server/routing/part.ts';
import { Resident, type Home, type ShardListener } from './resident.ts';

/** The epoch of every cell until cells move between nodes. */
const EPOCH = 1;

/** See the head of this file. */
export class Cell implements Part, Home {
  readonly index: number;
  readonly epoch = EPOCH;
  readonly host: CellHost;
  readonly #residents = new TextMap<Resident>(({ id }) => id);

  constructor(index: number, host: CellHost) {
    this.index = index;
    this.host = host;
  }

  /** See `Part`. */
  accept(envelope: Envelope): Promise<Reply> {
    return this.#resident(envelope.to).accept(envelope);
  }

  /**
   * Tells the listener how the shard stands and then each of its changes, all durable, in order, until `unsubscribe`. Resolves with the
   * refusal if the shard cannot be loaded or does not exist.
   */
  subscribe(shard: ShardId, listener: ShardListener): Promise<Reply> {
    return this.#resident(shard).subscribe(listener);
  }

  /** Ends a subscription, also one that is still on its way: the listener hears nothing more. */
  unsubscribe(shard: ShardId, listener: ShardListener): void {
    this.#residents.get(shard)?.unsubscribe(listener);
  }

  /** Whether the shard is in memory, or on its way: then it knows its own alarms. */
  isHere(shard: ShardId): boolean {
    return this.#residents.get(shard) !== undefined;
  }

  /** Loads the shard, if it is not in memory, and lets it look at its alarms. */
  wakeShard(shard: ShardId): void {
    this.#resident(shard).wake();
  }

  forget(shard: ShardId): void {
    const resident = this.#residents.get(shard);
    if (resident !== undefined) this.#residents.delete(shard, resident);
  }

  /** The resident of that shard, on its way if it was not there. */
  #resident(shard: ShardId): Resident {
    const known = this.#residents.get(shard);
    if (known !== undefined) return known;
    const resident = new Resident(shard, this);
    this.#residents.set(shard, resident);
    return resident;
  }
}
