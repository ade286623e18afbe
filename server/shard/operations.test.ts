import { describe, expect, it } from '@jest/globals';
import { limits } from '#shared/limits.ts';
import { refusal } from '#shared/refusals.ts';
import { rowId } from '#shared/units.ts';
import { defineEntity, integer } from './entity.ts';
import { answer, DONE, type Command } from './message.ts';
import { operation } from './operations.ts';
import { operationPack, playerOperationPack } from './operation-pack.ts';
import { onCommand, onMessage, type Powerup } from './powerup.ts';
import { ShardDriver } from './testing/shard-driver.ts';

const count = defineEntity('count', { version: 1, attributes: { value: integer() } });

/** Counts, so that what was done twice shows; or leaves the operation open, to be completed by a message. */
const counting: Powerup = {
  name: 'counting',
  entities: [count],
  handlers: {
    add: onCommand<{ readonly value: number }>((turn, { value }) => {
      const row = turn.table(count).first();
      const total = (row?.value ?? 0) + value;
      if (row === undefined) turn.insert(count, { value: total });
      else turn.put(count, { ...row, value: total });
      return answer({ total });
    }),
    look: onCommand((turn) => answer(turn.table(count).first()?.value ?? 0)),
    pack: onCommand<{ readonly packs: number; readonly hashes: Uint8Array }>((turn, { packs, hashes }) => {
      for (let index = 0; index < packs; index++) turn.insert(operationPack, { newestAt: turn.now, hashes, digests: hashes });
      return answer(packs);
    }),
    refuse: onCommand(() => refusal('stash-full')),
    open: onCommand<{ readonly value: number }>((turn, { value }) => {
      if (turn.operation === undefined) throw new Error('an operation was expected');
      turn.insert(count, { value });
      return { kind: 'later', operation: turn.operation };
    }),
    finish: onMessage<{ readonly kind: 'finish'; readonly operation: number; readonly value: unknown }>(
      (turn, { operation: row, value }) => {
        turn.complete(rowId(row), answer(value));
        return DONE;
      },
    ),
  },
};

const newDriver = (): ShardDriver => new ShardDriver([counting]);
const total = (driver: ShardDriver): unknown => driver.rows(count)[0]?.value;
const stateOf = (driver: ShardDriver, op: string): string | undefined =>
  driver.rows(operation).find(({ key }) => key === `client/${op}`)?.state;

function finish(driver: ShardDriver, row: number, value: unknown) {
  return driver.send({ kind: 'finish', key: `finish/${row}`, operation: row, value } as never);
}

describe('an operation', () => {
  it('is done once, and its repeats get the same answer, also after a reload', () => {
    const driver = newDriver();
    const first = driver.command('add', { value: 5 }, 'a').handled;
    expect(first).toEqual(answer({ total: 5 }));
    driver.command('add', { value: 1 }, 'b');
    expect(driver.command('add', { value: 5 }, 'a')).toMatchObject({ handled: first, changes: undefined });
    driver.reload();
    expect(driver.command('add', { value: 5 }, 'a')).toMatchObject({ handled: first, changes: undefined });
    expect(total(driver)).toBe(6);
  });

  it('leaves nothing behind when it is refused, and may be sent again', () => {
    const driver = newDriver();
    expect(driver.command('refuse', {}, 'a')).toMatchObject({ handled: refusal('stash-full'), changes: undefined });
    expect(driver.command('add', { value: 5 }, 'a').handled).toEqual(answer({ total: 5 }));
  });

  it('without effect is not written down', () => {
    const driver = newDriver();
    driver.command('add', { value: 1 });
    expect(driver.command('look', {}, 'a')).toMatchObject({ handled: answer(1), changes: undefined });
  });

  it.each<[string, Parameters<ShardDriver['command']>]>([
    ['another body', ['add', { value: 6 }, 'a']],
    ['another kind', ['open', { value: 5 }, 'a']],
  ])('is refused with its id and %s', (_name, [kind, body, op]) => {
    const driver = newDriver();
    driver.command('add', { value: 5 }, 'a');
    expect(driver.command(kind, body, op)).toMatchObject({ handled: refusal('op-reused'), changes: undefined });
    expect(total(driver)).toBe(5);
  });

  it('has its id to itself within its issuer: clients, the service and staff do not meet', () => {
    const driver = newDriver();
    for (const issuer of ['client', 'service', 'staff'] as const) driver.command('add', { value: 1 }, 'a', issuer);
    expect(total(driver)).toBe(3);
  });

  it('without an id is done every time', () => {
    const driver = newDriver();
    driver.command('add', { value: 1 });
    driver.command('add', { value: 1 });
    expect(total(driver)).toBe(2);
    expect(driver.rows(operation)).toEqual([]);
  });
});

