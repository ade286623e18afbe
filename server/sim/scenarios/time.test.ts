/** What a node has said of time stays true in its next life, however its wall clock is set meanwhile. */
import { describe, expect, it } from '@jest/globals';
import { limits } from '#shared/limits.ts';
import { packetKind, Scenario } from '../testing/scenario.ts';

/** The next lives of the seller's node have a wall clock that is behind by nearly as much as a start bears. */
const BEHIND_MS = limits.clockBehindMaxMs - 2 * limits.timeLeaseMs;
const STRAY_MS = 20_000;

/** A scenario in which the nodes start with good clocks, and whoever starts after them with one that is behind. */
function withClocksBehind(): Promise<Scenario> {
  const offsets = [0, 0];
  return Scenario.begin({ wallOffsetMs: () => offsets.shift() ?? -BEHIND_MS });
}

/** One copy of the next packet of that kind comes much later. */
function stray(scenario: Scenario, kind: string): void {
  let strays = 0;
  scenario.world.bus.rule((packet) =>
    packetKind(packet) === kind && strays++ === 0 ? { kind: 'again', afterUs: STRAY_MS * 1_000 } : { kind: 'pass' },
  );
}

const nameOf = (shard: string): string => shard.slice(0, shard.indexOf('@'));

describe('a node that starts again with a clock that is behind', () => {
  it('aborts a copy of the offer that it has aborted for a shard of nobody, also when there is one by then (P1)', async () => {
    const scenario = await withClocksBehind();
    const { world, buyer } = scenario;
    const nobody = scenario.player('nobody', 1);
    // The first listing of every shard gets the same row.
    const row = (await scenario.list()).split('.')[0];
    stray(scenario, 'offer');
    await scenario.tell(buyer, scenario.buyout(`${row}.${nobody}`));
    await world.until(() => scenario.of(buyer).holds === 0, 30_000_000);
    expect(scenario.of(buyer)).toMatchObject({ gold: 10_000, held: 0 });

    scenario.nodeOf(nobody).crash();
    await world.startAll();
    await scenario.open(nobody);
    const listed = await scenario.tell(nobody, scenario.command('sell', { itemId: `${nameOf(nobody)}-0`, buyout: 1_000 }));
    expect(listed).toMatchObject({ value: { listingId: `${row}.${nobody}` } });
    await scenario.run(STRAY_MS + 5_000);
    expect(scenario.of(nobody)).toMatchObject({ listings: 1, unclaimed: 0 });
    expect(scenario.of(buyer)).toMatchObject({ gold: 10_000, completed: 0 });
    expect(await scenario.end()).toEqual([]);
  });

  it('does not take the copy of a command that it has refused', async () => {
    const scenario = await withClocksBehind();
    const { world, seller } = scenario;
    await scenario.tell(seller, { kind: 'freeze', issuer: 'staff', body: { frozen: true } });
    await scenario.run(5_000);
    stray(scenario, 'command');
    const sell = scenario.command('sell', { itemId: `${nameOf(seller)}-0`, buyout: 1_000 });
    expect(await scenario.tell(seller, sell, world.nodes[0])).toMatchObject({ kind: 'refusal' });
    await scenario.tell(seller, { kind: 'freeze', issuer: 'staff', body: { frozen: false } });
    await scenario.run(1_000);

    scenario.nodeOf(seller).crash();
    await world.startAll();
    await scenario.run(STRAY_MS + 5_000);
    expect(scenario.of(seller)).toMatchObject({ listings: 0 });
    expect(await scenario.end()).toEqual([]);
  });

  it('trades at once while its time stands still, and says within seconds that an outcome is unknown', async () => {
    const scenario = await withClocksBehind();
    const { world, seller, buyer } = scenario;
    const [first, second] = [await scenario.list(0), await scenario.list(1)];
    scenario.nodeOf(buyer).crash();
    await world.startAll();
    const node = scenario.nodeOf(buyer);
    const stillAt = node.time;
    expect(await scenario.tell(buyer, scenario.buyout(first))).toMatchObject({ kind: 'answer' });
    world.bus.rule((packet) => (packetKind(packet) === 'offer' ? { kind: 'lose' } : { kind: 'pass' }));
    const askedAtUs = world.scheduler.nowUs;
    expect(await scenario.tell(buyer, scenario.buyout(second))).toMatchObject({ name: 'outcome-unknown' });
    expect(world.scheduler.nowUs - askedAtUs).toBeLessThan(limits.offerWindowMs * 1_000);
    expect(node.time).toBe(stillAt);
    // The offer is repeated when time goes on: by then it is late, and the gold comes back.
    world.bus.rule(() => ({ kind: 'pass' }));
    await scenario.run(BEHIND_MS + limits.offerWindowMs);
    expect(node.time).toBeGreaterThan(stillAt);
    expect(scenario.of(buyer)).toMatchObject({ gold: 9_000, held: 0, holds: 0 });
    expect(scenario.of(seller)).toMatchObject({ listings: 1, unclaimed: 850 });
    expect(await scenario.end()).toEqual([]);
  });
});
