import { describe, expect, it } from '@jest/globals';
import { limits } from '#shared/limits.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import { instant, playerId } from '#shared/units.ts';
import { Accounts } from './accounts.ts';
import { Admissions } from './admissions.ts';
import { Lane } from './lane.ts';

const clock = { now: 0 };
const readings = { wall: () => instant(0), monotonicMs: () => clock.now };
const accounts = (addressRate = { perSecond: 1_000, burst: 1_000 }): Accounts => new Accounts(readings, addressRate);
const [ADA, BOB] = [playerId('ada'), playerId('bob')];

/** How often a cost is taken until it is refused. */
const spend = (charge: () => Refusal | undefined): number => {
  let taken = 0;
  while (taken < 10_000 && charge() === undefined) taken++;
  return taken;
};

/** Whatever goes on by itself has gone on. */
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('an account', () => {
  it('is one for all connections of a player, wherever they come from', () => {
    const all = accounts();
    const [here, there, other] = [all.of(ADA, '192.0.2.1'), all.of(ADA, '192.0.2.2'), all.of(BOB, '192.0.2.1')];
    expect(spend(() => here.charge(1) ?? there.charge(1))).toBe(limits.playerTokensBurst / 2);
    expect(there.charge(1)).toMatchObject({
      name: 'rate-limited',
      details: { cost: 1, retryAfterMs: 1_000 / limits.playerTokensPerSecond },
    });
    expect(other.charge(1)).toBeUndefined();
  });

  it('is one for all players of an address, or of a /64 of IPv6', () => {
    const all = accounts({ perSecond: 1, burst: 10 });
    let players = 0;
    expect(spend(() => all.of(playerId(`p${players++}`), `2001:db8::${players}`).charge(1))).toBe(10);
    expect(all.of(BOB, '2001:db8::77').charge(1)).toMatchObject({ details: { retryAfterMs: 1_000 } });
    expect(all.of(BOB, '2001:db8:0:1::77').charge(1)).toBeUndefined();
  });

  it('is charged afterwards for what was dearer, and serves again when that is paid', () => {
    const account = accounts().of(ADA, '192.0.2.1');
    expect(account.charge(2)).toBeUndefined();
    account.owe(limits.playerTokensBurst + 18);
    expect(account.charge(2)).toMatchObject({ details: { cost: 2, retryAfterMs: (21 * 1_000) / limits.playerTokensPerSecond } });
    clock.now += 2_000;
    expect(account.charge(2)).toBeUndefined();
  });

  it('has one search under way, a few that wait in order, and refuses more', async () => {
    const all = accounts();
    const account = all.of(ADA, '192.0.2.1');
    const done: number[] = [];
    const ends: (() => void)[] = [];
    const searches = Array.from({ length: limits.searchesWaitingMax + 3 }, (_, number) =>
      all.of(ADA, `192.0.2.${number}`).inLane(2, async () => {
        await new Promise<void>((resolve) => ends.push(resolve));
        done.push(number);
        return { number };
      }),
    );
    const refused = await Promise.all(searches.slice(limits.searchesWaitingMax + 1));
    expect(refused).toMatchObject([{ name: 'rate-limited' }, { name: 'rate-limited' }]);
    await settled();
    expect(await all.of(BOB, '192.0.2.1').inLane(2, () => 'at once')).toBe('at once');
    for (const [number, search] of searches.slice(0, limits.searchesWaitingMax + 1).entries()) {
      expect([ends.length, done.length]).toEqual([number + 1, number]);
      ends[number]?.();
      expect(await search).toEqual({ number });
      await settled();
    }
    expect(await account.inLane(2, () => 'free again')).toBe('free again');
  });

  it('has a few searches of all players of its address under way; when they come to more than it has, the rest is refused', async () => {
    const all = accounts();
    const ends: (() => void)[] = [];
    const searches = Array.from({ length: 8 }, (_, number) => {
      const account = all.of(playerId(`player-${number}`), '192.0.2.1');
      return account.inLane(2, async () => {
        await new Promise<void>((resolve) => ends.push(resolve));
        account.owe(400);
        return 'served';
      });
    });
    await settled();
    expect(ends).toHaveLength(limits.searchesPerAddressMax);
    expect(await all.of(BOB, '192.0.2.2').inLane(2, () => 'at once')).toBe('at once');
    for (const end of ends) end();
    expect(await Promise.all(searches.slice(0, 4))).toEqual(Array(4).fill('served'));
    expect(await Promise.all(searches.slice(4))).toEqual(Array(4).fill(expect.objectContaining({ name: 'rate-limited' })));
  });

  it('gives its lane back when a search fails', async () => {
    const account = accounts().of(ADA, '192.0.2.1');
    await expect(account.inLane(2, () => Promise.reject(new Error('a bug')))).rejects.toThrow('a bug');
    expect(await account.inLane(2, () => 'free')).toBe('free');
  });
});

