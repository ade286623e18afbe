/** What game servers do in a simulation: grants and charges, with what there is, what there is not, and what is promised to others. */
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { rollItem } from '#shared/catalog/loot.ts';
import type { Prng } from '#shared/prng.ts';
import type { PlainState } from '#shared/state.ts';
import { itemId } from '#shared/units.ts';

/** One thing that a game server does to a player. */
export interface ServiceWish {
  readonly kind: 'grant' | 'charge';
  readonly body: object;
}

const STACKS = ['star-iron', 'gleam-dust'];

/** A grant. `name` is one that no other has: items get their ids from it, those of the game; the others are given some. */
export function grantWish(prng: Prng, name: string): ServiceWish {
  const items = Array.from({ length: prng.pick([0, 0, 1, 3]) }, (_, index) => {
    const rolled = rollItem(BUILT_IN_CATALOGUE, prng, { id: itemId(`${name}-${index}`), level: prng.integer(1, 70) });
    if (prng.chance(0.5)) return rolled;
    const { id: _id, ...nameless } = rolled;
    return nameless;
  });
  const gold = prng.chance(0.02) ? Number.MAX_SAFE_INTEGER : prng.integer(1, 900);
  const commodity = prng.chance(0.05) ? 'nothing' : prng.pick(STACKS);
  const commodities = prng.chance(0.5) ? [{ commodity, quantity: prng.integer(1, 20) }] : [];
  return { kind: 'grant', body: { gold, items, commodities, reason: 'loot' } };
}

/** A charge: of what the player has, now and then of more, or of what is held or for sale. */
export function chargeWish(prng: Prng, { gold, held, stash, listings, commodities }: PlainState): ServiceWish {
  const beyond = prng.chance(held > 0 ? 0.5 : 0.1) ? gold + prng.integer(1, held + 1) : undefined;
  const listed = [...listings.values()].flatMap(({ item }) => item?.id ?? []);
  const ids = prng.chance(0.4) ? listed : [...stash.keys()];
  const [stack] = [...commodities.entries()];
  const taken = stack !== undefined && prng.chance(0.4) ? [{ commodity: stack[0], quantity: prng.integer(1, stack[1] + 1) }] : [];
  const body = {
    gold: beyond ?? prng.integer(1, 400),
    items: ids.length > 0 && prng.chance(0.4) ? [prng.pick(ids)] : [],
    commodities: taken,
    reason: 'repairs',
  };
  return { kind: 'charge', body };
}
