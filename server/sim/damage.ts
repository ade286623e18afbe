/**
 * Disks that are not what their node left: rolled back to an earlier moment, in part or whole, or damaged. Between two lives this is done to
 * a disk; the next start must be refused, or, where it is about one image, only its player may be unavailable. Then the disk is put back in
 * order, and everything goes on.
 */
import type { Prng } from '#shared/prng.ts';
import type { ShardId } from '#shared/units.ts';
import type { DiskContent, MemoryDisk } from '#server/journal/disk/memory.ts';
import type { Checker } from './checker.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { SimulatedWorld } from './simulated-world.ts';

/** What damage needs of the simulation. */
export interface DamageSetup {
  readonly world: SimulatedWorld;
  readonly prng: Prng;
  /** From one damage to the next at each node, at most. */
  readonly periodUs: number;
}

const REFUSED: Pick<Checker, 'name' | 'sentence'> = {
  name: 'what is not whole is not believed',
  sentence: 'a start over a journal with a changed byte, or over stores of two moments, is refused',
};
const UNAVAILABLE: Pick<Checker, 'name' | 'sentence'> = {
  name: 'a damaged image costs its own player only',
  sentence: 'a shard whose image is damaged or gone is unavailable, and its node serves the others',
};

/** A disk is looked at for so long before what it held is brought back. */
const EARLIER_US_MAX = 20_000_000;
/** How long an image stays damaged. */
const DAMAGED_US_MAX = 15_000_000;
const ANSWER_US = 3_000_000;

export class Damage {
  readonly #setup: DamageSetup;
  /** Shards whose image is damaged. */
  readonly #damaged = new Set<ShardId>();
  #isOver = false;

  constructor(setup: DamageSetup) {
    this.#setup = setup;
  }

  start(): void {
    const { world, prng } = this.#setup;
    for (const node of world.nodes) {
      void this.#rollBacks(node, prng.fork(`roll-backs of ${node.name}`));
      void this.#badImages(node, prng.fork(`bad images of ${node.name}`));
    }
  }

  /** No more damage; what is damaged is put in order. */
  stop(): void {
    this.#isOver = true;
    for (const shard of this.#damaged) this.#repair(shard);
  }

  async #rollBacks(node: SimulatedNode, prng: Prng): Promise<void> {
    const { world, periodUs } = this.#setup;
    for (;;) {
      await world.scheduler.pause(prng.integer(0, periodUs));
      const earlier = node.disk.snapshot();
      await world.scheduler.pause(prng.integer(0, EARLIER_US_MAX));
      if (this.#isOver) return;
      node.crash();
      node.disk.inject(() => 'work');
      const spoil = pickSpoiling(node.disk, earlier, prng);
      if (spoil !== undefined) this.#mustRefuse(node, spoil);
      else node.start();
    }
  }

  #mustRefuse(node: SimulatedNode, { what, run }: Spoiling): void {
    const { referee, scheduler, trace } = this.#setup.world;
    const whole = node.disk.snapshot();
    run();
    trace.add('damage', node.name, what);
    node.try((tried) => {
      node.disk.restore(whole);
      if (tried === 'served') referee.complain(REFUSED, `${node.name} serves with ${what}`);
      scheduler.after(0, () => node.start());
    });
  }

  /** The file of one player is damaged between two lives, or while its node runs, and put back later: also longer than an offer lasts. */
  async #badImages(node: SimulatedNode, prng: Prng): Promise<void> {
    const { world, periodUs } = this.#setup;
    for (;;) {
      await world.scheduler.pause(prng.integer(0, periodUs * 2));
      if (this.#isOver) return;
      const isBetween = prng.chance(0.5);
      if (isBetween) node.crash();
      const shard = pickImage(world, node, prng);
      if (shard !== undefined) {
        this.#damaged.add(shard);
        world.damage(shard, prng.pick(['garble', 'remove'] as const));
      }
      if (isBetween) node.start();
      const endsAtUs = world.scheduler.nowUs + prng.integer(0, DAMAGED_US_MAX);
      if (shard !== undefined && isBetween) await this.#look(node, shard);
      await world.scheduler.pause(endsAtUs - world.scheduler.nowUs);
      if (shard !== undefined) this.#repair(shard);
    }
  }

  #repair(shard: ShardId): void {
    if (this.#damaged.delete(shard)) this.#setup.world.repair(shard);
  }

  /** Somebody asks for the shard, which is in no memory, while its image is damaged: it must not be shown. */
  async #look(node: SimulatedNode, shard: ShardId): Promise<void> {
    const { referee, scheduler } = this.#setup.world;
    await scheduler.pause(ANSWER_US);
    const { node: running } = node;
    if (running === undefined || !this.#damaged.has(shard)) return;
    const loaded = await running.persister.load(shard).then(
      ({ kind }) => kind,
      () => 'fault' as const,
    );
    if (loaded !== 'fault' && this.#damaged.has(shard)) referee.complain(UNAVAILABLE, `${shard} is ${loaded}, and its image is damaged`);
  }
}

/** One way to spoil the stores of a disk. */
interface Spoiling {
  readonly what: string;
  readonly run: () => void;
}

/** One of the ways that are there: each leaves traces that a start can find. */
function pickSpoiling(disk: MemoryDisk, earlier: DiskContent, prng: Prng): Spoiling | undefined {
  const { journal, projections } = disk;
  const { position, dropped } = journal.state;
  const ways: Spoiling[] = [];
  if (position > dropped)
    ways.push({ what: 'a changed byte in its journal', run: () => journal.flip((below) => prng.integer(0, below - 1)) });
  if (earlier.journal.state.position < projections.folded)
    ways.push({
      what: `a journal of turn ${earlier.journal.state.position}, of ${position}`,
      run: () => disk.restore({ journal: earlier.journal }),
    });
  if (earlier.projections.folded < dropped)
    ways.push({
      what: `projections of turn ${earlier.projections.folded}, and turns dropped up to ${dropped}`,
      run: () => disk.restore({ projections: earlier.projections }),
    });
  // Nothing but the images tells that both databases are of an earlier moment: what was published after it.
  if (earlier.journal.state.position < (disk.images.published ?? 0))
    ways.push({ what: `databases of turn ${earlier.journal.state.position}, and images of ${position}`, run: () => disk.restore(earlier) });
  return ways.length === 0 ? undefined : prng.pick(ways);
}

/** A shard of the node that has an image that counts. */
function pickImage({ model }: SimulatedWorld, node: SimulatedNode, prng: Prng): ShardId | undefined {
  const { journal } = node.disk;
  const noted = [...model.shards.values()].filter((shard) => shard.node === node.name && journal.imageVersionOf(shard.id) !== undefined);
  return noted.length === 0 ? undefined : prng.pick(noted).id;
}
