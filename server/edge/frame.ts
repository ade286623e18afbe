/**
 * The frames that a client may send, as far as the guard has to understand them: Colyseus' wire
 * format, whose decoder trusts its input. A request is `21, id, type, payload`; the id and the type
 * are MessagePack-like numbers and strings.
 */
import { Protocol, ResponseStatus } from '@colyseus/core';
import { decode } from '@colyseus/schema';
import { COMMAND_TYPES } from '#shared/protocol.ts';

/**
 * What a client sent: a word of Colyseus' own, or a request, whose payload is not looked at here.
 */
export type Frame =
  | { readonly kind: 'control'; readonly code: number }
  | { readonly kind: 'request'; readonly id: number; readonly type: string | undefined };

/** Words that clients may send: their join is confirmed, a ping, good-bye. */
const CONTROL_CODES: ReadonlySet<number> = new Set([Protocol.JOIN_ROOM, Protocol.PING, Protocol.LEAVE_ROOM]);

/** No command is longer. */
const TYPE_LENGTH_MAX = Math.max(...COMMAND_TYPES.map((type) => type.length));

/**
 * The frame that the bytes are, or `undefined` for rubbish. The type of a request is `undefined` if
 * it cannot be a command's.
 */
export function readFrame(bytes: Uint8Array): Frame | undefined {
  const code = bytes[0];
  if (code === undefined) return undefined;
  if (CONTROL_CODES.has(code)) return bytes.length === 1 ? { kind: 'control', code } : undefined;
  if (code !== Protocol.ROOM_REQUEST) return undefined;
  const id = readNumber(bytes, 1);
  if (id === undefined || id.end >= bytes.length) return undefined;
  return { kind: 'request', id: id.value, type: readType(bytes, id.end) };
}

/** Whether a frame to the client says that Colyseus itself could not make sense of a request. */
export function isFaultResponse(bytes: Uint8Array): boolean {
  if (bytes[0] !== Protocol.ROOM_RESPONSE) return false;
  const id = readNumber(bytes, 1);
  return id !== undefined && bytes[id.end] === ResponseStatus.ERROR;
}

/**
 * How Colyseus begins whole numbers from 128: of one, two or four bytes, and from 2^31 as floating
 * point, of four bytes if these are exact.
 */
const LONG_NUMBERS: ReadonlySet<number> = new Set([0xcc, 0xcd, 0xce, 0xca, 0xcb]);

/**
 * The number that starts there, and where it ends, which is beyond the bytes if they end within it;
 * `undefined` unless it is whole, as Colyseus writes it.
 */
function readNumber(bytes: Uint8Array, offset: number): { readonly value: number; readonly end: number } | undefined {
  const prefix = bytes[offset] ?? 0xff;
  if (prefix >= 0x80 && !LONG_NUMBERS.has(prefix)) return undefined;
  const iterator = { offset };
  const value = decode.number(bytes, iterator);
  return Number.isSafeInteger(value) && value >= 0 ? { value, end: iterator.offset } : undefined;
}

function readType(bytes: Uint8Array, offset: number): string | undefined {
  const prefix = bytes[offset] ?? 0;
  const isShort = prefix > 0xa0 && prefix < 0xc0;
  const start = offset + 1;
  const length = isShort ? prefix - 0xa0 : 0;
  if (length === 0 || length > TYPE_LENGTH_MAX || start + length > bytes.length) return undefined;
  return String.fromCharCode(...bytes.subarray(start, start + length));
}
