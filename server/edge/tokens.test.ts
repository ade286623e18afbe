import { describe, expect, it } from '@jest/globals';
import { SignJWT } from 'jose';
import { limits } from '#shared/limits.ts';
import { instant, playerId } from '#shared/units.ts';
import { Tokens, type Identity } from './tokens.ts';

const KEY = 'k'.repeat(32);
const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const at = (ms: number) => instant(NOW + ms);

const ada: Identity = { player: playerId('p1'), name: 'Ada', isGuest: false, since: at(0) };

const sign = (claims: Record<string, unknown>): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(KEY));

describe('a token to resume with', () => {
  it('brings back who it was made for, until its time is over', async () => {
    const tokens = new Tokens([KEY]);
    const token = await tokens.resume(ada, at(0));
    expect(await tokens.verify(token, at(limits.sessionTokenMs))).toEqual(ada);
    expect(await tokens.verify(token, at(limits.sessionTokenMs + MINUTE))).toBeUndefined();
  });

  it('keeps a guest a guest', async () => {
    const tokens = new Tokens([KEY]);
    expect(await tokens.verify(await tokens.resume({ ...ada, isGuest: true }, at(0)), at(1))).toMatchObject({ isGuest: true });
  });

  it('does not go on for ever: after half a day the studio has to be asked again', async () => {
    const tokens = new Tokens([KEY]);
    let identity: Identity = ada;
    let hours = 0;
    for (; hours < 24; hours += 0.2) {
      const next = await tokens.verify(await tokens.resume(identity, at(hours * 60 * MINUTE)), at((hours + 0.2) * 60 * MINUTE));
      if (next === undefined) break;
      identity = next;
    }
    expect(hours).toBeGreaterThan(11.5);
    expect(hours).toBeLessThan(12.5);
  });

  it('is worth nothing as the studio’s, nor the studio’s as one', async () => {
    const tokens = new Tokens([KEY]);
    const claims = { sub: 'p1', exp: NOW / 1_000 + 60 };
    expect(await tokens.verify(await sign({ ...claims, aud: 'gavel', guest: true, since: NOW - 1 }), at(0))).toEqual({
      player: 'p1',
      name: 'p1',
      isGuest: false,
      since: NOW,
    });
    expect(await tokens.verify(await sign({ ...claims, aud: 'gavel-resume' }), at(0))).toBeUndefined();
    expect(await tokens.verify(await sign({ ...claims, aud: ['gavel', 'gavel-resume'] }), at(0))).toBeUndefined();
    expect(await tokens.verify(await sign({ ...claims, aud: 'gavel-resume', since: NOW + 10 * MINUTE }), at(0))).toBeUndefined();
  });
});
