/** The demo as a user runs it. */
import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { Narrator } from './narrator.ts';

describe('the demo', () => {
  it('ends with exit code 0, in plain text where there is no terminal', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['load-tests/demo.ts'], { encoding: 'utf8', timeout: 60_000 });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('Nothing was lost, nothing was made.');
    expect(stdout).not.toContain('\u001B');
  }, 60_000);
});

describe('the narrator', () => {
  it('writes what a failed step said, then throws on', async () => {
    let written = '';
    const narrator = new Narrator({ write: (text) => void (written += text), hasColours: false });
    const step = narrator.step('A step', async (say) => {
      say('so far');
      throw new Error('no');
    });
    await expect(step).rejects.toThrow('no');
    expect(written).toMatch(/ 1 ✗ A step +\d+ ms\n +│ so far\n/);
  });

  it('uses colours only on a stage that has them', () => {
    let written = '';
    new Narrator({ write: (text) => void (written += text), hasColours: true }).verdict(true, 'good');
    expect(written).toBe('\n\u001B[1;32mgood\u001B[0m\n\n');
  });
});
