/** A crash at every single point of a trade: each event of either node, and each call of either disk. Holes H5, H6, H7, H11, H12, H13. */
import { describe, expect, it } from '@jest/globals';
import type { MemoryOperation, WriteOutcome } from '#server/journal/disk/memory-writes.ts';
import type { Reply } from '#server/shard/message.ts';
import { Scenario } from '../testing/scenario.ts';

interface Ending {
  readonly first: Reply | undefined;
  readonly again: Reply | undefined;
  readonly violations: readonly string[];
  readonly hasBought: boolean;
}

/** A trade that is disturbed, asked for again with the same op, and brought to its end. */
async function disturbed(disturb: (scenario: Scenario) => Promise<Reply | undefined>): Promise<Ending> {
  const scenario = await Scenario.begin();
  const first = await disturb(scenario);
  await scenario.world.startAll();
  const again = await scenario.tell(scenario.buyer, scenario.buyout(await listedOf(scenario), 1_000, 'the-trade'));
  const violations = await scenario.end();
  const buyer = scenario.of(scenario.buyer);
  const seller = scenario.of(scenario.seller);
  const hasBought = buyer.gold === 9_000;
  expect(buyer).toMatchObject({ gold: hasBought ? 9_000 : 10_000, held: 0, holds: 0, completed: hasBought ? 1 : 0 });
  expect(seller).toMatchObject({ gold: 10_000, unclaimed: hasBought ? 850 : 0, listings: hasBought ? 0 : 1 });
  return { first, again, violations, hasBought };
}

const listings = new WeakMap<Scenario, string>();

async function listedOf(scenario: Scenario): Promise<string> {
  const known = listings.get(scenario) ?? (await scenario.list());
  listings.set(scenario, known);
  return known;
}

/** Runs a whole trade, from the listing to what the decider forgets, and counts its events. */
async function eventsOfTrade(): Promise<number> {
  const scenario = await Scenario.begin();
  const listed = await listedOf(scenario);
  const before = scenario.world.scheduler.count;
  await scenario.tell(scenario.buyer, scenario.buyout(listed, 1_000, 'the-trade'));
  await scenario.run(100);
  return scenario.world.scheduler.count - before;
}

async function crashAtEvent(scenario: Scenario, who: 'buyer' | 'seller', event: number): Promise<Reply | undefined> {
  const listed = await listedOf(scenario);
  const { scheduler } = scenario.world;
  const at = scheduler.count + event;
  let reply: Reply | undefined;
  void scenario.send(scenario.buyer, scenario.buyout(listed, 1_000, 'the-trade')).then((told) => (reply = told));
  await scenario.world.until(() => scheduler.count >= at, 1_000_000);
  scenario.nodeOf(scenario[who]).crash();
  await scenario.run(50);
  return reply;
}

describe('a crash at every event of a trade', () => {
  it.each(['buyer', 'seller'] as const)('at the node of the %s leaves both sides bought and sold, or neither', async (who) => {
    const events = await eventsOfTrade();
    expect(events).toBeGreaterThan(20);
    for (let event = 0; event <= events; event++) {
      const { first, again, violations, hasBought } = await disturbed((scenario) => crashAtEvent(scenario, who, event));
      expect({ event, violations }).toEqual({ event, violations: [] });
      // Whoever was told yes has bought; whoever asks again with the same op is told how it was.
      if (first?.kind === 'answer') expect({ event, hasBought }).toEqual({ event, hasBought: true });
      expect({ event, again: again?.kind === 'answer' || (again?.kind === 'refusal' && again.retryable) }).toEqual({ event, again: true });
      if (again?.kind === 'answer') expect({ event, hasBought }).toEqual({ event, hasBought: true });
    }
  });
});

const OPERATIONS: readonly MemoryOperation[] = [
  'commit',
  'apply',
  'stage',
  'sync',
  'publish',
  'sync-directories',
  'image-versions',
  'drop',
];
/** Calls of which one trade makes several. */
const OFTEN: ReadonlySet<MemoryOperation> = new Set(['commit']);
const OUTCOMES: readonly WriteOutcome[] = ['fail', 'write-then-fail', 'write-unsynced'];

describe('a disk that fails at every call of a trade', () => {
  const cases = OPERATIONS.flatMap((operation) => OUTCOMES.map((outcome) => [operation, outcome] as const));

  it.each(cases)('%s: %s', async (operation, outcome) => {
    for (const who of ['buyer', 'seller'] as const) {
      for (let nth = 1; nth <= (OFTEN.has(operation) ? 2 : 1); nth++) {
        let left = nth;
        const { first, violations, hasBought } = await disturbed(async (scenario) => {
          const listed = await listedOf(scenario);
          scenario.nodeOf(scenario[who]).disk.inject((called) => (called === operation && --left === 0 ? outcome : 'work'));
          const reply = await scenario.tell(scenario.buyer, scenario.buyout(listed, 1_000, 'the-trade'));
          // Folds and image passes come later.
          await scenario.world.until(() => left <= 0, 30_000_000);
          return reply;
        });
        expect({ who, nth, hasFailed: left <= 0 }).toEqual({ who, nth, hasFailed: true });
        expect({ who, nth, violations }).toEqual({ who, nth, violations: [] });
        if (first?.kind === 'answer') expect({ who, nth, hasBought }).toEqual({ who, nth, hasBought: true });
      }
    }
  });
});

describe('an answered trade', () => {
  it('can be read by both sides and in the index at once, and after both nodes have crashed (H13)', async () => {
    const scenario = await Scenario.begin();
    const listed = await listedOf(scenario);
    expect(await scenario.tell(scenario.buyer, scenario.buyout(listed))).toMatchObject({ kind: 'answer', value: { paid: 1_000 } });
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 9_000, held: 0, completed: 1 });
    expect(scenario.of(scenario.seller)).toMatchObject({ unclaimed: 850, listings: 0, completed: 1 });
    expect(await scenario.tell(scenario.seller, { kind: 'listing', issuer: 'client', body: { listingId: listed } })).toMatchObject({
      name: 'listing-gone',
    });
    for (const node of scenario.world.nodes) node.crash();
    await scenario.world.startAll();
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 9_000, held: 0, completed: 1 });
    expect(await scenario.end()).toEqual([]);
  });

  it('is not answered while the disk of its buyer is slow, and is gone if the power fails before (H12)', async () => {
    const scenario = await Scenario.begin();
    const command = scenario.command('sell', { itemId: `${scenario.buyer.slice(0, scenario.buyer.indexOf('@'))}-0`, buyout: 5 }, 'a-sale');
    let reply: Reply | undefined;
    void scenario.send(scenario.buyer, command).then((told) => (reply = told));
    await scenario.run(0.5);
    expect(reply).toBeUndefined();
    scenario.nodeOf(scenario.buyer).crash();
    await scenario.world.startAll();
    expect(reply).toBeUndefined();
    expect(scenario.of(scenario.buyer)).toMatchObject({ items: 12, listings: 0 });
    expect(await scenario.tell(scenario.buyer, command)).toMatchObject({ kind: 'answer' });
    expect(scenario.of(scenario.buyer)).toMatchObject({ items: 11, listings: 1 });
    expect(await scenario.end()).toEqual([]);
  });
});
