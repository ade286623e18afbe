/** A real browser, and pages for it: for tests of what runs in browsers. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

/** Where Debian has it; another place can be named. */
const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** Whether there is a browser to test with. */
export const hasBrowser = existsSync(CHROMIUM);

/** The name of a host that is this machine, and that no rule about this machine knows. */
export const PAGE_HOST = 'play.example.test';

/** Starts the browser. */
export function startBrowser(): Promise<Browser> {
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
export async function servePages(pages: Pages): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
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
