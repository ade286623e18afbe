/**
 * Dispatch: a message of a client becomes a command of its shard, or is read by the feature that
 * it belongs to; and an answer or a refusal by value.
 *
 * 1. Payloads are parsed here, once, by the schema of their command.
 * 2. Never rejects, never throws: a bug becomes `internal`, or `outcome-unknown` where a change may
 *    have been made before it.
 * 3. Nothing is answered that did not happen: what a shard has not said is not said.
 */
import { commands, parseCommand, type ClientCommand, type CommandRequest, type ReadingCommandType } from '#shared/protocol.ts';
import { refusal } from '#shared/refusals.ts';
import type { Requester, ReadServices, ReadTable } from '#server/market/feature.ts';
import type { Platform } from '#server/platform/platform.ts';
import type { Command, Reply } from '#server/shard/message.ts';
import type { Backend } from './backend.ts';

/** What dispatch needs from its surroundings. */
export interface DispatchServices {
  readonly backend: Backend;
  readonly platform: Pick<Platform, 'clock' | 'report'>;
  readonly reads: ReadTable;
}

/** The final word to a message of a client. */
export async function dispatch(services: DispatchServices, caller: Requester, type: string, payload: unknown): Promise<Reply> {
  let isChanging = false;
  try {
    const command = parseCommand(type, payload);
    if (command.kind === 'refusal') return command;
    isChanging = commands[command.type].changes;
    return await run(services, caller, command);
  } catch (error) {
    services.platform.report({ level: 'error', message: `the command ${type} of ${caller.shard} failed`, error });
    // A change may have been made before the failure: only asking again with the same op tells.
    return refusal(isChanging ? 'outcome-unknown' : 'internal');
  }
}

async function run(services: DispatchServices, caller: Requester, command: ClientCommand): Promise<Reply> {
  if (isRead(command)) return read(services, caller, command.type, command.request);
  const { op, ...body } = command.request;
  const message: Command = { kind: command.type, issuer: 'client', op, body };
  return services.backend.world.accept({ to: caller.shard, message });
}

type ReadingCommand = Extract<ClientCommand, { readonly type: ReadingCommandType }>;

function isRead(command: ClientCommand): command is ReadingCommand {
  return !commands[command.type].changes;
}

async function read<Type extends ReadingCommandType>(
  services: DispatchServices,
  caller: Requester,
  type: Type,
  request: CommandRequest<Type>,
): Promise<Reply> {
  return services.reads[type](readServices(services), caller, request);
}

function readServices({ backend, platform }: DispatchServices): ReadServices {
  return {
    rules: backend.rules,
    regions: backend.regions,
    now: () => platform.clock.now(),
    accept: (envelope) => backend.world.accept(envelope),
    search: (query) => backend.index.search(query, { atLeast: backend.durable }),
    history: (...range) => backend.history(...range),
  };
}
