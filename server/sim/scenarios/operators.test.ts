/** What only an operator can settle: a shard that lost its state, a row that cannot be handled, an image that cannot be read. H9, H15, T6. */
import { describe, expect, it } from '@jest/globals';
import { failure } from '#server/shard/failures.ts';
import { onMessage, type Powerup } from '#server/shard/powerup.ts';
import { ImageError } from '#server/journal/disk/storage.ts';
import { hold } from '#server/trade/entities.ts';
import type { Outcome } from '#server/trade/messages.ts';
import { transactionId } from '#server/trade/transaction.ts';
import { override } from '../override.ts';
import { packetKind, Scenario } from '../testing/scenario.ts';
import type { Seams } from '../seams.ts';

describe('a shard that hears of an outcome that it cannot know (T6)', () => {
  it('is closed, answers nothing, and tells nobody that the trade is settled', async () => {
    const scenario = await Scenario.begin({ isExpected: ({ message }) => message.includes('failed on outcome') });
    const { bus, model, referee } = scenario.world;
    const sent: string[] = [];
    bus.rule((packet) => {
      sent.push(packetKind(packet));
      return { kind: 'pass' };
    });
    scenario.world.tellAborted(transactionId({ holder: scenario.buyer, generation: 1, seq: 7 }), scenario.buyer, scenario.seller);
    await scenario.run(50);
    expect(model.rows(scenario.buyer, failure)).toMatchObject([{ key: 'quarantine', stuck: true }]);
    expect(referee.violations.map(({ checker }) => checker)).toEqual(['T6 no shard is quarantined and no turn fails']);
    let reply: unknown;
    void scenario.send(scenario.buyer, scenario.command('claim', { all: true })).then((told) => (reply = told));
    await scenario.world.scheduler.runUntil(() => reply !== undefined, scenario.world.scheduler.nowUs + 1_000_000);
    expect(reply).toMatchObject({ name: 'unavailable' });
    expect(sent).toEqual([]);
  });
});

describe('one trade whose outcome cannot be handled', () => {
  it('gets stuck, and all others of the same buyer are settled (H15)', async () => {
    let poisoned: string | undefined;
    const poison = (powerup: Powerup): Powerup => {
      const outcome = powerup.handlers?.['outcome'];
      if (powerup.name !== 'trades' || outcome === undefined) return powerup;
      const handler = onMessage<Outcome>((turn, message) => {
        poisoned ??= message.tx;
        if (message.tx === poisoned) throw new Error('poisoned');
        return outcome(turn, message);
      });
      return { ...powerup, handlers: { ...powerup.handlers, outcome: handler } };
    };
    const seams: Seams = { powerups: (all) => all.map(poison) };
    const scenario = await Scenario.begin({ seams, isExpected: ({ message }) => message.includes('failed on outcome') });
    const { model, scheduler } = scenario.world;
    const lists: string[] = [];
    for (let index = 0; index < 10; index++) lists.push(await scenario.list(index, 100));
    for (const listed of lists) void scenario.send(scenario.buyer, scenario.buyout(listed, 100));
    // Not the scenario's own clock: the referee objects to the failed turns, and stops it.
    await scheduler.runUntil(() => model.rows(scenario.buyer, failure)[0]?.stuck === true, scheduler.nowUs + 300_000_000);
    expect(model.rows(scenario.buyer, failure)).toMatchObject([{ key: `outcome/${poisoned}`, attempts: 5, stuck: true }]);
    expect(model.rows(scenario.buyer, hold).map(({ tx }) => tx)).toEqual([poisoned]);
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 9_000, held: 100, completed: 9 });
    const others = scenario.world.referee.violations.filter(({ checker }) => !checker.startsWith('T6'));
    expect(others).toEqual([]);
  });
});

describe('an image that cannot be read once', () => {
  it('makes its shard unavailable once, and is not held against it (H9)', async () => {
    let failures = 0;
    const seams: Seams = {
      stores: (stores) => ({
        ...stores,
        images: override(stores.images, {
          read: (shard) => {
            if (failures-- > 0) throw new ImageError('the disk hiccups');
            return stores.images.read(shard);
          },
        }),
      }),
    };
    const scenario = await Scenario.begin({ seams, isExpected: ({ message }) => message.includes('could not be loaded') });
    await scenario.run(20_000);
    for (const node of scenario.world.nodes) node.crash();
    await scenario.world.startAll();
    failures = 1;
    const command = scenario.command('claim', { all: true });
    expect(await scenario.tell(scenario.buyer, command)).toMatchObject({ name: 'unavailable' });
    expect(await scenario.tell(scenario.buyer, command)).toMatchObject({ kind: 'answer' });
    expect(await scenario.end()).toEqual([]);
  });
});
