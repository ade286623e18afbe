/** The client as games get it: the built package, its types, and a trade in a real browser. */
import { afterEach, beforeAll, afterAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { buildClient } from '../build/client.ts';
import { ServerChild } from '../load-tests/server-child.ts';
import { hasBrowser, PAGE_HOST, servePages, startBrowser } from './testing/browser.ts';
import { SilentProxy } from './testing/silent-proxy.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

let game = '';

beforeAll(async () => {
  game = await mkdtemp(join(tmpdir(), 'gavel-game-'));
  await buildClient(join(game, 'node_modules/gavel-client'));
}, 60_000);

afterAll(() => rm(game, { recursive: true, force: true }));

const GAME = `
import { GameClient, RefusedError, type GameEvents } from 'gavel-client';

export async function play(): Promise<number> {
  const client = await GameClient.connect({ url: ['https://a.example', 'https://b.example'], region: 'europe', credentials: async () => ({ token: 'x' }) });
  client.on('sold', ({ entry }) => console.log(entry.gold?.toFixed(0)));
  client.on('signIn', (refused: GameEvents['signIn'][0]) => client.signIn({ token: refused.message }));
  const { listingId, fees } = await client.sell({ itemId: client.state.stash.keys().next().value ?? '', buyout: 10 });
  // @ts-expect-error A price is a number.
  await client.buyout({ listingId, price: '10' });
  return fees.length + (client instanceof RefusedError ? 1 : client.state.gold);
}
`;

describe('the package of the client', () => {
  it('has types that a strict project with settings of its own understands', async () => {
    await mkdir(join(game, 'node_modules/@colyseus'), { recursive: true });
    for (const name of ['zod', 'eventemitter3', '@colyseus/schema', '@colyseus/sdk']) {
      await symlink(join(ROOT, 'node_modules', name), join(game, 'node_modules', name));
    }
    await writeFile(join(game, 'game.ts'), GAME);
    const options = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler'];
    const rest = ['--lib', 'es2024,dom,dom.iterable', '--types', '', '--skipLibCheck', 'game.ts'];
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, ...options, ...rest], { cwd: game }).catch(
      (error: { readonly stdout: string }) => error,
    );
    expect(stdout).toBe('');
  }, 30_000);
});

/** What the page does, step by step, when it is told to. */
const PAGE = `<!doctype html>
<title>Two players</title>
<body style="font: 16px sans-serif; margin: 2em">
<h1>Two players in one page</h1>
<ol id="log"></ol>
<script type="module">
  import { GameClient } from '/client/gavel-client.js';
  const say = (text) => (document.querySelector('#log').innerHTML += '<li>' + text + '</li>');
  const url = new URLSearchParams(location.search).get('server');
  const join = (guest) => GameClient.connect({ url, region: 'europe', credentials: { guest }, patience: { attemptMs: 1_000 } });
  window.join = async () => {
    [window.ada, window.bob] = await Promise.all([join('ada'), join('bob')]);
    for (const [name, player] of Object.entries({ Ada: ada, Bob: bob })) {
      player.on('lost', (code) => say(name + ' lost the connection: ' + code));
      player.on('back', () => say(name + ' is back'));
      player.on('sold', ({ entry }) => say(name + ' is told: sold, ' + entry.gold + ' gold to claim'));
    }
    say('Ada and Bob are here, with ' + ada.state.gold + ' and ' + bob.state.gold + ' gold');
  };
  window.trade = async (price) => {
    const [item] = ada.state.stash.values();
    const { listingId } = await ada.sell({ itemId: item.id, buyout: price });
    say('Ada sells ' + item.name);
    const { paid } = await bob.buyout({ listingId, price });
    say('Bob has bought it for ' + paid);
    await Promise.all([ada.claim({ all: true }), bob.claim({ all: true })]);
    say('Claimed: Ada has ' + ada.state.gold + ' gold, Bob ' + bob.state.gold + ' and ' + bob.state.stash.size + ' items');
    return [ada.state.gold, bob.state.gold, bob.state.stash.size];
  };
  window.ready = true;
</script>`;

/** A real server that lets in pages of one origin, behind a proxy that can lose connections; and a page of that origin. */
async function playground(
  pageOf: (server: string) => string,
): Promise<{ readonly page: Page; readonly proxy: SilentProxy; readonly errors: string[] }> {
  const pages = await servePages({ '/client/': { folder: join(game, 'node_modules/gavel-client') }, '/': { text: PAGE } });
  closers.push(pages.close);
  const origin = `http://${PAGE_HOST}:${pages.port}`;
  const data = await mkdtemp(join(tmpdir(), 'gavel-browser-'));
  closers.push(() => rm(data, { recursive: true, force: true }));
  const server = new ServerChild(data, 0, ['--origins', origin]);
  closers.push(() => server.kill());
  const proxy = await SilentProxy.start(Number(new URL(await server.serving(20_000)).port));
  closers.push(() => proxy.close());
  const browser = await startBrowser();
  closers.push(() => browser.close());
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(pageOf(`${origin}/?server=${encodeURIComponent(proxy.url)}`));
  await page.waitForFunction('window.ready === true');
  return { page, proxy, errors };
}

const inBrowser = hasBrowser ? it : it.skip;

describe('the client in a browser', () => {
  inBrowser(
    'trades on a page of another origin, and comes back over a cut and a silent connection (skipped: needs chromium)',
    async () => {
      const { page, proxy, errors } = await playground((url) => url);
      await page.evaluate('join()');
      expect(await page.evaluate('trade(1_000)')).toEqual([100_850, 99_000, 21]);
      proxy.cut();
      expect(await page.evaluate('trade(2_000)')).toEqual([102_550, 97_000, 22]);
      proxy.silence();
      expect(await page.evaluate('trade(3_000)')).toEqual([105_100, 94_000, 23]);
      const log = await page.locator('#log').innerText();
      expect(log).toMatch(/lost the connection: (1006|4010)[^]*is back/);
      const picture = process.env['SCREENSHOTS'];
      if (picture !== undefined) await page.screenshot({ path: join(picture, 'game-client.png') });
      expect(errors).toEqual([]);
    },
    60_000,
  );

  inBrowser(
    'is not let in from a page that nobody has named (skipped: needs chromium)',
    async () => {
      const { page } = await playground((url) => url.replace(PAGE_HOST, `other.${PAGE_HOST}`));
      await expect(page.evaluate('join()')).rejects.toThrow(/Failed to fetch/);
    },
    60_000,
  );
});
