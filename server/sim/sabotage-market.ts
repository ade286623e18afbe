/** Deliberate faults of the market, of rooms and of the index. */
import { marketOf, parseListingId } from '#shared/address.ts';
import { cellOf, FIRST_EPOCH } from '#shared/cell.ts';
import { limits } from '#shared/limits.ts';
import { durationMs, gold, NO_GOLD } from '#shared/units.ts';
import type { ShardListener } from '#server/cell/active-shard.ts';
import type { FeedChange, ListingIndexService } from '#server/listing-index/service.ts';
import { player } from '#server/market/account/opening.ts';
import { listing, listingRows } from '#server/market/listing/listing.ts';
import { tellIndexedRows } from '#server/market/indexed-rows.ts';
import type { Command } from '#server/shard/message.ts';
import { onCommand, onMessage, type Handler, type Powerup } from '#server/shard/powerup.ts';
import type { Offer } from '#server/trade/messages.ts';
import { override } from './override.ts';
import { onPowerup, wrapHandler, type Sabotage } from './sabotage.ts';
import type { Seams } from './seams.ts';

/** Every sabotage of the rules of the market. */
export const MARKET_SABOTAGES: readonly Sabotage[] = [
  { name: 'cancelling leaves the listing where it is', seams: () => wrapHandler('stall', 'cancel', leavingListing) },
  { name: 'a listing is cancelled when it is too late', seams: () => wrapHandler('stall', 'cancel', cancellingLate) },
  { name: 'a listing ends when somebody looks at it', seams: () => wrapHandler('stall', 'listing', endingWhenSeen) },
  { name: 'a listing changes when its seller claims', seams: () => wrapHandler('completed', 'claim', changingListing) },
  { name: 'no fee is taken', seams: () => underRules((rules) => ({ ...rules, gold: { ...rules.gold, saleFeeBasisPoints: 0 } })) },
  { name: 'a sale takes another fee than its listing was posted with', seams: () => wrapHandler('trades', 'offer', forgettingTheFee) },
  {
    name: 'any price is taken',
    seams: () => underRules((rules) => ({ ...rules, gold: { ...rules.gold, priceMin: NO_GOLD, priceMax: gold(Number.MAX_SAFE_INTEGER) } })),
  },
  { name: 'any duration is taken', seams: () => underRules((rules) => ({ ...rules, durationMinMs: durationMs(1) })) },
  { name: 'listings start when they like', seams: () => underRules((rules) => ({ ...rules, startDelayMs: durationMs(17) })) },
  { name: 'listings can be cancelled for longer', seams: () => underRules((rules) => ({ ...rules, cancelWindowMs: durationMs(90_000) })) },
  { name: 'a player has as many listings as it likes', seams: () => underRules((rules) => ({ ...rules, listingsPerPlayerMax: 1_000 })) },
  { name: 'a stash has no end', seams: () => underRules((rules) => ({ ...rules, stashSlots: 1_000 })) },
  { name: 'a full completed tab stops nobody', seams: () => underRules((rules) => ({ ...rules, completedShown: 200 })) },
  { name: 'the frozen go on', seams: () => onPowerup('moderation', withoutGuard) },
  { name: 'the frozen sell', seams: () => wrapHandler('trades', 'offer', thawingForOffers) },
  { name: 'a buyer offers more than was named', seams: () => wrapHandler('purchases', 'buyout', offeringMore) },
  { name: 'rooms are told nothing', seams: () => ({ listener: seeingOnlyTheFirst }) },
  { name: 'the index is fed past the gate', seams: feedingPastTheGate },
  { name: 'the index is never told that a listing ended', seams: () => ({ index: forgettingEnds }) },
  { name: 'the index forgets a listing now and then', seams: () => ({ index: forgettingSome() }) },
  { name: 'a search does not wait for what it asks for', seams: () => ({ index: forgettingAtLeast }) },
];

function underRules(rules: NonNullable<Seams['rules']>): Seams {
  return { rules };
}

/** The turn as it is, but that no listing can be removed. */
function leavingListing(real: Handler): Handler {
  return (turn, message) => {
    const careless = override(turn, {
      remove: (entity, id) => {
        if (entity.name !== listing.name) turn.remove(entity, id);
      },
    });
    return real(careless, message);
  };
}

