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
import { COMMANDS_AT_ONCE, type DrillCommand, type Player } from './player.ts';

/** Commands that a player sends as fast as they are answered; the server lets so many through at once, the others wait their turn. */
const FAST_COMMANDS = 36;
const FAST_PAUSE_MS = 15;
/** Three at once with this pause stay below the rate that a client may keep up. */
const SLOW_PAUSE_MS = 180;

/**
 * Runs until `stopped` says so, and counts. Commands that are under way then have no answer, and are
 * interrupted.
 */
export async function work(
  players: readonly Player[],
  prng: Prng,
  stopped: AbortSignal,
): Promise<{ readonly commands: number; readonly interrupted: number }> {
  let [commands, answered] = [0, 0];
  const loop = async (player: Player, own: Prng): Promise<void> => {
    for (let turn = 0; !stopped.aborted; turn++) {
      const asked = nextCommand(player, players, own);
      if (asked !== undefined) {
        commands++;
        if ((await player.ask(asked)) !== undefined) answered++;
      }
      await pause(turn < FAST_COMMANDS / COMMANDS_AT_ONCE ? own.integer(0, FAST_PAUSE_MS) : SLOW_PAUSE_MS);
    }
  };
  const loops = players.flatMap((player) =>
    Array.from({ length: COMMANDS_AT_ONCE }, (_, index) => loop(player, prng.fork(`${player.role.guest} ${index}`))),
  );
  await Promise.all(loops);
  return { commands, interrupted: commands - answered };
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
