import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import packageJson from '#package.json' with { type: 'json' };
import { ServerChild } from './server-child.ts';

describe("V8's flags of a node", () => {
  const { start, bench } = packageJson.scripts;
  const flags = start.split(' ').filter((word) => word.startsWith('--'));

  it('are the same for the server, for benchmarks and in the operations guide', () => {
    expect(flags.length).toBeGreaterThan(0);
    const guide = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
    expect(bench).toBe(`exec node ${flags.join(' ')} load-tests/bench/main.ts`);
    expect(guide).toContain(`\n${start.replace('exec ', '')} --data `);
  });
});

describe('a server of demo and drill', () => {
  it('is told nothing by the environment, or by a file of settings where demo and drill are started', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'gavel-child-'));
    const [checkout, data] = ['checkout', 'data'].map((name) => mkdtempSync(join(parent, name)));
    const [before, regions] = [process.cwd(), process.env['GAVEL_REGIONS']];
    try {
      writeFileSync(join(checkout ?? '', 'gavel.config.json'), '{"regions": "nowhere", "profile": "production"}');
      process.env['GAVEL_REGIONS'] = 'elsewhere';
      process.chdir(checkout ?? '');
      const server = new ServerChild(data ?? '');
      const url = await server.serving(20_000);
      const session = (region: string) =>
        fetch(`${url}/session`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ guest: 'ada', region }),
        });
      expect([(await session('europe')).status, (await session('elsewhere')).status]).toEqual([200, 400]);
      expect(await server.stop(10_000)).toMatchObject({ code: 0 });
    } finally {
      process.chdir(before);
      if (regions === undefined) delete process.env['GAVEL_REGIONS'];
      else process.env['GAVEL_REGIONS'] = regions;
      rmSync(parent, { recursive: true });
    }
  }, 30_000);
});
