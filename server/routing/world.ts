/**
 * The world as a part: it hands each envelope to the region that the shard's address names.
 *
 * All messages of a node come through here: those of its clients, of other nodes, and between its
 * own shards. So this is the one place where a node that is starting or stopping says no.
 */
import { refusal } from '#shared/refusals.ts';
import type { Market } from '#shared/units.ts';
import type { Reply } from '#server/shard/message.ts';
import type { Envelope, Part } from './part.ts';
import type { Region } from './region.ts';

/** All regions, by `region.mode`. Any node's world takes any envelope and knows the next hop. */
export class World implements Part {
  /**
   * A handful: asking each whether an address ends with it is quicker than cutting its market out
   * of the address.
   */
  readonly #regions: { readonly suffix: string; readonly region: Region }[] = [];
  #state: 'closed' | 'open' = 'closed';

  /** Takes a region in. Done once per market, before the first envelope. */
  add(market: Market, region: Region): void {
    const suffix = `@${market}`;
    if (this.#regions.some((known) => known.suffix === suffix)) throw new Error(`the market ${market} is there twice`);
    this.#regions.push({ suffix, region });
  }

  /** Puts a part in the place of a cell; see `Region.replace`. */
  replace(market: Market, cell: number, part: Part): void {
    const region = this.#region(`@${market}`);
    if (region === undefined) throw new Error(`there is no market ${market}`);
    region.replace(cell, part);
  }

  /** Whether it takes messages. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Takes messages from now on. */
  open(): void {
    this.#state = 'open';
  }

  /** Answers `unavailable` from now on. */
  close(): void {
    this.#state = 'closed';
  }

  accept(envelope: Envelope): Promise<Reply> {
    if (this.#state === 'closed') return Promise.resolve(refusal('unavailable', { reason: 'the server is stopping' }));
    const region = this.#region(envelope.to);
    return region === undefined ? Promise.resolve(refusal('bad-request', { reason: 'no such region or mode' })) : region.accept(envelope);
  }

  /**
   * The region whose market that address ends with, or `undefined` if this world has none of that
   * name.
   */
  #region(address: string): Region | undefined {
    for (const { suffix, region } of this.#regions) if (address.endsWith(suffix)) return region;
    return undefined;
  }
}
