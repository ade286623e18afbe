/**
 * The batches that were read last, as far as a number of bytes goes: what is loaded is often what
 * was just written.
 */
import type { Position } from '#shared/units.ts';
import { asBuffer } from '#server/shard/record/format.ts';
import type { Batch } from '../disk/storage.ts';

/** A bounded cache of batches by their first position. Owned by the thread that loads shards. */
export class BatchCache {
  readonly #bytesMax: number;
  readonly #bufferByFirst = new Map<Position, Buffer>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Adds a batch and returns its records; the oldest leave if there is no room. */
  add({ first, records }: Batch): Buffer {
    const buffer = asBuffer(records);
    this.#forget(first);
    this.#bufferByFirst.set(first, buffer);
    this.#bytes += buffer.length;
    for (const oldest of this.#bufferByFirst.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#forget(oldest);
    }
    return buffer;
  }

  /** The records of a batch, if they are here. */
  get(first: Position): Buffer | undefined {
    return this.#bufferByFirst.get(first);
  }

  #forget(first: Position): void {
    this.#bytes -= this.#bufferByFirst.get(first)?.length ?? 0;
    this.#bufferByFirst.delete(first);
  }
}
