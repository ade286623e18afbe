import { describe, expect, it } from '@jest/globals';
import { override } from './override.ts';

class Counter {
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(more: number): number {
    this.#count += more;
    return this.#count;
  }

  addTwice(more: number): number {
    this.add(more);
    return this.add(more);
  }
}

describe('an object with members replaced', () => {
  it('keeps its other methods and live getters, private fields included', () => {
    const real = new Counter();
    const changed = override(real, { addTwice: () => -1 });
    expect([changed.add(2), changed.addTwice(5), changed.count, real.count]).toEqual([2, -1, 2, 2]);
  });

  it('asks a getter in the changes at each use', () => {
    const real = new Counter();
    const changed = override(real, {
      get count() {
        return real.count * 10;
      },
    });
    expect(changed.count).toBe(0);
    real.add(3);
    expect(changed.count).toBe(30);
  });

  it('does not change what the real object calls of itself', () => {
    const real = new Counter();
    expect(override(real, { add: () => 0 }).addTwice(4)).toBe(8);
  });
});