function cancellingLate(real: Handler): Handler {
  return onCommand<{ readonly listingId: string }>((turn, { listingId }, command) => {
    const row = turn.table(listing).get(parseListingId(listingId)?.row ?? 0);
    if (row !== undefined) turn.put(listing, { ...row, cancelUntil: row.endsAt });
    return real(turn, command);
  });
}

/** Any look ends the first listing of its shard, as its alarm would. */
function endingWhenSeen(real: Handler, { alarms }: Powerup): Handler {
  return (turn, message) => {
    const handled = real(turn, message);
    const row = turn.table(listing).first();
    if (row !== undefined) alarms?.['expire-listing']?.(turn, row);
    return handled;
  };
}

function changingListing(real: Handler): Handler {
  return (turn, message) => {
    const row = turn.table(listing).first();
    if (row !== undefined) turn.put(listing, { ...row, startsAt: turn.now });
    return real(turn, message);
  };
}

function withoutGuard({ guard: _guard, ...powerup }: Powerup): Powerup {
  return powerup;
}

function thawingForOffers(real: Handler): Handler {
  return onMessage<Offer>((turn, offer) => {
    const owner = turn.table(player).first();
    if (owner?.frozen !== true) return real(turn, offer);
    turn.put(player, { ...owner, frozen: false });
    const handled = real(turn, offer);
    turn.put(player, owner);
    return handled;
  });
}

/** For one sale, all listings are as posted under the first fee ever. */
function forgettingTheFee(real: Handler): Handler {
  return (turn, message) => {
    const rows = turn.table(listing).rows();
    for (const row of rows) turn.put(listing, { ...row, saleFeeBasisPoints: 1_500 });
    const handled = real(turn, message);
    for (const row of rows) if (turn.table(listing).get(row.id) !== undefined) turn.put(listing, row);
    return handled;
  };
}

function offeringMore(real: Handler): Handler {
  return onCommand<{ readonly price: number }>((turn, body, command) => {
    const more: Command = { ...command, body: { ...body, price: body.price + 1 } };
    return real(turn, more);
  });
}

function seeingOnlyTheFirst(listener: ShardListener): ShardListener {
  return (news) => {
    if (news.kind === 'snapshot') listener(news);
  };
}

/** The index is told of each listing when it is appended: it may never be on a disk. */
function feedingPastTheGate(): Seams {
  const feeds = new Map<string, { readonly index: ListingIndexService; readonly incarnation: string }>();
  return {
    index: (real, node) =>
      override(real, {
        apply: (batch) => {
          feeds.set(node, { index: real, incarnation: batch.incarnation });
          return real.apply(batch);
        },
      }),
    persister: (real, node) =>
      override(real, {
        append: (changes) => {
          const position = real.append(changes);
          const feed = feeds.get(node);
          const [market, number] = [marketOf(changes.shard), cellOf(changes.shard, limits.cellsPerRegion)];
          tellIndexedRows(listingRows, position, changes, ({ shard, version, row }) => {
            if (feed === undefined || row === undefined) return;
            const put: FeedChange = { kind: 'put', row: listingRows.indexed(shard, version, row) };
            const cells = [{ cell: { market, cell: number, epoch: FIRST_EPOCH }, changes: [put] }];
            void feed.index.apply({ node, incarnation: feed.incarnation, kind: 'rows', cells });
          });
          return position;
        },
      }),
  };
}

function forgettingEnds(real: ListingIndexService): ListingIndexService {
  return withoutChanges(real, ({ kind }) => kind === 'remove');
}

function forgettingSome(): NonNullable<Seams['index']> {
  let puts = 0;
  return (real) => withoutChanges(real, ({ kind }) => kind === 'put' && ++puts % 10 === 0);
}

function withoutChanges(real: ListingIndexService, isLost: (change: FeedChange) => boolean): ListingIndexService {
  const apply: ListingIndexService['apply'] = (batch) => {
    if (batch.kind === 'open') return real.apply(batch);
    return real.apply({ ...batch, cells: batch.cells.map((each) => ({ ...each, changes: each.changes.filter((one) => !isLost(one)) })) });
  };
  return override(real, { apply });
}

/** The index answers as it stands, and says that it is as new as was asked for. */
function forgettingAtLeast(real: ListingIndexService): ListingIndexService {
  const search: ListingIndexService['search'] = async (query, { atLeast }) => {
    const answer = await real.search(query, { atLeast: { ...atLeast, position: 0 } });
    return answer.kind === 'found' ? { ...answer, isBehind: false } : answer;
  };
  return override(real, { search });
}
