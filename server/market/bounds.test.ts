/** What others make a player's shard keep never refuses the player anything: a flood of offers, a week of the service's operations. */
import { describe, expect, it } from '@jest/globals';
import { createPrng } from '#shared/prng.ts';
import { shardId } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import { transactionId } from '#server/trade/transaction.ts';
import { gold, later } from '#shared/units.ts';
import { decision } from '#server/trade/entities.ts';
import { messageKey, type Offer, type Settled } from '#server/trade/messages.ts';
import type { ShardDriver } from '#server/shard/testing/shard-driver.ts';
import { BUYOUT } from './listing/buyout.ts';
import { marketNetwork, nameOf, opening, player } from './testing/market-bench.ts';

const ADA = player('ada');

function ada(): ShardDriver {
  const net = marketNetwork(createPrng('bounds'), [ADA]);
  net.command(ADA, 'open', opening('ada', { items: 5 }), undefined, 'service');
  return net.driver(ADA);
}

function sells(driver: ShardDriver, item: number): string {
  const { handled } = driver.command('sell', { itemId: `ada-${item}`, buyout: 1_000 }, `sell-${item}`);
  return handled.kind === 'later' || handled.kind === 'done' ? handled.kind : nameOf(handled);
}

describe('a player can sell', () => {
  it('although strangers offer wrong prices, hundreds a second, and settle at once', () => {
    const driver = ada();
    expect(sells(driver, 0)).toBe('answer');
    const strangers = Array.from({ length: 30 }, (_, index) =>
      shardId(`${'x'.repeat(58)}${String(index).padStart(4, '0')}`, 'europe', 'softcore'),
    );
    for (let index = 0; index < 5_400; index++) {
      if (index % 600 === 0) driver.wait(1_000);
      const holder = strangers[index % strangers.length] ?? ADA;
      const tx = transactionId({ holder, generation: 1, seq: index + 1 });
      const offerUntil = later(driver.now, limits.offerWindowMs);
      const offer: Offer = {
        kind: 'offer',
        key: messageKey('offer', tx),
        tx: tx,
        trade: BUYOUT,
        offerUntil,
        terms: { row: 1, price: gold(1) },
      };
      const settled: Settled = { kind: 'settled', key: messageKey('settled', tx), tx: tx };
      driver.send(offer);
      driver.send(settled);
      expect(driver.rows(decision).length).toBeLessThanOrEqual(limits.decisionsMax);
    }
    expect(driver.rows(decision)).toHaveLength(limits.decisionsMax);
    expect(sells(driver, 1)).toBe('answer');
  });

  it('although staff has done something every minute for 7 days, none of which was refused or forgotten', () => {
    const driver = ada();
    const freeze = (index: number): string => {
      const { handled } = driver.command('freeze', { frozen: index % 2 === 0 }, `case-4f9c2a77-${index}`, 'staff');
      return handled.kind === 'later' || handled.kind === 'done' ? handled.kind : nameOf(handled);
    };
    const count = 7 * 24 * 60;
    for (let index = 0; index < count; index++) {
      expect(freeze(index)).toBe('answer');
      driver.wait(60_000);
    }
    expect([freeze(0), freeze(1), freeze(count - 50)]).toEqual(['op-done', 'op-done', 'answer']);
    expect(sells(driver, 0)).toBe('answer');
    expect(driver.shard.memoryBytes).toBeLessThan(2 * 1_024 * 1_024);
  });
});
