/** Messages of a trade that are lost, late, doubled, or out of order: the holes H1, H2, H4, H8, H10 and what the design says of them. */
import { describe, expect, it } from '@jest/globals';
import { limits } from '#shared/limits.ts';
import { decision } from '#server/trade/entities.ts';
import type { Reply } from '#server/shard/message.ts';
import type { PacketFate } from '../simulated-bus.ts';
import { packetKind, Scenario } from '../testing/scenario.ts';

const LOSE: PacketFate = { kind: 'lose' };
const PASS: PacketFate = { kind: 'pass' };

function losing(scenario: Scenario, ...kinds: readonly string[]): void {
  scenario.world.bus.rule((packet) => (kinds.includes(packetKind(packet)) ? LOSE : PASS));
}

function repeating(scenario: Scenario, kind: string, afterMs: number): void {
  scenario.world.bus.rule((packet) => (packetKind(packet) === kind ? { kind: 'again', afterUs: afterMs * 1_000 } : PASS));
}

describe('a decider', () => {
  it('that restarts between deciding and being heard commits what it decided (H1, H3)', async () => {
    const scenario = await Scenario.begin();
    const listed = await scenario.list();
    losing(scenario, 'outcome');
    const waiting = scenario.send(scenario.buyer, scenario.buyout(listed));
    await scenario.run(50);
    expect(scenario.of(scenario.seller)).toMatchObject({ listings: 0, unclaimed: 850, decisions: 1 });
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 9_000, held: 1_000, holds: 1 });
    scenario.nodeOf(scenario.seller).crash();
    losing(scenario);
    await scenario.world.startAll();
    let reply: Reply | undefined;
    void waiting.then((told) => (reply = told));
    await scenario.run(4_000);
    expect(reply).toMatchObject({ kind: 'answer', value: { paid: 1_000 } });
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 9_000, held: 0, completed: 1 });
    expect(await scenario.end()).toEqual([]);
  });

  it('that no longer knows a transaction aborts its late double, and nothing changes by that (H1, H10)', async () => {
    const scenario = await Scenario.begin();
    const listed = await scenario.list();
    repeating(scenario, 'offer', 40_000);
    expect(await scenario.tell(scenario.buyer, scenario.buyout(listed))).toMatchObject({ kind: 'answer' });
    losing(scenario);
    await scenario.run(limits.offerWindowMs + 1_000);
    // Turns of the seller after the window: the decision goes when the shard tidies up.
    for (let item = 1; item <= limits.tidyEveryTurns; item++) await scenario.list(item);
    expect(scenario.of(scenario.seller).decisions).toBe(0);
    await scenario.run(40_000);
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 9_000, held: 0, completed: 1 });
    expect(scenario.of(scenario.seller)).toMatchObject({ unclaimed: 850, listings: limits.tidyEveryTurns });
    expect(await scenario.end()).toEqual([]);
  });

  it.each([0, 2_000, 40_000])(
    'that has aborted stays with it when the offer comes again %i ms later, also after a restart with a clock behind (H2)',
    async (afterMs) => {
      const offsets = [0, 0, -1_200, -1_200];
      const scenario = await Scenario.begin({ wallOffsetMs: () => offsets.shift() ?? 0 });
      const listed = await scenario.list();
      await scenario.tell(scenario.seller, { kind: 'freeze', issuer: 'staff', body: { frozen: true } });
      repeating(scenario, 'offer', afterMs);
      expect(await scenario.tell(scenario.buyer, scenario.buyout(listed))).toMatchObject({ name: 'listing-gone' });
      scenario.nodeOf(scenario.seller).crash();
      await scenario.world.startAll();
      await scenario.tell(scenario.seller, { kind: 'freeze', issuer: 'staff', body: { frozen: false } });
      losing(scenario);
      await scenario.run(afterMs + 1_000);
      expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 10_000, held: 0, completed: 0 });
      expect(scenario.of(scenario.seller)).toMatchObject({ listings: 1, unclaimed: 0 });
      expect(await scenario.end()).toEqual([]);
    },
  );

  it('decides once while the same offer is repeated as fast as it may, under load (H4)', async () => {
    const scenario = await Scenario.begin();
    const lists: string[] = [];
    for (let index = 0; index < 8; index++) lists.push(await scenario.list(index));
    losing(scenario, 'outcome');
    const replies = lists.map((listed) => scenario.send(scenario.buyer, scenario.buyout(listed)));
    await scenario.run(20_000);
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 2_000, held: 8_000, holds: 8 });
    losing(scenario);
    await scenario.world.settle();
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 2_000, held: 0, completed: 8 });
    expect(scenario.of(scenario.seller)).toMatchObject({ unclaimed: 8 * 850, listings: 0 });
    for (const reply of await Promise.all(replies)) expect(reply).toMatchObject({ name: 'outcome-unknown' });
    expect(await scenario.end()).toEqual([]);
  });

  it('aborts an offer that comes too late, and the buyer has its gold back', async () => {
    const scenario = await Scenario.begin();
    const listed = await scenario.list();
    losing(scenario, 'offer');
    const command = scenario.buyout(listed);
    expect(await scenario.tell(scenario.buyer, command)).toMatchObject({ name: 'outcome-unknown' });
    await scenario.run(limits.offerWindowMs);
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 9_000, held: 1_000 });
    losing(scenario);
    await scenario.world.settle();
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 10_000, held: 0, holds: 0 });
    expect(await scenario.tell(scenario.buyer, command)).toMatchObject({ name: 'offer-expired' });
    expect(scenario.of(scenario.seller)).toMatchObject({ listings: 1 });
    expect(await scenario.end()).toEqual([]);
  });

  it('keeps as few decisions after 300 trades as after one (H14)', async () => {
    const scenario = await Scenario.begin();
    for (let round = 0; round < 25; round++) {
      for (let index = 0; index < 12; index++) {
        const from = round % 2 === 0 ? scenario.seller : scenario.buyer;
        const to = round % 2 === 0 ? scenario.buyer : scenario.seller;
        const name = scenario.seller.slice(0, scenario.seller.indexOf('@'));
        const listed = await scenario.tell(from, scenario.command('sell', { itemId: `${name}-${index}`, buyout: 10 }));
        if (listed?.kind !== 'answer') throw new Error(JSON.stringify(listed));
        const { listingId } = listed.value as { listingId: string };
        expect(await scenario.tell(to, scenario.buyout(listingId, 10))).toMatchObject({ kind: 'answer' });
      }
      await scenario.tell(scenario.buyer, scenario.command('claim', { all: true }));
      await scenario.tell(scenario.seller, scenario.command('claim', { all: true }));
      await scenario.run(limits.offerWindowMs + 1);
    }
    const known = scenario.world.model.allRows(decision);
    expect(known.length).toBeLessThanOrEqual(24);
    expect(await scenario.end()).toEqual([]);
  });
});

