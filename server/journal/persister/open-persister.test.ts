import { describe, expect, it } from '@jest/globals';
import { limits } from '#shared/limits.ts';
import { instant, nextPosition, position, type Position, rowId, shardVersion } from '#shared/units.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import { InlineBackend } from './backend-inline.ts';
import { openPersister } from './open-persister.ts';
import type { Persister } from './persister.ts';
import { MemoryDisk } from '../disk/memory.ts';
import { DEFINITION, oddment, picker, replay, sampleShard, SampleShard } from '../testing/sample.ts';
import { VirtualTime } from '../testing/virtual-time.ts';

interface Node {
  readonly time: VirtualTime;
  readonly disk: MemoryDisk;
  readonly persister: Persister;
  readonly faults: readonly Error[];
}

async function start(disk = new MemoryDisk(DEFINITION), commitMs = 0): Promise<Node> {
  const time = new VirtualTime();
  const backend = new InlineBackend(time.timers, disk, { commitMs: () => commitMs, stepMs: () => 0 });
  return nodeOver(backend, time, disk);
}

async function nodeOver(backend: InlineBackend, time: VirtualTime, disk: MemoryDisk): Promise<Node> {
  const persister = await time.until(openPersister(time, DEFINITION, backend));
  const faults: Error[] = [];
  persister.onFault((fault) => faults.push(fault));
  return { time, disk, persister, faults };
}

/**
 * Lets time go on until then. Throws what the node has failed with, or that it never comes to that.
 */
async function until({ time, faults }: Node, isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    if (faults[0] !== undefined) throw faults[0];
    if (!(await time.step())) throw new Error('nothing is left to be done, and it is not so');
  }
}

async function durable(node: Node): Promise<void> {
  await until(node, () => node.persister.durable === node.persister.appended);
}

/** Writes images of everything that is appended. */
async function imaged(node: Node): Promise<void> {
  await until(node, async () => (await node.persister.stats()).imagedPosition === node.persister.appended);
}

function turnsOf(index: number, count: number): readonly ChangeSet[] {
  const shard = new SampleShard(index, picker(index));
  return Array.from({ length: count }, (_, turn) => shard.turn(1_000 + turn));
}

/** A turn whose record takes that many bytes, about. */
function large(version: number, bytes: number): ChangeSet {
  const [turn] = turnsOf(1, 1);
  if (turn === undefined) throw new Error('no turn');
  const row = { id: rowId(version), label: null, count: 0, data: null, note: 'x'.repeat(bytes) };
  return { ...turn, version: shardVersion(version), puts: [{ entity: oddment, row }], removes: [], ledger: [] };
}

