import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { limits } from '#shared/limits.ts';
import { refusal } from '#shared/refusals.ts';
import { epoch } from '#shared/cell.ts';
import { gold, instant, type Instant, rowId, shardVersion } from '#shared/units.ts';
import { defineShard } from './definition.ts';
import { defineEntity, integer, json, nullable, text, timestamp, type Row } from './entity.ts';
import { Json } from './json.ts';
import { installedPowerup } from './install.ts';
import { answer, DONE, type Handled } from './message.ts';
import type { RawChangeSet } from './change-set.ts';
import { onAlarm, onCommand, onMessage, type Powerup } from './powerup.ts';
import { ShardState } from './shard-state.ts';
import { ADA, BOB, ShardDriver, TEST_START } from './testing/shard-driver.ts';
import type { Turn } from './turn.ts';

const note = defineEntity('note', {
  version: 1,
  attributes: { name: text({ indexed: 'unique' }), worth: integer(), due: nullable(timestamp({ alarm: 'note-due' })) },
});
type Note = Row<typeof note>;
/** Takes some 400 bytes. */
const BLOB = Json.of(Array.from({ length: 200 }, () => 7));
const blob = defineEntity('blob', { version: 1, attributes: { data: json<readonly number[]>() } });
const letter = defineEntity('letter', {
  version: 1,
  isMadeByOthers: ({ sender }) => sender !== 'self',
  attributes: { sender: text(), data: json<readonly number[]>() },
});

type Step =
  | { readonly kind: 'put'; readonly name: string; readonly worth: number; readonly due: Instant | null }
  | { readonly kind: 'remove'; readonly name: string };
type End = 'answer' | 'refuse' | 'throw';

function run(turn: Turn, steps: readonly Step[], end: End): Handled {
  for (const step of steps) {
    const known = turn.table(note).find('name', step.name);
    if (step.kind === 'remove') {
      if (known !== undefined) turn.remove(note, known.id);
    } else if (known === undefined) turn.insert(note, { name: step.name, worth: step.worth, due: step.due });
    else turn.put(note, { ...known, worth: step.worth, due: step.due });
  }
  turn.mintSequence();
  turn.post({ cause: 'test', tx: null, balance: gold(0), postings: [] });
  turn.emit(BOB, { kind: 'hello' });
  if (end === 'throw') throw new Error('as the test wishes');
  return end === 'refuse' ? refusal('busy') : answer(steps.length);
}

const notes: Powerup = {
  name: 'notes',
  entities: [note, blob, letter],
  handlers: {
    steps: onCommand<{ readonly steps: readonly Step[]; readonly end: End }>((turn, { steps, end }) => run(turn, steps, end)),
    nothing: onCommand(() => answer('nothing')),
    look: onCommand((turn) => answer(turn.table(note).size)),
    reserve: onCommand((turn) => {
      turn.mintSequence();
      return answer(undefined);
    }),
    fill: onCommand<{ readonly rows: number }>((turn, { rows }) => {
      for (let row = 0; row < rows; row++) turn.insert(blob, { data: BLOB });
      return answer(rows);
    }),
    write: onCommand<{ readonly sender: string; readonly rows: number }>((turn, { sender, rows }) => {
      for (let row = 0; row < rows; row++) turn.insert(letter, { sender, data: BLOB });
      return answer(rows);
    }),
    empty: onCommand<{ readonly rows: number }>((turn, { rows }) => {
      for (const row of [...turn.table(blob).rows()].slice(0, rows)) turn.remove(blob, row.id);
      return answer(rows);
    }),
    'trade-fill': onMessage((turn) => {
      for (let row = 0; row < 100; row++) turn.insert(blob, { data: BLOB });
      return DONE;
    }),
    'put-far': onCommand((turn) => {
      turn.put(note, { id: rowId(1_000), name: 'far', worth: 1, due: null });
      return answer(undefined);
    }),
    unbalanced: onCommand((turn) => {
      turn.insert(note, { name: 'x', worth: 1, due: null });
      turn.post({ cause: 'oops', tx: null, balance: gold(0), postings: [{ place: 'wallet', asset: 'gold', amount: 1 }] });
      return answer(undefined);
    }),
    echo: onMessage((turn) => {
      turn.emit(BOB, { kind: 'again' });
      return DONE;
    }),
  },
  alarms: { 'note-due': onAlarm(note, (turn, row) => turn.put(note, { ...row, due: null })) },
};

