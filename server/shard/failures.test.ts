import { describe, expect, it } from '@jest/globals';
import { limits } from '#shared/limits.ts';
import { refusal } from '#shared/refusals.ts';
import { instant } from '#shared/units.ts';
import { boolean, defineEntity, nullable, timestamp } from './entity.ts';
import { failure, StateLost } from './failures.ts';
import { answer, DONE } from './message.ts';
import { onAlarm, onCommand, onMessage, type Powerup } from './powerup.ts';
import { ShardDriver, TEST_START } from './testing/shard-driver.ts';

const task = defineEntity('task', {
  version: 1,
  attributes: { isPoisoned: boolean(), due: nullable(timestamp({ alarm: 'task-due' })) },
});

interface Work {
  readonly kind: 'work';
  readonly key: string;
  readonly fails: boolean;
}

const tasks: Powerup = {
  name: 'tasks',
  entities: [task],
  handlers: {
    plan: onCommand<{ readonly good: number; readonly poisoned: number }>((turn, { good, poisoned }) => {
      for (let index = 0; index < good + poisoned; index++) turn.insert(task, { isPoisoned: index < poisoned, due: turn.now });
      return answer(undefined);
    }),
    cure: onCommand((turn) => {
      for (const row of turn.table(task).rows()) turn.put(task, { ...row, isPoisoned: false });
      return answer(undefined);
    }),
    fail: onCommand(() => {
      throw new Error('a bug');
    }),
    work: onMessage<Work>((turn, { fails }) => {
      turn.insert(task, { isPoisoned: false, due: null });
      if (fails) throw new Error('the message is poisoned');
      return DONE;
    }),
    lose: onMessage(() => {
      throw new StateLost('an outcome came that nobody waits for');
    }),
    rubbish: onMessage(() => {
      throw new Error(`${'x'.repeat(511)}🗡️\0`);
    }),
  },
  alarms: {
    'task-due': onAlarm(task, (turn, row) => {
      turn.put(task, { ...row, due: null });
      if (row.isPoisoned) throw new Error('the row is poisoned');
    }),
  },
};

const newDriver = (): ShardDriver => {
  const driver = new ShardDriver([tasks]);
  driver.command('plan', { good: 0, poisoned: 0 });
  return driver;
};
const work = (key: string, fails: boolean): Work => ({ kind: 'work', key, fails });
const waiting = (driver: ShardDriver): number => driver.rows(task).filter(({ due }) => due !== null).length;

/** Wakes the shard whenever it asks to be woken, and tells when that was. */
function wakesUntilQuiet(driver: ShardDriver, atMost = 50): readonly number[] {
  const wakes: number[] = [];
  while (driver.shard.header.wakeAt !== 0 && wakes.length < atMost) {
    driver.now = instant(Math.max(driver.now, driver.shard.header.wakeAt));
    driver.wake();
    wakes.push(driver.now - TEST_START);
  }
  return wakes;
}

describe('a row whose alarm fails', () => {
  it('does not hold up the thousand beside it (H15)', () => {
    const driver = new ShardDriver([tasks]);
    driver.command('plan', { good: 999, poisoned: 1 });
    const results = driver.wake();
    expect(results.filter(({ failed }) => failed !== undefined)).toHaveLength(1);
    expect(waiting(driver)).toBe(1);
  });

  it('backs off, each time twice as long, and is stuck after five: then it wakes nobody any more', () => {
    const driver = new ShardDriver([tasks]);
    driver.command('plan', { good: 0, poisoned: 1 });
    expect(wakesUntilQuiet(driver)).toEqual([0, 2_000, 6_000, 14_000, 30_000]);
    expect(driver.rows(failure)).toMatchObject([
      { attempts: limits.turnAttemptsMax, stuck: true, retryAt: null, error: 'the row is poisoned' },
    ]);
    expect(driver.shard.dueAlarms(driver.now)).toEqual([]);
    driver.reload();
    expect(driver.shard.dueAlarms(driver.now)).toEqual([]);
  });

  it('is as good as new once it succeeds', () => {
    const driver = new ShardDriver([tasks]);
    driver.command('plan', { good: 0, poisoned: 1 });
    driver.wake();
    expect(driver.rows(failure)).toHaveLength(1);
    driver.command('cure');
    wakesUntilQuiet(driver);
    expect(driver.rows(failure)).toEqual([]);
    expect(waiting(driver)).toBe(0);
  });

  it('leaves the alarms of the others exact while it is suspended', () => {
    const driver = new ShardDriver([tasks]);
    driver.command('plan', { good: 0, poisoned: 1 });
    driver.wake();
    expect(driver.shard.header.wakeAt).toBe(TEST_START + 2_000);
    driver.wait(500);
    driver.command('plan', { good: 1, poisoned: 0 });
    expect(driver.shard.header.wakeAt).toBe(TEST_START + 500);
    driver.wake();
    expect(driver.shard.header.wakeAt).toBe(TEST_START + 2_000);
  });
});

