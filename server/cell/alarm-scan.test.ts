/** The scan for alarms over a plain list of what is due. */
import { describe, expect, it } from '@jest/globals';
import { shardId } from '#shared/address.ts';
import { instant, type ShardId } from '#shared/units.ts';
import type { DueShard } from '#server/journal/persister/persister.ts';
import { ALARM_SCAN_PAGE, ALARM_SCAN_PAGES, ALARM_SCAN_SHARDS, AlarmScan } from './alarm-scan.ts';

const ADA = shardId('ada', 'asia', 'softcore');

/** So many shards of a region that is not served, and behind them some of one that is; whatever is woken is due no more. */
class DueBench {
  readonly woken: ShardId[] = [];
  readonly scan: AlarmScan;
  calls = 0;
  #due: readonly DueShard[];

  constructor(asleep: number, awake: number) {
    const shards = (count: number, region: string, from: number): readonly DueShard[] =>
      Array.from({ length: count }, (_, number) => ({ shard: shardId(`p${number}`, region, 'softcore'), due: instant(from + number) }));
    this.#due = [...shards(asleep, 'gone', 2), ...shards(awake, 'asia', 2 + asleep)];
    this.scan = new AlarmScan(
      async (_now, limit, after) => {
        this.calls++;
        return this.#due.filter(({ due }) => due > (after?.due ?? 0)).slice(0, limit);
      },
      (shard) => {
        if (shard.endsWith('@gone.softcore')) return false;
        this.woken.push(shard);
        return true;
      },
    );
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
});
