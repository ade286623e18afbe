/**
 * Frames to the listing index: good ones of every kind, and all that can be wrong with them. And a dumb twin of what the index takes
 * for a good one: the shapes of its documentation, in words of their own.
 */
import { Packr, Unpackr } from 'msgpackr';
import { z } from 'zod';
import { listingId, marketName, marketOf, shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { rollItem } from '#shared/catalog/loot.ts';
import { cellOf, epoch, type CellEpoch } from '#shared/cell.ts';
import { criteriaSchema, sortSchema, type Criteria } from '#shared/criteria.ts';
import { limits } from '#shared/limits.ts';
import type { Prng } from '#shared/prng.ts';
import type { IndexedListing } from '#shared/search.ts';
import { gold, instant, itemId, nodeName, playerId, position, rowId, type ShardId, shardVersion } from '#shared/units.ts';
import type { CellChanges } from '#server/listing-index/service.ts';
import { encodeQuestion, FRAME_BYTES_MAX, INDEX_CLOSE_CODES, type IndexQuestion } from '#server/listing-index/wire.ts';
import { criteria, RAW_PAYLOADS } from './frames.ts';
import { BAD_WORDS, badValue, mutated, spoilt } from './rubbish.ts';

export const { itemClasses } = BUILT_IN_CATALOGUE;
/** The time of all searches. */
export const FUZZ_NOW = instant(1_000);
/** Whose rows nobody may touch: no epoch of its cells is later. */
export const HONEST_MARKET = marketName('honest', 'softcore');
const HONEST_EPOCH = epoch(Number.MAX_SAFE_INTEGER);
export const HONEST_SHARDS: readonly ShardId[] = ['ada', 'bob', 'cy'].map((player) => shardId(player, 'honest', 'softcore'));
const FUZZ_SHARDS: readonly ShardId[] = ['dee', 'eve', 'flo', 'gus'].map((player) => shardId(player, 'fuzz', 'softcore'));

/** More than any good frame here has, and too much for the twin. */
const TWIN_BYTES_MAX = 150_000;
const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false });

/** The cell of a shard, in an epoch. */
export function cellAt(shard: ShardId, inEpoch = HONEST_EPOCH): CellEpoch {
  return { market: marketOf(shard), cell: cellOf(shard, limits.cellsPerRegion), epoch: inEpoch };
}

/** Some listing of a shard. */
export function someListing(prng: Prng, shard: ShardId, row = prng.integer(1, 20)): IndexedListing {
  return {
    id: listingId(rowId(row), shard),
    shard,
    seller: playerId(shard.slice(0, shard.indexOf('@'))),
    market: marketOf(shard),
    item: rollItem(BUILT_IN_CATALOGUE, prng, { id: itemId(`i${row}`), level: prng.integer(1, 70), itemClass: prng.pick(itemClasses).id }),
    ...(prng.chance(0.8) ? { buyout: gold(prng.integer(1, 2_000)) } : {}),
    ...(prng.chance(0.3) ? { currentBid: gold(prng.integer(1, 2_000)) } : {}),
    startsAt: instant(0),
    endsAt: instant(FUZZ_NOW + prng.integer(-1, 1_000)),
    version: shardVersion(prng.integer(0, 50)),
  };
}

/** Some criteria, good ones. */
export function someCriteria(prng: Prng): Criteria {
  return criteriaSchema.parse(criteria(prng, 2));
}

/** A node as its frames need it. */
export interface FuzzNode {
  readonly name: string;
  readonly incarnation: string;
}

/** A frame as some node may send it, good or not. */
export function indexFrame(prng: Prng, number: number, node: FuzzNode, isFirst: boolean): Buffer | string {
  const question = isFirst && prng.chance(0.97) ? helloOf(node) : someQuestion(prng, node);
  const good = Buffer.from(encodeQuestion(number, question));
  switch (prng.pickWeighted(['good', 'spoilt', 'bytes', 'number', 'raw', 'text', 'huge'], (kind) => WEIGHTS[kind] ?? 0)) {
    case 'good':
      return good;
    case 'spoilt':
      return packr.pack(spoiltAt(prng, unpackr.unpack(good)));
    case 'bytes':
      return mutated(prng, good);
    case 'number':
      return Buffer.from(encodeQuestion(prng.pick([0, Math.max(0, number - 1), number + 1, 2 ** 53 - 1]), question));
    case 'raw':
      return Buffer.concat([Buffer.from([0x94]), packr.pack([1, number, question.kind]).subarray(1), prng.pick(RAW_PAYLOADS)]);
    case 'text':
      return prng.pick([good.toString('latin1'), ...BAD_WORDS]);
    default:
      return hugeFrame(prng, number);
  }
}