describe('the persister', () => {
  it('puts everything that is appended in one turn of the event loop into one commit', async () => {
    const node = await start();
    const { time, persister, disk } = node;
    const told: number[] = [];
    persister.onDurable((position) => told.push(position));
    for (const changes of turnsOf(1, 5)) persister.append(changes);
    expect([persister.appended, persister.durable]).toEqual([5, 0]);
    await durable(node);
    for (const changes of turnsOf(2, 2)) persister.append(changes);
    await durable(node);
    expect(told).toEqual([5, 7]);
    expect(disk.journal.read(position(0), 1e9).map(({ first, last }) => [first, last])).toEqual([
      [1, 5],
      [6, 7],
    ]);
    expect(await time.until(persister.load(sampleShard(1)))).toEqual({ kind: 'found', shard: replay(turnsOf(1, 5)) });
  });

  it('does not let the disk stand still while much is appended in one turn of the event loop', async () => {
    const node = await start();
    const half = limits.commitEagerBytes / 2;
    for (let version = 1; version <= 6; version++) node.persister.append(large(version, half));
    await durable(node);
    // What had come together was sent at once; what came while it was under way went together, too.
    expect(node.disk.journal.read(position(0), 1e9).map(({ first, last }) => [first, last])).toEqual([
      [1, 2],
      [3, 6],
    ]);
  });

  it('has one commit under way at a time, and gathers the next one meanwhile', async () => {
    const node = await start(new MemoryDisk(DEFINITION), 50);
    const { time, persister, disk } = node;
    const turns = turnsOf(1, 10);
    for (const changes of turns) {
      persister.append(changes);
      await time.step();
      if (persister.durable > 0) break;
    }
    await durable(node);
    const spans = disk.journal.read(position(0), 1e9).map(({ first, last }) => [first, last]);
    expect(spans.length).toBeLessThanOrEqual(2);
    expect(spans.at(-1)?.[1]).toBe(persister.appended);
  });

  it('never has the two turns of a unit in different commits (U1)', async () => {
    const node = await start();
    const ends: number[] = [];
    for (let version = 1; version <= 30; version += 2)
      ends.push(node.persister.append(large(version + 1, 700_000), large(version, 700_000)));
    await durable(node);
    const batches = node.disk.journal.read(position(0), 1e12);
    expect(batches.length).toBeGreaterThan(3);
    for (const end of ends) expect(batches.filter(({ first, last }) => first < end && end <= last)).toHaveLength(1);
  });

  it('bounds the size of a commit', async () => {
    const node = await start();
    for (let version = 1; version <= 30; version++) node.persister.append(large(version, 900_000));
    await durable(node);
    const sizes = node.disk.journal.read(position(0), 1e12).map(({ records }) => records.length);
    expect(sizes.length).toBeGreaterThan(3);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(limits.commitBytesMax);
  });

  it('says when it is full, and when it is ready again', async () => {
    const node = await start();
    const { time, persister } = node;
    let version = 0;
    while (!persister.isFull) persister.append(large(++version, 900_000));
    expect(version * 900_000).toBeGreaterThan(limits.journalUnsentBytesMax - 2_000_000);
    let isReady = false;
    const ready = persister.whenReady().then(() => (isReady = true));
    await Promise.resolve();
    expect(isReady).toBe(false);
    await time.until(ready);
    expect(persister.isFull).toBe(false);
    await durable(node);
  });

  it('writes images after the interval, and drops what is in them', async () => {
    const node = await start();
    for (const changes of turnsOf(1, 20)) node.persister.append(changes);
    await imaged(node);
    const stats = await node.persister.stats();
    expect(stats).toEqual({
      commits: 1,
      committedBytes: stats.committedBytes,
      backlogBytes: 0,
      setAsideBytes: 0,
      backlogRecords: 0,
      imagesWritten: 1,
      foldedPosition: 20,
      imagedPosition: 20,
    });
    expect(node.disk.journal.state).toMatchObject({ position: 20, dropped: 20, bytes: 0 });
    expect(node.disk.images.read(sampleShard(1))?.shard).toEqual(replay(turnsOf(1, 20)));
  });

  it('writes images at once of what a crash left', async () => {
    const { disk, persister, time } = await start();
    for (const changes of turnsOf(1, 20)) persister.append(changes);
    while (persister.durable < 20) await time.step();
    const next = await start(disk);
    const before = next.time.readings.monotonicMs();
    await imaged(next);
    expect(next.time.readings.monotonicMs() - before).toBeLessThan(limits.imagePassIntervalMs);
    expect(next.persister.recovered).toMatchObject({ position: 20, pendingRecords: 20 });
  });

  it('takes a lease of time that cannot be made longer for a fault: a node whose time stands still for good must end', async () => {
    const { time, persister, disk } = await start();
    const faults: Error[] = [];
    persister.onFault((fault) => faults.push(fault));
    disk.inject((operation) => (operation === 'lease' ? 'fail' : 'work'));
    await expect(time.until(persister.extendLease(instant(9_000)))).rejects.toThrow('the disk failed before: lease');
    expect(faults.map(({ message }) => message)).toEqual(['the disk failed before: lease']);
  });

  it('lets go of the disk once when it is closed twice, and only after what was appended is in images', async () => {
    const node = await start(new MemoryDisk(DEFINITION), 50);
    for (const changes of turnsOf(1, 3)) node.persister.append(changes);
    const first = node.persister.close(10_000);
    expect(node.persister.close(0)).toBe(first);
    await node.time.until(first);
    expect(node.disk.journal.state).toMatchObject({ position: 3, dropped: 3 });
  });

  it('fails, and confirms nothing more, when a listener to what is durable throws', async () => {
    const node = await start();
    const bug = new Error('a bug');
    node.persister.onDurable(() => {
      throw bug;
    });
    for (const changes of turnsOf(1, 3)) node.persister.append(changes);
    while (node.faults.length === 0) expect(await node.time.step()).toBe(true);
    expect(node.faults).toEqual([bug]);
  });

  it('takes nothing after it was closed', async () => {
    const { time, persister } = await start();
    await time.until(persister.close(1_000));
    expect(() => persister.append(large(1, 10))).toThrow('takes no more turns');
    await time.until(persister.close(1_000));
  });
});

