/** The whole process, as only a process can show it. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const directories: string[] = [];
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'gavel-main-'));
  directories.push(directory);
  return directory;
}

/** A start that is refused, and what it said. */
async function refused(args: readonly string[], env: Readonly<Record<string, string>> = {}, cwd?: string): Promise<string> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
    cwd,
  });
  children.push(child);
  let said = '';
  child.stderr?.on('data', (bytes) => (said += String(bytes)));
  expect(await once(child, 'close')).toEqual([1, null]);
  return said;
}

/** A server that serves, and the address where it does. */
async function serve(
  directory = join(newDirectory(), 'data'),
  { env = {}, cwd, start }: { env?: Readonly<Record<string, string>>; cwd?: string; start?: readonly [string, ...string[]] } = {},
): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const [program, ...words] = start ?? [process.execPath, MAIN];
  const options = { stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }, cwd };
  const child = spawn(program, [...words, '--data', directory, '--port', '0'], options);
  children.push(child);
  if (child.stdout === null) throw new Error('the child has no output');
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /serves at (\S+)/.exec(line)?.[1];
    if (url !== undefined) return { child, url };
  }
  throw new Error('the server ended before it served');
}

/** Has the server write a warning on standard error, as any guest can: by a seat that is none. */
async function provoke(url: string): Promise<void> {
  const { host, hostname, port } = new URL(url);
  const body = JSON.stringify({ guest: 'ada', region: 'europe' });
  const opened: unknown = await (
    await fetch(`${url}/session`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
  ).json();
  const { seat } = z.object({ seat: z.object({ roomId: z.string() }) }).parse(opened);
  const socket = connect(Number(port), hostname);
  const lines = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${'A'.repeat(22)}==`];
  socket.write([`GET /process/${seat.roomId}?sessionId=none HTTP/1.1`, `Host: ${host}`, ...lines, '', ''].join('\r\n'));
  await once(socket, 'data');
  socket.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
  socket.resume();
  await once(socket, 'close');
}

describe('the server', () => {
  it('goes on when nobody reads what it prints any more, and stops in order', async () => {
    const { child, url } = await serve();
    child.stdout?.destroy();
    if (child.stderr === null) throw new Error('the child has no output for errors');
    const warned = once(createInterface({ input: child.stderr }), 'line');
    await provoke(url);
    expect(String(await warned)).toMatch(/^gavel warning: /);
    child.stderr.destroy();
    for (let time = 0; time < 3; time++) await provoke(url);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  }, 30_000);

  it('says in one sentence that its port is taken, and has made nothing by then', async () => {
    const taken = createServer();
    await once(taken.listen(0, '127.0.0.1'), 'listening');
    const address = taken.address();
    const port = String(typeof address === 'object' ? address?.port : 0);
    const data = join(newDirectory(), 'data');
    const said = await refused(['--port', port, '--data', data]);
    taken.close();
    expect(said).toBe(`gavel: The server cannot listen on 127.0.0.1, port ${port}: another program listens there.\n`);
    expect(existsSync(data)).toBe(false);
  });

  it('keeps what belongs to a directory together whose name begins and ends with blanks', async () => {
    const parent = newDirectory();
    const { child } = await serve(' data ', { cwd: parent });
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(readdirSync(parent)).toEqual([' data ']);
    expect(readdirSync(join(parent, ' data '))).toEqual(expect.arrayContaining(['gavel.json', 'journal.db', 'lock.db', 'node.db']));
  }, 30_000);

  (existsSync('/proc/self') ? it : it.skip)('says that nothing can be made where nothing can be made (skipped: needs /proc)', async () => {
    expect(await refused(['--port', '0', '--data', '/proc/gavel'])).toMatch(
      /^gavel: The data directory \/proc\/gavel cannot be used: ENOENT: .*\.\n$/,
    );
  });

  it('serves a world with the key that it was begun with, and with no other', async () => {
    const data = join(newDirectory(), 'data');
    const env = { GAVEL_WORLD_KEY: 'the key of a world, kept for good' };
    const { child } = await serve(data, { env });
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(await refused(['--port', '0', '--data', data], { GAVEL_WORLD_KEY: 'another key of a world, long enough' })).toMatch(
      /was used with another key than that in GAVEL_WORLD_KEY; /,
    );
    expect(await refused(['--port', '0', '--data', data])).toMatch(/was used with a GAVEL_WORLD_KEY, which is not in the environment; /);
  }, 30_000);

  it('takes a signal that npm passes on beside the terminal for the same one', async () => {
    const { child } = await serve();
    const ended = once(child, 'exit');
    child.kill('SIGINT');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  }, 30_000);

  it('started by npm, is stopped in order by a signal to npm', async () => {
    const data = join(newDirectory(), 'data');
    const root = fileURLToPath(new URL('..', import.meta.url));
    const { child } = await serve(data, { cwd: root, start: ['npm', 'start', '--'] });
    let said = '';
    child.stdout?.on('data', (bytes) => (said += String(bytes)));
    const ended = once(child, 'close');
    child.kill('SIGTERM');
    // Standard output is closed when the last process that has it is gone.
    await ended;
    expect(said).toContain('Stopped; everything is on disk.');
  }, 60_000);
});