const put = (name: string, worth = 1, due: Instant | null = null): Step => ({ kind: 'put', name, worth, due });
const steps = (driver: ShardDriver, list: readonly Step[], end: End = 'answer') => driver.command('steps', { steps: list, end });
const contentOf = (driver: ShardDriver) => driver.rows(note).map(({ name, worth, due }) => ({ name, worth, due }));

describe('a turn', () => {
  it('counts versions from 1, without gaps, and only for turns with an effect (S2)', () => {
    const driver = new ShardDriver([notes]);
    const versions = [
      steps(driver, [put('a')]),
      steps(driver, [put('b')], 'refuse'),
      driver.command('nothing'),
      steps(driver, [put('c')], 'throw'),
      steps(driver, [put('d')]),
    ].map(({ changes }) => changes?.version);
    expect(versions).toEqual([1, undefined, undefined, undefined, 2]);
  });

  it.each<[End, string]>([
    ['refuse', 'busy'],
    ['throw', 'internal'],
  ])('that ends by %s leaves no trace: no row, no id, no number, no message, no time', (end, name) => {
    const driver = new ShardDriver([notes]);
    steps(driver, [put('a', 1, instant(TEST_START + 50))]);
    const { header } = driver.shard;
    driver.wait(1_000);
    const result = steps(driver, [put('b'), put('a', 2), { kind: 'remove', name: 'a' }], end);
    expect(result).toMatchObject({ handled: { kind: 'refusal', name }, emitted: [], completed: [], changes: undefined });
    expect(driver.shard.header).toEqual(header);
    expect(contentOf(driver)).toEqual([{ name: 'a', worth: 1, due: TEST_START + 50 }]);
  });

  it('that throws is told as internal and handed up with its cause', () => {
    const { handled, failed } = steps(new ShardDriver([notes]), [], 'throw');
    expect(handled).toEqual(refusal('internal'));
    expect(failed?.message).toBe('as the test wishes');
  });

  it('whose ledger lines do not sum to zero never happens (S6, T7)', () => {
    const driver = new ShardDriver([notes]);
    const { failed } = driver.command('unbalanced');
    expect(failed?.message).toBe('the postings of oops do not sum to zero in gold');
    expect(driver.rows(note)).toEqual([]);
  });

  it('without effect may still say something to another shard, and gives back the numbers that it took', () => {
    const driver = new ShardDriver([notes]);
    steps(driver, [put('a')]);
    const before = driver.shard.header;
    expect(driver.send({ kind: 'echo', key: 'echo/1' })).toMatchObject({ changes: undefined, emitted: [{ to: BOB }] });
    driver.command('reserve');
    expect(driver.shard.header).toEqual(before);
  });

  it('never runs back in time, whatever the clock says, also after a reload (S3)', () => {
    const driver = new ShardDriver([notes]);
    driver.wait(10_000);
    const ahead = driver.now;
    steps(driver, [put('a')]);
    driver.wait(-9_000);
    expect(steps(driver, [put('b')]).changes?.now).toBe(ahead);
    driver.reload();
    driver.wait(-500);
    expect(steps(driver, [put('c')]).changes?.now).toBe(ahead);
  });

  it('of a kind that nobody handles is a failure, not a crash', () => {
    expect(new ShardDriver([notes]).command('unheard-of').failed?.message).toBe('no powerup handles unheard-of');
  });
});

