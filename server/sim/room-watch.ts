/**
 * Rooms, as the simulator sees them: somebody looks at a shard for a while, and must see durable turns only, each once and in order.
 */
import type { Prng } from '#shared/prng.ts';
import type { ShardId } from '#shared/units.ts';
import type { ShardListener, ShardNews } from '#server/cell/active-shard.ts';
import type { Checker } from './checker.ts';
import type { Seams } from './seams.ts';
import type { SimulatedWorld } from './simulated-world.ts';

/** What rooms need of the simulation. */
export interface RoomSetup {
  readonly world: SimulatedWorld;
  readonly prng: Prng;
  readonly players: readonly ShardId[];
  readonly seams: Seams;
}

const ROOM: Pick<Checker, 'name' | 'sentence'> = {
  name: 'G1 a room shows durable turns, in order',
  sentence: 'whoever looks at a shard sees how it durably stands and then each durable turn, once and without a gap',
};

const TOLD: Pick<Checker, 'name' | 'sentence'> = {
  name: 'a room is told',
  sentence: 'whoever looks at a shard is told of each durable turn soon after it, while the node runs',
};

/** From a turn on the disk until rooms have it, on a node that runs: a few steps of the disk. */
const TOLD_US_MAX = 2_000_000;
const OPEN_US_MAX = 8_000_000;

export class RoomWatch {
  readonly #setup: RoomSetup;
  #isOver = false;

  constructor(setup: RoomSetup) {
    this.#setup = setup;
  }

  /** Opens so many rooms, one after the other each, until `finish`. */
  start(rooms: number): void {
    for (let index = 0; index < rooms; index++) void this.#rooms(this.#setup.prng.fork(`room ${index}`));
  }

  finish(): void {
    this.#isOver = true;
  }

  async #rooms(prng: Prng): Promise<void> {
    const { world, players } = this.#setup;
    while (!this.#isOver) {
      await world.scheduler.pause(prng.integer(0, OPEN_US_MAX));
      const shard = prng.pick(players);
      const { node } = world.ownerOf(shard);
      if (node === undefined || this.#isOver) continue;
      const room = this.#room(shard);
      void node.subscribe(shard, room.listener);
      await world.scheduler.pause(prng.integer(0, OPEN_US_MAX));
      const durable = world.model.shards.get(shard)?.header.version ?? 0;
      await world.scheduler.pause(TOLD_US_MAX);
      const isRunning = world.ownerOf(shard).node === node;
      const shown = room.shown();
      if (isRunning && shown !== undefined && shown < durable)
        world.referee.complain(TOLD, `the room of ${shard} shows version ${shown}, and ${durable} is durable for long`);
      node.unsubscribe(shard, room.listener);
    }
  }

  /** A room, and the version that it shows. */
  #room(shard: ShardId): { readonly listener: ShardListener; readonly shown: () => number | undefined } {
    const { world, seams } = this.#setup;
    const { referee, model } = world;
    let seen: number | undefined;
    const listener: ShardListener = (news) => {
      const version = versionOf(news);
      const durable = model.shards.get(shard)?.header.version ?? 0;
      if (version > durable) referee.complain(ROOM, `the room of ${shard} shows version ${version}, and ${durable} is durable`);
      const isNext = news.kind === 'snapshot' ? seen === undefined : seen !== undefined && version === seen + 1;
      if (!isNext) referee.complain(ROOM, `the room of ${shard} shows a ${news.kind} of version ${version} after ${seen ?? 'nothing'}`);
      seen = version;
    };
    return { listener: seams.listener?.(listener) ?? listener, shown: () => seen };
  }
}

function versionOf(news: ShardNews): number {
  return news.kind === 'snapshot' ? news.header.version : news.changes.version;
}