describe('a backend that says what cannot be', () => {
  /** What a node ends with that appends 20 turns; nothing becomes durable afterwards. */
  async function faultOver(Wrong: typeof InlineBackend): Promise<string> {
    const time = new VirtualTime();
    const disk = new MemoryDisk(DEFINITION);
    const node = await nodeOver(new Wrong(time.timers, disk), time, disk);
    for (const changes of turnsOf(1, 20)) node.persister.append(changes);
    await imaged(node).catch(() => undefined);
    const { durable: before } = node.persister;
    while (await time.step()) expect(node.persister.durable).toBe(before);
    return node.faults.map(({ message }) => message).join();
  }

  it.each([19, 21])('of the batch that was sent (%i) ends the node: a commit confirms that batch and no other', async (wrong) => {
    class Wrong extends InlineBackend {
      override commit(...parameters: Parameters<InlineBackend['commit']>): Promise<Position> {
        return super.commit(...parameters).then(() => position(wrong));
      }
    }
    expect(await faultOver(Wrong)).toBe(`the turns up to 20 were sent, and the journal is durable up to turn ${wrong}`);
  });

  it('of a fold ends the node: nothing is folded that is not durable', async () => {
    class Wrong extends InlineBackend {
      override fold(through: Position): Promise<Position> {
        return super.fold(through).then(nextPosition);
      }
    }
    expect(await faultOver(Wrong)).toBe('of 20 turns 20 are durable, 21 folded and 0 in images: that cannot be');
  });

  it('of a pass ends the node: nothing is in images, and dropped, that is not folded', async () => {
    class Wrong extends InlineBackend {
      override pass(through: Position): ReturnType<InlineBackend['pass']> {
        return super.pass(through).then((result) => ({ ...result, imaged: position(21) }));
      }
    }
    expect(await faultOver(Wrong)).toBe('of 20 turns 20 are durable, 20 folded and 21 in images: that cannot be');
  });

  it('of the end of the journal ends the node: a batch that leaves a gap is not written', async () => {
    class Wrong extends InlineBackend {
      override open(...parameters: Parameters<InlineBackend['open']>): ReturnType<InlineBackend['open']> {
        return super.open(...parameters).then((opened) => ({ ...opened, position: position(5), dropped: position(5) }));
      }
    }
    expect(await faultOver(Wrong)).toBe('a batch of turns 6 to 25 cannot follow turn 0');
  });
});