describe('a message that fails', () => {
  it('is taken back, counted, and left alone until its time has come', () => {
    const driver = newDriver();
    expect(driver.send(work('offer/1', true)).failed?.message).toBe('the message is poisoned');
    expect(driver.rows(task)).toEqual([]);
    expect(driver.send(work('offer/1', false))).toMatchObject({ changes: undefined, handled: DONE });
    expect(driver.rows(task)).toEqual([]);
    driver.wait(2_000);
    driver.send(work('offer/1', false));
    expect(driver.rows(task)).toHaveLength(1);
    expect(driver.rows(failure)).toEqual([]);
  });

  it('does not touch messages with other keys', () => {
    const driver = newDriver();
    driver.send(work('offer/1', true));
    driver.send(work('offer/2', false));
    expect(driver.rows(task)).toHaveLength(1);
  });

  it('five times is stuck, and stays so', () => {
    const driver = newDriver();
    for (let attempt = 0; attempt < 5; attempt++) {
      driver.send(work('offer/1', true));
      driver.wait(limits.retryMaxMs);
    }
    expect(driver.rows(failure)).toMatchObject([{ key: 'offer/1', stuck: true }]);
    driver.wait(limits.operationsServiceRememberedMs);
    expect(driver.send(work('offer/1', false)).changes).toBeUndefined();
  });

  it('is not counted beyond 512 others, so that they cannot make the shard grow; alarms still are', () => {
    const driver = newDriver();
    for (let index = 0; index < limits.failuresMax; index++) driver.send(work(`offer/${index}`, true));
    expect(driver.send(work('offer/more', true))).toMatchObject({ changes: undefined, handled: DONE, failed: expect.any(Error) });
    driver.send(work('offer/0', true));
    expect(driver.rows(failure)).toHaveLength(limits.failuresMax);
    driver.command('plan', { good: 0, poisoned: 1 });
    driver.wake();
    expect(driver.rows(failure)).toHaveLength(limits.failuresMax + 1);
    expect(driver.send(work('offer/more', false)).changes).toBeDefined();
  });

  it('may say anything: what is kept of it is text that can be kept', () => {
    const driver = newDriver();
    driver.send({ kind: 'rubbish', key: 'rubbish/1' });
    const [row] = driver.rows(failure);
    expect(row?.error).toHaveLength(limits.failureErrorLengthMax);
    expect(row?.error.isWellFormed()).toBe(true);
  });
});

describe('what one build gave up on', () => {
  const stuckBy = (build: string): ShardDriver => {
    const driver = new ShardDriver([tasks]);
    driver.command('plan', { good: 0, poisoned: 1 });
    driver.reload([tasks], build);
    wakesUntilQuiet(driver);
    expect(driver.rows(failure)).toMatchObject([{ stuck: true, build }]);
    return driver;
  };

  it('is left alone by the same build, and tried once by another one, which gives up at once or is done with it', () => {
    const driver = stuckBy('1.0.0');
    expect(driver.reload([tasks], '1.0.0')).toBeUndefined();
    expect(driver.shard.dueAlarms(driver.now)).toEqual([]);
    expect(driver.reload([tasks], '1.0.1')).toBeDefined();
    driver.reload([tasks], '1.0.1');
    expect(driver.wake().map(({ failed }) => failed?.message)).toEqual(['the row is poisoned']);
    expect(driver.rows(failure)).toMatchObject([{ stuck: true, attempts: limits.turnAttemptsMax, build: '1.0.1' }]);
    expect(driver.reload([tasks], '1.0.1')).toBeUndefined();
    const cured: Powerup = { ...tasks, alarms: { 'task-due': onAlarm(task, (turn, row) => turn.put(task, { ...row, due: null })) } };
    driver.reload([cured], '1.0.2');
    driver.wake();
    expect(driver.rows(failure)).toEqual([]);
    expect(waiting(driver)).toBe(0);
  });

  it('does not open a shard whose state was lost', () => {
    const driver = newDriver();
    driver.send({ kind: 'lose', key: 'outcome/1' });
    expect(driver.reload([tasks], 'another')).toBeUndefined();
    expect(driver.command('plan', { good: 1, poisoned: 0 }).handled).toEqual(refusal('unavailable'));
  });

  it('is tried by this one if it was stuck before builds were noted', () => {
    const driver = stuckBy('1.0.0');
    const image = driver.image();
    const puts = image.puts.map((put) =>
      put.table === 'failure_v2' ? { ...put, table: 'failure_v1', values: put.values.slice(0, -1) } : put,
    );
    driver.loadFrom({ ...image, puts });
    expect(driver.rows(failure)).toMatchObject([{ stuck: false, attempts: limits.turnAttemptsMax - 1, build: null }]);
    expect(driver.wake()).toHaveLength(1);
  });
});

describe('a command that fails', () => {
  it('is answered, and counted nowhere: whoever sent it may try again', () => {
    const driver = newDriver();
    expect(driver.command('fail', {}, 'a')).toMatchObject({ handled: refusal('internal'), changes: undefined });
    expect(driver.rows(failure)).toEqual([]);
  });
});

describe('a shard whose state was lost', () => {
  const lost = (): ShardDriver => {
    const driver = newDriver();
    driver.command('plan', { good: 1, poisoned: 0 });
    driver.send({ kind: 'lose', key: 'outcome/1' });
    return driver;
  };

  it('says so once, to the operator', () => {
    const driver = newDriver();
    const { failed, changes, emitted } = driver.send({ kind: 'lose', key: 'outcome/1' });
    expect(failed).toBeInstanceOf(StateLost);
    expect(changes).toBeDefined();
    expect(emitted).toEqual([]);
    expect(driver.rows(failure)).toMatchObject([{ key: 'quarantine', stuck: true, error: 'an outcome came that nobody waits for' }]);
  });

  it('answers nothing any more, also after a reload', () => {
    const driver = lost();
    for (let round = 0; round < 2; round++) {
      expect(driver.command('plan', { good: 1, poisoned: 0 }).handled).toEqual(refusal('unavailable'));
      expect(driver.send(work('offer/1', false))).toMatchObject({ changes: undefined, handled: DONE, emitted: [] });
      driver.reload();
    }
  });

  it('wakes nobody', () => {
    const driver = lost();
    expect(driver.shard.header.wakeAt).toBe(0);
    expect(driver.shard.dueAlarms(instant(driver.now + 1_000))).toEqual([]);
  });
});
