import { describe, expect, it } from '@jest/globals';
import { assert, AssertionFault } from './assert.ts';

describe('an assertion', () => {
  it('throws what it says, and makes its message only then', () => {
    let made = 0;
    const message = (): string => `fault ${++made}`;
    assert(true, message);
    expect(made).toBe(0);
    expect(() => assert(false, message)).toThrow(new AssertionFault('fault 1'));
    expect(() => assert(false, 'a constant')).toThrow(new AssertionFault('a constant'));
  });
});