describe('one bad image', () => {
  it.each(['garble', 'remove'] as const)('(%s) stops neither the other shards nor the dropping, and its turns are kept', async (how) => {
    const node = await start();
    const { time, persister, disk } = node;
    const [bad, good] = [sampleShard(1), sampleShard(2)];
    const all = turnsOf(1, 30);
    for (const changes of [...all.slice(0, 10), ...turnsOf(2, 10)]) persister.append(changes);
    await imaged(node);
    const saved = disk.images.read(bad)?.shard;
    disk.images.damage(bad, how);
    for (const changes of all.slice(10, 20)) persister.append(changes);
    await imaged(node);
    for (const changes of all.slice(20)) persister.append(changes);
    await imaged(node);
    expect(time.events.map(({ level, message }) => [level, message.startsWith(`shard ${bad} keeps its old image`)])).toEqual([
      ['alert', true],
      ['alert', true],
    ]);
    expect(disk.journal.state.bytes).toBe(0);
    await expect(time.until(persister.load(bad))).rejects.toThrow(`shard ${bad} cannot be loaded: its image`);
    expect(await time.until(persister.load(good))).toEqual({ kind: 'found', shard: replay(turnsOf(2, 10)) });

    // The operator puts the old image back: the turns that were set aside apply to it, in this life
    // and in the next.
    if (saved === undefined) throw new Error('there was an image');
    disk.images.damage(bad, 'remove');
    disk.images.draft(bad).stage(saved);
    await disk.images.sync([bad]);
    disk.images.publish([bad]);
    const expected = { kind: 'found', shard: replay(all) };
    expect(await time.until(persister.load(bad))).toEqual(expected);
    const next = await start(disk);
    expect(await next.time.until(next.persister.load(bad))).toEqual(expected);
    next.persister.append(large(31, 10));
    await imaged(next);
    expect(disk.journal.state.setAsideBytes).toBe(0);
    expect(disk.images.read(bad)?.shard.version).toBe(31);
  });

  it('has its turns once, after a crash between their being set aside and their being dropped', async () => {
    const node = await start();
    const { time, persister, disk } = node;
    const all = turnsOf(1, 20);
    for (const changes of all.slice(0, 10)) persister.append(changes);
    await imaged(node);
    const saved = disk.images.read(sampleShard(1))?.shard;
    disk.images.damage(sampleShard(1), 'garble');
    for (const changes of all.slice(10)) persister.append(changes);
    const faults: Error[] = [];
    persister.onFault((fault) => faults.push(fault));
    disk.inject((operation) => (operation === 'drop' ? 'fail' : 'work'));
    while (faults.length === 0) await time.step();
    disk.inject(() => 'work');
    expect([[...disk.journal.setAsideBytesByShard().keys()], disk.journal.state.dropped]).toEqual([[sampleShard(1)], 10]);

    if (saved === undefined) throw new Error('there was an image');
    disk.images.damage(sampleShard(1), 'remove');
    disk.images.draft(sampleShard(1)).stage(saved);
    await disk.images.sync([sampleShard(1)]);
    disk.images.publish([sampleShard(1)]);
    const next = await start(disk);
    expect(await next.time.until(next.persister.load(sampleShard(1)))).toEqual({ kind: 'found', shard: replay(all) });
    await imaged(next);
    expect(disk.images.read(sampleShard(1))?.shard).toEqual(replay(all));
    expect(disk.journal.state.setAsideBytes).toBe(0);
  });

  it('counts with what is set aside into the backlog, also after a restart, until its image is whole again', async () => {
    const node = await start();
    for (const changes of turnsOf(1, 10)) node.persister.append(changes);
    await imaged(node);
    node.disk.images.damage(sampleShard(1), 'garble');
    for (const changes of turnsOf(1, 20).slice(10)) node.persister.append(changes);
    await imaged(node);
    const { setAsideBytes } = node.disk.journal.state;
    expect(setAsideBytes).toBeGreaterThan(1_000);
    expect(await node.persister.stats()).toMatchObject({ backlogBytes: 0, setAsideBytes });
    const next = await start(node.disk);
    expect(await next.persister.stats()).toMatchObject({ backlogBytes: 0, setAsideBytes });
  });

  it('makes turns wait when too much is set aside', async () => {
    const time = new VirtualTime();
    const disk = new MemoryDisk(DEFINITION);
    const backend = new (class extends InlineBackend {
      override async open(...parameters: Parameters<InlineBackend['open']>): ReturnType<InlineBackend['open']> {
        return { ...(await super.open(...parameters)), setAsideBytes: limits.journalBacklogBytesMax + 1 };
      }
    })(time.timers, disk);
    const persister = await time.until(openPersister(time, DEFINITION, backend));
    expect(persister.isFull).toBe(true);
    // The images are whole again: the next pass finds that nothing is set aside any more.
    const ready = persister.whenReady();
    for (const changes of turnsOf(1, 2)) persister.append(changes);
    await time.until(ready);
    expect(persister.isFull).toBe(false);
  });

  it('is a fault of the disk when many go bad at once; those that are set aside already do not count anew', async () => {
    const node = await start();
    const { time, persister, disk } = node;
    const shards = Array.from({ length: limits.imageFaultsPerPassMax + 1 }, (_, index) => turnsOf(index, 30));
    const append = (start: number, end: number): void => {
      for (const turns of shards) for (const changes of turns.slice(start, end)) persister.append(changes);
    };
    const faults: Error[] = [];
    persister.onFault((fault) => faults.push(fault));
    append(0, 10);
    await imaged(node);
    for (let index = 0; index < limits.imageFaultsPerPassMax; index++) disk.images.damage(sampleShard(index), 'remove');
    append(10, 20);
    await imaged(node);
    disk.images.damage(sampleShard(limits.imageFaultsPerPassMax), 'remove');
    append(20, 25);
    await imaged(node);
    expect([faults, disk.journal.setAsideBytesByShard().size]).toEqual([[], shards.length]);

    const other = await start();
    for (const turns of shards) for (const changes of turns.slice(0, 10)) other.persister.append(changes);
    await imaged(other);
    for (const index of shards.keys()) other.disk.images.damage(sampleShard(index), 'remove');
    for (const turns of shards) for (const changes of turns.slice(10, 20)) other.persister.append(changes);
    const { dropped } = other.disk.journal.state;
    other.persister.onFault((fault) => faults.push(fault));
    for (let step = 0; faults.length === 0 && step < 10_000; step++) await other.time.step();
    expect(faults[0]?.message).toContain('9 player files (images/) could not be used within one pass, so the disk is taken for damaged');
    for (const index of shards.keys()) expect(faults[0]?.message).toContain(`shard ${sampleShard(index)} keeps its old image`);
    expect(other.disk.journal.state).toMatchObject({ dropped, setAsideBytes: 0 });
    expect(time.events).not.toEqual([]);
  });

  it('is asked about again, and found, once it is there', async () => {
    const node = await start();
    const { time, persister, disk } = node;
    for (const changes of turnsOf(1, 10)) persister.append(changes);
    await imaged(node);
    const saved = disk.images.read(sampleShard(1))?.shard;
    disk.images.damage(sampleShard(1), 'remove');
    await expect(time.until(persister.load(sampleShard(1)))).rejects.toThrow('its image of version 10 or later is missing');
    if (saved === undefined) throw new Error('there was an image');
    disk.images.draft(sampleShard(1)).stage(saved);
    await disk.images.sync([sampleShard(1)]);
    disk.images.publish([sampleShard(1)]);
    expect(await time.until(persister.load(sampleShard(1)))).toEqual({ kind: 'found', shard: saved });
  });
});
