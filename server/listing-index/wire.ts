/**
 * Frames between a node and the listing index, after their handshake: lists in MessagePack,
 *
 *     [version, number, kind, ...body]
 *
 * The node asks and the index answers with the number of the question. Questions are numbered without gaps, so that a
 * frame that is doubled or missing is noticed. Every frame is checked whole before anything is done with it: one that is
 * not as it must be ends its connection, and what it asks for does not happen.
 */
import { Packr, Unpackr } from 'msgpackr';
import { parseListingId } from '#shared/address.ts';
import { criteriaSchema, sortSchema } from '#shared/criteria.ts';
import { limits } from '#shared/limits.ts';
import type { SearchedClass } from '#shared/search.ts';
import { isName, type Instant, type ListingId, type NodeName, type PlayerId, type Position } from '#shared/units.ts';
import { WIRE_VERSION } from './handshake.ts';
import type { FoundListing } from './row-packing.ts';
import type { FeedAnswer, FeedBatch, FeedMessage, FeedState, IndexStats, SearchAnswer, SearchQuery } from './service.ts';
import {
  decodeCell,
  decodeCellChanges,
  decodedList,
  encodeCell,
  encodeCellChanges,
  isWholeNumber,
  isList,
  isMarket,
  isTextWithin,
  type WireValue,
} from './wire-rows.ts';

/** The largest frame: twice a batch of the largest rows there can be, of 2,300 bytes each. To decode it may take the index a quarter of a second. */
export const FRAME_BYTES_MAX = 2_560 * 1_024;

/** The largest frame of a search: twice the largest criteria. Their check costs several times as much per byte as that of rows. */
const SEARCH_BYTES_MAX = 128 * 1_024;

/** Searches of one connection that have no answer yet: more are `unavailable`. */
export const SEARCHES_MAX = 256;

/** The codes with which an end closes a connection. */
export const INDEX_CLOSE_CODES = {
  /** A frame that is none, comes twice, or is not the next. */
  badFrame: 4400,
  /** No proof of the key. */
  unknown: 4401,
  /** Another version of the frames. */
  version: 4406,
  /** No hello came for too long. Silence after it cuts the connection without a code: nobody is there to read one. */
  silent: 4408,
  /** The node searches by other item classes than those that have this index. */
  otherClasses: 4409,
  /** Another node of that name is connected: perhaps of another world. */
  sameName: 4410,
  /** More at once than is allowed. */
  tooMuch: 4429,
  /** The index failed; what is in it is not to be relied on. */
  failed: 4500,
} as const;

/** What a node asks. */
export type IndexQuestion =
  /** The first: who it is, in which of its lives, and the item classes that its searches go by. */
  | { readonly kind: 'hello'; readonly node: NodeName; readonly life: string; readonly itemClasses: readonly SearchedClass[] }
  /** Of the node that has said hello. */
  | { readonly kind: 'apply'; readonly batch: FeedMessage & Pick<FeedBatch, 'incarnation'> }
  | { readonly kind: 'search'; readonly query: SearchQuery; readonly atLeast: Position }
  | { readonly kind: 'stats' };

/** What the index answers; `welcome` to a hello. */
export type IndexAnswer =
  | { readonly kind: 'welcome' }
  | { readonly kind: 'fed'; readonly answer: FeedAnswer }
  | { readonly kind: 'searched'; readonly answer: SearchAnswer }
  | { readonly kind: 'stats'; readonly stats: IndexStats };

/** A question or an answer, with its number. */
export interface Numbered<Body> {
  readonly number: number;
  readonly body: Body;
}

// Plain values alone: names are never sent, so that nothing of a frame becomes code or a class.
const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false });

/** The bytes of a question. */
export function encodeQuestion(number: number, question: IndexQuestion): Uint8Array {
  return packr.pack([WIRE_VERSION, number, question.kind, ...questionBody(question)]);
}

/** The question that these bytes are, or `undefined`. */
export function decodeQuestion(bytes: Uint8Array): Numbered<IndexQuestion> | undefined {
  return decodeFrame(bytes, (kind, body) => (kind === 'search' && bytes.length > SEARCH_BYTES_MAX ? undefined : questionOf(kind, body)));
}

/** The bytes of an answer. */
export function encodeAnswer(number: number, answer: IndexAnswer): Uint8Array {
  return packr.pack([WIRE_VERSION, number, answer.kind, ...answerBody(answer)]);
}

/** The answer that these bytes are, or `undefined`. */
export function decodeAnswer(bytes: Uint8Array): Numbered<IndexAnswer> | undefined {
  return decodeFrame(bytes, answerOf);
}

/** Which version a frame says that it is of, if that is another one: a newer end may have come. Reads its head alone. */
export function foreignVersionOf([head, version]: Uint8Array): number | undefined {
  const isShortList = head !== undefined && head >= 0x90 && head <= 0x9f;
  return isShortList && version !== undefined && version <= 0x7f && version !== WIRE_VERSION ? version : undefined;
}

