/**
 * Ids of players as the studio writes them, and as Gavel does. An id that fits is itself. Any other,
 * such as `steam:123`, is written with what fits: `__steam_3A123`.
 *
 * 1. No two ids of the studio become one player, and each player's id leads back to the studio's.
 * 2. What is written so is refused as an id of the studio: somebody has mapped it before, and it
 *    would be another player if it were mapped again.
 */
import { z } from 'zod';
import { limits } from './limits.ts';
import { textSchema } from './schemas.ts';
import { isName, playerId, type PlayerId } from './units.ts';

/** Begins an id that was written with what fits. */
const MARK = '__';

/** The player that an id of the studio means, or one clause that says why it is none. */
export function playerOfStudio(id: string): PlayerId | { readonly fault: string } {
  if (studioIdOf(id) !== id) return { fault: `is how ${studioIdOf(id)} is written here: give the studio's own id` };
  if (fits(id)) return playerId(id);
  const written = escaped(id);
  return isName(written) ? playerId(written) : { fault: `takes ${written.length} of 64 characters as ${MARK} and _HH for each other byte` };
}

/** The id of the studio that a player's id was made of. */
export function studioIdOf(player: string): string {
  if (!player.startsWith(MARK)) return player;
  const escapes = player.slice(MARK.length).replaceAll(/_([0-9A-F]{2})/g, '%$1');
  const id = decoded(escapes);
  return id !== undefined && id !== '' && !fits(id) && escaped(id) === player ? id : player;
}

/** An id of the studio, which becomes the player's. */
export const studioPlayerSchema = textSchema(limits.studioIdLengthMax).transform((id, context) => {
  const player = playerOfStudio(id);
  if (typeof player === 'string') return player;
  context.addIssue(player.fault);
  return z.NEVER;
});

function fits(id: string): boolean {
  return isName(id) && !id.startsWith(MARK);
}

/** Letters, digits and dashes stand for themselves; any other byte of its UTF-8 is `_` and two digits. */
function escaped(id: string): string {
  const written = Array.from(new TextEncoder().encode(id), (byte) => {
    const letter = String.fromCharCode(byte);
    return /^[A-Za-z0-9-]$/.test(letter) ? letter : `_${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  });
  return `${MARK}${written.join('')}`;
}

function decoded(escapes: string): string | undefined {
  try {
    return decodeURIComponent(escapes);
  } catch {
    return undefined;
  }
}
