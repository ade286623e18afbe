/**
 * Operations: each command with an `op` is done once, and answered the same however often it is sent.
 *
 * 1. The row of an operation is written in the first turn that has an effect; a command without effect leaves none.
 * 2. The newest finished ones keep their answer; older ones are packed, so that a repeat is not done
 *    again. This has bounds (see `limits`): an op of a player is remembered for 24 h, and while it
 *    is one of the newest 4,096; one of the service or of staff for 7 days, never displaced
 *    earlier, and beyond their bound a new one is `busy`. After that an op is forgotten: a repeat
 *    is done as new.
 * 3. An unfinished operation is never forgotten.
 * 4. What players make a shard remember is packed apart from what the service and staff do, as it
 *    goes earlier and counts to the player.
 */
import { limits } from '#shared/limits.ts';
import { refusal } from '#shared/refusals.ts';
import type { RowId } from '#shared/units.ts';
import { defineEntity, integer, json, nullable, oneOf, text, timestamp } from './entity.ts';
import { Json } from './json.ts';
import { isReply, type Command, type Handled, type Reply } from './message.ts';
import {
  forgetPacks,
  hash,
  operationPack,
  pack,
  packedCount,
  packedDigest,
  playerOperationPack,
  type PackEntity,
} from './operation-pack.ts';
import type { Powerup } from './powerup.ts';
import type { Turn } from './turn.ts';

/**
 * One operation that had an effect. `key` is `issuer/op`; `digest` tells a repeat from a reuse. It is `open` until it has its reply;
 * then a client's is `answered`, one of the service or of staff `kept`, until they are packed. An earlier release left old ones of clients
 * in rows of their own, without their answer, as `known`.
 */
export const operation = defineEntity('operation', {
  version: 1,
  isMadeByOthers: ({ key }) => !isOfClient(key),
  attributes: {
    key: text({ maxLength: 80, indexed: 'unique' }),
    digest: integer(),
    at: timestamp(),
    state: oneOf(['open', 'answered', 'known', 'kept'], { indexed: 'plain' }),
    reply: nullable(json<Reply>({ holds: isReply })),
  },
});

/** What is known of a command's operation: nothing, or how to answer the repeat. */
export function recall(turn: Turn, command: Command): Handled | undefined {
  if (command.op === undefined) return undefined;
  const known = turn.table(operation).find('key', keyOf(command));
  if (known !== undefined) {
    if (known.digest !== digest(command)) return refusal('op-reused');
    if (known.state === 'open') return { kind: 'later', operation: known.id };
    return known.reply?.value ?? refusal('op-done');
  }
  const isClient = command.issuer === 'client';
  const packed = packedDigest(turn, isClient ? playerOperationPack : operationPack, keyOf(command));
  if (packed !== undefined) return refusal(packed === digest(command) ? 'op-done' : 'op-reused');
  if (isClient) return hasTooManyOpen(turn) ? refusal('rate-limited') : undefined;
  return remembersTooMany(turn) ? refusal('busy', { reason: 'too many operations of the service for one player in 7 days' }) : undefined;
}

/** Whether one more operation of the service or of staff would be more than is remembered. Those whose time is over make room first. */
function remembersTooMany(turn: Turn): boolean {
  const known = turn.table(operation);
  const count = (): number => known.countOf('state', 'open') + known.countOf('state', 'kept') + packedCount(turn, operationPack);
  if (count() >= limits.operationsServiceRememberedMax) forgetPacks(turn, operationPack, limits.operationsServiceRememberedMs);
  return count() >= limits.operationsServiceRememberedMax;
}

/** Only those of clients count; they are told apart by a walk only when there are too many of all issuers together. */
function hasTooManyOpen(turn: Turn): boolean {
  const known = turn.table(operation);
  if (known.countOf('state', 'open') < limits.operationsUnfinishedMax) return false;
  let ofClients = 0;
  for (const { key } of known.rowsOf('state', 'open')) if (isOfClient(key)) ofClients++;
  return ofClients >= limits.operationsUnfinishedMax;
}

/** Writes the row of an operation, under the id that its turn was given for it: finished with its reply, or still open. */
export function remember(turn: Turn, id: RowId, command: Command, reply: Reply | undefined): void {
  const outcome = stateOf(command.issuer === 'client', reply);
  turn.put(operation, operation.newRow({ key: keyOf(command), digest: digest(command), at: turn.now, ...outcome }, id));
}

/** Completes an open operation with its reply. Throws `Error` if it is not open. */
export function finish(turn: Turn, id: RowId, reply: Reply): void {
  const row = turn.table(operation).get(id);
  if (row?.state !== 'open') throw new Error(`operation ${id} is not under way`);
  turn.put(operation, { ...row, ...stateOf(isOfClient(row.key), reply) });
}

/** The powerup of operations; part of every shard. */
export const operations: Powerup = { name: 'operations', priority: 1000, entities: [operation, operationPack, playerOperationPack], tidy };

type Finished = 'answered' | 'known' | 'kept';

function stateOf(isClient: boolean, reply: Reply | undefined): { readonly state: 'open' | Finished; readonly reply: Json<Reply> | null } {
  if (reply === undefined) return { state: 'open', reply: null };
  return { state: isClient ? 'answered' : 'kept', reply: Json.serialized(reply) };
}

/** The newest packs of a player that are kept: with the rows, at least the newest 4,096 operations. */
const PLAYER_PACKS_MAX = (limits.operationsRememberedMax - limits.operationsAnsweredMax) / limits.operationsPerPack;

function tidy(turn: Turn): void {
  forgetPacks(turn, operationPack, limits.operationsServiceRememberedMs);
  forgetPacks(turn, playerOperationPack, limits.operationsRememberedMs, PLAYER_PACKS_MAX);
  if (turn.isEmpty(operation)) return;
  packOldest(turn, 'known', playerOperationPack, limits.operationsPerPack);
  packOldest(turn, 'answered', playerOperationPack, limits.operationsAnsweredMax + limits.operationsPerPack);
  packOldest(turn, 'kept', operationPack, limits.operationsAnsweredMax + limits.operationsPerPack);
  forget(turn, 'known', limits.operationsRememberedMs);
  forget(turn, 'kept', limits.operationsServiceRememberedMs);
}

/** Packs the oldest operations in that state as soon as there are so many. */
function packOldest(turn: Turn, state: Finished, packs: PackEntity, atLeast: number): void {
  const known = turn.table(operation);
  if (known.countOf('state', state) < atLeast) return;
  const oldest = [...known.rowsOf('state', state)].slice(0, limits.operationsPerPack);
  pack(turn, packs, oldest);
  for (const { id } of oldest) turn.remove(operation, id);
}

/** Lets go of what has been remembered for its time, a few at a time. */
function forget(turn: Turn, state: Finished, rememberedMs: number): void {
  const known = turn.table(operation);
  for (let looks = 0; looks < limits.tidiedRowsMax; looks++) {
    const oldest = known.firstOf('state', state);
    if (oldest === undefined || oldest.at + rememberedMs > turn.now) return;
    turn.remove(operation, oldest.id);
  }
}

function keyOf(command: Command): string {
  return `${command.issuer}/${command.op ?? ''}`;
}

function isOfClient(key: string): boolean {
  return key.startsWith('client/');
}

/** 53 bits of what the command asks for: enough to tell a reuse of an id from a repeat. */
function digest(command: Command): number {
  return hash(`${command.kind} ${JSON.stringify(command.body)}`);
}
