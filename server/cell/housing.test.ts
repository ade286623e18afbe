/** Who stays in memory and who leaves it. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { HOMELESS, Housing, type Lodger } from './housing.ts';

interface Guest extends Lodger {
  readonly name: string;
  isWanted: boolean;
}

/** A housing, and a way to make guests of it. */
function house(budgetBytes: number): { readonly housing: Housing; readonly guest: (name: string) => Guest } {
  const housing = new Housing(budgetBytes);
  const guest = (name: string): Guest => {
    const one: Guest = {
      name,
      seat: HOMELESS,
      memoryBytes: 0,
      isUsed: false,
      isWanted: false,
      evict: () => {
        if (!one.isWanted) housing.release(one);
        return !one.isWanted;
      },
    };
    return one;
  };
  return { housing, guest };
}

describe('the housing of shards', () => {
  it('counts everybody once, with what they took last, as a plain list would', () => {
    const act = fc.record({
      who: fc.nat({ max: 9 }),
      bytes: fc.integer({ min: 1, max: 100 }),
      leaves: fc.boolean(),
      isWanted: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 100 }), fc.integer({ min: 0, max: 600 }), (acts, budgetBytes) => {
        const { housing, guest } = house(budgetBytes);
        const guests = Array.from({ length: 10 }, (_, index) => guest(`${index}`));
        for (const { who, bytes, leaves, isWanted } of acts) {
          const one = guests[who];
          if (one === undefined) continue;
          one.isWanted = isWanted;
          if (leaves) housing.release(one);
          else housing.house(one, bytes);
          const present = guests.filter(({ seat }) => seat !== HOMELESS);
          const sum = present.reduce((total, { memoryBytes }) => total + memoryBytes, 0);
          expect(housing.usage).toEqual({ shards: present.length, bytes: sum });
          expect(new Set(present.map(({ seat }) => seat)).size).toBe(present.length);
        }
      }),
    );
  });

  it('lets go who was not used since the hand last came by, and keeps who was', () => {
    const { housing, guest } = house(100);
    const guests = Array.from({ length: 10 }, (_, index) => guest(`${index}`));
    for (const one of guests) housing.house(one, 10);
    // The hand goes round once and finds everybody used.
    housing.house(guest('one too many'), 1);
    expect(housing.usage.shards).toBe(11);
    for (const one of guests.slice(0, 5)) one.isUsed = true;
    housing.house(guest('another'), 40);
    expect(guests.filter(({ seat }) => seat !== HOMELESS).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['0', '1', '2', '3', '4']),
    );
    expect(housing.usage.bytes).toBeLessThanOrEqual(100);
  });

  it('passes by who must not leave, and looks at a few at a time', () => {
    const { housing, guest } = house(0);
    let looks = 0;
    const guests = Array.from({ length: 100 }, (_, index) => guest(`${index}`));
    for (const one of guests) {
      one.isWanted = true;
      one.evict = () => {
        looks++;
        return false;
      };
    }
    for (const one of guests) housing.house(one, 1);
    const before = looks;
    housing.house(guest('one more'), 1);
    expect(looks - before).toBeLessThanOrEqual(16);
    expect(housing.usage.shards).toBe(101);
  });
});
