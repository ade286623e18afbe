/**
 * What is durably for sale, now and at any position of a journal before: kept by itself, to hold searches against. At the moment in which a
 * listing comes to the disk, its node has not been told yet: so no index may have it.
 */
import { listingId, marketOf } from '#shared/address.ts';
import type { IndexedListing } from '#shared/search.ts';
import { type NodeName, playerId, type Position } from '#shared/units.ts';
import { listing } from '#server/market/listing/listing.ts';
import type { ListingIndex } from '#server/listing-index/listing-index.ts';
import type { Checker, Complain } from './checker.ts';
import { stepsOf, type DurableTurn } from './model.ts';

/** A listing as its shard has it, with the positions of its node's journal from which on it stands, and from which on it does not. */
interface Posted {
  readonly node: NodeName;
  readonly row: IndexedListing;
  readonly from: Position;
  until: Position | undefined;
}

export class ListingBook implements Checker {
  readonly name = 'G1 the index has what is durable';
  readonly sentence = 'the index of a node is fed with what is on its disk, and not before';
  readonly #indexOf: (node: NodeName) => Pick<ListingIndex, 'get'> | undefined;
  readonly #postedById = new Map<string, Posted>();
  /** Those that stand, oldest first. */
  readonly #liveById = new Map<string, IndexedListing>();

  /** `indexOf` gives the index of a node that runs. */
  constructor(indexOf: (node: NodeName) => Pick<ListingIndex, 'get'> | undefined) {
    this.#indexOf = indexOf;
  }

  onTurn(turn: DurableTurn, complain: Complain): void {
    const { node, position, changes } = turn;
    for (const { id, old, row } of stepsOf(turn, listing)) {
      const key = `${id}.${changes.shard}`;
      const posted = this.#postedById.get(key);
      if (row === undefined && posted !== undefined) {
        posted.until = position;
        this.#liveById.delete(key);
      }
      if (row === undefined || old !== undefined) continue;
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
      const early = this.#indexOf(node)?.get(indexed.id);
      if (early !== undefined) complain(`the index of ${node} has ${early.id} of version ${early.version}, which is only now on the disk`);
      this.#liveById.set(key, indexed);
      this.#postedById.set(key, { node, row: indexed, from: position, until: undefined });
    }
  }

  /** All listings that durably stand, oldest first. */
  live(): readonly IndexedListing[] {
    return [...this.#liveById.values()];
  }

  /** The listings of a node that stand at every position from one to another. */
  standing(node: NodeName, from: Position, to = from): readonly IndexedListing[] {
    return [...this.#postedById.values()].flatMap((posted) =>
      posted.node === node && posted.from <= from && (posted.until === undefined || posted.until > to) ? [posted.row] : [],
    );
  }
}