describe('random turns', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const due = fc.option(fc.integer({ min: 1, max: 90 }).map((ms) => instant(TEST_START + ms)));
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ kind: fc.constant('put' as const), name, worth: fc.integer(), due }),
    fc.record({ kind: fc.constant('remove' as const), name }),
  );
  const turn = fc.record({
    steps: fc.array(step, { maxLength: 5 }),
    end: fc.constantFrom<End>('answer', 'answer', 'refuse', 'throw'),
    waitMs: fc.integer({ min: -20, max: 30 }),
    wakes: fc.boolean(),
    reloads: fc.boolean(),
  });

  it('leave what a plain map holds, with the earliest alarm as a scan finds it, live and reloaded (S1, S5)', () => {
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 40 }), (turns) => {
        const driver = new ShardDriver([notes]);
        const twin = new Map<string, Omit<Note, 'id'>>();
        let twinNow = TEST_START;
        for (const { steps: list, end, waitMs, wakes, reloads } of turns) {
          driver.wait(waitMs);
          const { changes } = steps(driver, list, end);
          if (changes !== undefined) {
            twinNow = instant(Math.max(twinNow, driver.now));
            for (const one of list) {
              if (one.kind === 'remove') twin.delete(one.name);
              else twin.set(one.name, { name: one.name, worth: one.worth, due: one.due });
            }
          }
          if (wakes) {
            for (const one of driver.wake()) if (one.changes !== undefined) twinNow = instant(Math.max(twinNow, driver.now));
            const isRinging = driver.shard.header.wakeAt !== 0 && driver.shard.header.wakeAt <= driver.now;
            const shardNow = Math.max(driver.now, twinNow);
            for (const row of twin.values()) if (row.due !== null && row.due <= shardNow) twin.set(row.name, { ...row, due: null });
            expect(isRinging).toBe(false);
          }
          if (reloads && driver.records.length > 0) expect(driver.reload()).toBeUndefined();
          expect(contentOf(driver).toSorted(byName)).toEqual([...twin.values()].toSorted(byName));
          const dues = [...twin.values()].flatMap((row) => (row.due === null ? [] : [row.due]));
          expect(driver.shard.header.wakeAt).toBe(dues.length === 0 ? 0 : Math.min(...dues));
          expect(driver.shard.header.now).toBe(twinNow);
        }
      }),
      { numRuns: 200 },
    );
  });
});

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

describe('alarms', () => {
  it('ring once each, when due and not before', () => {
    const driver = new ShardDriver([notes]);
    steps(driver, [put('a', 1, instant(TEST_START + 10)), put('b', 1, instant(TEST_START + 20))]);
    driver.wait(9);
    expect(driver.wake()).toEqual([]);
    driver.wait(1);
    expect(driver.wake()).toHaveLength(1);
    expect(driver.wake()).toEqual([]);
    driver.wait(10);
    expect(driver.wake()).toHaveLength(1);
    expect(driver.shard.header.wakeAt).toBe(0);
  });

  it('do not ring for a row that an earlier alarm of the same wake has moved or removed', () => {
    const tidies: Powerup = {
      ...notes,
      alarms: {
        'note-due': onAlarm(note, (turn, row) => {
          for (const other of turn.table(note).rows()) {
            if (other.id === row.id) turn.put(note, { ...other, worth: other.worth + 1, due: null });
            else if (other.name === 'moved') turn.put(note, { ...other, due: instant(TEST_START + 99) });
            else turn.remove(note, other.id);
          }
        }),
      },
    };
    const driver = new ShardDriver([tidies]);
    const due = instant(TEST_START + 10);
    steps(driver, [put('first', 0, due), put('moved', 0, due), put('removed', 0, due)]);
    driver.wait(10);
    driver.wake();
    expect(contentOf(driver)).toEqual([
      { name: 'first', worth: 1, due: null },
      { name: 'moved', worth: 0, due: TEST_START + 99 },
    ]);
  });
});