function unpacked(bytes: Uint8Array): WireValue {
  try {
    return unpackr.unpack(bytes);
  } catch {
    return undefined; // Truncated, or no MessagePack; the caller closes the connection and says so.
  }
}

function decodeFrame<Body>(
  bytes: Uint8Array,
  bodyOf: (kind: WireValue, body: readonly WireValue[]) => Body | undefined,
): Numbered<Body> | undefined {
  const frame = unpacked(bytes);
  if (!isList(frame)) return undefined;
  const [version, number, kind, ...rest] = frame;
  if (version !== WIRE_VERSION || !isWholeNumber(number)) return undefined;
  const body = bodyOf(kind, rest);
  return body === undefined ? undefined : { number, body };
}

function questionBody(question: IndexQuestion): readonly WireValue[] {
  switch (question.kind) {
    case 'hello':
      return [question.node, question.life, question.itemClasses.map(({ id, slot, heroClasses }) => [id, slot, heroClasses ?? null])];
    case 'apply':
      return batchBody(question.batch);
    case 'search': {
      const { market, criteria, sort, limit, cursor, now, self } = question.query;
      return [market, criteria, sort, limit, cursor ?? null, now, self ?? null, question.atLeast];
    }
    case 'stats':
      return [];
  }
}

function batchBody(batch: FeedMessage & Pick<FeedBatch, 'incarnation'>): readonly WireValue[] {
  const { kind, incarnation } = batch;
  if (kind === 'open') return [kind, incarnation, batch.cells.map(encodeCell)];
  const cells = batch.cells.map(encodeCellChanges);
  return kind === 'rows' ? [kind, incarnation, cells] : [kind, incarnation, cells, batch.from, batch.to];
}

function questionOf(kind: WireValue, body: readonly WireValue[]): IndexQuestion | undefined {
  if (kind === 'apply') return applyOf(body);
  if (kind === 'search') return searchOf(body);
  if (kind === 'hello') return helloOf(body);
  return kind === 'stats' && body.length === 0 ? { kind } : undefined;
}

function helloOf([node, life, classes, ...rest]: readonly WireValue[]): IndexQuestion | undefined {
  const itemClasses = decodedList(classes, classOf);
  if (typeof node !== 'string' || !isName(node) || itemClasses === undefined || rest.length > 0) return undefined;
  return typeof life === 'string' && isName(life) ? { kind: 'hello', node: node as NodeName, life, itemClasses } : undefined;
}

function classOf(value: WireValue): SearchedClass | undefined {
  if (!isList(value) || value.length !== 3) return undefined;
  const [id, slot, heroes] = value;
  const heroClasses = heroes === null ? [] : decodedList(heroes, (hero) => (isWordText(hero) ? hero : undefined));
  if (!isWordText(id) || !isWordText(slot) || heroClasses === undefined) return undefined;
  return { id, slot, ...(heroes === null ? {} : { heroClasses }) };
}

function isWordText(value: WireValue): value is string {
  return isTextWithin(value, limits.catalogWordLengthMax);
}

function applyOf([kind, incarnation, list, ...rest]: readonly WireValue[]): IndexQuestion | undefined {
  if (typeof incarnation !== 'string' || !isName(incarnation)) return undefined;
  if (kind === 'open') {
    const opened = decodedList(list, decodeCell);
    return opened === undefined || rest.length > 0 ? undefined : { kind: 'apply', batch: { kind, incarnation, cells: opened } };
  }
  const cells = decodedList(list, decodeCellChanges);
  if (cells === undefined) return undefined;
  if (kind === 'rows') return rest.length > 0 ? undefined : { kind: 'apply', batch: { kind, incarnation, cells } };
  const [from, to] = rest;
  if (kind !== 'changes' || rest.length !== 2 || !isWholeNumber(from) || !isWholeNumber(to) || to < from) return undefined;
  return { kind: 'apply', batch: { kind, incarnation, cells, from: from as Position, to: to as Position } };
}

function searchOf(body: readonly WireValue[]): IndexQuestion | undefined {
  const [market, asked, order, limit, cursor, now, self, atLeast] = body;
  const criteria = criteriaSchema.safeParse(asked);
  const sort = sortSchema.safeParse(order);
  if (body.length !== 8 || !isMarket(market) || !criteria.success || !sort.success || !isWholeNumber(now) || !isWholeNumber(atLeast))
    return undefined;
  if (!isWholeNumber(limit) || limit < 1 || limit > limits.searchLimitMax) return undefined;
  if (cursor !== null && !isTextWithin(cursor, limits.cursorLengthMax)) return undefined;
  if (self !== null && !(typeof self === 'string' && isName(self))) return undefined;
  const query: SearchQuery = {
    market,
    criteria: criteria.data,
    sort: sort.data,
    limit,
    now: now as Instant,
    ...(cursor === null ? {} : { cursor }),
    ...(self === null ? {} : { self: self as PlayerId }),
  };
  return { kind: 'search', query, atLeast: atLeast as Position };
}

