/** An item in two rows of one shard, as an edited image may have it. */
import { describe, expect, it } from '@jest/globals';
import type { Item } from '#shared/item.ts';
import { defineShard } from '#server/shard/definition.ts';
import { defineEntity, json } from '#server/shard/entity.ts';
import { Json } from '#server/shard/json.ts';
import { DONE } from '#server/shard/message.ts';
import { onCommand, type Powerup } from '#server/shard/powerup.ts';
import { Shard } from '#server/shard/shard.ts';
import { ShardDriver } from '#server/shard/testing/shard-driver.ts';
import { holds } from '../feature.ts';
import type { Place } from '../places.ts';
import { testItem } from '../testing/market-bench.ts';
import { addItem, isItem, stashFeature } from './stash.ts';

const chest = defineEntity('chest', { version: 1, attributes: { item: json<Item>({ holds: isItem }) } });

const chests: Powerup = {
  name: 'chests',
  entities: [chest],
  handlers: {
    double: onCommand((turn) => {
      const item = Json.of(testItem('axe'));
      addItem(turn, item);
      turn.insert(chest, { item });
      return DONE;
    }),
  },
};

/** Loads a shard as edited that has one item in its stash and in a chest, which is said to be at that place. */
function loadWithChestAt(place: Place): void {
  const inChests = holds(chest, ({ item }) => [{ place, asset: `item:${item.value.id}`, amount: 1 }]);
  const powerups = [stashFeature([inChests]), chests];
  const driver = new ShardDriver(powerups);
  driver.command('double');
  const { cell, epoch } = driver.image();
  Shard.loadEdited(defineShard(powerups), driver.image(), cell, epoch);
}

describe('an item in two rows', () => {
  it('is refused', () => {
    expect(() => loadWithChestAt('completed')).toThrow('the item axe is in two rows');
  });

  it('is taken where one of them is a promise to a trade: the item may have come back before its outcome', () => {
    expect(() => loadWithChestAt('hold')).not.toThrow();
  });
});
