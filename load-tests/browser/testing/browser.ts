/** A real browser, pages for it, and a server behind a proxy: for tests of what runs in browsers. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { SilentProxy } from '#client/testing/silent-proxy.ts';
import { ServerChild } from '../../server-child.ts';

/** Where Debian has it; another place can be named. */
const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** Whether there is a browser to test with. */
export const hasBrowser = existsSync(CHROMIUM);

/** The name of a host that is this machine, and that no rule about this machine knows. */
const PAGE_HOST = 'play.example.test';

/** A server that lets in pages of one origin alone, pages that it knows and others, and a browser that opens them. */
export interface Playground {
  /** Before the server. */
  readonly proxy: SilentProxy;
  /** Opens a page of the origin that the server lets in, or of another. */
  open(path: string, from?: 'named' | 'elsewhere'): Promise<Page>;
  /** What went wrong in the pages. */
  readonly errors: readonly string[];
  close(): Promise<void>;
}

/** Starts a server, a proxy before it, pages and a browser. */
export async function startPlayground(pages: Pages): Promise<Playground> {
  const closers: (() => Promise<unknown>)[] = [];
  const errors: string[] = [];
  const served = await servePages(pages);
  closers.push(served.close);
  const origin = `http://${PAGE_HOST}:${served.port}`;
  const data = await mkdtemp(join(tmpdir(), 'gavel-browser-'));
  closers.push(() => rm(data, { recursive: true, force: true }));
  const server = new ServerChild(data, { args: ['--origins', origin] });
  closers.push(() => server.kill());
  const proxy = await SilentProxy.start(Number(new URL(await server.serving(20_000)).port));
  closers.push(() => proxy.close());
  const browser = await startBrowser();
  closers.push(() => browser.close());
  return {
    proxy,
    errors,
    open: async (path, from = 'named') => {
      const page = await browser.newPage();
      page.on('pageerror', (error) => errors.push(String(error)));
      await page.goto((from === 'named' ? origin : origin.replace('play.', 'other.')) + path);
      return page;
    },
    close: async () => {
      for (const close of closers.toReversed()) await close();
    },
  };
}

/** Keeps a picture of a page where `SCREENSHOTS` names a folder. */
export async function takePicture(page: Page, name: string): Promise<void> {
  const folder = process.env['SCREENSHOTS'];
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`) });
}

/** Starts the browser. */
function startBrowser(): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', `--host-resolver-rules=MAP *.example.test 127.0.0.1`];
  return chromium.launch({ executablePath: CHROMIUM, args });
}

/** Files that are served, each by the beginning of its path: whole folders, or a text. */
export type Pages = Readonly<Record<string, { readonly folder: string } | { readonly text: string }>>;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** Serves pages. The port, and what ends it. */
async function servePages(pages: Pages): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  const contentOf = async (path: string): Promise<string | Buffer | undefined> => {
    for (const [prefix, source] of Object.entries(pages)) {
      if ('text' in source ? path !== prefix : !path.startsWith(prefix) || path.includes('..')) continue;
      return 'text' in source ? source.text : await readFile(join(source.folder, path.slice(prefix.length)));
    }
    return undefined;
  };
  const server = createServer((incoming, outgoing) => {
    const { pathname } = new URL(incoming.url ?? '/', 'http://localhost');
    const answer = async (): Promise<void> => {
      const content = await contentOf(pathname).catch(() => undefined);
      outgoing.writeHead(content === undefined ? 404 : 200, { 'content-type': TYPES[extname(pathname)] ?? 'text/html; charset=utf-8' });
      outgoing.end(content ?? '');
    };
    void answer();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the pages have no port');
  const close = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    await Promise.resolve();
  };
  return { port: address.port, close };
}
