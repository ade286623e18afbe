/** The scan for alarms over a plain list of what is due. */
import { describe, expect, it } from '@jest/globals';
import { shardId } from '#shared/address.ts';
import { instant, type ShardId } from '#shared/units.ts';
import type { DueShard } from '#server/journal/persister/persister.ts';
import { promisesSettled } from '#server/sim/scheduler.ts';
import { Hand } from '../testing/hand.ts';
import { ALARM_SCAN_MS, ALARM_SCAN_PAGE, ALARM_SCAN_PAGES, ALARM_SCAN_SHARDS, ALARM_SCAN_UNLOADABLE, AlarmScan } from './scan.ts';

const ADA = shardId('ada', 'asia', 'softcore');

/** So many shards of a region that is not served, and behind them some of one that is; whatever is woken is due no more. */
class DueBench {
  readonly hand = new Hand();
  readonly woken: ShardId[] = [];
  readonly reported: string[] = [];
  readonly inMemory = new Set<ShardId>();
  readonly resting = new Set<ShardId>();
  toTry: readonly ShardId[] = [];
  isBroken = false;
  readonly scan: AlarmScan;
  calls = 0;
  #due: readonly DueShard[];

  constructor(asleep: number, awake: number) {
    const shards = (count: number, region: string, from: number): readonly DueShard[] =>
      Array.from({ length: count }, (_, number) => ({ shard: shardId(`p${number}`, region, 'softcore'), due: instant(from + number) }));
    this.#due = [...shards(asleep, 'gone', 2), ...shards(awake, 'asia', 2 + asleep)];
    const cell = {
      isHere: (shard: ShardId) => this.inMemory.has(shard),
      wakeShard: (shard: ShardId) => void this.woken.push(shard),
    };
    this.scan = new AlarmScan({
      platform: { clock: this.hand.clock, timers: this.hand.timers, report: ({ message }) => void this.reported.push(message) },
      due: async (_now, limit, after) => {
        this.calls++;
        if (this.isBroken) throw new Error('node.db is locked');
        return this.#due.filter(({ due }) => due > (after?.due ?? 0)).slice(0, limit);
      },
      backoff: { mayTry: (shard) => !this.resting.has(shard), toTry: (limit) => this.toTry.slice(0, limit) },
      cellOf: (shard) => (shard.endsWith('@gone.softcore') ? undefined : cell),
    });
    this.scan.start();
  }

  addFirst(shard: ShardId): void {
    this.#due = [{ shard, due: instant(1) }, ...this.#due];
  }

  async run(): Promise<number> {
    this.calls = 0;
    await this.scan.run(instant(1_000_000));
    const woken = new Set(this.woken);
    this.#due = this.#due.filter(({ shard }) => !woken.has(shard));
    return this.calls;
  }
}

/** Time passes until the next scan is over. */
async function nextScan({ hand }: DueBench): Promise<void> {
  hand.move(ALARM_SCAN_MS);
  await promisesSettled();
}

describe('a scan for alarms', () => {
  it('asks for a bounded number of pages, however many cannot be woken, and leaves nobody behind them asleep', async () => {
    const bench = new DueBench(20_000, 3 * ALARM_SCAN_SHARDS);
    const scans = Math.ceil((20_000 + 3 * ALARM_SCAN_SHARDS) / (ALARM_SCAN_PAGE * ALARM_SCAN_PAGES)) + 3;
    for (let scan = 0; scan < scans; scan++) {
      const before = bench.woken.length;
      expect(await bench.run()).toBeLessThanOrEqual(ALARM_SCAN_PAGES);
      expect(bench.woken.length - before).toBeLessThanOrEqual(ALARM_SCAN_SHARDS);
    }
    expect(new Set(bench.woken).size).toBe(3 * ALARM_SCAN_SHARDS);
  });

  it('begins anew at the end: what comes to be due before the others is not passed over', async () => {
    const bench = new DueBench(2 * ALARM_SCAN_PAGE, 1);
    await bench.run();
    bench.addFirst(ADA);
    await bench.run();
    expect(bench.woken.at(-1)).toBe(ADA);
  });

  it('comes twice a second until it is stopped, also after one that failed', async () => {
    const bench = new DueBench(0, 0);
    bench.isBroken = true;
    await nextScan(bench);
    expect(bench.reported).toEqual(['alarms could not be looked up']);
    bench.isBroken = false;
    bench.addFirst(ADA);
    await nextScan(bench);
    expect(bench.woken).toEqual([ADA]);
    bench.scan.stop();
    expect(bench.hand.waiting).toBe(0);
    await bench.scan.run(instant(1_000_000));
    expect(bench.woken).toEqual([ADA]);
  });

  it('leaves alone what is in memory, and what could not be loaded a moment ago', async () => {
    const bench = new DueBench(0, 3);
    bench.inMemory.add(shardId('p0', 'asia', 'softcore'));
    bench.resting.add(shardId('p1', 'asia', 'softcore'));
    await nextScan(bench);
    expect(bench.woken).toEqual([shardId('p2', 'asia', 'softcore')]);
  });

  it('tries some of what could not be loaded, although it has no alarm', async () => {
    const bench = new DueBench(0, 0);
    bench.toTry = Array.from({ length: 40 }, (_, number) => shardId(`q${number}`, 'asia', 'softcore'));
    await nextScan(bench);
    expect(bench.woken).toEqual(bench.toTry.slice(0, ALARM_SCAN_UNLOADABLE));
  });
});
