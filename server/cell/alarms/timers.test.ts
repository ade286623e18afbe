/** Timers of alarms: which shards are woken, and which no longer. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AssertionFault } from '#shared/assert.ts';
import { instant, type Instant } from '#shared/units.ts';
import { Hand } from '../testing/hand.ts';
import { AlarmTimers, NO_TIMER, type AlarmedShard } from './timers.ts';

interface Named extends AlarmedShard {
  readonly name: string;
  wakeAt: Instant | 0;
}

/** Makes shards that tell when they are woken. */
function shardsTelling(wake: (shard: Named) => void): (name: string) => Named {
  return (name) => {
    const shard: Named = { name, timerIndex: NO_TIMER, timerSlot: 0, isTouched: false, wakeAt: 0, wake: () => wake(shard) };
    return shard;
  };
}

/** Timers on a clock that the test moves. */
function timersOf(wake: (shard: Named) => void): {
  readonly timers: AlarmTimers;
  readonly shard: (name: string) => Named;
  readonly moveTo: (ms: number) => void;
} {
  let now: Instant = instant(0);
  let pending: { readonly at: number; readonly run: () => void }[] = [];
  const after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: now + ms, run };
    pending.push(timer);
    return () => (pending = pending.filter((one) => one !== timer));
  };
  const timers = new AlarmTimers({ clock: { now: () => now }, timers: { after, defer: (run) => void after(0, run) } });
  const moveTo = (ms: number): void => {
    now = instant(ms);
    for (const { run } of pending.filter(({ at }) => at <= ms)) run();
  };
  return { timers, shard: shardsTelling(wake), moveTo };
}

describe('timers of alarms', () => {
  it('wakes everybody of a slot when its time has come, and not before', () => {
    const woken: string[] = [];
    const { timers, shard, moveTo } = timersOf(({ name }) => void woken.push(name));
    timers.add(shard('a'), instant(100));
    timers.add(shard('b'), instant(90));
    moveTo(80);
    expect(woken).toEqual([]);
    moveTo(100);
    expect(woken).toEqual(['a', 'b']);
  });

  it('does not wake whom the one before has taken off: an evicted shard must not take another turn', () => {
    const woken: string[] = [];
    const { timers, shard, moveTo } = timersOf(({ name }) => {
      woken.push(name);
      timers.remove(evicted);
    });
    const evicted = shard('evicted');
    timers.add(shard('first'), instant(100));
    timers.add(evicted, instant(100));
    moveTo(200);
    expect(woken).toEqual(['first']);
  });
});

describe('timers of alarms of a node whose time stands still', () => {
  it('looks again each slot at most, and wakes once time goes on', () => {
    const woken: string[] = [];
    const hand = new Hand();
    let stillAt: Instant | undefined;
    const clock = { now: (): Instant => stillAt ?? hand.now };
    const timers = new AlarmTimers({ clock, timers: hand.timers });
    const shard = shardsTelling(({ name }) => void woken.push(name));
    hand.move(19);
    stillAt = hand.now;
    // Its slot is over in a millisecond, which does not pass.
    timers.add(shard('a'), instant(stillAt + 1));
    hand.move(10_000);
    expect(woken).toEqual([]);
    expect(hand.set).toBeLessThanOrEqual(10_000 / 20 + 1);
    stillAt = undefined;
    hand.move(20);
    expect(woken).toEqual(['a']);
  });
});

describe('timers of alarms, over time', () => {
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
        const timers = new AlarmTimers(hand);
        const shard = shardsTelling(({ name }) => {
          const due = dueByName.get(name) ?? Number.POSITIVE_INFINITY;
          expect(due).toBeLessThanOrEqual(hand.now);
          dueByName.delete(name);
        });
        const all = Array.from({ length: 50 }, (_, index) => shard(`${index}`));
        for (const { who, inMs, removes, moveMs } of acts) {
          const one = all[who];
          if (one === undefined) continue;
          if (removes) {
            timers.remove(one);
            dueByName.delete(one.name);
          } else {
            const at = hand.now + inMs;
            timers.add(one, instant(at));
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

  it('need one timer for a thousand shards of one time', () => {
    const hand = new Hand();
    let woken = 0;
    const timers = new AlarmTimers(hand);
    const shard = shardsTelling(() => woken++);
    for (let index = 0; index < 1_000; index++) timers.add(shard(`${index}`), instant(hand.now + 500));
    expect([hand.set, hand.waiting]).toEqual([1, 1]);
    hand.move(600);
    expect([woken, hand.waiting]).toEqual([1_000, 0]);
  });

  it('takes whoever asks anew while being woken', () => {
    const hand = new Hand();
    const at: number[] = [];
    const start = hand.now;
    const timers = new AlarmTimers(hand);
    const shard = shardsTelling((one) => {
      at.push(hand.now - start);
      if (at.length < 4) timers.add(one, instant(hand.now + 100));
    });
    timers.add(shard('one'), instant(start + 100));
    hand.move(2_000);
    expect(at).toEqual([100, 200, 300, 400]);
  });

  it('does not ring for ever for one who asks to be woken at once: the next slot must come first', () => {
    const hand = new Hand();
    let woken = 0;
    const timers = new AlarmTimers(hand);
    const shard = shardsTelling((one) => {
      if (++woken < 1_000) timers.add(one, instant(hand.now - 100));
    });
    timers.add(shard('one'), instant(hand.now));
    hand.move(100);
    expect(woken).toBe(6);
  });

  it('wakes nobody once it is cleared', () => {
    const hand = new Hand();
    let woken = 0;
    const timers = new AlarmTimers(hand);
    const shard = shardsTelling(() => woken++);
    timers.add(shard('one'), instant(hand.now + 100));
    timers.clear();
    hand.move(1_000);
    expect([woken, hand.waiting]).toEqual([0, 0]);
  });
});

describe('a shard that was touched', () => {
  it('is put in once, by its alarm when the delivery is over, and never to ring at once', () => {
    const rung: [string, number][] = [];
    const hand = new Hand();
    const start = hand.now;
    const timers = new AlarmTimers(hand);
    const shard = shardsTelling(({ name }) => void rung.push([name, hand.now - start]));
    const [due, later, none] = [shard('due'), shard('later'), shard('none')];
    due.wakeAt = start;
    for (const one of [due, later, none, later]) timers.touch(one);
    later.wakeAt = instant(start + 100);
    timers.setTouched(start);
    timers.setTouched(start);
    hand.move(1_000);
    expect(rung).toEqual([
      ['due', 20],
      ['later', 100],
    ]);
  });
});

describe('a shard whose index in the heap is not its own', () => {
  it('is noticed when it is taken out or set for earlier', () => {
    const hand = new Hand();
    const timers = new AlarmTimers(hand);
    const shard = shardsTelling(() => undefined);
    const [one, two] = [shard('one'), shard('two')];
    for (const each of [one, two]) timers.add(each, instant(hand.now + 1_000));
    two.timerIndex = one.timerIndex;
    expect(() => timers.remove(two)).toThrow(AssertionFault);
    expect(() => timers.add(two, instant(hand.now + 500))).toThrow(AssertionFault);
  });
});
