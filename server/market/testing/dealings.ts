/** What two players do with each other in the tests of the market, in a word each. */
import { listingId } from '#shared/address.ts';
import { createPrng } from '#shared/prng.ts';
import type { Rules } from '#shared/rules.ts';
import type { ListingId, ShardId } from '#shared/units.ts';
import type { Handled, Reply } from '#server/shard/message.ts';
import type { ShardNetwork } from '#server/trade/testing/shard-network.ts';
import { listing } from '../listing/listing.ts';
import { faultsOfBooks } from './books.ts';
import { marketNetwork, opening, player, testRules } from './market-bench.ts';

/** One player. */
export const ADA = player('ada');
/** The other one. */
export const BOB = player('bob');
/** An hour, in milliseconds. */
export const HOUR = 3_600_000;

let operations = 0;
/** An operation id that no other call has given. */
export const newOp = (): string => `op-${++operations}`;

/** A market in which both have opened. */
export function market(rules: Rules = testRules(), start: { gold?: number; items?: number } = {}): ShardNetwork {
  const net = marketNetwork(createPrng('market'), [ADA, BOB], rules);
  open(net, ADA, start);
  open(net, BOB, start);
  return net;
}

/** Opens a shard with these start goods. */
export function open(net: ShardNetwork, shard: ShardId, start: Parameters<typeof opening>[1] = {}): Handled {
  const [name = ''] = shard.split('@');
  return net.command(shard, 'open', opening(name, start), undefined, 'service').handled;
}

/** Asks to put something up for sale. */
export function sell(net: ShardNetwork, shard: ShardId, body: object): Handled {
  return net.command(shard, 'sell', body, newOp()).handled;
}

/** Puts an item up for sale; throws if it is refused. */
export function list(net: ShardNetwork, shard: ShardId, itemId: string, buyout: number, more: object = {}): ListingId {
  const handled = sell(net, shard, { itemId, buyout, ...more });
  const row = net.driver(shard).rows(listing).at(-1);
  if (handled.kind !== 'answer' || row === undefined) throw new Error(`not listed: ${JSON.stringify(handled)}`);
  return listingId(row.id, shard);
}

/** Buys, lets everything be delivered, and returns the final word. */
export function buy(net: ShardNetwork, shard: ShardId, id: string, price: number): Reply | undefined {
  const op = newOp();
  net.command(shard, 'buyout', { listingId: id, price }, op);
  while (net.deliverOne());
  return net.replyTo(shard, op);
}

/** Every fault of the books of all shards, and every turn that failed. */
export function faultsOf(net: ShardNetwork): readonly string[] {
  const books = [...net.drivers.values()].map((driver) => ({ shard: driver.id, rows: (entity: string) => driver.shard.rows(entity) }));
  return [...faultsOfBooks(books, net.lines, net.openTrades() === 0), ...net.failures.map(({ message }) => message)];
}
