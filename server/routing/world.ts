/** The world as a part: it hands each envelope to the region that the shard's address names. */
import { refusal } from '#shared/refusals.ts';
import type { Reply } from '#server/shard/message.ts';
import type { Envelope, Part } from './part.ts';
import type { Region } from './region.ts';

/** All regions, by `region.mode`. Any node's world takes any envelope and knows the next hop. */
export class World implements Part {
  /** A handful: asking each whether an address ends with it is quicker than cutting its market out of the address. */
  readonly #regions: { readonly suffix: string; readonly region: Region }[] = [];

  /** Takes a region in. Done once per market, before the first envelope. */
  add(market: string, region: Region): void {
    const suffix = `@${market}`;
    if (this.#regions.some((known) => known.suffix === suffix)) throw new Error(`the market ${market} is there twice`);
    this.#regions.push({ suffix, region });
  }

  accept(envelope: Envelope): Promise<Reply> {
    const region = this.region(envelope);
    return region === undefined ? Promise.resolve(refusal('bad-request', { reason: 'no such region or mode' })) : region.accept(envelope);
  }

  /** The region of the envelope's shard, or `undefined` if this world has none of that name. */
  region({ to }: Pick<Envelope, 'to'>): Region | undefined {
    for (const { suffix, region } of this.#regions) if (to.endsWith(suffix)) return region;
    return undefined;
  }
}
