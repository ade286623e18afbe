/** The whole process, as only a process can show it. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
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

/** A server that serves, and the address where it does. */
async function serve(): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'gavel-main-'));
  directories.push(directory);
  const child = spawn(process.execPath, [MAIN, '--data', join(directory, 'data'), '--port', '0'], { stdio: ['ignore', 'pipe', 'pipe'] });
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
});
