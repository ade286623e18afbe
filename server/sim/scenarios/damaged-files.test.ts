/** A seller whose file is damaged: what that costs a buyer, and what comes of it once the file is whole again. */
import { describe, expect, it } from '@jest/globals';
import { parseListingId } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import type { ShardId } from '#shared/units.ts';
import { recordOf } from '../json-values.ts';
import { Scenario } from '../testing/scenario.ts';

/** A seller, on the first node as the buyer or on the second, with one listing; its file is damaged, and nobody has asked for it since. */
async function damagedSeller(node: 0 | 1) {
  const scenario = await Scenario.begin();
  const seller = scenario.player('shop', node);
  await scenario.open(seller);
  const name = seller.slice(0, seller.indexOf('@'));
  const sold = await scenario.tell(seller, scenario.command('sell', { itemId: `${name}-0`, buyout: 1_000, durationMs: 3_600_000 }));
  const listed = parseListingId(String(recordOf(sold?.kind === 'answer' ? sold.value : undefined)['listingId']));
  if (listed === undefined) throw new Error('nothing was listed');
  const id = `${listed.row}.${seller}`;
  await scenario.run(20_000);
  scenario.nodeOf(seller).crash();
  scenario.world.damage(seller);
  await scenario.world.startAll();
  return { scenario, seller, id };
}

const isShown = (scenario: Scenario, seller: ShardId): boolean => (scenario.nodeOf(seller).index?.stats().rows ?? 0) > 0;

describe('a seller whose file is damaged', () => {
  it('costs the first buyer ten seconds, and the next one nothing; once the file is whole, all is for sale again', async () => {
    const { scenario, seller, id } = await damagedSeller(0);
    const { buyer } = scenario;
    expect(isShown(scenario, seller)).toBe(true);
    void scenario.send(buyer, scenario.buyout(id, 1_000, 'first'));
    await scenario.run(limits.offerWindowMs - 500);
    expect(scenario.of(buyer)).toMatchObject({ gold: 9_000, held: 1_000, holds: 1 });
    await scenario.run(1_000);
    expect(scenario.of(buyer)).toMatchObject({ gold: 10_000, held: 0, holds: 0 });
    expect(await scenario.tell(buyer, scenario.buyout(id, 1_000, 'first'))).toMatchObject({ name: 'offer-expired' });

    expect(isShown(scenario, seller)).toBe(false);
    expect(await scenario.tell(buyer, scenario.buyout(id))).toMatchObject({ name: 'unavailable' });
    expect(scenario.of(buyer)).toMatchObject({ gold: 10_000, held: 0, holds: 0 });

    scenario.world.repair(seller);
    await scenario.run(limits.retryMaxMs + 1_000);
    expect(isShown(scenario, seller)).toBe(true);
    expect(await scenario.tell(buyer, scenario.buyout(id))).toMatchObject({ kind: 'answer' });
    expect(await scenario.end()).toEqual([]);
  });

  it('on another node keeps the hold until the file is whole: clocks of two nodes are not compared', async () => {
    const { scenario, seller, id } = await damagedSeller(1);
    const { buyer } = scenario;
    void scenario.send(buyer, scenario.buyout(id));
    await scenario.run(10 * limits.retryMaxMs);
    expect(scenario.of(buyer)).toMatchObject({ gold: 9_000, held: 1_000, holds: 1 });
    scenario.world.repair(seller);
    await scenario.run(2 * limits.retryMaxMs);
    expect(scenario.of(buyer)).toMatchObject({ gold: 10_000, held: 0, holds: 0 });
    expect(scenario.of(seller)).toMatchObject({ listings: 1 });
    expect(await scenario.end()).toEqual([]);
  });
});
