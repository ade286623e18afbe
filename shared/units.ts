/**
 * The units of Gavel: every number and id that could be mistaken for another has a brand of its
 * own.
 *
 * Only the constructors in this file cast. A constructor that takes outside data checks it and
 * throws `UnitError`; arithmetic on gold goes through the checked functions, so that a sum never
 * rounds, wraps or turns negative unseen (the dupe of May 2013 was a product taken modulo 2^32).
 */

declare const brand: unique symbol;

/** A base type that only the constructors of this file can make. */
export type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** Whole coins, 0 to 2^53 - 1. */
export type Gold = Branded<number, 'Gold'>;
/** Milliseconds since the Unix epoch. */
export type Instant = Branded<number, 'Instant'>;
/** A span of milliseconds. */
export type DurationMs = Branded<number, 'DurationMs'>;
/** Pieces of a commodity, 0 to 4,294,967,295 (the reference's own limit). */
export type Quantity = Branded<number, 'Quantity'>;
/** A player of the studio: `[A-Za-z0-9_-]{1,64}`. */
export type PlayerId = Branded<string, 'PlayerId'>;
/** A shard's address: `player@region.mode`. See `address.ts`. */
export type ShardId = Branded<string, 'ShardId'>;
/** The world-wide unique id of one item; minted once, kept through every trade. */
export type ItemId = Branded<string, 'ItemId'>;
/** A listing's id inside of the server: `rowId.player@region.mode`, so that any node knows whom to ask. */
export type ListingId = Branded<string, 'ListingId'>;
/** A market: one region in one mode, `region.mode`. Goods never leave it. */
export type Market = Branded<string, 'Market'>;
/** How often a cell has changed its owner, from 1. See `cell.ts`. */
export type Epoch = Branded<number, 'Epoch'>;
/** A node's name, unique in its world. */
export type NodeName = Branded<string, 'NodeName'>;
/**
 * The place of a turn in its node's journal: 1 for the first ever, without gaps, never given twice.
 */
export type Position = Branded<number, 'Position'>;
/** The version of a shard: the number of its changes so far. */
export type ShardVersion = Branded<number, 'ShardVersion'>;
/** The id of a row in its shard: given once, ever. */
export type RowId = Branded<number, 'RowId'>;
/** The id of one trade inside of the server: `seq.generation.player@region.mode`. See `trade/transaction.ts`. */
export type TransactionId = Branded<string, 'TransactionId'>;
/** An id as clients see it, which names nobody. See `IdKind`. */
export type SealedId = Branded<string, 'SealedId'>;
/** The id that an issuer gives to one operation: `[A-Za-z0-9_-]{1,64}`. */
export type OperationId = Branded<string, 'OperationId'>;

/** A value that is not of the unit that it was said to be. */
export class UnitError extends Error {
  override readonly name = 'UnitError';
}

/** The largest amount of gold that one player can have, all places together (2^53 - 1). */
export const GOLD_MAX = Number.MAX_SAFE_INTEGER as Gold;
/** No gold. */
export const NO_GOLD = 0 as Gold;
/** The position before the first turn of a journal. */
export const NO_POSITION = 0 as Position;
/** The version of a shard before its first turn. */
export const NO_VERSION = 0 as ShardVersion;
/** The id of the first row of a shard. */
export const FIRST_ROW_ID = 1 as RowId;
/** The largest quantity of a commodity in one stack, order or listing (2^32 - 1). */
export const QUANTITY_MAX = 4_294_967_295 as Quantity;

/** Takes a whole, safe, non-negative number as gold; throws `UnitError` otherwise. */
export function gold(value: number): Gold {
  if (!isGold(value)) throw new UnitError(`gold must be a whole number from 0 to 2^53 - 1; not ${value}`);
  return value;
}