describe('an operation that waits for an outcome', () => {
  it('makes its repeats wait too, and gives all of them the outcome', () => {
    const driver = newDriver();
    const { handled } = driver.command('open', { value: 1 }, 'a');
    if (handled.kind !== 'later') throw new Error('it did not wait');
    expect(driver.command('open', { value: 1 }, 'a')).toMatchObject({ handled, changes: undefined });
    const { completed } = finish(driver, handled.operation, 'sold');
    expect(completed).toEqual([{ operation: handled.operation, reply: answer('sold') }]);
    expect(driver.command('open', { value: 1 }, 'a').handled).toEqual(answer('sold'));
  });

  it('cannot end twice', () => {
    const driver = newDriver();
    const { handled } = driver.command('open', { value: 1 }, 'a');
    if (handled.kind !== 'later') throw new Error('it did not wait');
    finish(driver, handled.operation, 'sold');
    expect(finish(driver, handled.operation, 'sold again').failed?.message).toContain('is not under way');
    expect(driver.command('open', { value: 1 }, 'a').handled).toEqual(answer('sold'));
  });

  it('is never forgotten, however many and however old', () => {
    const driver = newDriver();
    driver.command('open', { value: 1 }, 'standing');
    for (let index = 0; index < 200; index++) driver.command('add', { value: 1 }, `a${index}`);
    driver.wait(limits.operationsServiceRememberedMs * 2);
    for (let index = 0; index < limits.tidyEveryTurns; index++) driver.command('add', { value: 1 }, `last${index}`);
    expect(stateOf(driver, 'standing')).toBe('open');
  });

  it('counts against the 256 that a player may have: one more is rate-limited, a repeat is not, others still pass', () => {
    const driver = newDriver();
    for (let index = 0; index < limits.operationsUnfinishedMax; index++)
      expect(driver.command('open', { value: 1 }, `o${index}`).handled.kind).toBe('later');
    expect(driver.command('open', { value: 1 }, 'more').handled).toEqual(refusal('rate-limited'));
    expect(driver.command('add', { value: 1 }, 'more').handled).toEqual(refusal('rate-limited'));
    expect(driver.command('open', { value: 1 }, 'o0').handled.kind).toBe('later');
    expect(driver.command('add', { value: 1 }, 'grant', 'service').handled.kind).toBe('answer');
    expect(driver.command('look').handled.kind).toBe('answer');
    const [row] = driver.rows(operation);
    finish(driver, row?.id ?? 0, 'done');
    expect(driver.command('open', { value: 1 }, 'more').handled.kind).toBe('later');
  });

  it('of the service does not count against the player', () => {
    const driver = newDriver();
    for (let index = 0; index < limits.operationsUnfinishedMax; index++) driver.command('open', { value: 1 }, `s${index}`, 'service');
    expect(driver.command('open', { value: 1 }, 'mine').handled.kind).toBe('later');
  });
});

