/** Frames of the room: valid requests of every command, and all that can be wrong with them. */
import { Protocol } from '@colyseus/core';
import { decode, encode } from '@colyseus/schema';
import { pack, unpack } from 'msgpackr';
import type { Prng } from '#shared/prng.ts';
import { COMMAND_TYPES } from '#shared/protocol.ts';
import { BAD_WORDS, mutated, randomBytesOf, spoilt } from './rubbish.ts';

/** What a player knows, to make requests of that are worth something. */
export interface Knowledge {
  readonly items: readonly string[];
  readonly listings: readonly { readonly id: string; readonly price: number }[];
  readonly ops: readonly string[];
  readonly newOp: () => string;
  /** A number for a request, which no other has on its connection. */
  readonly newId: () => number;
}

/** Payloads that no encoder would write: records, lengths without an end, types of other formats. */
export const RAW_PAYLOADS: readonly Buffer[] = [
  Buffer.from([0xc1]),
  Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0xc6, 0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0xdb, 0xff, 0xff, 0xff, 0xff, 0x61]),
  Buffer.from([0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01]),
  Buffer.from([0xd4, 0x00, 0x00]),
  Buffer.from([0xd6, 0xff, 0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0xc7, 0x0c, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0xd4, 0x69, 0x01]),
  Buffer.from([0xd4, 0x73, 0x01]),
  Buffer.alloc(3_000, 0x91),
  Buffer.from([...Array.from({ length: 2_000 }, () => [0x81, 0xa1, 0x61]).flat(), 0xc0]),
];

/** One frame that a client may try. */
export function frameInput(prng: Prng, knowledge: Knowledge): Buffer {
  const id = prng.chance(0.95) ? knowledge.newId() : prng.pick([0, 127, 128, 255, 65_536, 2 ** 32, 2 ** 53 - 1]);
  const type = prng.pick(COMMAND_TYPES);
  const payload = validPayload(prng, type, knowledge);
  switch (prng.pickWeighted(['valid', 'spoilt', 'type', 'raw', 'bytes', 'rubbish'], (kind) => WEIGHTS[kind] ?? 0)) {
    case 'valid':
      return requestFrame(id, type, pack(payload));
    case 'spoilt':
      return requestFrame(id, type, pack(spoilt(prng, payload, false)));
    case 'type':
      return requestFrame(id, prng.pick(BAD_WORDS).toWellFormed(), pack(payload));
    case 'raw':
      return requestFrame(id, type, prng.pick(RAW_PAYLOADS));
    case 'bytes':
      return mutated(prng, requestFrame(id, type, pack(payload)));
    default:
      return Buffer.concat([Buffer.from([prng.integer(0, 30)]), randomBytesOf(prng, prng.integer(0, 40))]);
  }
}

/** Rubbish closes its connection, and a session costs more than a hundred requests. */
const WEIGHTS: Readonly<Record<string, number>> = { valid: 30, spoilt: 56, type: 6, raw: 2, bytes: 4, rubbish: 2 };

/** A request as the SDK writes it. */
export function requestFrame(id: number, type: string, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(type.length * 4 + 32);
  const at = { offset: 1 };
  head[0] = Protocol.ROOM_REQUEST;
  encode.number(head, id, at);
  encode.string(head, type, at);
  return Buffer.concat([head.subarray(0, at.offset), payload]);
}

/** What a frame says as a request. `type` is `undefined` where it cannot be a command's. */
export interface ReadRequest {
  readonly id: number;
  readonly type: string | undefined;
  /** Where the payload begins. */
  readonly end: number;
}

/** The head of a request; `undefined` if the frame is none. */
export function readRequest(frame: Buffer): ReadRequest | undefined {
  if (frame[0] !== Protocol.ROOM_REQUEST || frame.length < 2) return undefined;
  const at = { offset: 1 };
  const id = decode.number(frame, at);
  const length = (frame[at.offset] ?? 0) - 0xa0;
  const start = at.offset + 1;
  const isShort = length > 0 && length < 32 && start + length <= frame.length;
  return { id, type: isShort ? frame.toString('latin1', start, start + length) : undefined, end: start + Math.max(0, length) };
}

/** What the bytes are as MessagePack; `undefined`, which stands for nothing in it, if they are not whole. */
export function readPayload(bytes: Buffer): unknown {
  try {
    const value: unknown = unpack(bytes);
    return value;
  } catch {
    return undefined;
  }
}

/** A frame of an answer, read; throws if it is none. */
export function readResponse(frame: Buffer): { readonly id: number; readonly status: number; readonly payload: unknown } {
  const at = { offset: 1 };
  const id = decode.number(frame, at);
  const status = frame[at.offset] ?? 0xff;
  const payload: unknown = at.offset + 1 < frame.length ? unpack(frame.subarray(at.offset + 1)) : undefined;
  return { id, status, payload };
}

function validPayload(prng: Prng, type: string, { items, listings, ops, newOp }: Knowledge): Readonly<Record<string, unknown>> {
  const op = ops.length > 0 && prng.chance(0.05) ? prng.pick(ops) : newOp();
  const itemId = items.length > 0 ? prng.pick(items) : 'none';
  const { id: listingId, price } = listings.length > 0 ? prng.pick(listings) : { id: '1.nobody@europe.softcore', price: 1 };
  switch (type) {
    case 'search':
      return {
        criteria: criteria(prng, 2),
        limit: prng.integer(1, 20),
        ...(prng.chance(0.3) ? { sort: { by: prng.pick(['level', 'might', 'endsAt']) } } : {}),
      };
    case 'listing':
      return { listingId };
    case 'sell':
      return { op, itemId, buyout: prng.integer(1, 2_000) };
    case 'buyout':
      return { op, listingId, price };
    case 'cancel':
      return { op, listingId };
    case 'claim':
      return prng.chance(0.8) ? { op, all: true } : { op, entryId: prng.integer(1, 50) };
    case 'history':
    case 'rules':
      return {};
    default:
      return { op };
  }
}

export function criteria(prng: Prng, depth: number): Readonly<Record<string, unknown>> {
  return {
    ...(prng.chance(0.3) ? { rarity: ['magic', 'rare'] } : {}),
    ...(prng.chance(0.3) ? { level: { min: prng.integer(0, 70) } } : {}),
    ...(prng.chance(0.3) ? { stats: [{ stat: 'might', min: prng.integer(0, 50) }] } : {}),
    ...(prng.chance(0.2) ? { name: 'a' } : {}),
    ...(prng.chance(0.2) ? { buyoutMax: prng.integer(0, 5_000) } : {}),
    ...(depth > 0 && prng.chance(0.3) ? { [prng.pick(['any', 'none'])]: [criteria(prng, depth - 1)] } : {}),
  };
}
