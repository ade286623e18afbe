import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Queue } from './queue.ts';

describe('a queue', () => {
  it('gives back what was pushed, in order, as a list would, whatever its ring has been through', () => {
    const step = fc.oneof({ weight: 6, arbitrary: fc.nat() }, { weight: 4, arbitrary: fc.constant('shift' as const) });
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 200, arbitrary: step }, fc.constant('clear' as const)), { maxLength: 400, size: 'max' }),
        (steps) => {
          const queue = new Queue<number>();
          let twin: number[] = [];
          for (const kind of steps) {
            if (kind === 'shift') expect(queue.shift()).toBe(twin.shift());
            else if (kind === 'clear') {
              queue.clear();
              twin = [];
            } else {
              queue.push(kind);
              twin.push(kind);
            }
            expect([queue.first, queue.size]).toEqual([twin[0], twin.length]);
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});