/** Whether a number is an amount of gold. */
function isGold(value: number): value is Gold {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Takes a whole, safe number from 0 as a position; throws `UnitError` otherwise. */
export function position(value: number): Position {
  if (!Number.isSafeInteger(value) || value < 0) throw new UnitError(`a position is a whole number from 0; not ${value}`);
  return value as Position;
}

/** The position after that one. Nothing is checked: it costs what the sum costs. */
export function nextPosition(before: Position): Position {
  return (before + 1) as Position;
}

/** Takes a whole, safe number from 0 as a shard's version; throws `UnitError` otherwise. */
export function shardVersion(value: number): ShardVersion {
  if (!Number.isSafeInteger(value) || value < 0) throw new UnitError(`a version is a whole number from 0; not ${value}`);
  return value as ShardVersion;
}

/** Takes a whole, safe number from 1 as the id of a row; throws `UnitError` otherwise. */
export function rowId(value: number): RowId {
  if (!Number.isSafeInteger(value) || value < 1) throw new UnitError(`a row's id is a whole number from 1; not ${value}`);
  return value as RowId;
}

/** Takes a whole number from 0 to 4,294,967,295 as a quantity; throws `UnitError` otherwise. */
export function quantity(value: number): Quantity {
  if (!Number.isSafeInteger(value) || value < 0 || value > QUANTITY_MAX) {
    throw new UnitError(`a quantity must be a whole number from 0 to ${QUANTITY_MAX}; not ${value}`);
  }
  return value as Quantity;
}

/** Takes a whole, safe number of milliseconds since the epoch; throws `UnitError` otherwise. */
export function instant(value: number): Instant {
  if (!Number.isSafeInteger(value) || value < 0) throw new UnitError(`an instant must be whole milliseconds since 1970; not ${value}`);
  return value as Instant;
}

/** Takes a whole, safe, non-negative number of milliseconds; throws `UnitError` otherwise. */
export function durationMs(value: number): DurationMs {
  if (!Number.isSafeInteger(value) || value < 0) throw new UnitError(`a duration must be whole milliseconds; not ${value}`);
  return value as DurationMs;
}

/** `at` moved later by `span`. */
export function later(at: Instant, span: DurationMs): Instant {
  return instant(at + span);
}

/** The sum, or `undefined` above `GOLD_MAX`. */
export function addGold(a: Gold, b: Gold): Gold | undefined {
  const sum = a + b;
  return isGold(sum) ? sum : undefined;
}

/**
 * The sum of amounts that are known to fit together (an invariant of the caller); throws
 * `UnitError` otherwise.
 */
export function sumGold(...amounts: readonly Gold[]): Gold {
  let sum = 0;
  for (const amount of amounts) sum = gold(sum + amount);
  return sum as Gold;
}

/** `a - b`, or `undefined` below zero. */
export function subtractGold(a: Gold, b: Gold): Gold | undefined {
  const difference = a - b;
  return isGold(difference) ? difference : undefined;
}

/**
 * `unitPrice * count`, or `undefined` above `GOLD_MAX`: the check of a product of two safe integers
 * is sound.
 */
export function multiplyGold(unitPrice: Gold, count: Quantity): Gold | undefined {
  const product = unitPrice * count;
  return isGold(product) ? product : undefined;
}

/**
 * The share of an amount in hundredths of a percent (15 % is 1,500), rounded down, exactly: the
 * product is taken in two parts, neither of which can leave the safe integers.
 */
export function shareOfGold(amount: Gold, basisPoints: number): Gold {
  if (!Number.isSafeInteger(basisPoints) || basisPoints < 0 || basisPoints > 10_000) {
    throw new UnitError(`a share must be 0 to 10,000 basis points; not ${basisPoints}`);
  }
  const whole = Math.floor(amount / 10_000);
  const rest = amount % 10_000;
  return gold(whole * basisPoints + Math.floor((rest * basisPoints) / 10_000));
}

const NAME_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;

/** Whether a text can be a player id or an operation id: 1 to 64 of `A-Z a-z 0-9 _ -`. */
export function isName(text: string): boolean {
  return NAME_PATTERN.test(text);
}

/** The constructor of an id of that form; `what` is its name in words. */
function nameOf<Id extends string>(what: string): (text: string) => Id {
  return (text) => {
    if (!isName(text)) throw new UnitError(`${what} is 1 to 64 of A-Z a-z 0-9 _ -`);
    return text as Id;
  };
}

/** Takes a text as an id that clients may see: the caller has sealed it, or shows it to nobody outside. */
export function sealedId(text: string): SealedId {
  return text as SealedId;
}

/** Takes 1 to 64 of `A-Z a-z 0-9 _ -` as a player id; throws `UnitError` otherwise. */
export const playerId = nameOf<PlayerId>('a player id');
/** Takes 1 to 64 of `A-Z a-z 0-9 _ -` as an operation id; throws `UnitError` otherwise. */
export const operationId = nameOf<OperationId>('an operation id');
/** Takes 1 to 64 of `A-Z a-z 0-9 _ -` as an item id; throws `UnitError` otherwise. */
export const itemId = nameOf<ItemId>('an item id');
/** Takes 1 to 64 of `A-Z a-z 0-9 _ -` as a node's name; throws `UnitError` otherwise. */
export const nodeName = nameOf<NodeName>('a node name');
