/**
 * Sessions: `POST /session` answers a player with a seat in the room of its shard, and a token to
 * come back with.
 *
 * 1. Authenticate first: an unauthenticated request opens no shard and no room, and waits in nobody's way.
 * 2. A session creates its shard if there is none; only guests of a development world start with
 *    goods.
 * 3. The answer is given by the node that owns the shard.
 * 4. Tokens are dated by the studio, whose clock is the time of day: they are judged by the wall
 *    clock, however far the market's time is from it.
 */
import { shardId } from '#shared/address.ts';
import type { Catalogue } from '#shared/catalog/catalogue.ts';
import { commoditiesFor, lootFor } from '#shared/catalog/loot.ts';
import { limits } from '#shared/limits.ts';
import type { SessionAnswer, SessionRequest } from '#shared/protocol.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import type { Rules } from '#shared/rules.ts';
import { itemId, playerId, type ShardId } from '#shared/units.ts';
import type { Opening, StartGoods } from '#server/market/market.ts';
import type { Command } from '#server/shard/message.ts';
import type { EdgeServices } from './services.ts';
import type { Identity } from './tokens.ts';

/** Opens the session that the request asks for, or refuses. Rejects only on a bug. */
export async function openSession(services: EdgeServices, request: SessionRequest, address: string): Promise<SessionAnswer | Refusal> {
  const { accounts, admissions, backend } = services;
  const { region, mode } = request;
  if (!backend.regions.includes(region)) return refusal('bad-request', { fault: `region: must be one of ${backend.regions.join(', ')}` });
  const identity = await identify(services, request);
  if ('kind' in identity) return identity;
  const hasty = accounts.of(identity.player, address).charge(limits.sessionTokens);
  if (hasty !== undefined) return hasty;

  const shard = shardId(identity.player, region, mode);
  if (!backend.owns(shard)) return refusal('unavailable', { reason: 'this player lives on another node' });
  return admissions.inTurn(() => seated(services, identity, shard));
}

/** Opens the shard and its room, and reserves a seat there. */
async function seated(services: EdgeServices, identity: Identity, shard: ShardId): Promise<SessionAnswer | Refusal> {
  const { backend, directory, platform, tokens } = services;
  const opening: Command = { kind: 'open', issuer: 'service', body: openingOf(services, identity, shard) };
  const opened = await backend.world.accept({ to: shard, message: opening, creates: true });
  if (opened.kind === 'refusal') return opened;
  const seat = await directory.seat(shard, identity.player);
  if (seat === undefined) return refusal('busy', { reason: 'too many connections of this player' });
  return { token: await tokens.resume(identity, platform.readings.wall()), player: identity.player, shard, seat: { ...seat } };
}

/** Who these credentials speak for, or a refusal: by the wall clock, as rule 4 says. */
export async function identify(
  { platform, tokens, guests }: EdgeServices,
  { guest, token }: Pick<SessionRequest, 'guest' | 'token'>,
): Promise<Identity | Refusal> {
  const now = platform.readings.wall();
  if (guest !== undefined) {
    if (!guests) return refusal('unauthorized', { reason: 'guests are only let into development worlds' });
    return { player: playerId(`guest-${guest}`), name: guest, isGuest: true, since: now };
  }
  const identity = await tokens.verify(token ?? '', now);
  const isUnwelcome = !('kind' in identity) && identity.isGuest && !guests;
  return isUnwelcome ? refusal('unauthorized', { reason: 'guests are only let into development worlds' }) : identity;
}

function openingOf({ backend, catalogue, platform }: EdgeServices, { name, isGuest }: Identity, shard: ShardId): Opening {
  return isGuest ? { name, start: startGoodsFor(catalogue, backend.rules, shard, () => platform.random.id()) } : { name };
}

/**
 * What a guest of a development world starts with: loot from a seed made of the shard's address,
 * the same at every try. `newId` gives ids that are unique in the world: the same loot is never the
 * same items.
 */
export function startGoodsFor(catalogue: Catalogue, { guest }: Rules, shard: ShardId, newId: () => string): StartGoods {
  return {
    gold: guest.gold,
    items: lootFor(catalogue, { seed: shard, count: guest.items, idOf: () => itemId(newId()) }),
    commodities: commoditiesFor(catalogue, { seed: shard, count: guest.commodities, quantityMax: guest.commodityQuantity }),
  };
}
