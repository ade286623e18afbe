/** The page for integrators is run as it stands: each block of commands that is not marked, in one shell, against a server in production. */
import { afterAll, describe, expect, it } from '@jest/globals';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { studioIdOf } from '#shared/studio-id.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGE = readFileSync(new URL('integration.md', import.meta.url), 'utf8');
const SEPARATOR = '@@@@';
const keys = {
  jwt: 'the-secret-that-signs-tokens-0123456789',
  world: 'the-secret-that-seals-ids-0123456789-ab',
  loot: 'the-key-of-the-loot-servers-0123456789',
  shop: 'the-key-of-the-shop-servers-0123456789',
};

/** A block of commands, and the answer that the page shows right after it, if it does. */
interface Block {
  readonly commands: string;
  readonly shown: unknown;
}

function blocksOf(page: string): readonly Block[] {
  return [...page.matchAll(/(<!-- not run: [^\n]*-->\n\n)?```sh\n(.*?)```(?:\n\n```json\n(.*?)```)?/gs)].flatMap(
    ([, mark, commands = '', shown = 'null']) => (mark === undefined ? [{ commands, shown: JSON.parse(shown) as unknown }] : []),
  );
}

const hasTools = ['bash', 'curl', 'openssl'].every((tool) => spawnSync(tool, ['--version']).error === undefined);
const itRuns = hasTools ? it : it.skip;

const directory = mkdtempSync(join(tmpdir(), 'gavel-integration-'));
const child = spawn(
  process.execPath,
  [join(ROOT, 'server/main.ts'), '--profile', 'production', '--data', join(directory, 'data'), '--port', '0'],
  {
    cwd: directory,
    env: {
      GAVEL_JWT_SECRET: keys.jwt,
      GAVEL_WORLD_KEY: keys.world,
      GAVEL_SERVICE_KEYS: `loot:grant+read:${keys.loot}, shop:charge:${keys.shop}`,
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  },
);

afterAll(() => {
  child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function serving(): Promise<{ readonly url: string; readonly api: string }> {
  let url = '';
  for await (const line of createInterface({ input: child.stdout })) {
    url ||= /serves at (\S+) /.exec(line)?.[1] ?? '';
    const api = /^Game servers: (\S+);/.exec(line)?.[1];
    if (api !== undefined) return { url, api };
  }
  throw new Error('the server ended before it served');
}

/** Whether all that the page shows is there: shorter texts, such as ids, stand for any. */
function shows(is: unknown, shown: unknown): void {
  if (typeof shown === 'number' || typeof shown === 'boolean') expect(is).toBe(shown);
  else if (Array.isArray(shown)) {
    expect(is).toHaveLength(shown.length);
    shown.forEach((each, index) => shows((is as unknown[])[index], each));
  } else if (typeof shown === 'object' && shown !== null) {
    const [fields, expected] = [Object.entries(is as object), Object.entries(shown)];
    expect(fields.length).toBeGreaterThanOrEqual(expected.length);
    for (const [name, value] of expected) shows((is as Record<string, unknown>)[name] ?? fields[0]?.[1], value);
  } else expect(typeof is).toBe(typeof shown);
}

describe('integration.md', () => {
  itRuns(
    hasTools ? 'does what it says' : 'does what it says (skipped: bash, curl or openssl is missing)',
    async () => {
      const { url, api } = await serving();
      const blocks = blocksOf(PAGE);
      const script = blocks.map(({ commands }) => `${commands}\necho ${SEPARATOR}`).join('\n');
      const env = { PATH: process.env['PATH'], GAVEL: url, API: api, GAVEL_JWT_SECRET: keys.jwt, LOOT_KEY: keys.loot, SHOP_KEY: keys.shop };
      const output = execFileSync('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
        env,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const answers = output.split(SEPARATOR);
      blocks.forEach(({ shown }, index) => {
        if (shown !== null) shows(JSON.parse(answers[index] ?? ''), shown);
      });
      expect(blocks.filter(({ shown }) => shown !== null)).toHaveLength(5);
    },
    30_000,
  );

  it('maps ids as the server does', () => {
    const rows = [...PAGE.matchAll(/^\| `([^`]*)`.*\| `(__[^`]*)` *\|$/gm)];
    for (const [, yours = '', gavel = ''] of rows) expect(studioIdOf(gavel)).toBe(yours);
    expect(rows).toHaveLength(2);
  });
});
