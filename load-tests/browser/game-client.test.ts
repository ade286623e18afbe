/** The client as games get it: the built package, its types, and a trade in a real browser. */
import { afterEach, beforeAll, afterAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildClient } from '#build/client.ts';
import { hasBrowser, startPlayground, takePicture, type Pages, type Playground } from './testing/browser.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let playground: Playground | undefined;

afterEach(async () => {
  await playground?.close();
  playground = undefined;
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
  it('is what the repository offers as gavel/client, to Node as it is', async () => {
    const program = "import { GameClient } from 'gavel/client'; console.log(typeof GameClient.connect);";
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { cwd: ROOT });
    expect(stdout).toBe('function\n');
  });

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

const pages = (): Pages => ({ '/client/': { folder: join(game, 'node_modules/gavel-client') }, '/': { text: PAGE } });

const inBrowser = hasBrowser ? it : it.skip;

describe('the client in a browser', () => {
  inBrowser(
    'trades on a page of another origin, and comes back over a cut and a silent connection (skipped: needs chromium)',
    async () => {
      playground = await startPlayground(pages());
      const { proxy, errors } = playground;
      const page = await playground.open(`/?server=${proxy.url}`);
      await page.waitForFunction('window.ready === true');
      await page.evaluate('join()');
      expect(await page.evaluate('trade(1_000)')).toEqual([100_850, 99_000, 21]);
      proxy.cut();
      expect(await page.evaluate('trade(2_000)')).toEqual([102_550, 97_000, 22]);
      proxy.silence();
      expect(await page.evaluate('trade(3_000)')).toEqual([105_100, 94_000, 23]);
      const log = await page.locator('#log').innerText();
      expect(log).toMatch(/lost the connection: (1006|4010)[^]*is back/);
      await takePicture(page, 'game-client');
      expect(errors).toEqual([]);
    },
    60_000,
  );

  inBrowser(
    'is not let in from a page that nobody has named (skipped: needs chromium)',
    async () => {
      playground = await startPlayground(pages());
      const page = await playground.open(`/?server=${playground.proxy.url}`, 'elsewhere');
      await page.waitForFunction('window.ready === true');
      await expect(page.evaluate('join()')).rejects.toThrow(/Failed to fetch/);
    },
    60_000,
  );
});
