import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import packageJson from '#package.json' with { type: 'json' };

describe("V8's flags of a node", () => {
  const { start, bench } = packageJson.scripts;
  const flags = start.split(' ').filter((word) => word.startsWith('--'));

  it('are the same for the server, for benchmarks and in the operations guide', () => {
    expect(flags.length).toBeGreaterThan(0);
    const guide = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
    expect(bench).toBe(`node ${flags.join(' ')} load-tests/bench/main.ts`);
    expect(guide).toContain(`\n${start.replace(/^exec /, '')} --data `);
  });
});
