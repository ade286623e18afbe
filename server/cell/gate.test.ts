import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { instant, type Instant } from '#shared/units.ts';
import type { Timers } from '#server/platform/platform.ts';
import { OutputGate } from './gate.ts';
import { WakeList } from './wake-list.ts';

/** A journal that becomes durable when a test says so. */
class Journal {
  appended = 0;
  durable = 0;
  readonly #listeners: ((durable: number) => void)[] = [];

  onDurable(listener: (durable: number) => void): void {
    this.#listeners.push(listener);
  }

  confirm(position: number): void {
    this.durable = position;
    for (const listener of this.#listeners) listener(position);
  }
}

describe('the output gate', () => {
  it('lets each thing out, in order, when everything appended before it is durable, and no later', () => {
    const step = fc.oneof(
      fc.constant('append' as const),
      fc.constant('release' as const),
      fc.constant('confirm some' as const),
      fc.constant('confirm all' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const journal = new Journal();
        const gate = new OutputGate(journal);
        const released: number[] = [];
        const out: number[] = [];
        for (const kind of steps) {
          if (kind === 'append') journal.appended++;
          else if (kind === 'release') {
            const index = released.push(journal.appended) - 1;
            gate.release(() => void out.push(index));
          } else journal.confirm(kind === 'confirm all' ? journal.appended : Math.ceil((journal.durable + journal.appended) / 2));
          const mayGo = released.findIndex((position) => position > journal.durable);
          expect(out).toEqual(Array.from({ length: mayGo === -1 ? released.length : mayGo }, (_, index) => index));
        }
      }),
    );
  });

  it('keeps the order also when what goes out releases more', () => {
    const journal = new Journal();
    const gate = new OutputGate(journal);
    const out: string[] = [];
    journal.appended = 1;
    gate.release(() => {
      out.push('first');
      gate.release(() => void out.push('third'));
    });
    gate.release(() => void out.push('second'));
    journal.confirm(1);
    expect(out).toEqual(['first', 'second', 'third']);
  });

  it('lets nothing out any more once it is shut, also from within', () => {
    const journal = new Journal();
    const gate = new OutputGate(journal);
    const out: string[] = [];
    journal.appended = 1;
    gate.release(() => {
      out.push('first');
      gate.shut();
    });
    gate.release(() => void out.push('second'));
    journal.confirm(1);
    gate.release(() => void out.push('third'));
    journal.confirm(2);
    expect(out).toEqual(['first']);
  });

  it('does not grow with what has passed through it', () => {
    const journal = new Journal();
    const gate = new OutputGate(journal);
    let out = 0;
    for (let index = 0; index < 50_000; index++) {
      journal.appended++;
      gate.release(() => out++);
      if (index > 10) journal.confirm(journal.appended - 10);
    }
    journal.confirm(journal.appended);
    expect(out).toBe(50_000);
  });
});

/** Timers and a clock that only a test moves. */
class Hand {
  now = instant(1_000_000);
  readonly clock = { now: (): Instant => this.now };
  readonly #pending = new Map<number, { readonly at: number; readonly run: () => void }>();
  #next = 0;
  set = 0;
  readonly timers: Timers = {
    after: (ms, run) => {
      const id = this.#next++;
      this.set++;
      this.#pending.set(id, { at: this.now + ms, run });
      return () => void this.#pending.delete(id);
    },
    defer: (run) => run(),
  };

  move(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const [next] = [...this.#pending].toSorted(([, a], [, b]) => a.at - b.at);
      if (next === undefined || next[1].at > end) break;
      this.#pending.delete(next[0]);
      this.now = instant(Math.max(this.now, Math.ceil(next[1].at)));
      next[1].run();
    }
    this.now = instant(end);
  }

  get waiting(): number {
    return this.#pending.size;
  }
}

interface Sleeper {
  wakeListedAt: number;
  readonly name: number;
}

describe('the wake list', () => {
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
        const list = new WakeList<Sleeper>(hand, ({ name }) => {
          const due = dueByName.get(name) ?? Number.POSITIVE_INFINITY;
          expect(hand.now).toBeGreaterThanOrEqual(Math.min(due, hand.now));
          expect(due).toBeLessThanOrEqual(hand.now);
          dueByName.delete(name);
        });
        const sleepers = Array.from({ length: 10 }, (_, name): Sleeper => ({ wakeListedAt: 0, name }));
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
    const list = new WakeList<Sleeper>(hand, () => woken++);
    for (let name = 0; name < 1_000; name++) list.add({ wakeListedAt: 0, name }, instant(hand.now + 500));
    expect([hand.set, hand.waiting]).toEqual([1, 1]);
    hand.move(600);
    expect([woken, hand.waiting]).toEqual([1_000, 0]);
  });

  it('takes whoever asks anew while being woken', () => {
    const hand = new Hand();
    const at: number[] = [];
    const start = hand.now;
    const list: WakeList<Sleeper> = new WakeList<Sleeper>(hand, (sleeper) => {
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
    const list = new WakeList<Sleeper>(hand, () => woken++);
    list.add({ wakeListedAt: 0, name: 1 }, instant(hand.now + 100));
    list.clear();
    hand.move(1_000);
    expect([woken, hand.waiting]).toEqual([0, 0]);
  });
});