describe('a shard that is full', () => {
  const bytesLeft = limits.shardBytesMax - limits.shardBytesReserved;
  const full = (): ShardDriver => {
    const driver = new ShardDriver([notes]);
    while (driver.command('fill', { rows: 100 }).handled.kind === 'answer') expect(driver.rows(blob).length).toBeLessThan(bytesLeft / 400);
    return driver;
  };

  it('refuses commands that make it grow (S7)', () => {
    expect(full().command('fill', { rows: 100 }).handled).toEqual(refusal('shard-full'));
  });

  it('is full of what its player made: what others made takes memory, and refuses nothing', () => {
    const driver = new ShardDriver([notes]);
    const others = Math.ceil(limits.shardBytesMax / 400);
    const { memoryBytes } = driver.shard;
    expect(driver.command('write', { sender: 'peer', rows: others }).handled.kind).toBe('answer');
    expect(driver.shard.memoryBytes - memoryBytes).toBeGreaterThan(others * 400);
    for (const reload of [false, true]) {
      if (reload) driver.reload();
      expect(driver.command('fill', { rows: 100 }).handled.kind).toBe('answer');
      expect(driver.command('write', { sender: 'self', rows: others }).handled).toEqual(refusal('shard-full'));
    }
  });

  it('takes what trades bring back, and commands that change nothing or make room', () => {
    const driver = full();
    const rows = driver.rows(blob).length;
    expect(driver.send({ kind: 'trade-fill', key: 'fill/1' }).changes).toBeDefined();
    expect(driver.rows(blob)).toHaveLength(rows + 100);
    expect(driver.command('look').handled.kind).toBe('answer');
    expect(driver.command('empty', { rows: 1 }).handled.kind).toBe('answer');
    expect(driver.command('fill', { rows: 1 }).handled).toEqual(refusal('shard-full'));
    driver.command('empty', { rows: 200 });
    expect(driver.command('fill', { rows: 1 }).handled.kind).toBe('answer');
  });
});

describe('powerups', () => {
  const counter = defineEntity('counter', { version: 1, attributes: { count: integer() } });
  const counting: Powerup = { name: 'counting', entities: [counter], install: (turn) => void turn.insert(counter, { count: 0 }) };

  it('are installed by the first turn of a shard, once', () => {
    const driver = new ShardDriver([notes, counting]);
    steps(driver, [put('a')]);
    steps(driver, [put('b')]);
    expect(driver.rows(counter)).toHaveLength(1);
    expect(driver.rows(installedPowerup).map(({ name }) => name)).toContain('counting');
    expect(driver.reload()).toBeUndefined();
  });

  it('are not installed by a turn that is refused', () => {
    const driver = new ShardDriver([notes, counting]);
    steps(driver, [put('a')], 'refuse');
    expect(driver.rows(counter)).toEqual([]);
    expect(driver.shard.header.version).toBe(0);
  });

  it('that are new come to an old shard as it loads, in one turn', () => {
    const driver = new ShardDriver([notes]);
    steps(driver, [put('a')]);
    const upgrade = driver.reload([notes, counting]);
    expect(upgrade?.version).toBe(2);
    expect(driver.rows(counter)).toHaveLength(1);
    expect(driver.reload()).toBeUndefined();
    expect(steps(driver, [put('b')]).changes?.version).toBe(3);
  });

  it('that are new are installed also where another one was dropped', () => {
    const dropped: Powerup = { name: 'dropped', entities: [] };
    const driver = new ShardDriver([notes, dropped]);
    steps(driver, [put('a')]);
    driver.reload([notes, counting]);
    expect(driver.rows(counter)).toHaveLength(1);
  });

  it.each<[string, readonly Powerup[], string]>([
    ['two of one name', [notes, { name: 'notes', entities: [] }], 'two powerups claim the powerup notes'],
    ['two with one entity', [notes, { name: 'x', entities: [note] }], 'two powerups claim the entity note'],
    ['two with one message', [notes, { name: 'x', entities: [], handlers: { look: () => DONE } }], 'two powerups claim the message look'],
    [
      'two with one alarm',
      [notes, { name: 'x', entities: [], alarms: { 'note-due': () => undefined } }],
      'two powerups claim the alarm note-due',
    ],
    ['an alarm without handler', [{ name: 'x', entities: [note] }], 'nobody handles the alarm note-due'],
    ['a handler without alarm', [{ name: 'x', entities: [], alarms: { never: () => undefined } }], 'no attribute sets the alarm never'],
  ])('must fit together: %s', (_name, powerups, problem) => {
    expect(() => defineShard(powerups)).toThrow(problem);
  });

  it('have as many places as the record format has numbers for, and no more', () => {
    const places = Array.from({ length: 16 }, (_, number) => `place-${number}`);
    expect(defineShard([], { places }).places).toEqual(places);
    expect(() => defineShard([], { places: [...places, 'one-more'] })).toThrow('more than 16 places');
  });

  it('guard and tidy from the highest priority to the lowest', () => {
    const seen: string[] = [];
    const watching = (name: string, priority: number): Powerup => ({
      name,
      priority,
      entities: [],
      guard: () => void seen.push(`guard ${name}`),
      tidy: () => void seen.push(`tidy ${name}`),
    });
    const driver = new ShardDriver([watching('low', -1), watching('high', 5), notes, watching('middle', 0)]);
    for (let turn = 1; turn < limits.tidyEveryTurns; turn++) steps(driver, [put(`a${turn}`)]);
    seen.length = 0;
    steps(driver, [put('b')]);
    expect(seen).toEqual(['guard high', 'guard middle', 'guard low', 'tidy high', 'tidy middle', 'tidy low']);
  });
});

