/** The page about the codes with which a connection is closed: ours, Colyseus' and WebSocket's. */
import { CLOSE_CODES } from '#shared/close-codes.ts';
import { readDocComments } from './doc-comments.ts';
import { code, table } from './markdown.ts';

/** A code that is not ours: what it means here, and whether to come back. */
type ForeignCode = readonly [code: number, name: string, meaning: string];

/** Every code that a client may see beside ours, the client's own among them. */
const FOREIGN_CODES: readonly ForeignCode[] = [
  [1000, 'normal closure', 'The connection was opened for no room. Open a session, and take its seat.'],
  [1001, 'going away', 'A browser closes it: its page is left.'],
  [1002, 'protocol error', 'What came breaks the rules of WebSocket. Do not come back with the same.'],
  [1003, 'unsupported data', 'What came is of a kind that is not taken. Do not come back with the same.'],
  [1005, 'no status', 'Closed by the client without a code. Nobody sends it.'],
  [1006, 'abnormal closure', 'The connection broke: network, proxy, or the server is gone. Nobody sends it. Come back.'],
  [1007, 'invalid payload', 'What came is text that is not UTF-8. Do not come back with the same.'],
  [1009, 'too big', 'A message was larger than `payloadBytesMax` of the [limits](limits.md). Do not come back with the same.'],
  [1012, 'service restart', 'A proxy is started anew. Come back.'],
  [1013, 'try again later', 'A proxy, or what is behind it, has too much to do. Come back later.'],
  [4000, 'consented', 'The client has left, or its room was closed for it. Come back if you want to.'],
  [4001, 'server shutdown', 'The server stops. Come back by a new session, after a pause: it may be back in seconds.'],
  [4002, 'with error', 'The seat is over, taken or unknown, or Colyseus could not go on. Come back by a new session.'],
  [4003, 'failed to reconnect', 'The seat of a lost connection is not kept any more. Come back by a new session.'],
  [4010, 'may try reconnect', '`GameClient` closes a connection so that was silent for too long. The server does not send it. Come back.'],
];

/** The page as Markdown. */
export function closeCodesPage(): string {
  const comments = readDocComments('shared/close-codes.ts');
  const own = Object.entries(CLOSE_CODES).map(([name, value]) => [value, name, comments.get(`.${name}`) ?? ''] as const);
  const rows = [...FOREIGN_CODES, ...own].toSorted(([a], [b]) => a - b);
  return [
    '# Close codes',
    'With which code a connection of the room `player` is closed, what that means, and whether to come back (`room.onLeave(code => ...)`). A code that is not here is to be taken as 1006.',
    'A command that had no answer when its connection closed may have been done or not: send it again with the same `op` in a new session. `GameClient` does all of this by itself. To come back is to open a session with the token of the last one (`POST /session`), after a pause that doubles from 50 ms to some seconds and is spread by chance. The reconnection of the Colyseus SDK itself works too, for as long as `reconnectionMs` of the [limits](limits.md), and does not survive a restart of the server.',
    table(
      ['Code', 'Name', 'Meaning'],
      rows.map(([value, name, meaning]) => [String(value), value >= 4_400 ? code(name) : name, meaning]),
    ),
    'Before there is a connection: the upgrade is answered with HTTP 403 where the `Origin` of a web page is not allowed (`--origins`).',
  ].join('\n\n');
}
