/** Which shards stay in memory and which leave it. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AssertionFault } from '#shared/assert.ts';
import { MemoryBudget, NOT_CHARGED, type BudgetedShard } from './memory-budget.ts';

interface TestShard extends BudgetedShard {
  readonly name: string;
  isWanted: boolean;
}

/** A budget, and a way to make shards that are charged to it. */
function budgetOf(budgetBytes: number): { readonly budget: MemoryBudget; readonly shard: (name: string) => TestShard } {
  const budget = new MemoryBudget(budgetBytes);
  const shard = (name: string): TestShard => {
    const one: TestShard = {
      name,
      budgetIndex: NOT_CHARGED,
      memoryBytes: 0,
      isUsed: false,
      isWanted: false,
      evict: () => {
        if (!one.isWanted) budget.uncharge(one);
        return !one.isWanted;
      },
    };
    return one;
  };
  return { budget, shard };
}

describe('the memory budget', () => {
  it('counts each shard once, with what it took last, as a plain list would', () => {
    const act = fc.record({
      who: fc.nat({ max: 9 }),
      bytes: fc.integer({ min: 1, max: 100 }),
      leaves: fc.boolean(),
      isWanted: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 100 }), fc.integer({ min: 0, max: 600 }), (acts, budgetBytes) => {
        const { budget, shard } = budgetOf(budgetBytes);
        const shards = Array.from({ length: 10 }, (_, index) => shard(`${index}`));
        for (const { who, bytes, leaves, isWanted } of acts) {
          const one = shards[who];
          if (one === undefined) continue;
          one.isWanted = isWanted;
          if (leaves) budget.uncharge(one);
          else budget.chargeMemory(one, bytes);
          const present = shards.filter(({ budgetIndex }) => budgetIndex !== NOT_CHARGED);
          const sum = present.reduce((total, { memoryBytes }) => total + memoryBytes, 0);
          expect(budget.usage).toEqual({ shards: present.length, bytes: sum });
          expect(new Set(present.map(({ budgetIndex }) => budgetIndex)).size).toBe(present.length);
        }
      }),
    );
  });

  it('evicts what was not used since the hand last came by, and keeps what was', () => {
    const { budget, shard } = budgetOf(100);
    const shards = Array.from({ length: 10 }, (_, index) => shard(`${index}`));
    for (const one of shards) budget.chargeMemory(one, 10);
    // The hand goes round once and finds all used.
    budget.chargeMemory(shard('one too many'), 1);
    expect(budget.usage.shards).toBe(11);
    for (const one of shards.slice(0, 5)) one.isUsed = true;
    budget.chargeMemory(shard('another'), 40);
    expect(shards.filter(({ budgetIndex }) => budgetIndex !== NOT_CHARGED).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['0', '1', '2', '3', '4']),
    );
    expect(budget.usage.bytes).toBeLessThanOrEqual(100);
  });

  it('passes by what must not leave, and looks at a few at a time', () => {
    const { budget, shard } = budgetOf(0);
    let looks = 0;
    const shards = Array.from({ length: 100 }, (_, index) => shard(`${index}`));
    for (const one of shards) {
      one.isWanted = true;
      one.evict = () => {
        looks++;
        return false;
      };
    }
    for (const one of shards) budget.chargeMemory(one, 1);
    const before = looks;
    budget.chargeMemory(shard('one more'), 1);
    expect(looks - before).toBeLessThanOrEqual(16);
    expect(budget.usage.shards).toBe(101);
  });

  it('notices a sum below zero, and an index that is of another shard', () => {
    const { budget, shard } = budgetOf(100);
    const [one, two] = [shard('one'), shard('two')];
    budget.chargeMemory(one, 10);
    budget.chargeMemory(two, 10);
    two.budgetIndex = one.budgetIndex;
    expect(() => budget.uncharge(two)).toThrow(AssertionFault);
    expect(() => budget.chargeMemory(two, 10)).toThrow(AssertionFault);
    one.memoryBytes = 100;
    expect(() => budget.chargeMemory(one, 5)).toThrow(AssertionFault);
    one.memoryBytes = 100;
    expect(() => budget.uncharge(one)).toThrow(AssertionFault);
  });
});
