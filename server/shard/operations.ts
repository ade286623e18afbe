/**
 * Operations: each command with an `op` is done once, and answered the same however often it is sent.
 *
 * 1. The row of an operation is written in the first turn that has an effect; a command without effect leaves none.
 * 2. The newest finished ones keep their answer; older ones keep id and digest, so that they are never done again.
 * 3. An unfinished operation is never forgotten.
 */
import { limits } from '#shared/limits.ts';
import { refusal } from '#shared/refusals.ts';
import { defineEntity, integer, json, oneOf, text, timestamp } from './entity.ts';
import { Json } from './json.ts';
import type { Command, Handled, Reply } from './message.ts';
import type { Powerup } from './powerup.ts';
import type { Turn } from './turn.ts';

/**
 * One operation that had an effect. `key` is `issuer/op`; `digest` tells a repeat from a reuse. It is `open` until it has its reply;
 * then a client's is `answered` and later only `known`, while one of the service or of staff is `kept`, reply and all, for its time.
 */
export const operation = defineEntity('operation', {
  version: 1,
  attributes: {
    key: text({ maxLength: 80, indexed: 'unique' }),
    digest: integer(),
    at: timestamp(),
    state: oneOf(['open', 'answered', 'known', 'kept'], { indexed: 'plain' }),
    reply: json<Reply, true>({ nullable: true }),
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
  return command.issuer === 'client' && hasTooManyOpen(turn) ? refusal('rate-limited') : undefined;
}

/** Only those of clients count; they are told apart by a walk only when there are so many of all issuers. */
function hasTooManyOpen(turn: Turn): boolean {
  const known = turn.table(operation);
  if (known.countOf('state', 'open') < limits.operationsUnfinishedMax) return false;
  let ofClients = 0;
  for (const { key } of known.rowsOf('state', 'open')) if (key.startsWith('client/')) ofClients++;
  return ofClients >= limits.operationsUnfinishedMax;
}

/** Writes the row of an operation, under the id that its turn was given for it: finished with its reply, or still open. */
export function record(turn: Turn, id: number, command: Command, reply: Reply | undefined): void {
  const outcome = stateOf(command.issuer === 'client', reply);
  turn.put(operation, operation.newRow({ key: keyOf(command), digest: digest(command), at: turn.now, ...outcome }, id));
}

/** Completes an open operation with its reply. Throws `Error` if it is not open. */
export function finish(turn: Turn, id: number, reply: Reply): void {
  const row = turn.table(operation).get(id);
  if (row?.state !== 'open') throw new Error(`operation ${id} is not under way`);
  turn.put(operation, { ...row, ...stateOf(row.key.startsWith('client/'), reply) });
}

/** The powerup of operations; part of every shard. */
export const operations: Powerup = { name: 'operations', priority: 1000, entities: [operation], tidy: forgetOldest };

type OperationState = 'open' | 'answered' | 'kept';

function stateOf(isClient: boolean, reply: Reply | undefined): { readonly state: OperationState; readonly reply: Json<Reply> | null } {
  if (reply === undefined) return { state: 'open', reply: null };
  return { state: isClient ? 'answered' : 'kept', reply: Json.textOf(reply) };
}

/** Lets the oldest answers go, then the oldest ids, in the order in which they finished. */
function forgetOldest(turn: Turn): void {
  if (turn.isEmpty(operation)) return;
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

/** 53 bits of what the command asks for (cyrb53, public domain): enough to tell a reuse of an id from a repeat. */
function digest(command: Command): number {
  const source = `${command.kind} ${JSON.stringify(command.body)}`;
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < source.length; index++) {
    const code = source.charCodeAt(index);
    high = Math.imul(high ^ code, 2_654_435_761);
    low = Math.imul(low ^ code, 1_597_334_677);
  }
  high = Math.imul(high ^ (high >>> 16), 2_246_822_507) ^ Math.imul(low ^ (low >>> 13), 3_266_489_909);
  low = Math.imul(low ^ (low >>> 16), 2_246_822_507) ^ Math.imul(high ^ (high >>> 13), 3_266_489_909);
  return 4_294_967_296 * (2_097_151 & low) + (high >>> 0);
}
