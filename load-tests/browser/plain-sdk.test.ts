/** The example of the plain SDK, in a real browser, by its buttons. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { hasBrowser, startPlayground, takePicture, type Playground } from './testing/browser.ts';

const folder = (path: string): { readonly folder: string } => ({ folder: fileURLToPath(new URL(`../../${path}/`, import.meta.url)) });
const PAGES = {
  '/examples/': folder('examples'),
  '/node_modules/@colyseus/sdk/dist/': folder('node_modules/@colyseus/sdk/dist'),
};

let playground: Playground | undefined;

afterEach(async () => {
  await playground?.close();
  playground = undefined;
});

const join = async (guest: string, at: Playground): Promise<Page> => {
  const page = await at.open('/examples/plain-sdk/index.html');
  await page.fill('[name=server]', at.proxy.url);
  await page.fill('[name=guest]', guest);
  await page.click('#join button');
  return page;
};

/** Resolves when the page has said it. */
const said = (page: Page, words: string): Promise<void> => page.locator('li', { hasText: words }).first().waitFor({ timeout: 15_000 });

const inBrowser = hasBrowser ? it : it.skip;

describe('the example of the plain SDK', () => {
  inBrowser(
    'sells, is told, buys, claims, comes back, and shows a refusal (skipped: needs chromium)',
    async () => {
      playground = await startPlayground(PAGES);
      const [ada, bob] = [await join('ada', playground), await join('bob', playground)];
      await said(ada, 'Joined');
      await said(bob, 'Joined');
      await ada.click('#sell');
      await said(ada, 'is for sale; the sale will cost 75 gold');
      await ada.click('#buy');
      await said(ada, 'Nobody else sells anything');
      await bob.click('#buy');
      await said(bob, 'for 500');
      await said(ada, 'Sold: 425 gold waits to be claimed');

      playground.proxy.cut();
      await said(ada, 'Back');
      playground.proxy.silence();
      await ada.click('#claim');
      await said(ada, 'Claimed 425 gold and 0 items');
      await said(ada, 'The connection was lost (4010)');
      expect(await ada.locator('#status').innerText()).toContain('guest-ada: 100425 gold, 19 items, 0 listings, 0 to claim');
      await said(await join('a@b', playground), 'No: That request is malformed.');
      await takePicture(ada, 'plain-sdk');
      expect(playground.errors).toEqual([]);
    },
    60_000,
  );
});
