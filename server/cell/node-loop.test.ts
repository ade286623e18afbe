/** The order of turns of a node. */
import { describe, expect, it } from '@jest/globals';
import { AssertionFault } from '#shared/assert.ts';
import { instant, position } from '#shared/units.ts';
import { TAKEN, type Envelope } from '#server/routing/part.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import { ADA, BOB } from '#server/shard/testing/shard-driver.ts';
import { NodeLoop } from './node-loop.ts';

/** A loop, and what it has done. */
function loopOf(onAccept: (envelope: Envelope, loop: NodeLoop) => void = () => undefined) {
  const done: string[] = [];
  const faults: Error[] = [];
  const positions: number[] = [];
  let time = 0;
  const loop: NodeLoop = new NodeLoop({
    now: () => instant(++time),
    journal: { append: () => position(positions.shift() ?? 0), isFull: false, whenReady: () => Promise.resolve() },
    world: {
      accept: (envelope) => {
        done.push(`${envelope.message.kind} to ${envelope.to}`);
        onAccept(envelope, loop);
        return TAKEN;
      },
    },
    onDelivered: () => void done.push('delivered'),
    onFault: (fault) => void faults.push(fault),
  });
  return { loop, done, faults, positions };
}

const CHANGES = {} as ChangeSet;

describe('a run', () => {
  it('delivers what it sent, and what that sent, in order, within one time; a run inside it only does its own work', () => {
    const { loop, done } = loopOf(({ to }, its) => {
      const time = its.turnTime;
      if (to === ADA) its.run((kind) => its.send({ to: BOB, message: { kind } }), 'second');
      expect(its.turnTime).toBe(time);
    });
    loop.run(() => loop.send({ to: ADA, message: { kind: 'first' } }), undefined);
    expect(done).toEqual([`first to ${ADA}`, `second to ${BOB}`, 'delivered']);
    loop.run(() => done.push('work'), undefined);
    expect(done.slice(3)).toEqual(['work', 'delivered']);
  });

  it('that throws stops the loop, also from inside another', () => {
    const { loop, done, faults } = loopOf((_envelope, its) =>
      its.run(() => {
        throw new Error('a bug');
      }, undefined),
    );
    loop.run(() => {
      loop.send({ to: ADA, message: { kind: 'first' } });
      loop.send({ to: BOB, message: { kind: 'second' } });
    }, undefined);
    loop.run(() => done.push('work'), undefined);
    expect(done).toEqual([`first to ${ADA}`]);
    expect([loop.isStopped, loop.mustWait, faults.map(({ message }) => message)]).toEqual([true, true, ['a bug']]);
  });
});

describe('an append', () => {
  it('gets a higher position than the one before, or the loop stops', () => {
    const { loop, faults, positions } = loopOf();
    positions.push(5, 6, 6);
    loop.run(() => [loop.append(CHANGES), loop.append(CHANGES)], undefined);
    expect(faults).toEqual([]);
    loop.run(() => loop.append(CHANGES), undefined);
    expect(faults).toEqual([expect.any(AssertionFault)]);
    expect(loop.isStopped).toBe(true);
  });
});
