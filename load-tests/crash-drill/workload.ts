/**
 * What the players do until the server is gone: steps of the market's features at random, several
 * commands each at once.
 */
import { pause } from '#client/wait.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import type { Prng } from '#shared/prng.ts';
import { isChangingCommand, type ChangingCommandType } from '#shared/protocol.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import type { Wish } from '#server/market/feature.ts';
import { marketFeatures } from '#server/market/market.ts';
import type { DrillCommand } from './asked.ts';
import { COMMANDS_AT_ONCE, type Player } from './player.ts';

/** Commands that a player sends as fast as they are answered; the server lets so many through at once, the others wait their turn. */
const FAST_COMMANDS = 36;
const FAST_PAUSE_MS = 15;
/** Three at once with this pause stay below the rate that a client may keep up. */
const SLOW_PAUSE_MS = 180;

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
    if (asked !== undefined) {
      tally.asked++;
      if (await player.ask(asked)) tally.answered++;
    }
    await pause(turn < FAST_COMMANDS / COMMANDS_AT_ONCE ? prng.integer(0, FAST_PAUSE_MS) : SLOW_PAUSE_MS);
  }
}

/**
 * A step of some feature, as a command with an `op` that no command had before, also in another
 * drill with the same seed on the same data.
 */
function nextCommand(player: Player, players: readonly Player[], prng: Prng): DrillCommand | undefined {
  const { wish } = prng.pickWeighted(STEPS, ({ weight }) => weight);
  const wished = wish(player.sight(players), prng);
  return wished === undefined || !isChanging(wished) ? undefined : { ...wished, op: crypto.randomUUID() };
}

function isChanging(wish: Wish): wish is Extract<Wish, { readonly type: ChangingCommandType }> {
  return isChangingCommand(wish.type);
}

/** What players do does not depend on the rules of the server, but for what each sees of them. */
const STEPS = marketFeatures({ rules: RULES_PROFILES.dev, regions: [], catalogue: BUILT_IN_CATALOGUE }).flatMap(({ steps = [] }) => steps);
