/**
 * Dispatch: a message of a client becomes a command of its shard, or is read by the feature that
 * it belongs to; and an answer or a refusal by value.
 *
 * 1. Payloads are parsed here, once, by the schema of their command. Ids are opened on their way in
 *    and sealed on their way out, whoever keeps the answer.
 * 2. Never rejects, never throws: a bug becomes `internal`, or `outcome-unknown` where a change may
 *    have been made before it.
 * 3. Nothing is answered that did not happen: what a shard has not said is not said.
 * 4. A command is charged before it comes here; what is metered takes its turn in the player's lane, and is charged
 *    for what it has cost when it is done.
 */
import {
  commands,
  isChangingCommand,
  parseCommand,
  type ClientCommand,
  type CommandRequest,
  type ReadingCommandType,
} from '#shared/protocol.ts';
import { limits } from '#shared/limits.ts';
import type { CommandSchema } from '#shared/protocol/part.ts';
import { refusal } from '#shared/refusals.ts';
import type { ReadServices, Requester } from '#server/market/feature.ts';
import type { Command, Reply } from '#server/shard/message.ts';
import type { Account } from './budgets/accounts.ts';
import type { EdgeServices } from './services.ts';

/** Who asks, and who pays. */
export interface Caller extends Requester {
  readonly account: Account;
}

/** The final word to a message of a client. */
export async function dispatch(services: EdgeServices, caller: Caller, type: string, payload: unknown): Promise<Reply> {
  let isChanging = false;
  try {
    const parsed = parseCommand(type, payload);
    if (parsed.kind === 'refusal') return parsed;
    const command = services.ids.opened(parsed);
    if (command.kind === 'refusal') return command;
    isChanging = isChangingCommand(command.type);
    const { cost, isMetered }: CommandSchema = commands[command.type];
    const reply = isMetered === true ? caller.account.inLane(cost, () => run(services, caller, command)) : run(services, caller, command);
    return services.ids.shown(command.type, await reply);
  } catch (error) {
    services.platform.report({ level: 'error', message: `the command ${type} of ${caller.shard} failed`, error });
    // A change may have been made before the failure: only asking again with the same op tells.
    return refusal(isChanging ? 'outcome-unknown' : 'internal');
  }
}

function run(services: EdgeServices, caller: Caller, command: ClientCommand): Reply | Promise<Reply> {
  if (isRead(command)) return read(services, caller, command.type, command.request);
  const { op, ...body } = command.request;
  const message: Command = { kind: command.type, issuer: 'client', op, body };
  return services.backend.world.accept({ to: caller.shard, message });
}

function isRead(command: ClientCommand): command is Extract<ClientCommand, { readonly type: ReadingCommandType }> {
  return !isChangingCommand(command.type);
}

function read<Type extends ReadingCommandType>(
  { backend, platform, reads }: EdgeServices,
  caller: Caller,
  type: Type,
  request: CommandRequest<Type>,
): Reply | Promise<Reply> {
  const services: ReadServices = {
    rules: backend.rules,
    regions: backend.regions,
    now: () => platform.clock.now(),
    accept: (envelope) => backend.world.accept(envelope),
    search: async (query) => {
      const found = await backend.index.search(query, { atLeast: backend.durable });
      if (found.kind === 'found') caller.account.owe(costOf(found));
      return found;
    },
    history: (...range) => backend.history(...range),
  };
  return reads[type](services, caller, request);
}

/** What a search has cost, in tokens: what the index says that it looked at, and what the node makes of its answer. */
function costOf({ cost = 0, rows }: { readonly cost?: number; readonly rows: readonly unknown[] }): number {
  return cost / limits.searchUnitsPerToken + rows.length / limits.searchListingsPerToken;
}
