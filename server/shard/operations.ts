/**
 * Operations: each command with an `op` is done once, and answered the same however often it is sent.
 *
 * 1. The row of an operation is written in the first turn that has an effect; a command without effect leaves none.
 * 2. The newest finished ones keep their answer; older ones keep id and digest, so that a repeat is
 *    not done again. This has bounds (see `limits`): an op of a player is remembered for 24 h, and
 *    while it is one of the newest 4,096; one of the service or of staff for 7 days, never
 *    displaced earlier, and beyond their bound a new one is `busy`. After that an op is forgotten:
 *    a repeat is done as new.
 * 3. An unfinished operation is never forgotten.
 * 4. Only commands of the service and of staff look through packed rows.
 */
import { limits } from '#shared/limits.ts';
import { refusal } from '#shared/refusals.ts';
import type { RowId } from '#shared/units.ts';
import { defineEntity, integer, json, nullable, oneOf, text, timestamp } from './entity.ts';
import { Json } from './json.ts';
import { isReply, type Command, type Handled, type Reply } from './message.ts';
import { forgetPacks, hash, operationPack, pack, packedCount, packedDigest } from './operation-pack.ts';
import type { Powerup } from './powerup.ts';
import type { Turn } from './turn.ts';

/**
 * One operation that had an effect. `key` is `issuer/op`; `digest` tells a repeat from a reuse. It is `open` until it has its reply;
 * then a client's is `answered` and later only `known`, while one of the service or of staff is `kept`, reply and all, and later packed.
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
  if (command.issuer === 'client') return hasTooManyOpen(turn) ? refusal('rate-limited') : undefined;
  const packed = packedDigest(turn, keyOf(command));
  if (packed !== undefined) return refusal(packed === digest(command) ? 'op-done' : 'op-reused');
  return remembersTooMany(turn) ? refusal('busy', { reason: 'too many operations of the service for one player in 7 days' }) : undefined;
}

/** Whether one more operation of the service or of staff would be more than is remembered. Those whose time is over make room first. */
function remembersTooMany(turn: Turn): boolean {
  const known = turn.table(operation);
  const count = (): number => known.countOf('state', 'open') + known.countOf('state', 'kept') + packedCount(turn);
  if (count() >= limits.operationsServiceRememberedMax) forgetPacks(turn, limits.operationsServiceRememberedMs);
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
export const operations: Powerup = { name: 'operations', priority: 1000, entities: [operation, operationPack], tidy };

type OperationState = 'open' | 'answered' | 'kept';

function stateOf(isClient: boolean, reply: Reply | undefined): { readonly state: OperationState; readonly reply: Json<Reply> | null } {
  if (reply === undefined) return { state: 'open', reply: null };
  return { state: isClient ? 'answered' : 'kept', reply: Json.serialized(reply) };
}

function tidy(turn: Turn): void {
  forgetPacks(turn, limits.operationsServiceRememberedMs);
  if (turn.isEmpty(operation)) return;
  forgetOldest(turn);
  packOldest(turn);
}

/** Packs the oldest operations of the service and of staff once there are a pack's worth of them beyond those that keep their answer. */
function packOldest(turn: Turn): void {
  const known = turn.table(operation);
  if (known.countOf('state', 'kept') < limits.operationsAnsweredMax + limits.operationsPerPack) return;
  const oldest = [...known.rowsOf('state', 'kept')].slice(0, limits.operationsPerPack);
  pack(turn, oldest);
  for (const { id } of oldest) turn.remove(operation, id);
}

/** Lets the oldest answers go, then the oldest ids, in the order in which they finished. */
function forgetOldest(turn: Turn): void {
  const known = turn.table(operation);
  const surplus = known.countOf('state', 'answered') - limits.operationsAnsweredMax;
  for (let looks = 0; looks < Math.min(surplus, limits.tidiedRowsMax); looks++) {
    const oldest = known.firstOf('state', 'answered');
    if (oldest !== undefined) turn.put(operation, { ...oldest, state: 'known', reply: null });
  }
  const tooMany = known.countOf('state', 'known') - (limits.operationsRememberedMax - limits.operationsAnsweredMax);
  forget(turn, 'known', limits.operationsRememberedMs, Math.max(0, tooMany));
  forget(turn, 'kept', limits.operationsServiceRememberedMs, 0);
}

function forget(turn: Turn, state: 'known' | 'kept', rememberedMs: number, tooMany: number): void {
  const known = turn.table(operation);
  for (let looks = 0; looks < limits.tidiedRowsMax; looks++) {
    const oldest = known.firstOf('state', state);
    if (oldest === undefined || (oldest.at + rememberedMs > turn.now && looks >= tooMany)) return;
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
