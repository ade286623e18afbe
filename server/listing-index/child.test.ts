/** The index as a process: started, killed, and gone when its parent is. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from '#client/wait.ts';
import { limits } from '#shared/limits.ts';
import { nodeName, position, type RowId, rowId, shardVersion } from '#shared/units.ts';
import { IndexChild } from './child.ts';
import { ListingFeed } from './listing-feed.ts';
import { openListing } from './row-packing.ts';
import { ADA, CELLS, indexed, QUERY, row } from './testing/feed-bench.ts';
import { KEY, noisyMachine, RemoteBench } from './testing/remote-bench.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const PARENT = fileURLToPath(new URL('./testing/parent.ts', import.meta.url));

let bench = new RemoteBench();
const children: IndexChild[] = [];
afterEach(async () => {
  await bench.close();
  for (const child of children.splice(0)) await child.stop();
  bench = new RemoteBench();
});

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('an index in a child process', () => {
  it('is killed in the middle of searches and changes, again and again, and has everything soon after', async () => {
    const child = new IndexChild(KEY, bench.machine);
    children.push(child);
    const prices = new Map<number, number>();
    let at = 0;
    const feed = new ListingFeed<{ readonly id: RowId; readonly price: number }>({
      index: bench.node('one', () => child.address),
      node: nodeName('one'),
      incarnation: 'life',
      cellsPerMarket: limits.cellsPerRegion,
      platform: bench.machine,
      snapshot: async () => ({ position: position(at), rows: Array.from(prices, ([id, price]) => indexed(ADA, price, row(id, price))) }),
      rowsOf: async () => [],
      indexed,
    });
    await feed.openCells(CELLS);
    const killed: (number | undefined)[] = [];
    for (let change = 1; change <= 300; change++) {
      at = change;
      const id = (change % 7) + 1;
      prices.set(id, change);
      feed.take({ position: position(at), shard: ADA, version: shardVersion(at), id: rowId(id), row: row(id, change) });
      if (change % 100 === 50) {
        killed.push(child.pid);
        if (child.pid !== undefined) process.kill(child.pid, 'SIGKILL');
      }
      const found = await feed.search({ ...QUERY, limit: 9 }, { atLeast: position(at) });
      if (found.kind === 'found' && found.lagMs === 0) expect(found.rows).toHaveLength(prices.size);
    }
    await until(async () => {
      const found = await feed.search({ ...QUERY, limit: 9 }, { atLeast: position(at) });
      if (found.kind !== 'found' || found.lagMs > 0) return false;
      expect(found.rows.map((each) => openListing(each).buyout)).toEqual([...prices.values()].toSorted((a, b) => a - b));
      return true;
    }, 15_000);
    expect(killed).not.toContain(child.pid);
    expect(bench.machine.reported).toContainEqual(expect.stringContaining('the process of the listing index ended (SIGKILL)'));
    feed.stop();
  }, 40_000);

  it('is killed and started again when it stands still', async () => {
    const child = new IndexChild(KEY, noisyMachine(5));
    children.push(child);
    await until(() => child.address !== undefined, 10_000);
    const { pid = 0 } = child;
    process.kill(pid, 'SIGSTOP');
    await until(() => child.address !== undefined && child.pid !== pid, 15_000);
    expect(isThere(pid)).toBe(false);
  }, 40_000);

  it('ends when it is stopped', async () => {
    const child = new IndexChild(KEY, bench.machine);
    await until(() => child.address !== undefined, 10_000);
    const { pid = 0 } = child;
    expect(isThere(pid)).toBe(true);
    await child.stop();
    expect(isThere(pid)).toBe(false);
    expect(bench.machine.reported).toEqual([]);
  });

  it('does not outlive a parent that is killed', async () => {
    const parent = spawn(process.execPath, [PARENT], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
    const pid = Number(line);
    expect(isThere(pid)).toBe(true);
    parent.kill('SIGKILL');
    try {
      await until(() => !isThere(pid), 10_000);
    } finally {
      if (isThere(pid)) process.kill(pid, 'SIGKILL');
    }
  });
});

describe('an index that runs by itself', () => {
  const run = (args: readonly string[], env: Readonly<Record<string, string>>) =>
    spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });

  it('says where it listens, serves whoever has the key, and stops on SIGTERM', async () => {
    const index = run(['--port', '0'], { GAVEL_INDEX_KEY: KEY });
    const [line] = (await once(createInterface({ input: index.stdout }), 'line')) as [string];
    const url = /^The listing index listens at (ws:\S+)\.$/.exec(line)?.[1];
    const node = bench.node('one', () => url);
    await node.reachable();
    expect(await node.stats()).toMatchObject({ rows: 0 });
    index.kill('SIGTERM');
    expect(await once(index, 'exit')).toEqual([0, null]);
  });

  it('says in one sentence that its port is taken', async () => {
    const first = run(['--port', '0'], { GAVEL_INDEX_KEY: KEY });
    const [line] = (await once(createInterface({ input: first.stdout }), 'line')) as [string];
    const second = run(['--port', /:([0-9]+)\.$/.exec(line)?.[1] ?? ''], { GAVEL_INDEX_KEY: KEY });
    const [said] = (await once(createInterface({ input: second.stderr }), 'line')) as [string];
    expect(said).toMatch(/^gavel index: another program listens at that port; /);
    expect(await once(second, 'exit')).toEqual([1, null]);
    first.kill('SIGTERM');
    expect(await once(first, 'exit')).toEqual([0, null]);
  });

  it.each([
    [[], {}, 'GAVEL_INDEX_KEY must be in the environment, with at least 32 characters.'],
    [[], { GAVEL_INDEX_KEY: 'short' }, 'GAVEL_INDEX_KEY must be in the environment, with at least 32 characters.'],
    [['--port', '70000'], { GAVEL_INDEX_KEY: KEY }, '--port must be a whole number from 0 to 65535.'],
    [['--prot', '1'], { GAVEL_INDEX_KEY: KEY }, "Unknown option '--prot'"],
  ])('with %j and %j does not start', async (args, env, sentence) => {
    const index = run(args, env);
    const [line] = (await once(createInterface({ input: index.stderr }), 'line')) as [string];
    expect(line).toContain(`gavel index: ${sentence}`);
    expect(await once(index, 'exit')).toEqual([1, null]);
  });
});
