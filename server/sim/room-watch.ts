/**
 * Rooms, as the simulator sees them: somebody looks at a shard for a while, and must see durable
 * turns only, each once and in order.
 */
import type { ShardId } from '#shared/units.ts';
import type { ShardListener } from '#server/cell/active-shard.ts';
import type { CheckerPromise } from './checker.ts';
import type { Seams } from './seams.ts';
import type { Scene, SimulatedWorld } from './simulated-world.ts';

const ROOM: CheckerPromise = {
  name: 'G1 a room shows durable turns, in order',
  sentence: 'whoever looks at a shard sees how it durably stands and then each durable turn, once and without a gap',
};
const TOLD: CheckerPromise = {
  name: 'a room is told',
  sentence: 'whoever looks at a shard is told of each durable turn soon after it, while the node runs',
};

/** From a turn on the disk until rooms have it, on a node that runs: a few steps of the disk. */
const TOLD_US_MAX = 2_000_000;
const OPEN_US_MAX = 8_000_000;

/** Opens so many rooms, one after the other each. */
export function startRooms({ world, phase, prng, players }: Scene, rooms: number, seams: Seams): void {
  const { scheduler, referee } = world;
  for (let index = 0; index < rooms; index++) {
    void scheduler.repeat(phase, prng.fork(`room ${index}`), OPEN_US_MAX, async (own) => {
      const shard = own.pick(players);
      const { node } = world.ownerOf(shard);
      if (node === undefined) return;
      const room = roomOf(world, shard);
      const listener = seams.listener?.(room.listener) ?? room.listener;
      void node.subscribe(shard, listener);
      await scheduler.pause(own.integer(0, OPEN_US_MAX));
      const durable = durableVersion(world, shard);
      await scheduler.pause(TOLD_US_MAX);
      const shown = room.shown();
      if (world.ownerOf(shard).node === node && shown !== undefined && shown < durable)
        referee.complain(TOLD, `the room of ${shard} shows version ${shown}, and ${durable} is durable for long`);
      node.unsubscribe(shard, listener);
    });
  }
}

/** A room, and the version that it shows. */
function roomOf(world: SimulatedWorld, shard: ShardId): { readonly listener: ShardListener; readonly shown: () => number | undefined } {
  const { referee } = world;
  let seen: number | undefined;
  const listener: ShardListener = (news) => {
    const { version } = news.kind === 'snapshot' ? news.header : news.changes;
    const durable = durableVersion(world, shard);
    if (version > durable) referee.complain(ROOM, `the room of ${shard} shows version ${version}, and ${durable} is durable`);
    const isNext = news.kind === 'snapshot' ? seen === undefined : seen !== undefined && version === seen + 1;
    if (!isNext) referee.complain(ROOM, `the room of ${shard} shows a ${news.kind} of version ${version} after ${seen ?? 'nothing'}`);
    seen = version;
  };
  return { listener, shown: () => seen };
}

function durableVersion({ model }: SimulatedWorld, shard: ShardId): number {
  return model.shards.get(shard)?.header.version ?? 0;
}