describe('a lane', () => {
  it('never has more in it than its width', async () => {
    const lane = new Lane(3, 1_000);
    let [inside, most] = [0, 0];
    await Promise.all(
      Array.from({ length: 200 }, async (_, number) => {
        const leave = await lane.enter();
        most = Math.max(most, ++inside);
        for (let turn = 0; turn < number % 7; turn++) await Promise.resolve();
        inside--;
        leave?.();
      }),
    );
    expect([most, inside]).toEqual([3, 0]);
  });
});

describe('admission', () => {
  const pauses: { ms: number; end: () => void }[] = [];
  const never = (): void => undefined;
  const timers = {
    after: (ms: number, end: () => void) => {
      pauses.push({ ms, end });
      return never;
    },
    defer: never,
  };
  const platform = { readings, timers };
  const rate = { perSecond: 1, burst: 5 };
  const junk = () => Promise.resolve(refusal('unauthorized'));
  const good = () => Promise.resolve({ token: 't' });
  const isJunk = (opened: object): boolean => 'kind' in opened;
  const attempt = async (admissions: Admissions, address: string, open: () => Promise<object>): Promise<boolean> => {
    if (admissions.admit(address) !== undefined) return false;
    await admissions.counted(address, 1, () => admissions.inTurn(open), isJunk);
    pauses.pop()?.end();
    return true;
  };

  it('takes no session of anybody for junk of another address, and few of its own', async () => {
    const admissions = new Admissions(platform, rate);
    for (let index = 0; index < 100; index++) await attempt(admissions, '192.0.2.1', junk);
    expect(await attempt(admissions, '192.0.2.2', good)).toBe(true);
    expect(admissions.admit('192.0.2.1')).toMatchObject({ name: 'rate-limited', details: { cost: 1, retryAfterMs: 1_000 } });
  });

  it('takes sessions from the sessions alone: those before some junk are not fewer for it', async () => {
    const admissions = new Admissions(platform, rate);
    const [sessions, tries] = [[], []] as [boolean[], boolean[]];
    for (let index = 0; index < 4; index++) tries.push(await attempt(admissions, '192.0.2.1', junk));
    for (let index = 0; index < 6; index++) sessions.push(await attempt(admissions, '192.0.2.1', good));
    expect([tries, sessions]).toEqual([Array(4).fill(true), [true, true, true, true, true, false]]);
  });

  it('opens two sessions at once, and the next when a pause as long as one of them is over', async () => {
    const admissions = new Admissions(platform, rate);
    const opened: string[] = [];
    const open = (name: string) => () => {
      opened.push(name);
      clock.now += 7;
      return good();
    };
    const all = ['a', 'b', 'c', 'd'].map((name) => admissions.inTurn(open(name)));
    await Promise.all(all.slice(0, 2));
    expect([opened, pauses.map(({ ms }) => ms)]).toEqual([
      ['a', 'b'],
      [14, 7],
    ]);
    pauses.shift()?.end();
    await all[2];
    expect(opened).toEqual(['a', 'b', 'c']);
    for (let pause = pauses.shift(); pause !== undefined; pause = pauses.shift()) pause.end();
    await all[3];
    expect(opened).toEqual(['a', 'b', 'c', 'd']);
  });

  it('counts what comes at once as what comes one after the other', async () => {
    const admissions = new Admissions(platform, rate);
    const admitted = Array.from({ length: 50 }, () => admissions.admit('192.0.2.1') === undefined);
    expect(admitted.filter(Boolean)).toHaveLength(5);
  });
});
