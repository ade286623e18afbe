/** Tables against a slow twin: a plain list that is walked for everything. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { defineEntity, integer, nullable, oneOf, text, timestamp, type Row } from './entity.ts';
import { instant, rowId } from '#shared/units.ts';
import { IdMap } from './id-map.ts';
import { PlainIndex } from './table-index.ts';
import { Table } from './table.ts';
import { UndoLog } from './undo-log.ts';
import type { AnyRow } from './row.ts';

const STATES = ['open', 'done', 'gone'] as const;
const job = defineEntity('job', {
  version: 1,
  attributes: {
    name: nullable(text({ indexed: 'unique' })),
    state: oneOf(STATES, { indexed: 'plain' }),
    weight: integer(),
    due: nullable(timestamp({ alarm: 'job-due' })),
  },
});
type Job = Row<typeof job>;

const jobArbitrary: fc.Arbitrary<Job> = fc.record({
  id: fc.integer({ min: 1, max: 12 }).map(rowId),
  name: fc.option(fc.constantFrom('a', 'b', 'c', 'd')),
  state: fc.constantFrom(...STATES),
  weight: fc.integer({ min: -3, max: 3 }),
  due: fc.option(fc.integer({ min: 1, max: 9 }).map(instant)),
});
type Step =
  { readonly kind: 'put'; readonly row: Job } | { readonly kind: 'remove'; readonly id: number } | { readonly kind: 'commit' | 'rollback' };
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: jobArbitrary.map((row): Step => ({ kind: 'put', row })) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 12 }).map((id): Step => ({ kind: 'remove', id })) },
  { weight: 2, arbitrary: fc.constantFrom<Step>({ kind: 'commit' }, { kind: 'rollback' }) },
);
/** What a table was loaded with: none of it has gone through a turn. */
const loadedArbitrary = fc
  .uniqueArray(jobArbitrary, { maxLength: 3, selector: ({ id }) => id })
  .filter((rows) => new Set(rows.map(({ name }) => name)).size === rows.length);

/** The twin: rows in a list, and the list as it was when the turn began. */
class Twin {
  rows: readonly Job[] = [];
  committed: readonly Job[] = [];

  put(row: Job): boolean {
    if (row.name !== null && this.rows.some(({ id, name }) => id !== row.id && name === row.name)) return false;
    const isNew = !this.rows.some(({ id }) => id === row.id);
    this.rows = isNew ? [...this.rows, row] : this.rows.map((one) => (one.id === row.id ? row : one));
    return true;
  }
}

function check(table: Table, log: UndoLog, { rows, committed }: Twin): void {
  expect(table.size).toBe(rows.length);
  expect([...table.rows()].toSorted((a, b) => a.id - b.id)).toEqual([...rows].toSorted((a, b) => a.id - b.id));
  for (const name of ['a', 'b', 'c', 'd']) expect(table.find('name', name)).toEqual(rows.find((row) => row.name === name));
  for (const state of STATES) {
    const wanted = rows.filter((row) => row.state === state).map(({ id }) => id);
    expect(
      table
        .rowsOf('state', state)
        .map(({ id }) => id)
        .toSorted((a, b) => a - b),
    ).toEqual(wanted.toSorted((a, b) => a - b));
    expect(table.countOf('state', state)).toBe(wanted.length);
    expect(wanted.length === 0 ? [undefined] : wanted).toContain(table.firstOf('state', state)?.id);
  }
  const dues = new Map(rows.flatMap(({ id, due }) => (due === null ? [] : [[id, due] as const])));
  const listed = new Map<number, number>();
  table.alarms[0]?.forEach((due, row) => listed.set(row, due));
  expect(listed).toEqual(dues);
  expect(table.alarms[0]?.earliest).toBe(dues.size === 0 ? 0 : Math.min(...dues.values()));
  const ids = new Set([...rows, ...committed].map(({ id }) => id));
  const changed = [...ids].filter((id) => rows.find((row) => row.id === id) !== committed.find((row) => row.id === id));
  expect(
    log.entries
      .filter(({ before, after }) => before !== after)
      .map(({ id }) => id)
      .toSorted((a, b) => a - b),
  ).toEqual(changed.toSorted((a, b) => a - b));
  expect(log.hasEffect).toBe(changed.length > 0);
}

