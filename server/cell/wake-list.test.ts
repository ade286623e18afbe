/** The wake list: who is woken, and who no longer is. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { instant, type Instant } from '#shared/units.ts';
import { Hand } from './testing/hand.ts';
import { WakeList } from './wake-list.ts';

interface Sleeper {
  readonly name: string;
  wakeListedAt: number;
}

/** A list on a clock that the test moves. */
function listOf(wake: (sleeper: Sleeper) => void): { readonly list: WakeList<Sleeper>; readonly moveTo: (ms: number) => void } {
  let now: Instant = instant(0);
  let timers: { readonly at: number; readonly run: () => void }[] = [];
  const after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: now + ms, run };
    timers.push(timer);
    return () => (timers = timers.filter((one) => one !== timer));
  };
  const list = new WakeList<Sleeper>({ clock: { now: () => now }, timers: { after, defer: (run) => void after(0, run) } }, wake);
  const moveTo = (ms: number): void => {
    now = instant(ms);
    for (const { run } of timers.filter(({ at }) => at <= ms)) run();
  };
  return { list, moveTo };
}

describe('the wake list', () => {
  it('wakes everybody of a slot when its time has come, and not before', () => {
    const woken: string[] = [];
    const { list, moveTo } = listOf(({ name }) => void woken.push(name));
    list.add({ name: 'a', wakeListedAt: 0 }, instant(100));
    list.add({ name: 'b', wakeListedAt: 0 }, instant(90));
    moveTo(80);
    expect(woken).toEqual([]);
    moveTo(100);
    expect(woken).toEqual(['a', 'b']);
  });

  it('does not wake whom the one before has taken off: an evicted shard must not take another turn', () => {
    const woken: string[] = [];
    const evicted: Sleeper = { name: 'evicted', wakeListedAt: 0 };
    const { list, moveTo } = listOf(({ name }) => {
      woken.push(name);
      list.remove(evicted);
    });
    list.add({ name: 'first', wakeListedAt: 0 }, instant(100));
    list.add(evicted, instant(100));
    moveTo(200);
    expect(woken).toEqual(['first']);
  });
});

interface Named {
  readonly name: number;
  wakeListedAt: number;
}

describe('the wake list, over time', () => {
  it('wakes everybody in time and at most a slot late, as a plain list would, whoever is added or removed meanwhile', () => {
    const act = fc.record({
      who: fc.nat({ max: 9 }),
      inMs: fc.integer({ min: -50, max: 400 }),
      removes: fc.constantFrom(false, false, false, true),
      moveMs: fc.nat({ max: 150 }),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const hand = new Hand();
        const dueByName = new Map<number, number>();
        const list = new WakeList<Named>(hand, ({ name }) => {
          const due = dueByName.get(name) ?? Number.POSITIVE_INFINITY;
          expect(hand.now).toBeGreaterThanOrEqual(Math.min(due, hand.now));
          expect(due).toBeLessThanOrEqual(hand.now);
          dueByName.delete(name);
        });
        const sleepers = Array.from({ length: 10 }, (_, name): Named => ({ wakeListedAt: 0, name }));
        for (const { who, inMs, removes, moveMs } of acts) {
          const sleeper = sleepers[who];
          if (sleeper === undefined) continue;
          if (removes) {
            list.remove(sleeper);
            dueByName.delete(who);
          } else {
            const at = hand.now + inMs;
            list.add(sleeper, instant(at));
            dueByName.set(who, Math.min(at, dueByName.get(who) ?? at));
          }
          hand.move(moveMs);
          for (const due of dueByName.values()) expect(due + 40).toBeGreaterThan(hand.now);
        }
        hand.move(1_000);
        expect([...dueByName]).toEqual([]);
      }),
    );
  });

  it('needs one timer for a thousand sleepers of one time', () => {
    const hand = new Hand();
    let woken = 0;
    const list = new WakeList<Named>(hand, () => woken++);
    for (let name = 0; name < 1_000; name++) list.add({ wakeListedAt: 0, name }, instant(hand.now + 500));
    expect([hand.set, hand.waiting]).toEqual([1, 1]);
    hand.move(600);
    expect([woken, hand.waiting]).toEqual([1_000, 0]);
  });

  it('takes whoever asks anew while being woken', () => {
    const hand = new Hand();
    const at: number[] = [];
    const start = hand.now;
    const list: WakeList<Named> = new WakeList<Named>(hand, (sleeper) => {
      at.push(hand.now - start);
      if (at.length < 4) list.add(sleeper, instant(hand.now + 100));
    });
    list.add({ wakeListedAt: 0, name: 1 }, instant(start + 100));
    hand.move(2_000);
    expect(at).toEqual([100, 200, 300, 400]);
  });

  it('wakes nobody once it is cleared', () => {
    const hand = new Hand();
    let woken = 0;
    const list = new WakeList<Named>(hand, () => woken++);
    list.add({ wakeListedAt: 0, name: 1 }, instant(hand.now + 100));
    list.clear();
    hand.move(1_000);
    expect([woken, hand.waiting]).toEqual([0, 0]);
  });
});
