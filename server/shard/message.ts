/** Messages and replies: what goes into a turn and what comes out of it, in the engine's terms, which are no market's. */
import { isRefusalName, type Refusal } from '#shared/refusals.ts';
import type { Instant, OperationId, RowId, ShardId } from '#shared/units.ts';

/** Anything that can be handed to a shard. `kind` names the handler; the powerup that handles it knows the rest. */
export interface Message {
  readonly kind: string;
  /** For a message between shards: what a failure of its handler is counted under. */
  readonly key?: string;
}

/** Who issues operations: each has an id space of its own. */
export const ISSUERS = ['client', 'service', 'staff'] as const;
/** One of the issuers: this player's clients, game servers, or staff. */
export type Issuer = (typeof ISSUERS)[number];

/** A message from outside. With `op` it is an operation: done once, answered the same ever after. */
export interface Command extends Message {
  readonly issuer: Issuer;
  readonly op?: OperationId;
  /**
   * Who of the issuer, where it has several and says so: the name of a service key. It is no part of what is asked: a repeat may come
   * from another.
   */
  readonly by?: string;
  /** Parsed at the edge by the schema of its kind. */
  readonly body: unknown;
}

/** Whether a message comes from outside. */
export function isCommand(message: Message): message is Command {
  return 'issuer' in message;
}

/** An alarm of one row has come due. */
export interface AlarmMessage extends Message {
  readonly kind: 'alarm';
  readonly alarm: string;
  readonly entity: string;
  readonly row: RowId;
}

/** Whether a message is the core's own word that an alarm is due; no powerup may use that kind. */
export function isAlarm(message: Message): message is AlarmMessage {
  return message.kind === 'alarm';
}

/** A message for another shard. It leaves only when the turn that emitted it is appended. */
export interface Emitted {
  readonly to: ShardId;
  readonly message: Message;
}

/**
 * Why a shard cannot take a message itself: it was never created, or it cannot be loaded. Of the latter, `lastTurnAt` is when its last durable
 * turn was; `undefined` if that is not known without its image, or not by the clock of who asks.
 */
export type Absence = { readonly kind: 'never-created' } | { readonly kind: 'unloadable'; readonly lastTurnAt: Instant | undefined };

/** A yes, with what the protocol promises for this command. */
export interface Answer {
  readonly kind: 'answer';
  readonly value: unknown;
}
/** The final word to the sender of a command. */
export type Reply = Answer | Refusal;
/** Whether a value is one: what a repeat of an operation is answered. */
export function isReply(value: unknown): value is Reply {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  if (value.kind === 'answer') return true;
  return value.kind === 'refusal' && 'name' in value && typeof value.name === 'string' && isRefusalName(value.name);
}
/** The reply comes when this operation completes: a trade is under way. */
export interface Later {
  readonly kind: 'later';
  readonly operation: RowId;
}
/** The message needs no reply. */
export interface Done {
  readonly kind: 'done';
}
/** How a handler ends. A refusal takes back everything that it changed. */
export type Handled = Reply | Later | Done;

/** The answer with that value. */
export function answer(value: unknown): Answer {
  return { kind: 'answer', value };
}
/** The end of a handler whose sender waits for no reply. */
export const DONE: Done = { kind: 'done' };