/** As many of the service as are done, by `grantOf`. */
function grants(driver: ShardDriver, count: number, from = 0): void {
  for (let index = from; index < from + count; index++) driver.command('add', { value: 1 }, `grant-${index}`, 'service');
}
const grantAgain = (driver: ShardDriver, index: number, value = 1) => driver.command('add', { value }, `grant-${index}`, 'service').handled;
const PACKED_FROM = limits.operationsAnsweredMax + limits.operationsPerPack;

describe('finished operations of the service and of staff', () => {
  it('are packed, 64 in a row, but for the newest 64 and what was not yet tidied, and known all the same', () => {
    const driver = newDriver();
    grants(driver, 1_000);
    const rows = driver.rows(operation).length;
    expect(rows).toBeGreaterThanOrEqual(limits.operationsAnsweredMax);
    expect(rows).toBeLessThan(PACKED_FROM + limits.tidyEveryTurns);
    expect(driver.rows(operationPack).length * limits.operationsPerPack + rows).toBe(1_000);
    for (let round = 0; round < 2; round++) {
      for (let index = 0; index < 1_000 - rows; index++) {
        expect(grantAgain(driver, index)).toEqual(refusal('op-done'));
        expect(grantAgain(driver, index, 2)).toEqual(refusal('op-reused'));
      }
      for (let index = 1_000 - rows; index < 1_000; index++) expect(grantAgain(driver, index)).toEqual(answer({ total: index + 1 }));
      driver.reload();
    }
    expect(total(driver)).toBe(1_000);
  });

  it('are no operations of a client, packed or not', () => {
    const driver = newDriver();
    grants(driver, PACKED_FROM + limits.tidyEveryTurns);
    expect(driver.rows(operationPack).length).toBeGreaterThan(0);
    expect(driver.command('add', { value: 1 }, 'grant-0').handled.kind).toBe('answer');
    expect(driver.command('add', { value: 1 }, 'grant-0', 'staff').handled.kind).toBe('answer');
  });

  it('are forgotten a pack at a time, when the newest in it is 7 days old', () => {
    const driver = newDriver();
    grants(driver, limits.operationsPerPack - 1);
    driver.wait(1_000);
    grants(driver, PACKED_FROM, limits.operationsPerPack - 1);
    expect(driver.rows(operationPack)).toMatchObject([{ newestAt: driver.now }]);
    driver.wait(limits.operationsServiceRememberedMs - 1);
    for (let index = 0; index < limits.tidyEveryTurns; index++) driver.command('add', { value: 1 }, `a${index}`);
    expect(grantAgain(driver, 0)).toEqual(refusal('op-done'));
    driver.wait(1);
    const before = driver.records.length;
    for (let index = 0; index < limits.tidyEveryTurns; index++) driver.command('add', { value: 1 }, `b${index}`);
    expect(driver.rows(operationPack)).toEqual([]);
    const removes = driver.records.slice(before).flatMap((record) => record.removes.filter(({ table }) => table === 'operation_pack_v1'));
    expect(removes).toHaveLength(1);
  });

  it('are at most 32,768: a new one is then busy, repeats are not, clients are not, and time makes room without any other turn', () => {
    const driver = newDriver();
    const hashes = new Uint8Array(limits.operationsPerPack * 8);
    driver.command('pack', { packs: limits.operationsServiceRememberedMax / limits.operationsPerPack, hashes });
    expect(driver.command('add', { value: 1 }, 'one-more', 'service')).toMatchObject({
      handled: refusal('busy', { reason: 'too many operations of the service for one player in 7 days' }),
      changes: undefined,
    });
    expect(driver.command('add', { value: 1 }, 'mine').handled.kind).toBe('answer');
    expect(driver.shard.memoryBytes).toBeGreaterThan(limits.operationsServiceRememberedMax * limits.operationPackedBytes);
    driver.wait(limits.operationsServiceRememberedMs);
    expect(driver.command('add', { value: 1 }, 'one-more', 'service').handled.kind).toBe('answer');
    expect(driver.command('add', { value: 1 }, 'one-more', 'service').handled.kind).toBe('answer');
    expect(total(driver)).toBe(2);
  });

  it('of an earlier version, thousands in rows of their own, stay known while they are packed as time goes', () => {
    const old = newDriver();
    driverWithoutPacks(old, 3_000);
    expect(old.rows(operation)).toHaveLength(3_000);
    for (let index = 0; index < 100 * limits.tidyEveryTurns; index++) old.command('add', { value: 1 }, `a${index}`);
    expect(old.rows(operation).filter(({ key }) => key.startsWith('service/')).length).toBeLessThan(PACKED_FROM);
    expect(old.rows(operationPack).length).toBeGreaterThan(40);
    expect(grantAgain(old, 0)).toEqual(refusal('op-done'));
    expect(grantAgain(old, 0, 2)).toEqual(refusal('op-reused'));
    expect(grantAgain(old, 2_999)).toMatchObject({ kind: 'answer' });
  });
});