const WEIGHTS: Readonly<Record<string, number>> = { good: 600, spoilt: 280, bytes: 80, number: 25, raw: 5, text: 5, huge: 0.3 };

/** What must come of a frame: an answer of a kind, or the end of the connection. */
export type Expected = { readonly answer: 'welcome' | 'fed' | 'searched' | 'stats' } | { readonly code: number };

/** What must come of a frame to a node that has proved its key, the next frame of which has that number. */
export function expectedOf(frame: Buffer | string, number: number, isFirst: boolean): Expected {
  const { badFrame, version, otherClasses } = INDEX_CLOSE_CODES;
  if (typeof frame === 'string') return { code: badFrame };
  if (frame.length > FRAME_BYTES_MAX) return { code: 1_009 };
  const good = goodOf(frame);
  const [head = 0, said = 0] = frame;
  if (good === undefined)
    return { code: head >= 0x90 && head <= 0x9f && said <= 0x7f && said !== 1 && frame.length > 1 ? version : badFrame };
  if (good[1] !== number || (good[2] === 'hello') !== isFirst) return { code: badFrame };
  if (good[2] !== 'hello') return { answer: good[2] === 'apply' ? 'fed' : good[2] === 'search' ? 'searched' : 'stats' };
  return isSame(good[5], wireClasses) ? { answer: 'welcome' } : { code: otherClasses };
}

/** Whether a good frame would take cells of the honest node by right. */
export function isTakeover(frame: Buffer | string): boolean {
  const good = typeof frame === 'string' ? undefined : goodOf(frame);
  if (good?.[2] !== 'apply' || good[3] !== 'open') return false;
  return good[5].some(([market, , inEpoch]) => market === HONEST_MARKET && inEpoch >= HONEST_EPOCH);
}

function helloOf({ name }: FuzzNode): IndexQuestion {
  return { kind: 'hello', node: nodeName(name), life: name, itemClasses };
}

function someQuestion(prng: Prng, { incarnation }: FuzzNode): IndexQuestion {
  const shard = prng.pick(prng.chance(0.2) ? HONEST_SHARDS : FUZZ_SHARDS);
  // Of the honest node's cells an older epoch, or rows of a cell that another life has: neither may change anything.
  const inEpoch = marketOf(shard) === HONEST_MARKET && prng.chance(0.5) ? HONEST_EPOCH : epoch(prng.integer(1, 3));
  const cell = { ...cellAt(shard, inEpoch), ...(prng.chance(0.05) ? { cell: prng.integer(0, limits.cellsPerRegion - 1) } : {}) };
  const changes: CellChanges['changes'] = Array.from({ length: prng.integer(0, 5) }, () => {
    const row = someListing(prng, prng.chance(0.95) ? shard : prng.pick([...HONEST_SHARDS, ...FUZZ_SHARDS]));
    return prng.chance(0.7) ? { kind: 'put', row } : { kind: 'remove', id: row.id, version: row.version };
  });
  const cells = [{ cell, changes }];
  switch (prng.pickWeighted(['search', 'open', 'rows', 'changes', 'stats'], (kind) => (kind === 'search' ? 6 : kind === 'stats' ? 1 : 2))) {
    case 'search':
      return { kind: 'search', query: someQuery(prng), atLeast: position(prng.pick([0, 0, 0, 0, 0, 0, 5, 2 ** 53 - 1])) };
    case 'open': {
      const opened = inEpoch === HONEST_EPOCH ? { ...cell, epoch: epoch(HONEST_EPOCH - 1) } : cell;
      return { kind: 'apply', batch: { kind: 'open', incarnation, cells: [opened] } };
    }
    case 'rows':
      return { kind: 'apply', batch: { kind: 'rows', incarnation, cells } };
    case 'changes':
      return { kind: 'apply', batch: { kind: 'changes', incarnation, cells, from: position(0), to: position(prng.integer(0, 1)) } };
    default:
      return { kind: 'stats' };
  }
}

function someQuery(prng: Prng): (IndexQuestion & { readonly kind: 'search' })['query'] {
  return {
    market: prng.chance(0.5) ? HONEST_MARKET : marketName('fuzz', 'softcore'),
    criteria: someCriteria(prng),
    sort: { by: prng.pick(['buyout', 'endsAt', 'might', 'nothing']), ...(prng.chance(0.3) ? { descending: true } : {}) },
    limit: prng.integer(1, limits.searchLimitMax),
    now: FUZZ_NOW,
    ...(prng.chance(0.1)
      ? { cursor: prng.pick([btoa('["buyout",false,1,"x"]'), btoa('["buyout",false,null,"x"]'), 'x', '__proto__']) }
      : {}),
    ...(prng.chance(0.2) ? { self: playerId('ada') } : {}),
  };
}

