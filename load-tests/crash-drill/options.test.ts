import { describe, expect, it } from '@jest/globals';
import { parseOptions } from './options.ts';

const newSeed = (): string => 'new';

describe('the options of the drill', () => {
  it('are ten rounds and a new seed unless given', () => {
    expect(parseOptions([], newSeed)).toEqual({ rounds: 10, seed: 'new', isJson: false });
    expect(parseOptions(['--json', '--rounds', '3', '--seed', 'abc'], newSeed)).toEqual({ rounds: 3, seed: 'abc', isJson: true });
  });

  it('are refused in one sentence if they make no sense', () => {
    for (const args of [['--rounds'], ['--rounds', '0'], ['--rounds', '1.5'], ['--rounds', 'x'], ['--seed'], ['--loud']]) {
      expect(typeof parseOptions(args, newSeed)).toBe('string');
    }
  });
});