/** A shard as an earlier version left it, which packed nothing: so many operations of the service, each in its own row. */
function driverWithoutPacks(driver: ShardDriver, count: number): void {
  grants(driver, 1);
  const image = driver.image();
  const [made] = image.puts.filter(({ table }) => table === 'operation_v1');
  if (made === undefined) throw new Error('there is no operation');
  const [, ...values] = made.values;
  const puts = Array.from({ length: count - 1 }, (_, index) => ({
    table: made.table,
    id: rowId(image.nextId + index),
    values: [`service/grant-${index + 1}`, ...values],
  }));
  driver.loadFrom({ ...image, nextId: rowId(image.nextId + count), puts: [...image.puts, ...puts] });
}

/** Commands of a client that are done, `a0`, `a1`, ... */
function adds(driver: ShardDriver, prefix: string, count: number): void {
  for (let index = 0; index < count; index++) driver.command('add', { value: 1 }, `${prefix}${index}`);
}
const addAgain = (driver: ShardDriver, op: string, value = 1) => driver.command('add', { value }, op).handled;

describe('finished operations of a player', () => {
  it('keep the answers of the newest 64 at least; older ones are packed, known to be done, and never done again', () => {
    const driver = newDriver();
    adds(driver, 'a', 1_000);
    const rows = driver.rows(operation).length;
    expect(rows).toBeGreaterThanOrEqual(limits.operationsAnsweredMax);
    expect(rows).toBeLessThan(PACKED_FROM + limits.tidyEveryTurns);
    expect(driver.rows(playerOperationPack).length * limits.operationsPerPack + rows).toBe(1_000);
    for (let round = 0; round < 2; round++) {
      for (let index = 0; index < 1_000 - rows; index++) {
        expect(addAgain(driver, `a${index}`)).toEqual(refusal('op-done'));
        expect(addAgain(driver, `a${index}`, 2)).toEqual(refusal('op-reused'));
      }
      for (let index = 1_000 - rows; index < 1_000; index++) expect(addAgain(driver, `a${index}`)).toEqual(answer({ total: index + 1 }));
      driver.reload();
    }
    expect(total(driver)).toBe(1_000);
    expect(driver.rows(operationPack)).toEqual([]);
  });

  it('are forgotten a pack at a time, when the newest in it is 24 h old', () => {
    const driver = newDriver();
    adds(driver, 'a', PACKED_FROM + limits.tidyEveryTurns);
    driver.wait(limits.operationsRememberedMs - 1);
    adds(driver, 'b', limits.tidyEveryTurns);
    expect(addAgain(driver, 'a0')).toEqual(refusal('op-done'));
    driver.wait(1);
    adds(driver, 'c', limits.tidyEveryTurns);
    expect(driver.rows(playerOperationPack)).toEqual([]);
    expect(addAgain(driver, 'a0').kind).toBe('answer');
  });

  it('are known for the newest 4,096, and a pack or two more, whatever their age', () => {
    const driver = newDriver();
    const made = limits.operationsRememberedMax + 300;
    adds(driver, 'a', made);
    const known = driver.rows(playerOperationPack).length * limits.operationsPerPack + driver.rows(operation).length;
    expect(known).toBeGreaterThanOrEqual(limits.operationsRememberedMax);
    expect(known).toBeLessThan(limits.operationsRememberedMax + 2 * limits.operationsPerPack);
    expect(addAgain(driver, `a${made - known}`)).toEqual(refusal('op-done'));
    expect(addAgain(driver, `a${made - known - 1}`).kind).toBe('answer');
  });

  it('count to the player, and what the service does does not', () => {
    const driver = newDriver();
    adds(driver, 'a', PACKED_FROM + limits.tidyEveryTurns);
    expect([playerOperationPack.isMadeByOthers, operationPack.isMadeByOthers]).toEqual([false, true]);
    expect(driver.rows(playerOperationPack)).toHaveLength(1);
  });

  it('of an earlier release, without their answer in rows of their own, are packed and stay known', () => {
    const driver = newDriver();
    withKnownRows(driver, 300);
    expect(driver.rows(operation).filter(({ state }) => state === 'known')).toHaveLength(300);
    adds(driver, 'a', 8 * limits.tidyEveryTurns);
    expect(driver.rows(operation).filter(({ state }) => state === 'known').length).toBeLessThan(limits.operationsPerPack);
    for (const index of [0, 150, 299]) {
      expect(addAgain(driver, `old-${index}`)).toEqual(refusal('op-done'));
      expect(addAgain(driver, `old-${index}`, 2)).toEqual(refusal('op-reused'));
    }
    driver.wait(limits.operationsRememberedMs);
    adds(driver, 'b', 8 * limits.tidyEveryTurns);
    expect(driver.rows(operation).filter(({ state }) => state === 'known')).toEqual([]);
    expect(addAgain(driver, 'old-299').kind).toBe('answer');
  });
});

