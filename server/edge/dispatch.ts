/**
 * Dispatch: a message of a client becomes a command of its shard, a read of the index, of the ledger or of the rules, and an
 * answer or a refusal by value.
 *
 * 1. Payloads are parsed here, once, by the schema of their command.
 * 2. Never rejects, never throws: a bug becomes `internal`, or `outcome-unknown` where a change may have been made before it.
 * 3. Nothing is answered that did not happen: what a shard has not said is not said.
 */
import { marketOf, parseListingId } from '#shared/address.ts';
import { SORT_CHEAPEST } from '#shared/criteria.ts';
import { commands, parseCommand, type Command, type CommandAnswer, type CommandRequest, type Listing } from '#shared/protocol.ts';
import { refusal } from '#shared/refusals.ts';
import type { IndexedListing } from '#shared/search.ts';
import { durationMs, type PlayerId, type ShardId } from '#shared/units.ts';
import type { Platform } from '#server/platform/platform.ts';
import { isSameMarket } from '#server/market/buyout.ts';
import { answer, type Command as ShardCommand, type Reply } from '#server/shard/message.ts';
import type { Backend } from './backend.ts';
import { historyPage } from './ledger-lines.ts';

/** Who asks. */
export interface Caller {
  readonly player: PlayerId;
  readonly shard: ShardId;
}

/** What dispatch needs from its surroundings. */
export interface DispatchServices {
  readonly backend: Backend;
  readonly platform: Pick<Platform, 'clock' | 'report'>;
}

/** The final word to a message of a client. See the head of this file. */
export async function dispatch(services: DispatchServices, caller: Caller, type: string, payload: unknown): Promise<Reply> {
  let isChanging = false;
  try {
    const command = parseCommand(type, payload);
    if (command.kind === 'refusal') return command;
    isChanging = commands[command.type].changes;
    return await run(services, caller, command);
  } catch (error) {
    services.platform.report({ level: 'error', message: `the command ${type} of ${caller.shard} failed`, error });
    // A change may have been made before the failure: only asking again with the same op tells.
    return refusal(isChanging ? 'outcome-unknown' : 'internal');
  }
}

async function run(services: DispatchServices, caller: Caller, command: Command): Promise<Reply> {
  const { backend } = services;
  switch (command.type) {
    case 'search':
      return search(services, caller, command.request);
    case 'listing':
      return showListing(backend, caller, command.request);
    case 'history': {
      const page = await historyPage((...range) => backend.history(...range), caller.shard, command.request.cursor);
      return 'kind' in page ? page : answer(page);
    }
    case 'rules':
      return answer(backend.rules);
    case 'sell':
    case 'buyout':
    case 'cancel':
    case 'claim': {
      const { op, ...body } = command.request;
      const message: ShardCommand = { kind: command.type, issuer: 'client', op, body };
      return backend.world.accept({ to: caller.shard, message });
    }
  }
}

async function search(
  { backend, platform }: DispatchServices,
  { player, shard }: Caller,
  request: CommandRequest<'search'>,
): Promise<Reply> {
  const { criteria, sort = SORT_CHEAPEST, limit, cursor } = request;
  const market = marketOf(shard);
  const now = platform.clock.now();
  const query = { market, criteria, sort, limit, now, self: player, ...(cursor === undefined ? {} : { cursor }) };
  // Whatever was acknowledged by this node, to anybody, is found.
  const result = await backend.index.search(query, { atLeast: backend.durable });
  if (result.kind === 'unavailable') return refusal('unavailable');
  if (result.kind === 'bad-cursor') return refusal('bad-request', { fault: 'cursor: must be one that this search gave' });
  const found: CommandAnswer<'search'> = {
    listings: result.rows.map((row) => listingOf(row, player)),
    total: result.total,
    ...(result.cursor === undefined ? {} : { cursor: result.cursor }),
    lagMs: durationMs(Math.round(result.lagMs)),
  };
  return answer(found);
}

function listingOf({ id, item, buyout, currentBid, startsAt, endsAt, seller }: IndexedListing, self: PlayerId): Listing {
  return {
    id,
    item,
    ...(currentBid === undefined ? {} : { currentBid }),
    ...(buyout === undefined ? {} : { buyout }),
    startsAt,
    endsAt,
    mine: seller === self,
  };
}

/** The listing's own shard answers; whether it is the player's own, only the asking side knows. */
async function showListing(backend: Backend, { shard }: Caller, request: CommandRequest<'listing'>): Promise<Reply> {
  const owner = parseListingId(request.listingId)?.shard;
  if (owner === undefined || !isSameMarket(backend.rules, backend.regions, shard, owner)) return refusal('listing-gone');
  const message: ShardCommand = { kind: 'listing', issuer: 'client', body: request };
  const reply = await backend.world.accept({ to: owner, message });
  // For a shard that was never created, there is no such listing either.
  if (reply.kind === 'refusal') return reply.name === 'unauthorized' ? refusal('listing-gone') : reply;
  const { listing } = commands.listing.answer.parse(reply.value);
  return answer({ listing: { ...listing, mine: owner === shard } });
}
