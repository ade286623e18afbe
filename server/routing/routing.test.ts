/** World, region and cell: the way of an envelope by its address. */
import { describe, expect, it } from '@jest/globals';
import { marketName, shardId } from '#shared/address.ts';
import { cellOf } from '#shared/cell.ts';
import { refusal } from '#shared/refusals.ts';
import type { ShardId } from '#shared/units.ts';
import { answer, type Message, type Reply } from '#server/shard/message.ts';
import { ADA, BOB } from '#server/shard/testing/shard-driver.ts';
import type { Part } from './part.ts';
import { Region } from './region.ts';
import { World } from './world.ts';

const [EUROPE, ASIA] = [marketName('europe', 'softcore'), marketName('asia', 'softcore')];

describe('routing', () => {
  const recorder = (): Part & { readonly got: ShardId[] } => {
    const got: ShardId[] = [];
    return { got, accept: ({ to }) => (got.push(to), Promise.resolve(answer(to))) };
  };
  const message: Message = { kind: 'settled' };

  it('says unavailable while the world is closed, and where no cell is known', async () => {
    const world = new World();
    world.add(EUROPE, new Region(1));
    const refused = (): Promise<Reply> => world.accept({ to: ADA, message });
    expect(await refused()).toMatchObject({ name: 'unavailable', details: { reason: 'the server is stopping' } });
    world.open();
    expect(await refused()).toEqual(refusal('unavailable'));
    const cell = recorder();
    world.replace(EUROPE, 0, cell);
    await refused();
    world.close();
    await refused();
    expect(cell.got).toEqual([ADA]);
    expect(() => world.replace(EUROPE, 1, cell)).toThrow('there is no cell 1');
    expect(() => world.replace(ASIA, 0, cell)).toThrow('there is no market asia.softcore');
  });

  it('finds the region by the address, and says so if this world has none of that name', async () => {
    const [europe, asia] = [recorder(), recorder()];
    const world = new World();
    for (const [market, part] of [
      [EUROPE, europe],
      [ASIA, asia],
    ] as const) {
      world.add(market, new Region(1));
      world.replace(market, 0, part);
    }
    world.open();
    const addresses = [ADA, shardId('ada', 'asia', 'softcore'), shardId('ada', 'europe', 'hardcore'), shardId('ada', 'mars', 'softcore')];
    const replies = await Promise.all(addresses.map((to) => world.accept({ to, message })));
    expect(replies.map(({ kind }) => kind)).toEqual(['answer', 'answer', 'refusal', 'refusal']);
    expect([europe.got, asia.got]).toEqual([[addresses[0]], [addresses[1]]]);
    expect(() => world.add(EUROPE, new Region(1))).toThrow('the market europe.softcore is there twice');
  });

  it('finds the cell by the hash of the address: always the same one, and all about equally often', async () => {
    const cells = Array.from({ length: 64 }, recorder);
    const region = new Region(cells.length);
    for (const [cell, part] of cells.entries()) region.replace(cell, part);
    const shards = Array.from({ length: 6_400 }, (_, index) => shardId(`player-${index}`, 'europe', 'softcore'));
    for (const to of shards) await region.accept({ to, message });
    for (const { got } of cells) expect(got.length).toBeGreaterThan(50);
    for (const { got } of cells) expect(got.length).toBeLessThan(160);
    expect(cells.map(({ got }) => got).flat()).toHaveLength(shards.length);
  });

  it('keeps every shard where it is for ever: these are in use', () => {
    expect([ADA, BOB, shardId('guest-ada', 'asia', 'hardcore')].map((shard) => cellOf(shard, 64))).toEqual(PLACES_IN_USE);
  });
});

/** Cells of three shards as of version 1. A change of these numbers loses every shard that there is. */
const PLACES_IN_USE = [48, 7, 16];
