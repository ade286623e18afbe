import { describe, expect, it } from '@jest/globals';
import { marketName, shardId } from './address.ts';
import { CellMap, cellOf } from './cell.ts';

const CELLS = 64;
const EUROPE = marketName('europe', 'softcore');
const ASIA = marketName('asia', 'hardcore');
const ADA = shardId('ada', 'europe', 'softcore');

describe('a map of cells', () => {
  it('finds a value by the cell, and by the shards of that cell alone', () => {
    const cells = new CellMap<string>(CELLS);
    const cell = cellOf(ADA, CELLS);
    cells.set({ market: EUROPE, cell }, 'former');
    cells.set({ market: EUROPE, cell }, 'here');
    cells.set({ market: ASIA, cell: 0 }, 'there');
    expect([cells.get({ market: EUROPE, cell }), cells.get({ market: ASIA, cell: cell + 1 })]).toEqual(['here', undefined]);
    expect([cells.of(ADA), cells.of(shardId('ada', 'asia', 'softcore'))]).toEqual(['here', undefined]);
    expect([...cells.values()]).toEqual(['here', 'there']);
  });

  it('has no value where it was taken away', () => {
    const cells = new CellMap<string>(CELLS);
    const cell = cellOf(ADA, CELLS);
    cells.set({ market: EUROPE, cell }, 'here');
    cells.set({ market: EUROPE, cell }, undefined);
    expect([cells.of(ADA), ...cells.values()]).toEqual([undefined]);
  });
});