describe('rows', () => {
  it('given out stay as they were', () => {
    const driver = new ShardDriver([notes]);
    steps(driver, [put('a')]);
    const rows = driver.rows(note);
    steps(driver, [put('a', 2), put('b')]);
    expect(rows.map(({ name, worth }) => [name, worth])).toEqual([['a', 1]]);
  });

  it('have ids that are never given twice, not even after a removal and a reload (S4)', () => {
    const driver = new ShardDriver([notes]);
    steps(driver, [put('a')]);
    const [first] = driver.rows(note);
    steps(driver, [{ kind: 'remove', name: 'a' }]);
    driver.reload();
    steps(driver, [put('a')]);
    expect(driver.rows(note)[0]?.id).toBeGreaterThan(first?.id ?? Number.POSITIVE_INFINITY);
  });

  it('are of the shard of their address', () => {
    expect(new ShardDriver([notes], BOB).shard.id).toBe(BOB);
    expect(new ShardDriver([notes]).shard.id).toBe(ADA);
  });
});

describe('a shard that is not as a shard must be', () => {
  function kept(): { readonly driver: ShardDriver; readonly image: RawChangeSet } {
    const driver = new ShardDriver([notes]);
    const steps: readonly Step[] = [{ kind: 'put', name: 'a', worth: 1, due: instant(TEST_START + 5) }];
    driver.command('steps', { steps, end: 'answer' });
    return { driver, image: driver.image() };
  }

  it('has had no turn, and is not loaded (S2)', () => {
    const { driver, image } = kept();
    expect(() => driver.loadFrom({ ...image, version: shardVersion(0) })).toThrow('is there, and has had no turn');
  });

  it('is told an earlier time than before, and takes no turn then (S3)', () => {
    const state = new ShardState(defineShard([]), ADA, 1, epoch(1), instant(10));
    expect(() => state.commit(instant(9), 0, [])).toThrow('would run back from 10 to 9');
    expect(state.commit(instant(10), 0, []).version).toBe(1);
  });

  it('has a row with an id that would be given again, and is not loaded (S4)', () => {
    const { driver, image } = kept();
    expect(() => driver.loadFrom({ ...image, nextId: rowId(2) })).toThrow('and the next one would get the id 2');
  });

  it('gets a row with an id that was never given, and takes the turn back (S4)', () => {
    const { driver } = kept();
    expect(driver.command('put-far').failed?.message).toContain('the id 1000 of a row of note was never given');
    expect(driver.rows(note)).toHaveLength(1);
  });

  it('was kept with another time to wake it than its rows say, and says so as it is loaded (S5)', () => {
    const { driver, image } = kept();
    expect(driver.loadFrom(image)).toBeUndefined();
    for (const wakeAt of [0, TEST_START + 4] as const) {
      expect(driver.loadFrom({ ...image, wakeAt: instant(wakeAt) })).toMatchObject({
        version: image.version + 1,
        wakeAt: TEST_START + 5,
        puts: [],
      });
    }
  });
});
