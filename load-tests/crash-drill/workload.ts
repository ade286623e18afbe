/** What the players do until the server is gone: sell, buy, cancel and claim at random, several commands each at once. */
import { pause } from '#client/wait.ts';
import type { Prng } from '#shared/prng.ts';
import type { Asked } from './asked.ts';
import { COMMANDS_AT_ONCE, type Player } from './player.ts';

/** Commands that a player sends as fast as they are answered; the server lets so many through at once, the others wait their turn. */
const FAST_COMMANDS = 36;
const FAST_PAUSE_MS = 15;
/** Three at once with this pause stay below the rate that a client may keep up. */
const SLOW_PAUSE_MS = 180;
const PRICE_MAX = 300;
/** A tab this full is claimed before anything else. */
const COMPLETED_WANTED = 15;

/** What happened while the players were at it. */
export interface WorkloadResult {
  readonly asked: number;
  readonly answered: number;
}

/** Runs until `stopped` says so. Commands that are under way then have no answer. */
export async function work(players: readonly Player[], prng: Prng, stopped: AbortSignal): Promise<WorkloadResult> {
  const tally = { asked: 0, answered: 0 };
  const loops = players.flatMap((player) =>
    Array.from({ length: COMMANDS_AT_ONCE }, (_, index) =>
      loop(player, players, prng.fork(`${player.role.guest} ${index}`), stopped, tally),
    ),
  );
  await Promise.all(loops);
  return tally;
}

async function loop(
  player: Player,
  players: readonly Player[],
  prng: Prng,
  stopped: AbortSignal,
  tally: { asked: number; answered: number },
): Promise<void> {
  for (let turn = 0; !stopped.aborted; turn++) {
    const asked = nextCommand(player, players, prng);
    tally.asked++;
    if (await player.ask(asked)) tally.answered++;
    await pause(turn < FAST_COMMANDS / COMMANDS_AT_ONCE ? prng.integer(0, FAST_PAUSE_MS) : SLOW_PAUSE_MS);
  }
}

function nextCommand(player: Player, players: readonly Player[], prng: Prng): Asked {
  // Never the same twice, also in another drill with the same seed on the same data.
  const op = crypto.randomUUID();
  const { state } = player.client;
  if (state.completed.size > COMPLETED_WANTED) return { kind: 'claim', op };
  const kind = prng.pickWeighted(['sell', 'buyout', 'cancel', 'claim'] as const, (each) => WEIGHTS[each]);
  const own = [...state.listings.keys()];
  const items = [...state.stash.keys()];
  const entries = [...state.completed.values()];
  if (kind === 'cancel' && own.length > 0) return { kind, op, listingId: prng.pick(own) };
  if (kind === 'sell' && items.length > 0) return { kind, op, itemId: prng.pick(items), buyout: prng.integer(1, PRICE_MAX) };
  if (kind === 'claim') {
    const entry = entries.length > 0 && prng.chance(0.5) ? prng.pick(entries) : undefined;
    return { kind, op, ...(entry === undefined ? {} : { entryId: entry.id }) };
  }
  return buyout(player, players, prng, op) ?? { kind: 'claim', op };
}

const WEIGHTS = { sell: 4, buyout: 6, cancel: 1, claim: 2 } as const;

/** A purchase from anybody in the same market, now and then for too little or from oneself. */
function buyout(player: Player, players: readonly Player[], prng: Prng, op: string): Asked | undefined {
  const offers = players
    .filter(({ market }) => market === player.market)
    .filter((other) => other !== player || prng.chance(0.1))
    .flatMap((other) => [...other.client.state.listings.values()]);
  if (offers.length === 0) return undefined;
  const { id, buyout: price = 1 } = prng.pick(offers);
  // The listing's own price, too little, or more than it costs: the rest has to come back.
  return { kind: 'buyout', op, listingId: id, price: Math.max(1, price + prng.pickWeighted([0, -1, 50], (more) => (more === 0 ? 8 : 1))) };
}
