/** The wake list: who is woken, and who no longer is. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { instant, type Instant } from '#shared/units.ts';
import { Hand } from './testing/hand.ts';
import { NOWHERE, WakeList, type Sleeper } from './wake-list.ts';

interface Named extends Sleeper {
  readonly name: string;
}

function sleeper(name: string): Named {
  return { name, wakeSeat: NOWHERE, wakeSlot: 0 };
}

/** A list on a clock that the test moves. */
function listOf(wake: (sleeper: Named) => void): { readonly list: WakeList<Named>; readonly moveTo: (ms: number) => void } {
  let now: Instant = instant(0);
  let timers: { readonly at: number; readonly run: () => void }[] = [];
  const after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: now + ms, run };
    timers.push(timer);
    return () => (timers = timers.filter((one) => one !== timer));
  };
  const list = new WakeList<Named>({ clock: { now: () => now }, timers: { after, defer: (run) => void after(0, run) } }, wake);
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
    list.add(sleeper('a'), instant(100));
    list.add(sleeper('b'), instant(90));
    moveTo(80);
    expect(woken).toEqual([]);
    moveTo(100);
    expect(woken).toEqual(['a', 'b']);
  });

  it('does not wake whom the one before has taken off: an evicted shard must not take another turn', () => {
    const woken: string[] = [];
    const evicted = sleeper('evicted');
    const { list, moveTo } = listOf(({ name }) => {
      woken.push(name);
      list.remove(evicted);
    });
    list.add(sleeper('first'), instant(100));
    list.add(evicted, instant(100));
    moveTo(200);
    expect(woken).toEqual(['first']);
  });
});

describe('the wake list of a node whose time stands still', () => {
  it('looks again each slot at most, and wakes once time goes on', () => {
    const woken: string[] = [];
    const hand = new Hand();
    let stillAt: Instant | undefined;
    const clock = { now: (): Instant => stillAt ?? hand.now };
    const list = new WakeList<Named>({ clock, timers: hand.timers }, ({ name }) => void woken.push(name));
    hand.move(19);
    stillAt = hand.now;
    // Its slot is over in a millisecond, which does not pass.
    list.add(sleeper('a'), instant(stillAt + 1));
    hand.move(10_000);
    expect(woken).toEqual([]);
    expect(hand.set).toBeLessThanOrEqual(10_000 / 20 + 1);
    stillAt = undefined;
    hand.move(20);
    expect(woken).toEqual(['a']);
  });
});

describe('the wake list, over time', () => {
  it('wakes everybody in time and at most a slot late, as a plain list would, whoever is added or removed meanwhile', () => {
    const act = fc.record({
      who: fc.nat({ max: 49 }),
      inMs: fc.integer({ min: -50, max: 1_000 }),
      removes: fc.constantFrom(false, false, true),
      moveMs: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat({ max: 100 })),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 200, size: 'max' }), (acts) => {
        const hand = new Hand();
        const dueByName = new Map<string, number>();
        const list = new WakeList<Named>(hand, ({ name }) => {
          const due = dueByName.get(name) ?? Number.POSITIVE_INFINITY;
          expect(due).toBeLessThanOrEqual(hand.now);
          dueByName.delete(name);
        });
        const sleepers = Array.from({ length: 50 }, (_, index) => sleeper(`${index}`));
        for (const { who, inMs, removes, moveMs } of acts) {
          const one = sleepers[who];
          if (one === undefined) continue;
          if (removes) {
            list.remove(one);
            dueByName.delete(one.name);
          } else {
            const at = hand.now + inMs;
            list.add(one, instant(at));
            dueByName.set(one.name, Math.min(at, dueByName.get(one.name) ?? at));
          }
          hand.move(moveMs);
          expect(Math.min(...dueByName.values()) + 40).toBeGreaterThan(hand.now);
        }
        hand.move(2_000);
        expect([...dueByName]).toEqual([]);
      }),
    );
  });

  it('needs one timer for a thousand sleepers of one time', () => {
    const hand = new Hand();
    let woken = 0;
    const list = new WakeList<Named>(hand, () => woken++);
    for (let index = 0; index < 1_000; index++) list.add(sleeper(`${index}`), instant(hand.now + 500));
    expect([hand.set, hand.waiting]).toEqual([1, 1]);
    hand.move(600);
    expect([woken, hand.waiting]).toEqual([1_000, 0]);
  });

  it('takes whoever asks anew while being woken', () => {
    const hand = new Hand();
    const at: number[] = [];
    const start = hand.now;
    const list: WakeList<Named> = new WakeList<Named>(hand, (one) => {
      at.push(hand.now - start);
      if (at.length < 4) list.add(one, instant(hand.now + 100));
    });
    list.add(sleeper('one'), instant(start + 100));
    hand.move(2_000);
    expect(at).toEqual([100, 200, 300, 400]);
  });

  it('does not ring for ever for one who asks to be woken at once: the next slot must come first', () => {
    const hand = new Hand();
    let woken = 0;
    const list: WakeList<Named> = new WakeList<Named>(hand, (one) => {
      if (++woken < 1_000) list.add(one, instant(hand.now - 100));
    });
    list.add(sleeper('one'), instant(hand.now));
    hand.move(100);
    expect(woken).toBe(6);
  });

  it('wakes nobody once it is cleared', () => {
    const hand = new Hand();
    let woken = 0;
    const list = new WakeList<Named>(hand, () => woken++);
    list.add(sleeper('one'), instant(hand.now + 100));
    list.clear();
    hand.move(1_000);
    expect([woken, hand.waiting]).toEqual([0, 0]);
  });
});
