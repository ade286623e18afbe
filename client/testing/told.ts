/** Waiting for events of a client. */
import type { GameClient, GameEvents } from '../game-client.ts';

/** What the next event of that name brings. */
export function told(client: GameClient, name: keyof GameEvents): Promise<readonly unknown[]> {
  return new Promise((resolve) => client.once(name, (...values: readonly unknown[]) => resolve(values)));
}
