/** How one notices that the other end is gone although nobody says so: of a WebSocket, and of the channel to a child. */
import type { Cancel, Timers } from '#server/platform/platform.ts';
import type { WebSocket } from 'ws';

/** Between two words of a child to its parent. */
export const SAY_MS = 1_000;
/** Between two pings. */
const PING_MS = 1_000;
/** Pings without a word from the other end until it is taken for gone. Counted, not measured: this end may have stood still. */
const SILENT_PINGS_MAX = 3;

/** Watches an open socket until it closes; cuts it when nothing comes any more. */
export function watchLiveness(socket: WebSocket, timers: Pick<Timers, 'after'>): void {
  let silentPings = 0;
  let cancel: Cancel;
  const heard = (): void => void (silentPings = 0);
  const ping = (): void => {
    if (silentPings >= SILENT_PINGS_MAX) return socket.terminate();
    silentPings++;
    socket.ping();
    cancel = timers.after(PING_MS, ping);
  };
  cancel = timers.after(PING_MS, ping);
  for (const event of ['message', 'pong'] as const) socket.on(event, heard);
  socket.once('close', () => cancel());
}