/** Frames of the largest size, and beyond: bytes, lists without end, and criteria of a million nodes. */
function hugeFrame(prng: Prng, number: number): Buffer {
  const size = prng.pick([200_000, FRAME_BYTES_MAX - 200, FRAME_BYTES_MAX + 1]);
  const fill = prng.pick([0x00, 0x80, 0x91, 0xc0]);
  if (prng.chance(0.4)) return Buffer.alloc(size, fill);
  const head = Buffer.from([0x9b, 1, 0xcd, number >>> 8, number & 255, ...packr.pack('search'), ...packr.pack(HONEST_MARKET)]);
  const list = Buffer.alloc(5);
  list[0] = 0xdd;
  list.writeUInt32BE(size, 1);
  const field = Buffer.from([0x81, ...packr.pack(prng.pick(['any', 'none', 'stats', 'rarity']))]);
  const rest = packr.pack([{ by: 'buyout' }, 1, null, 0, null, 0]).subarray(1);
  return Buffer.concat([head, field, list, Buffer.alloc(size, fill), rest]);
}

/** The value with something wrong at one of its places, however deep. */
function spoiltAt(prng: Prng, value: unknown): unknown {
  if (Array.isArray(value) && value.length > 0 && prng.chance(0.9)) {
    const list: readonly unknown[] = value;
    const at = prng.integer(0, list.length - 1);
    const kind = prng.integer(0, 9);
    if (kind === 0) return list.toSpliced(at, 1);
    return kind === 1 ? list.toSpliced(at, 0, badValue(prng, false)) : list.with(at, spoiltAt(prng, list[at]));
  }
  return isRecord(value) ? spoilt(prng, value, false) : badValue(prng, false);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** The frame as a list, if it is a good one. */
function goodOf(frame: Buffer): z.output<typeof questionSchema> | undefined {
  if (frame.length > TWIN_BYTES_MAX) return undefined;
  try {
    return questionSchema.safeParse(unpackr.unpack(frame)).data;
  } catch {
    return undefined;
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

const wireClasses = itemClasses.map(({ id, slot, heroClasses }) => [id, slot, heroClasses ?? null]);
const whole = z.int().min(0);
const stat = z.int().min(-2_147_483_647).max(2_147_483_647);
const name = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const word = z.string().max(40);
const market = z.string().regex(/^[a-z][a-z0-9-]{0,31}\.(softcore|hardcore)$/);
const SHARD = /^[A-Za-z0-9_-]{1,64}@[a-z][a-z0-9-]{0,31}\.(softcore|hardcore)$/;
const shard = z.custom<ShardId>((value) => typeof value === 'string' && SHARD.test(value));
const cell = z.tuple([market, whole.max(63), whole.min(1)]);
const removal = z.tuple([whole.min(1), shard, whole]);
const itemPlaces = [name, word, word, z.string().max(64), whole.max(4), stat, stat.nullable(), stat.nullable()] as const;
const row = z
  .tuple([whole.min(1), shard, whole, ...itemPlaces, whole.nullable(), whole.nullable(), whole, whole], z.unknown())
  .refine((list) => (list.length - 15) % 2 === 0 && list.length <= 15 + 24)
  .refine((list) => list.slice(15).every((each, place) => (place % 2 === 0 ? word : stat).safeParse(each).success));
const cellChanges = z
  .tuple([cell, z.array(z.union([removal, row]))])
  .refine(([[of, number], list]) => list.every(([, at]) => at.endsWith(`@${of}`) && cellOf(at, 64) === number));
const batch = [z.literal(1), whole, z.literal('apply')] as const;
const questionSchema = z.union([
  z.tuple([z.literal(1), whole, z.literal('hello'), name, name, z.array(z.tuple([word, word, z.array(word).nullable()]))]),
  z.tuple([...batch, z.literal('open'), name, z.array(cell)]),
  z.tuple([...batch, z.literal('rows'), name, z.array(cellChanges)]),
  z.tuple([...batch, z.literal('changes'), name, z.array(cellChanges), whole, whole]).refine((list) => list[6] <= list[7]),
  z.tuple([
    z.literal(1),
    whole,
    z.literal('search'),
    market,
    criteriaSchema,
    sortSchema,
    whole.min(1).max(100),
    z.string().max(512).nullable(),
    whole,
    name.nullable(),
    whole,
  ]),
  z.tuple([z.literal(1), whole, z.literal('stats')]),
]);
