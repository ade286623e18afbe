import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { listingId, marketOf, parseListingId, parseShardId, shardId } from './address.ts';
import { isRefusalName, refusal, REFUSAL_NAMES } from './refusals.ts';
import {
  addGold,
  FIRST_ROW_ID,
  gold,
  GOLD_MAX,
  itemId,
  multiplyGold,
  nextPosition,
  NO_POSITION,
  NO_VERSION,
  position,
  type Position,
  quantity,
  QUANTITY_MAX,
  rowId,
  type RowId,
  shardVersion,
  type ShardVersion,
  shareOfGold,
  subtractGold,
  sumGold,
  UnitError,
} from './units.ts';

const amounts = fc.maxSafeNat().map(gold);
const quantities = fc.nat({ max: QUANTITY_MAX }).map(quantity);

/** The twin in unbounded integers: the amount if it is one, else nothing. */
const exact = (value: bigint): number | undefined => (value >= 0n && value <= BigInt(GOLD_MAX) ? Number(value) : undefined);

describe('gold', () => {
  it('adds, subtracts and multiplies exactly or not at all', () => {
    fc.assert(
      fc.property(amounts, amounts, quantities, (a, b, count) => {
        expect(addGold(a, b)).toBe(exact(BigInt(a) + BigInt(b)));
        expect(subtractGold(a, b)).toBe(exact(BigInt(a) - BigInt(b)));
        expect(multiplyGold(a, count)).toBe(exact(BigInt(a) * BigInt(count)));
      }),
    );
  });

  it('takes shares rounded down, exactly, at any amount', () => {
    fc.assert(
      fc.property(amounts, fc.nat({ max: 10_000 }), (amount, basisPoints) => {
        expect(shareOfGold(amount, basisPoints)).toBe(exact((BigInt(amount) * BigInt(basisPoints)) / 10_000n));
      }),
    );
  });

  it('survives the numbers of the dupe of 7 May 2013', () => {
    expect(multiplyGold(gold(10_000_000), quantity(600))).toBe(6_000_000_000);
    expect(multiplyGold(gold(2_097_151), QUANTITY_MAX)).toBe(2_097_151 * 4_294_967_295);
    expect(multiplyGold(gold(2_097_153), QUANTITY_MAX)).toBeUndefined();
    expect(addGold(gold(2 ** 31 - 1), gold(1))).toBe(2 ** 31);
    expect(addGold(gold(2 ** 32 - 1), gold(1))).toBe(2 ** 32);
    expect(addGold(GOLD_MAX, gold(1))).toBeUndefined();
    expect(() => sumGold(GOLD_MAX, gold(1))).toThrow(UnitError);
  });

  it('is whole, safe and not negative', () => {
    for (const value of [-1, 0.5, NaN, Infinity, 2 ** 53]) expect(() => gold(value)).toThrow(UnitError);
    for (const value of [-1, 0.5, NaN, 2 ** 32]) expect(() => quantity(value)).toThrow(UnitError);
    for (const text of ['', 'a b', 'x'.repeat(65), 'nul\0', 'ä', 'a\n']) expect(() => itemId(text)).toThrow(UnitError);
  });
});

describe('positions, versions and row ids', () => {
  const put = (at: Position, version: ShardVersion, row: RowId): readonly number[] => [at, version, row];

  it('do not change places', () => {
    expect(put(position(3), shardVersion(2), rowId(1))).toEqual([3, 2, 1]);
    // @ts-expect-error -- A version is no position, and a position is no version.
    expect(put(shardVersion(3), position(2), rowId(1))).toEqual([3, 2, 1]);
    // @ts-expect-error -- A plain number is no row's id.
    expect(put(position(3), shardVersion(2), 1)).toEqual([3, 2, 1]);
  });

  it('are whole, safe, and not below the first', () => {
    for (const value of [-1, 0.5, NaN, 2 ** 53]) {
      expect(() => position(value)).toThrow(UnitError);
      expect(() => shardVersion(value)).toThrow(UnitError);
      expect(() => rowId(value)).toThrow(UnitError);
    }
    expect(() => rowId(0)).toThrow(UnitError);
    expect([position(0), shardVersion(0), rowId(1)]).toEqual([NO_POSITION, NO_VERSION, FIRST_ROW_ID]);
    expect(nextPosition(NO_POSITION)).toBe(1);
  });
});

describe('addresses', () => {
  it('are read back as they were made', () => {
    const shard = shardId('Ada_1-x', 'asia-2', 'hardcore');
    expect(shard).toBe('Ada_1-x@asia-2.hardcore');
    expect(parseShardId(shard)).toEqual({ player: 'Ada_1-x', region: 'asia-2', mode: 'hardcore' });
    expect(marketOf(shard)).toBe('asia-2.hardcore');
    expect(parseListingId(listingId(rowId(42), shard))).toEqual({ row: 42, shard });
  });

  it('are refused when malformed', () => {
    for (const text of [
      '',
      'ada',
      'ada@europe',
      'ada@europe.casual',
      '@europe.softcore',
      'ada@Europe.softcore',
      'a@b@europe.softcore',
      'ada@europe.softcore\n',
    ]) {
      expect(parseShardId(text)).toBeUndefined();
      expect(parseListingId(`1.${text}`)).toBeUndefined();
    }
    for (const row of ['0', '01', '-1', '1.5', '1e3', '9999999999999999', ''])
      expect(parseListingId(`${row}.ada@europe.softcore`)).toBeUndefined();
    expect(() => shardId('a b', 'europe', 'softcore')).toThrow(UnitError);
    expect(() => shardId('ada', 'Europe', 'softcore')).toThrow(UnitError);
  });
});

describe('refusals', () => {
  it('have unique stable codes and a sentence for a player', () => {
    const all = REFUSAL_NAMES.map((name) => refusal(name));
    expect(new Set(all.map((each) => each.code)).size).toBe(all.length);
    for (const each of all) expect(each.message).toMatch(/^[A-Z].*\.$/);
  });

  it('are known by name and by nothing else', () => {
    expect(REFUSAL_NAMES.every(isRefusalName)).toBe(true);
    for (const text of ['', 'constructor', '__proto__', 'Busy']) expect(isRefusalName(text)).toBe(false);
  });
});