/** A shard as an earlier release left it: so many operations of a client that are known, each in its own row. */
function withKnownRows(driver: ShardDriver, count: number): void {
  adds(driver, 'old-', 1);
  const image = driver.image();
  const [made] = image.puts.filter(({ table }) => table === 'operation_v1');
  if (made === undefined) throw new Error('there is no operation');
  const [, digest = null, at = null] = made.values;
  const others = image.puts.filter((put) => put !== made);
  const puts = Array.from({ length: count }, (_, index) => ({
    table: made.table,
    id: rowId(image.nextId + index),
    values: [`client/old-${index}`, digest, at, 'known', null],
  }));
  driver.loadFrom({ ...image, nextId: rowId(image.nextId + count), puts: [...others, ...puts] });
}

describe('finished operations', () => {
  it('of the service are not displaced by a player for 7 days, and keep their answers if there are few', () => {
    const driver = newDriver();
    driver.command('add', { value: 1 }, 'grant', 'service');
    for (let index = 0; index < 200; index++) driver.command('add', { value: 1 }, `a${index}`);
    driver.wait(limits.operationsServiceRememberedMs - 1);
    for (let index = 0; index < 200; index++) driver.command('add', { value: 1 }, `b${index}`);
    expect(driver.command('add', { value: 1 }, 'grant', 'service').handled).toEqual(answer({ total: 1 }));
    driver.wait(1);
    for (let index = 0; index < limits.tidyEveryTurns; index++) driver.command('add', { value: 1 }, `last${index}`);
    expect(driver.rows(operation).some(({ key }) => key === 'service/grant')).toBe(false);
  });

  it('are told by what they ask for, not by how it is laid out in memory', () => {
    const driver = newDriver();
    driver.command('add', { value: 5 }, 'a');
    const again: Command = structuredClone({ kind: 'add', issuer: 'client', body: { value: 5 }, op: 'a' } as never);
    expect(driver.send(again).handled).toEqual(answer({ total: 5 }));
  });
});
