import { describe, expect, it } from '@jest/globals';
import { rowId } from '#shared/units.ts';
import fc from 'fast-check';
import { IdMap } from './id-map.ts';

describe('a map by row id', () => {
  it('is a map that stays in the order of the ids', () => {
    const step = fc.record({ id: fc.integer({ min: 1, max: 40 }), value: fc.option(fc.integer(), { nil: undefined }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const map = new IdMap<number>();
        const twin = new Map<number, number>();
        for (const { id, value } of steps) {
          if (value === undefined) {
            map.delete(rowId(id));
            twin.delete(id);
          } else {
            map.set(rowId(id), value);
            twin.set(id, value);
          }
          expect(map.get(rowId(id))).toBe(twin.get(id));
        }
        const ordered = [...twin].toSorted(([a], [b]) => a - b);
        const walked: [number, number][] = [];
        map.forEach((value, id) => walked.push([id, value]));
        expect(walked).toEqual(ordered);
        expect(map.values()).toEqual(ordered.map(([, value]) => value));
        expect(map.first()).toBe(ordered[0]?.[1]);
        expect(map.size).toBe(twin.size);
      }),
    );
  });
});
