import { describe, expect, it } from '@jest/globals';
import { parseRunOptions, type RunOptions } from './run-options.ts';

const ROUNDS = { name: 'rounds', standard: 10, max: 10_000 };
const parsed = (...args: readonly string[]): RunOptions | string => parseRunOptions(args, ROUNDS, () => 'new');

describe('the options of a run', () => {
  it('are a standard count and a new seed unless given', () => {
    expect(parsed()).toEqual({ count: 10, seed: 'new', isJson: false });
    expect(parsed('--json', '--rounds', '3', '--seed', 'abc')).toEqual({ count: 3, seed: 'abc', isJson: true });
  });

  it('are refused in one sentence if they make no sense', () => {
    const impossible = [
      ['--rounds', '0'],
      ['--rounds', '1.5'],
      ['--rounds', 'x'],
      ['--rounds', '10001'],
    ];
    for (const args of impossible) expect(parsed(...args)).toBe('--rounds must be a whole number from 1 to 10000');
    for (const args of [['--rounds'], ['--seed'], ['--loud'], ['--round', '7']])
      expect(parsed(...args)).toBe('there are --rounds N, --seed S and --json');
  });
});
