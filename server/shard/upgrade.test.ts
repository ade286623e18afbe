/** Rows of older versions: a chain of upgraders, taken as one turn when the shard is loaded. */
import { describe, expect, it } from '@jest/globals';
import { boolean, defineEntity, integer, nullable, text, timestamp } from './entity.ts';
import { defineShard } from './definition.ts';
import { answer } from './message.ts';
import { instant } from '#shared/units.ts';
import { onCommand, upgrader, type Powerup } from './powerup.ts';
import { foldRecords, ShardDriver, TEST_START } from './testing/shard-driver.ts';

const stampV1 = defineEntity('stamp', { version: 1, attributes: { label: text() } });
const stampV2 = defineEntity('stamp', { version: 2, attributes: { label: text({ indexed: 'unique' }), length: integer({ min: 0 }) } });
const stampV3 = defineEntity('stamp', {
  version: 3,
  attributes: { title: text({ indexed: 'unique' }), isLong: boolean(), due: nullable(timestamp({ alarm: 'stamp-due' })) },
});
const toV2 = upgrader(stampV1, stampV2, ({ label }) => ({ label, length: label.length }));
const toV3 = upgrader(stampV2, stampV3, ({ label, length }) => ({
  title: label.toUpperCase(),
  isLong: length > 3,
  due: instant(TEST_START + length),
}));

const first: Powerup = {
  name: 'stamps',
  entities: [stampV1],
  handlers: {
    stamp: onCommand<{ readonly label: string }>((turn, { label }) => {
      turn.insert(stampV1, { label });
      return answer(undefined);
    }),
  },
};
const second: Powerup = { name: 'stamps', entities: [stampV2], upgraders: [toV2] };
const third: Powerup = { name: 'stamps', entities: [stampV3], upgraders: [toV2, toV3], alarms: { 'stamp-due': () => undefined } };

function oldShard(): ShardDriver {
  const driver = new ShardDriver([first]);
  for (const label of ['a', 'long one', 'b']) driver.command('stamp', { label });
  return driver;
}

describe('an old shard', () => {
  it('is upgraded over two versions in one turn, which keeps the ids and says so to the journal', () => {
    const driver = oldShard();
    const ids = driver.rows(stampV1).map(({ id }) => id);
    const upgrade = driver.reload([third]);
    expect(driver.rows(stampV3)).toEqual([
      { id: ids[0], title: 'A', isLong: false, due: TEST_START + 1 },
      { id: ids[1], title: 'LONG ONE', isLong: true, due: TEST_START + 8 },
      { id: ids[2], title: 'B', isLong: false, due: TEST_START + 1 },
    ]);
    expect(upgrade).toMatchObject({ version: 4, wakeAt: TEST_START + 1 });
    expect(upgrade?.removes).toEqual(ids.map((id) => ({ table: 'stamp_v1', id })));
    expect(upgrade?.puts.map(({ entity, row }) => [entity.schema.table, row.id])).toEqual(ids.map((id) => ['stamp_v3', id]));
  });

  it('has indexes after the upgrade', () => {
    const driver = oldShard();
    driver.reload([third]);
    expect(driver.shard.header.wakeAt).toBe(TEST_START + 1);
    driver.wait(1);
    expect(driver.shard.dueAlarms(driver.now)).toHaveLength(2);
  });

  it('is upgraded once, step by step or at once, with the same result', () => {
    const atOnce = oldShard();
    atOnce.reload([third]);
    const stepwise = oldShard();
    stepwise.reload([second]);
    expect(stepwise.rows(stampV2).map(({ length }) => length)).toEqual([1, 8, 1]);
    stepwise.reload([third]);
    expect(stepwise.rows(stampV3)).toEqual(atOnce.rows(stampV3));
    expect(stepwise.reload()).toBeUndefined();
    expect(
      foldRecords(stepwise.records)
        .puts.filter(({ table }) => table.startsWith('stamp'))
        .map(({ table }) => table),
    ).toEqual(['stamp_v3', 'stamp_v3', 'stamp_v3']);
  });

  it('is refused, with the table named, where there is no way to the present version; and nothing is written', () => {
    const driver = oldShard();
    const withoutFirstStep: Powerup = { ...third, upgraders: [toV3] };
    expect(() => driver.reload([withoutFirstStep])).toThrow('ada@europe.softcore has rows of stamp_v1, which this program does not know');
    expect(driver.records).toHaveLength(3);
  });

  it('is refused by a program that is older than the shard', () => {
    const driver = oldShard();
    driver.reload([third]);
    expect(() => driver.reload([second])).toThrow('has rows of stamp_v3, which this program does not know');
  });

  it('is refused where the upgrade makes rows that their entity does not allow', () => {
    const driver = oldShard();
    const broken: Powerup = { ...second, upgraders: [upgrader(stampV1, stampV2, ({ label }) => ({ label, length: -1 }))] };
    expect(() => driver.reload([broken])).toThrow('[stamp.length = integer()] must be');
  });
});

describe('upgraders', () => {
  it('must lead to a version that somebody defines', () => {
    expect(() => defineShard([{ ...second, upgraders: [toV2, toV3] }])).toThrow('an upgrade leads to stamp_v3, which nobody defines');
  });

  it('must not start twice from one version', () => {
    expect(() => defineShard([{ ...second, upgraders: [toV2, toV2] }])).toThrow('two powerups claim the upgrade stamp_v1');
  });
});
