/** Production, from nothing to a trade: a studio signs in its players and gives them goods, over real sockets, through a kill. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GameClient } from '#client/game-client.ts';
import { until } from '#client/wait.ts';

const MAIN = join(fileURLToPath(new URL('../..', import.meta.url)), 'server/main.ts');
const SECRET = 'the-secret-that-signs-tokens-0123456789';
const [LOOT, SHOP] = ['the-key-of-the-loot-servers-0123456789', 'the-key-of-the-shop-servers-0123456789'];
const ENVIRONMENT = {
  GAVEL_JWT_SECRET: SECRET,
  GAVEL_WORLD_KEY: 'key-of-the-world-of-36-characters-tuv',
  GAVEL_SERVICE_KEYS: `loot:grant+read:${LOOT}, shop:charge:${SHOP}`,
};
const SWORD = {
  id: 'relic-1',
  baseId: 'sword-4',
  itemClass: 'sword',
  name: 'A Relic',
  rarity: 'rare',
  level: 60,
  affixes: [{ id: 'might', value: 12 }],
};
const PLACE = { region: 'europe', mode: 'softcore' };

let directory = '';
let server: { readonly child: ChildProcess; readonly url: string; readonly api: string };

/** A server in production on the data so far; its environment is this and nothing of ours. */
async function start(...args: readonly string[]): Promise<typeof server> {
  const child = spawn(process.execPath, [MAIN, '--profile', 'production', '--data', join(directory, 'data'), '--port', '0', ...args], {
    cwd: directory,
    env: ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let url = '';
  for await (const line of createInterface({ input: child.stdout })) {
    url ||= /serves at (\S+) /.exec(line)?.[1] ?? '';
    const api = /^Game servers: (\S+);/.exec(line)?.[1];
    if (api !== undefined) return { child, url, api };
  }
  throw new Error('the server ended before it served');
}

async function end(signal: NodeJS.Signals): Promise<void> {
  const ended = once(server.child, 'exit');
  server.child.kill(signal);
  await ended;
}

const claims = (sub: string) => ({ aud: 'gavel', sub, exp: Math.floor(Date.now() / 1_000) + 600 });
const bySecret = (sub: string): Promise<string> =>
  new SignJWT(claims(sub)).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET));

async function call(path: string, key: string | undefined, body?: object): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(path.startsWith('http') ? path : `${server.api}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gavel-production-'));
  server = await start();
}, 30_000);

afterAll(async () => {
  await end('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

describe('production', () => {
  const grant = { op: 'welcome-1', player: 'steam:1', ...PLACE, gold: 1_000, items: [SWORD], reason: 'welcome' };

  it('lets in whom the studio vouches for, and no guests', async () => {
    const session = (body: object) => call(`${server.url}/session`, undefined, { region: 'europe', ...body });
    expect(await session({ guest: 'ada' })).toMatchObject({ status: 401 });
    expect(await session({ token: 'x' })).toMatchObject({ status: 401 });
    expect(await session({ token: await bySecret('steam:1') })).toMatchObject({ status: 200, body: { player: '__steam_3A1' } });
  });

  it('has the real rules', async () => {
    const client = await GameClient.connect({ url: server.url, credentials: { token: await bySecret('p2') }, region: 'europe' });
    expect(await client.rules()).toMatchObject({ profile: 'diablo3', startDelayMs: 300_000 });
    expect([client.state.gold, client.state.stash.size]).toEqual([0, 0]);
    await client.close();
  });

  it('gives what a game server grants, once, through a kill', async () => {
    const first = await call('/grants', LOOT, grant);
    expect(first).toEqual({ status: 200, body: { by: 'loot', gold: 1_000, stash: ['relic-1'], completed: [] } });
    await end('SIGKILL');
    writeFileSync(join(directory, 'rules.json'), JSON.stringify({ extends: 'diablo3', startDelayMs: 0 }));
    server = await start('--rules', 'rules.json', '--admin-port', '0');
    expect(await call('/grants', LOOT, grant)).toEqual(first);
    expect(await call('/players/steam%3A1?region=europe&mode=softcore', LOOT)).toMatchObject({
      body: { player: 'steam:1', gold: 1_000, stash: { 'relic-1': SWORD } },
    });
  }, 30_000);

  it('serves game servers on their own port only, once there is one', async () => {
    expect(server.api.startsWith(server.url)).toBe(false);
    expect(await call(`${server.url}/api/grants`, LOOT, grant)).toMatchObject({ status: 404 });
    expect(await call(`${server.api.replace('/api', '/session')}`, undefined, {})).toMatchObject({ status: 404 });
  });

  it('trades what was granted, and lets game servers take their part', async () => {
    await call('/grants', LOOT, { op: 'welcome-2', player: 'p2', ...PLACE, gold: 2_000, reason: 'welcome' });
    const connect = async (sub: string) =>
      GameClient.connect({ url: server.url, credentials: { token: await bySecret(sub) }, region: 'europe' });
    const [seller, buyer] = [await connect('steam:1'), await connect('p2')];
    const { listingId } = await seller.sell({ itemId: 'relic-1', buyout: 1_500 });
    expect(await buyer.buyout({ listingId, price: 1_500 })).toEqual({ itemId: 'relic-1', paid: 1_500 });
    await until(() => seller.state.completed.size === 1, 5_000);
    expect(await seller.claim({ all: true })).toMatchObject({ gold: 1_275 });
    expect(await call('/charges', SHOP, { op: 'repair-1', player: 'steam:1', ...PLACE, gold: 275, reason: 'repairs' })).toEqual({
      status: 200,
      body: { by: 'shop', gold: 2_000 },
    });
    await until(() => seller.state.gold === 2_000, 5_000);
    await Promise.all([seller.close(), buyer.close()]);
  }, 30_000);

  it('believes the public keys of the studio', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    writeFileSync(join(directory, 'jwks.json'), JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1' }] }));
    await end('SIGTERM');
    server = await start('--jwks', 'jwks.json');
    const token = await new SignJWT(claims('p2')).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).sign(privateKey);
    expect(await call(`${server.url}/session`, undefined, { region: 'europe', token })).toMatchObject({
      status: 200,
      body: { player: 'p2' },
    });
  }, 30_000);
});
