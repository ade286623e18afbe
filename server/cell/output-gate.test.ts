import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AssertionFault } from '#shared/assert.ts';
import { position } from '#shared/units.ts';
import { OutputGate } from './output-gate.ts';
import { Journal } from './testing/hand.ts';

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
          } else journal.confirm(position(kind === 'confirm all' ? journal.appended : Math.ceil((journal.durable + journal.appended) / 2)));
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
    journal.appended = position(1);
    gate.release(() => {
      out.push('first');
      gate.release(() => void out.push('third'));
    });
    gate.release(() => void out.push('second'));
    journal.confirm(position(1));
    expect(out).toEqual(['first', 'second', 'third']);
  });

  it('lets nothing out any more once it is shut, also from within', () => {
    const journal = new Journal();
    const gate = new OutputGate(journal);
    const out: string[] = [];
    journal.appended = position(1);
    gate.release(() => {
      out.push('first');
      gate.shut();
    });
    gate.release(() => void out.push('second'));
    journal.confirm(position(1));
    gate.release(() => void out.push('third'));
    journal.confirm(position(2));
    expect(out).toEqual(['first']);
  });

  it('does not grow with what has passed through it', () => {
    const journal = new Journal();
    const gate = new OutputGate(journal);
    let out = 0;
    for (let index = 0; index < 50_000; index++) {
      journal.appended++;
      gate.release(() => out++);
      if (index > 10) journal.confirm(position(journal.appended - 10));
    }
    journal.confirm(journal.appended);
    expect(out).toBe(50_000);
  });

  it('notices a journal that appends backwards, and one that says less than it tells', () => {
    const journal = new Journal();
    const gate = new OutputGate(journal);
    journal.appended = position(2);
    gate.release(() => undefined);
    journal.appended = position(1);
    expect(() => gate.release(() => undefined)).toThrow(AssertionFault);
    expect(() => journal.tell(position(2))).toThrow(AssertionFault);
  });

  it('is settled once all that was appended is durable', async () => {
    const journal = new Journal();
    const gate = new OutputGate(journal);
    journal.appended = position(2);
    let isSettled = false;
    void gate.settled().then(() => (isSettled = true));
    journal.confirm(position(1));
    await Promise.resolve();
    expect(isSettled).toBe(false);
    journal.confirm(position(2));
    await Promise.resolve();
    expect(isSettled).toBe(true);
  });
});
