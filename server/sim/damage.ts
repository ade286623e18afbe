/**
 * Disks that are not what their node left: rolled back to an earlier moment, in part or whole, or
 * damaged. Between two lives this is done to a disk; the next start must be refused, or, where it
 * is about one image, only its player may be unavailable. Then the disk is put back in order, and
 * everything goes on.
 */
import type { Prng } from '#shared/prng.ts';
import type { ShardId } from '#shared/units.ts';
import type { DiskContent, MemoryDisk } from '#server/journal/disk/memory.ts';
import type { CheckerPromise } from './checker.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Scene, SimulatedWorld } from './simulated-world.ts';

const REFUSED: CheckerPromise = {
  name: 'what is not whole is not believed',
  sentence: 'a start over a journal with a changed byte, or over stores of two moments, is refused',
};
const UNAVAILABLE: CheckerPromise = {
  name: 'a damaged image costs its own player only',
  sentence: 'a shard whose image is damaged or gone is unavailable, and its node serves the others',
};

/** A disk is looked at for so long before what it held is brought back. */
const EARLIER_US_MAX = 20_000_000;
/** How long an image stays damaged. */
const DAMAGED_US_MAX = 15_000_000;
const ANSWER_US = 3_000_000;

/** From one damage to the next at each node are `periodUs` at most, or twice that for images. */
export function startDamage({ world, phase, prng }: Scene, periodUs: number): void {
  const { scheduler } = world;
  for (const node of world.nodes) {
    void scheduler.repeat(phase, prng.fork(`roll-backs of ${node.name}`), periodUs, async (own) => {
      const earlier = node.disk.snapshot();
      await scheduler.pause(own.integer(0, EARLIER_US_MAX));
      if (phase.isOver) return;
      node.crash();
      node.disk.inject(() => 'work');
      const spoil = pickSpoiling(node.disk, earlier, own);
      if (spoil !== undefined) mustRefuse(world, node, spoil);
      else node.start();
    });
    // The file of one player is damaged between two lives, or while its node runs, and put back later: also longer than an offer lasts.
    void scheduler.repeat(phase, prng.fork(`bad images of ${node.name}`), periodUs * 2, async (own) => {
      const isBetween = own.chance(0.5);
      if (isBetween) node.crash();
      const shard = pickImage(world, node, own);
      if (shard !== undefined) world.damage(shard, own.pick(['garble', 'remove'] as const));
      if (isBetween) node.start();
      const endsAtUs = scheduler.nowUs + own.integer(0, DAMAGED_US_MAX);
      if (shard !== undefined && isBetween) await look(world, node, shard);
      await scheduler.pause(endsAtUs - scheduler.nowUs);
      if (shard !== undefined) world.repair(shard);
    });
  }
}

function mustRefuse({ referee, scheduler, trace }: SimulatedWorld, node: SimulatedNode, { what, run }: Spoiling): void {
  const whole = node.disk.snapshot();
  run();
  trace.add('damage', node.name, what);
  node.try((tried) => {
    node.disk.restore(whole);
    if (tried === 'served') referee.complain(REFUSED, `${node.name} serves with ${what}`);
    scheduler.after(0, () => node.start());
  });
}

/** Somebody asks for the shard, which is in no memory, while its image is damaged: it must not be shown. */
async function look(world: SimulatedWorld, node: SimulatedNode, shard: ShardId): Promise<void> {
  await world.scheduler.pause(ANSWER_US);
  const { node: running } = node;
  if (running === undefined || !world.isDamaged(shard)) return;
  const loaded = await running.persister.load(shard).then(
    ({ kind }) => kind,
    () => 'fault' as const,
  );
  if (loaded !== 'fault' && world.isDamaged(shard)) world.referee.complain(UNAVAILABLE, `${shard} is ${loaded}, and its image is damaged`);
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
  const [earlierPosition, earlierFolded] = [earlier.journal.state.position, earlier.projections.folded];
  const ways: Spoiling[] = [];
  if (position > dropped)
    ways.push({ what: 'a changed byte in its journal', run: () => journal.flip((below) => prng.integer(0, below - 1)) });
  if (earlierPosition < projections.folded)
    ways.push({ what: `a journal of turn ${earlierPosition}, of ${position}`, run: () => disk.restore({ journal: earlier.journal }) });
  if (earlierFolded < dropped)
    ways.push({
      what: `projections of turn ${earlierFolded}, and turns dropped up to ${dropped}`,
      run: () => disk.restore({ projections: earlier.projections }),
    });
  // Nothing but the images tells that both databases are of an earlier moment: what was published after it.
  if (earlierPosition < (disk.images.published ?? 0))
    ways.push({ what: `databases of turn ${earlierPosition}, and images of ${position}`, run: () => disk.restore(earlier) });
  return ways.length === 0 ? undefined : prng.pick(ways);
}

/** A shard of the node that has an image that counts. */
function pickImage({ model }: SimulatedWorld, node: SimulatedNode, prng: Prng): ShardId | undefined {
  const { journal } = node.disk;
  const noted = [...model.shards.values()].filter((shard) => shard.node === node.name && journal.imageVersionOf(shard.id) !== undefined);
  return noted.length === 0 ? undefined : prng.pick(noted).id;
}
