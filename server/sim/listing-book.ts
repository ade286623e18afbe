/** What is durably for sale, now and at any position of a journal before: kept by itself, to hold searches against. */
import { listingId, marketOf } from '#shared/address.ts';
import type { IndexedListing } from '#shared/search.ts';
import { playerId } from '#shared/units.ts';
import { listing } from '#server/market/entities.ts';
import type { Checker } from './checker.ts';
import type { DurableTurn } from './model.ts';
import { rowAs } from './row-decode.ts';

/** A listing as its shard has it, with the positions of its node's journal from which on it stands, and from which on it does not. */
interface Posted {
  readonly node: string;
  readonly row: IndexedListing;
  readonly from: number;
  until: number;
}

/** See the head of this file. It looks at turns as a checker does, and complains of nothing itself. */
export class ListingBook implements Checker {
  readonly name = 'what is for sale';
  readonly sentence = 'keeps book of listings for the checks of searches';
  readonly #postedById = new Map<string, Posted>();

  onTurn({ node, position, changes, deltas }: DurableTurn): void {
    for (const { entity, id, before, after } of deltas) {
      if (entity !== listing.name) continue;
      const key = `${id}.${changes.shard}`;
      const row = rowAs(listing, entity, after);
      const posted = this.#postedById.get(key);
      if (row === undefined && posted !== undefined) posted.until = position;
      if (row === undefined || before !== undefined) continue;
      const { item, buyout, startsAt, endsAt } = row;
      const { shard, version } = changes;
      const seller = playerId(shard.slice(0, shard.indexOf('@')));
      const indexed = {
        id: listingId(id, shard),
        shard,
        seller,
        market: marketOf(shard),
        item: item.value,
        buyout,
        startsAt,
        endsAt,
        version,
      };
      this.#postedById.set(key, { node, row: indexed, from: position, until: Number.POSITIVE_INFINITY });
    }
  }

  /** The listings of a node that stand at every position from one to another. */
  standing(node: string, from: number, to = from): readonly IndexedListing[] {
    return [...this.#postedById.values()].flatMap((posted) =>
      posted.node === node && posted.from <= from && posted.until > to ? [posted.row] : [],
    );
  }
}
