import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isName } from './units.ts';
import { playerOfStudio, studioIdOf } from './studio-id.ts';

describe('an id of the studio', () => {
  it.each([
    ['p1', 'p1'],
    ['Ada_Lovelace-1815', 'Ada_Lovelace-1815'],
    ['guest-ada', 'guest-ada'],
    ['steam:123', '__steam_3A123'],
    ['psn|été', '__psn_7C_C3_A9t_C3_A9'],
    ['__proto__', '___5F_5Fproto_5F_5F'],
    ['__A', '___5F_5FA'],
    ['_', '_'],
    [' ', '___20'],
  ])('%j is the player %s', (id, player) => {
    expect(playerOfStudio(id)).toBe(player);
    expect(studioIdOf(player)).toBe(id);
  });

  it('that was written so before is refused', () => {
    expect(playerOfStudio('__steam_3A123')).toEqual({ fault: "is how steam:123 is written here: give the studio's own id" });
  });

  it('that does not fit is refused', () => {
    expect(playerOfStudio('x'.repeat(65))).toEqual({ fault: 'takes 67 of 64 characters as __ and _HH for each other byte' });
    expect(playerOfStudio(`${'x'.repeat(60)}:`)).toEqual({ fault: 'takes 65 of 64 characters as __ and _HH for each other byte' });
    expect(playerOfStudio('x'.repeat(64))).toBe('x'.repeat(64));
  });

  it('is one player, and its player is of one id', () => {
    const ids = fc.oneof(fc.string({ minLength: 1, maxLength: 20, unit: 'binary' }), fc.stringMatching(/^[_A-F0-9a]{1,12}$/));
    const idByPlayer = new Map<string, string>();
    fc.assert(
      fc.property(ids, (id) => {
        const player = playerOfStudio(id);
        if (typeof player !== 'string') return;
        expect(isName(player)).toBe(true);
        expect(studioIdOf(player)).toBe(id);
        expect(idByPlayer.get(player) ?? id).toBe(id);
        idByPlayer.set(player, id);
      }),
      { numRuns: 5_000 },
    );
  });
});