describe('a holder', () => {
  it('takes an outcome that comes again much later for what it is, while other trades go on (H10)', async () => {
    const scenario = await Scenario.begin();
    const listed = await scenario.list(0);
    repeating(scenario, 'outcome', 60_000);
    expect(await scenario.tell(scenario.buyer, scenario.buyout(listed))).toMatchObject({ kind: 'answer' });
    const second = await scenario.list(1, 2_000);
    losing(scenario, 'outcome');
    expect(await scenario.tell(scenario.buyer, scenario.buyout(second, 2_000))).toMatchObject({ name: 'outcome-unknown' });
    losing(scenario);
    await scenario.run(70_000);
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 7_000, held: 0, completed: 2 });
    expect(await scenario.end()).toEqual([]);
  });

  it('keeps its hold through eviction, restart and a seller that is away for an hour (H17)', async () => {
    const scenario = await Scenario.begin({ memoryBudgetBytes: 1 });
    const listed = await scenario.list();
    scenario.nodeOf(scenario.seller).crash();
    expect(await scenario.tell(scenario.buyer, scenario.buyout(listed))).toMatchObject({ name: 'outcome-unknown' });
    await scenario.run(1_800_000);
    scenario.nodeOf(scenario.buyer).crash();
    scenario.nodeOf(scenario.buyer).start();
    await scenario.run(1_800_000);
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 9_000, held: 1_000, holds: 1 });
    await scenario.world.startAll();
    await scenario.world.settle();
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 10_000, held: 0, holds: 0 });
    expect(await scenario.end()).toEqual([]);
  });

  it('buys after many aborts of the same listing (H8)', async () => {
    const scenario = await Scenario.begin();
    const listed = await scenario.list();
    for (let index = 0; index < 100; index++) {
      expect(await scenario.tell(scenario.buyer, scenario.buyout(listed, 999))).toMatchObject({ name: 'price-changed' });
    }
    expect(await scenario.tell(scenario.buyer, scenario.buyout(listed))).toMatchObject({ kind: 'answer' });
    expect(await scenario.end()).toEqual([]);
  });

  it('cannot spend, and does not lose to a moderator or a claim, what it holds (H16)', async () => {
    const scenario = await Scenario.begin();
    const [first, second, third] = [await scenario.list(0, 6_000), await scenario.list(1, 4_001), await scenario.list(2, 100)];
    losing(scenario, 'outcome');
    const waiting = scenario.send(scenario.buyer, scenario.buyout(first, 6_000));
    await scenario.run(20);
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 4_000, held: 6_000 });
    expect(await scenario.tell(scenario.buyer, scenario.buyout(second, 4_001))).toMatchObject({ name: 'not-enough-gold' });
    await scenario.tell(scenario.buyer, scenario.command('claim', { all: true }));
    await scenario.tell(scenario.buyer, { kind: 'freeze', issuer: 'staff', body: { frozen: true } });
    expect(await scenario.tell(scenario.buyer, scenario.buyout(third, 100))).toMatchObject({ name: 'frozen' });
    losing(scenario);
    await scenario.world.settle();
    expect((await waiting).kind).toBe('answer');
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 4_000, held: 0, completed: 1 });
    expect(await scenario.end()).toEqual([]);
  });

  it('is not outrun by the expiry of the listing that it wants (H16)', async () => {
    const scenario = await Scenario.begin();
    const listed = await scenario.list(0, 1_000, 1_000);
    losing(scenario, 'outcome');
    const waiting = scenario.send(scenario.buyer, scenario.buyout(listed));
    await scenario.run(3_000);
    losing(scenario);
    await scenario.world.settle();
    expect(await waiting).toMatchObject({ kind: 'answer' });
    expect(scenario.of(scenario.seller)).toMatchObject({ unclaimed: 850, listings: 0, completed: 1 });
    expect(await scenario.end()).toEqual([]);
  });

  it('waits for a shard that was never created until its offer is late, and has its gold back then', async () => {
    const scenario = await Scenario.begin();
    const nobody = scenario.player('nobody', 1);
    expect(await scenario.tell(scenario.buyer, scenario.buyout(`1.${nobody}`))).toMatchObject({ name: 'outcome-unknown' });
    expect(scenario.of(scenario.buyer)).toMatchObject({ held: 1_000 });
    await scenario.world.settle();
    expect(scenario.of(scenario.buyer)).toMatchObject({ gold: 10_000, held: 0 });
    expect(scenario.world.model.shards.has(nobody)).toBe(false);
    expect(await scenario.end()).toEqual([]);
  });
});