describe('a table', () => {
  it('is, after any turns, kept or taken back, what a plain list is', () => {
    fc.assert(
      fc.property(loadedArbitrary, fc.array(stepArbitrary, { maxLength: 60 }), fc.boolean(), (loaded, steps, isAlwaysLookedAt) => {
        const log = new UndoLog();
        const owner = { log, bytes: 0, ownBytes: 0 };
        const table = new Table(job, owner);
        const twin = new Twin();
        for (const row of loaded) {
          table.restore(row.id, row);
          twin.put(row);
        }
        twin.committed = twin.rows;
        for (const step of steps) {
          if (step.kind === 'put') {
            if (twin.put(step.row)) table.put(step.row);
            else expect(() => table.put(step.row)).toThrow('job.name is already');
          } else if (step.kind === 'remove') {
            if (twin.rows.some(({ id }) => id === step.id)) table.remove(rowId(step.id));
            else expect(() => table.remove(rowId(step.id))).toThrow('there is no row');
            twin.rows = twin.rows.filter(({ id }) => id !== step.id);
          } else if (step.kind === 'commit') {
            log.commit();
            twin.committed = twin.rows;
          } else {
            log.rollback();
            twin.rows = twin.committed;
          }
          // A look may make an index: it must be right also if it is made as late as can be.
          if (isAlwaysLookedAt || step.kind === 'commit' || step.kind === 'rollback') check(table, log, twin);
        }
        for (const { id } of twin.rows) table.remove(id);
        expect([owner.bytes, owner.ownBytes]).toEqual([0, 0]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('walks its rows in the order in which they came to be, also after a removal was taken back', () => {
    const log = new UndoLog();
    const table = new Table(job, { log, bytes: 0, ownBytes: 0 });
    for (const id of [1, 2, 3]) table.put({ id: rowId(id), name: null, state: 'open', weight: id, due: null });
    log.commit();
    table.remove(rowId(1));
    table.put({ id: rowId(4), name: null, state: 'open', weight: 0, due: null });
    log.rollback();
    expect([...table.rows()].map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(table.first()?.id).toBe(1);
  });

  it('lets two rows swap a unique value only one after the other, and takes even that back', () => {
    const log = new UndoLog();
    const table = new Table(job, { log, bytes: 0, ownBytes: 0 });
    const a = { id: rowId(1), name: 'a', state: 'open', weight: 0, due: null };
    const b = { id: rowId(2), name: 'b', state: 'open', weight: 0, due: null };
    table.put(a);
    table.put(b);
    log.commit();
    expect(() => table.put({ ...a, name: 'b' })).toThrow('job.name is already b in row 2');
    table.put({ ...a, name: null });
    table.put({ ...b, name: 'a' });
    table.put({ ...a, name: 'b' });
    expect(table.find('name', 'a')?.id).toBe(2);
    log.rollback();
    expect([table.find('name', 'a'), table.find('name', 'b')]).toEqual([a, b]);
  });

  it('says which index it lacks', () => {
    const table = new Table(job, { log: new UndoLog(), bytes: 0, ownBytes: 0 });
    expect(() => table.find('state', 'open')).toThrow('job.state has no unique index');
    expect(() => table.firstOf('weight', 1)).toThrow('job.weight has no plain index');
  });
});

describe('a plain index', () => {
  /** An index beside the rows that its table would have. */
  function indexedRows(): { readonly index: PlainIndex; readonly set: (id: number, state: string | undefined) => void } {
    const rows = new IdMap<AnyRow>();
    const index = new PlainIndex('state', (row) => row?.state, rows);
    const set = (id: number, state: string | undefined): void => {
      const before = rows.get(rowId(id));
      const after = state === undefined ? undefined : { id: rowId(id), state };
      if (after === undefined) rows.delete(rowId(id));
      else rows.set(rowId(id), after);
      index.replace(rowId(id), before, after);
    };
    return { index, set };
  }

  it('tells the first with a value in the order in which they got it', () => {
    const { index, set } = indexedRows();
    for (const id of [5, 3, 9]) set(id, 'open');
    expect(index.firstOf('open')?.id).toBe(5);
    set(5, 'done');
    expect(index.firstOf('open')?.id).toBe(3);
    set(5, 'open');
    set(3, undefined);
    expect(index.firstOf('open')?.id).not.toBe(3);
    expect(
      index
        .rowsOf('open')
        .map(({ id }) => id)
        .toSorted((a, b) => a - b),
    ).toEqual([5, 9]);
    expect(index.countOf('open')).toBe(2);
  });

  it('keeps no memory of what has passed through it', () => {
    const { index, set } = indexedRows();
    set(1, 'open');
    for (let id = 2; id < 20_000; id++) {
      set(id, 'open');
      set(id, undefined);
    }
    expect(index.queueLengthOf('open')).toBeLessThan(200);
    expect(index.firstOf('open')?.id).toBe(1);
    expect(index.countOf('open')).toBe(1);
  });
});
