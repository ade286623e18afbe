/** Deliberate faults of the market, of rooms and of the index. */
import { marketOf, parseListingId } from '#shared/address.ts';
import { cellOf, FIRST_EPOCH } from '#shared/cell.ts';
import { limits } from '#shared/limits.ts';
import { durationMs, FIRST_ROW_ID, gold, NO_GOLD, NO_POSITION } from '#shared/units.ts';
import type { FeedChange, ListingIndexService } from '#server/listing-index/service.ts';
import { player } from '#server/market/account/opening.ts';
import { listing, listingRows } from '#server/market/listing/listing.ts';
import { tellIndexedRows } from '#server/market/indexed-rows.ts';
import type { Command, Message } from '#server/shard/message.ts';
import type { Offer } from '#server/trade/messages.ts';
import { override } from './override.ts';
import { onHandler, onPowerup, type Sabotages, type Seams } from './seams.ts';

type CommandWith<Body> = Command & { readonly body: Body };

/** Every sabotage of the rules of the market. */
export const MARKET_SABOTAGES: Sabotages = {
  'cancelling leaves the listing where it is': () =>
    onHandler<Message>('stall', 'cancel', (turn, message, real) => {
      const careless = override(turn, {
        remove: (entity, id) => {
          if (entity.name !== listing.name) turn.remove(entity, id);
        },
      });
      return real(careless, message);
    }),
  'a listing is cancelled when it is too late': () =>
    onHandler<CommandWith<{ readonly listingId: string }>>('stall', 'cancel', (turn, command, real) => {
      const row = turn.table(listing).get(parseListingId(command.body.listingId)?.row ?? FIRST_ROW_ID);
      if (row !== undefined) turn.put(listing, { ...row, cancelUntil: row.endsAt });
      return real(turn, command);
    }),
  // Any look ends the first listing of its shard, as its alarm would.
  'a listing ends when somebody looks at it': () =>
    onHandler<Message>('stall', 'listing', (turn, message, real, { alarms }) => {
      const handled = real(turn, message);
      const row = turn.table(listing).first();
      if (row !== undefined) alarms?.['expire-listing']?.(turn, row);
      return handled;
    }),
  'a listing changes when its seller claims': () =>
    onHandler<Message>('completed', 'claim', (turn, message, real) => {
      const row = turn.table(listing).first();
      if (row !== undefined) turn.put(listing, { ...row, startsAt: turn.now });
      return real(turn, message);
    }),
  'no fee is taken': () => ({ rules: (rules) => ({ ...rules, gold: { ...rules.gold, saleFeeBasisPoints: 0 } }) }),
  // For one sale, all listings are as posted under the first fee ever.
  'a sale takes another fee than its listing was posted with': () =>
    onHandler<Offer>('trades', 'offer', (turn, offer, real) => {
      const rows = turn.table(listing).rows();
      for (const row of rows) turn.put(listing, { ...row, saleFeeBasisPoints: 1_500 });
      const handled = real(turn, offer);
      for (const row of rows) if (turn.table(listing).get(row.id) !== undefined) turn.put(listing, row);
      return handled;
    }),
  'any price is taken': () => ({
    rules: (rules) => ({ ...rules, gold: { ...rules.gold, priceMin: NO_GOLD, priceMax: gold(Number.MAX_SAFE_INTEGER) } }),
  }),
  'any duration is taken': () => ({ rules: (rules) => ({ ...rules, durationMinMs: durationMs(1) }) }),
  'listings start when they like': () => ({ rules: (rules) => ({ ...rules, startDelayMs: durationMs(17) }) }),
  'listings can be cancelled for longer': () => ({ rules: (rules) => ({ ...rules, cancelWindowMs: durationMs(90_000) }) }),
  'a player has as many listings as it likes': () => ({ rules: (rules) => ({ ...rules, listingsPerPlayerMax: 1_000 }) }),
  'a stash has no end': () => ({ rules: (rules) => ({ ...rules, stashSlots: 1_000 }) }),
  'a full completed tab stops nobody': () => ({ rules: (rules) => ({ ...rules, completedShown: 200 }) }),
  'the frozen go on': () => onPowerup('moderation', ({ guard: _guard, ...powerup }) => powerup),
  'the frozen sell': () =>
    onHandler<Offer>('trades', 'offer', (turn, offer, real) => {
      const owner = turn.table(player).first();
      if (owner?.frozen !== true) return real(turn, offer);
      turn.put(player, { ...owner, frozen: false });
      const handled = real(turn, offer);
      turn.put(player, owner);
      return handled;
    }),
  'a buyer offers more than was named': () =>
    onHandler<CommandWith<{ readonly price: number }>>('purchases', 'buyout', (turn, command, real) => {
      const more: Command = { ...command, body: { ...command.body, price: command.body.price + 1 } };
      return real(turn, more);
    }),
  'rooms are told nothing': () => ({
    listener: (real) => (news) => {
      if (news.kind === 'snapshot') real(news);
    },
  }),
  'the index is fed past the gate': feedingPastTheGate,
  'the index is never told that a listing ended': () => losing(({ kind }) => kind === 'remove'),
  'the index forgets a listing now and then': () => {
    let puts = 0;
    return losing(({ kind }) => kind === 'put' && ++puts % 10 === 0);
  },
  // The index answers as it stands, and says that it is as new as was asked for.
  'a search does not wait for what it asks for': () => ({
    index: (real) => {
      const search: ListingIndexService['search'] = async (query, { atLeast }) => {
        const answer = await real.search(query, { atLeast: { ...atLeast, position: NO_POSITION } });
        return answer.kind === 'found' ? { ...answer, isBehind: false } : answer;
      };
      return override(real, { search });
    },
  }),
};

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
        append: (changes, partner) => {
          const position = real.append(changes, partner);
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

/** Some of what the index is told never gets there. */
function losing(isLost: (change: FeedChange) => boolean): Seams {
  return {
    index: (real) => {
      const apply: ListingIndexService['apply'] = (batch) => {
        if (batch.kind === 'open') return real.apply(batch);
        return real.apply({
          ...batch,
          cells: batch.cells.map((each) => ({ ...each, changes: each.changes.filter((one) => !isLost(one)) })),
        });
      };
      return override(real, { apply });
    },
  };
}
