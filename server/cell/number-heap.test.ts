import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { NumberHeap } from './number-heap.ts';

describe('a heap of numbers', () => {
  it('tells the least of those that were pushed and not popped', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer({ min: -50, max: 50 }), { nil: undefined }), { maxLength: 200 }), (steps) => {
        const heap = new NumberHeap();
        let twin: number[] = [];
        for (const step of steps) {
          if (step === undefined) {
            heap.pop();
            twin = twin.toSorted((a, b) => a - b).slice(1);
          } else {
            heap.push(step);
            twin.push(step);
          }
          expect(heap.least).toBe(twin.length === 0 ? undefined : Math.min(...twin));
        }
      }),
    );
  });
});