function answerBody(answer: IndexAnswer): readonly WireValue[] {
  switch (answer.kind) {
    case 'welcome':
      return [];
    case 'fed':
      return answer.answer.kind === 'applied' ? [answer.answer.to, answer.answer.outdated.map(encodeCell)] : [];
    case 'searched':
      return encodeSearchAnswer(answer.answer);
    case 'stats': {
      const { rows, tables, distinctNames, feeds } = answer.stats;
      return [rows, tables, distinctNames, feeds.map((feed) => [feed.node, feed.incarnation, feed.position, feed.cells, feed.rows])];
    }
  }
}

function answerOf(kind: WireValue, body: readonly WireValue[]): IndexAnswer | undefined {
  if (kind === 'fed') return fedOf(body);
  if (kind === 'searched') {
    const answer = decodeSearchAnswer(body);
    return answer === undefined ? undefined : { kind, answer };
  }
  if (kind === 'stats') return statsOf(body);
  return kind === 'welcome' && body.length === 0 ? { kind } : undefined;
}

function fedOf(body: readonly WireValue[]): IndexAnswer | undefined {
  if (body.length === 0) return { kind: 'fed', answer: { kind: 'snapshot-needed' } };
  const [to, list, ...rest] = body;
  const outdated = decodedList(list, decodeCell);
  if (!isWholeNumber(to) || outdated === undefined || rest.length > 0) return undefined;
  return { kind: 'fed', answer: { kind: 'applied', to: to as Position, outdated } };
}

/** What a search found, as it travels. */
function encodeSearchAnswer(answer: SearchAnswer): readonly WireValue[] {
  if (answer.kind === 'too-broad') return [answer.kind, answer.cost, answer.costMax];
  if (answer.kind !== 'found') return [answer.kind];
  const { kind, rows, total, cursor, cost, isBehind } = answer;
  return [kind, rows.flatMap(({ id, body }) => [id, body]), total, cursor ?? null, cost, isBehind];
}

/** What travelled, or `undefined`. */
function decodeSearchAnswer(body: readonly WireValue[]): SearchAnswer | undefined {
  const [kind, ...rest] = body;
  if (kind === 'found') return foundOf(rest);
  if (kind === 'bad-cursor' || kind === 'unavailable') return rest.length === 0 ? { kind } : undefined;
  const [cost, costMax] = rest;
  if (kind !== 'too-broad' || rest.length !== 2 || !isWholeNumber(cost) || !isWholeNumber(costMax)) return undefined;
  return { kind, cost, costMax };
}

function foundOf([list, total, cursor, cost, isBehind, ...rest]: readonly WireValue[]): SearchAnswer | undefined {
  const rows = foundRowsOf(list);
  if (rows === undefined || !isWholeNumber(total) || !isWholeNumber(cost) || typeof isBehind !== 'boolean') return undefined;
  if (rest.length > 0 || (cursor !== null && !isTextWithin(cursor, limits.cursorLengthMax))) return undefined;
  return { kind: 'found', rows, total, cost, isBehind, ...(cursor === null ? {} : { cursor }) };
}

/** Ids and bodies in turn. A body is for the client: it is passed on unread, as long as it looks like a map. */
function foundRowsOf(list: WireValue): readonly FoundListing[] | undefined {
  if (!isList(list) || list.length % 2 !== 0 || list.length > limits.searchLimitMax * 2) return undefined;
  const rows: FoundListing[] = [];
  for (let place = 0; place < list.length; place += 2) {
    const [id, body] = [list[place], list[place + 1]];
    if (typeof id !== 'string' || parseListingId(id) === undefined || !(body instanceof Uint8Array) || !isMapHead(body[0]))
      return undefined;
    rows.push({ id: id as ListingId, body });
  }
  return rows;
}

/** MessagePack's head of a map of up to 15 fields. */
function isMapHead(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x80 && byte <= 0x8f;
}

function statsOf([rows, tables, distinctNames, list, ...rest]: readonly WireValue[]): IndexAnswer | undefined {
  const feeds = decodedList(list, feedStateOf);
  if (!isWholeNumber(rows) || !isWholeNumber(tables) || !isWholeNumber(distinctNames) || feeds === undefined || rest.length > 0)
    return undefined;
  return { kind: 'stats', stats: { rows, tables, distinctNames, feeds } };
}

function feedStateOf(value: WireValue): FeedState | undefined {
  if (!isList(value) || value.length !== 5) return undefined;
  const [node, incarnation, position, cells, rows] = value;
  if (typeof node !== 'string' || !isName(node) || typeof incarnation !== 'string' || !isWholeNumber(position)) return undefined;
  if (!isWholeNumber(cells) || !isWholeNumber(rows)) return undefined;
  return { node: node as NodeName, incarnation, position: position as Position, cells, rows };
}
