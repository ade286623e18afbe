/**
 * Freeze: a frozen player's commands are refused and new offers to it abort; outcomes,
 * settlements, returns, alarms and answers always pass, so that no trade of others hangs on a
 * moderator's decision.
 */
import { refusal } from '#shared/refusals.ts';
import { answer } from '#server/shard/message.ts';
import { onCommand } from '#server/shard/powerup.ts';
import type { Turn } from '#server/shard/turn.ts';
import type { Feature } from '../feature.ts';
import { player } from './opening.ts';

/** Whether a moderator has frozen this player. */
export function isFrozen(turn: Turn): boolean {
  return turn.table(player).first()?.frozen === true;
}

/** Moderation. `freeze {frozen}` is a command of staff. */
export const moderationFeature: Feature = {
  name: 'moderation',
  priority: 500,
  entities: [],
  guard: (turn, command) => (command.issuer === 'client' && command.op !== undefined && isFrozen(turn) ? refusal('frozen') : undefined),
  handlers: {
    freeze: onCommand<{ readonly frozen: boolean }>((turn, { frozen }, { issuer }) => {
      const row = turn.table(player).first();
      if (issuer !== 'staff' || row === undefined) return refusal('unauthorized');
      turn.put(player, { ...row, frozen });
      return answer({ frozen });
    }),
  },
};
