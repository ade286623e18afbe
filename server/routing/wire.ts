/**
 * The wire format between nodes: packets as JSON. What comes from another node is checked whole
 * before it is believed.
 *
 * `NodePacket` is where the epoch of the receiver's cell, as its sender knows it, will be named: with
 * it, a former owner of a cell can be told from the present one. Until cells move, every cell is in
 * `FIRST_EPOCH`.
 */
import { isShardId } from '#shared/address.ts';
import { isRefusalName, refusal } from '#shared/refusals.ts';
import { instant, isName, operationId, type Instant } from '#shared/units.ts';
import { answer, ISSUERS, type Command, type Issuer, type Message, type Reply } from '#server/shard/message.ts';
import type { Envelope } from './part.ts';

/** Which call of which life of its sender, and when it was sent, by the sender's clock. */
export interface Call {
  readonly life: string;
  readonly number: number;
  readonly sentAt: Instant;
}

/**
 * What nodes send one another: a message to a shard of the receiver, which is a call if it is a
 * command, or the final word to a call.
 */
export type NodePacket =
  | { readonly kind: 'envelope'; readonly call: Call | null; readonly envelope: Envelope }
  | { readonly kind: 'reply'; readonly call: Call; readonly reply: Reply };

/** The message between shards that a value from another node is, or `undefined`. */
export type DecodeMessage = (value: unknown) => Message | undefined;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** The bytes of a packet. */
export function encodePacket(packet: NodePacket): Uint8Array {
  return encoder.encode(JSON.stringify(packet));
}

/**
 * The packet that these bytes are, or `undefined`. What shards exchange is decoded by those who
 * define it.
 */
export function decodePacket(bytes: Uint8Array, decodeMessage: DecodeMessage): NodePacket | undefined {
  const value = parseObject(bytes);
  if (value === undefined) return undefined;
  const call = decodeCall(value['call']);
  if (value['kind'] === 'reply') {
    const reply = decodeReply(value['reply']);
    return reply === undefined || call === undefined ? undefined : { kind: 'reply', call, reply };
  }
  const envelope = value['kind'] === 'envelope' && isRecord(value['envelope']) ? value['envelope'] : undefined;
  if (envelope === undefined) return undefined;
  const { to, creates } = envelope;
  const message = call === undefined ? decodeMessage(envelope['message']) : decodeCommand(envelope['message']);
  if (typeof to !== 'string' || !isShardId(to) || message === undefined) return undefined;
  return { kind: 'envelope', call: call ?? null, envelope: { to, message, creates: creates === true } };
}

/**
 * The command that a value from another node is, or `undefined`. Its body was parsed at the edge of
 * the node that sent it.
 */
export function decodeCommand(value: unknown): Command | undefined {
  if (!isRecord(value)) return undefined;
  const { kind, issuer, op, by, body, ...others } = value;
  if (!isWord(kind) || !isIssuer(issuer) || Object.keys(others).length > 0) return undefined;
  if (('op' in value && !isWord(op)) || ('by' in value && !isWord(by))) return undefined;
  return { kind, issuer, ...(isWord(op) ? { op: operationId(op) } : {}), ...(isWord(by) ? { by } : {}), body };
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && isName(value);
}

function isIssuer(value: unknown): value is Issuer {
  return ISSUERS.some((issuer) => issuer === value);
}

function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined; // The caller counts and reports what is no packet.
  }
}

function decodeCall(value: unknown): Call | undefined {
  if (!isRecord(value)) return undefined;
  const { life, number, sentAt } = value;
  if (typeof life !== 'string' || typeof number !== 'number' || typeof sentAt !== 'number') return undefined;
  return Number.isSafeInteger(sentAt) && sentAt >= 0 && Number.isSafeInteger(number)
    ? { life, number, sentAt: instant(sentAt) }
    : undefined;
}

function decodeReply(value: unknown): Reply | undefined {
  if (!isRecord(value)) return undefined;
  if (value['kind'] === 'answer') return answer(value['value']);
  const { name, details } = value;
  if (value['kind'] !== 'refusal' || typeof name !== 'string' || !isRefusalName(name)) return undefined;
  return refusal(name, isRecord(details) ? details : undefined);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
