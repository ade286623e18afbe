/**
 * The door for ids: what comes from clients is opened here, what goes to them is sealed here, and
 * nowhere else. Inside of the server an id says whose it is, since messages are routed by it.
 *
 * 1. Which fields are ids, the schemas of the protocol say: see `id-walk.ts`. The state of a room,
 *    which is written field by field, is sealed by the views that write it (`Room.seal`).
 * 2. Values are translated as copies: an answer may be the very one that a shard keeps.
 * 3. What does not open is refused, as a text that is no id would be: a client that makes up,
 *    shortens or exchanges ids, or knows one as the server does, learns nothing.
 */
import { commands, COMMAND_TYPES, SERVER_MESSAGE_TYPES, serverMessages, type ClientCommand, type ServerMessage } from '#shared/protocol.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import type { IdKind } from '#shared/schemas.ts';
import type { Reply } from '#server/shard/message.ts';
import { idWalkOf, type IdWalk, type Translate } from './id-walk.ts';
import { WorldSeal } from './world-seal.ts';

const REQUESTS = walks(COMMAND_TYPES, (type) => commands[type].request);
const ANSWERS = walks(COMMAND_TYPES, (type) => commands[type].answer);
const MESSAGES = walks(SERVER_MESSAGE_TYPES, (type) => serverMessages[type].payload);

/** What a text that does not open should have been. */
const EXPECTED: Readonly<Record<IdKind, string>> = {
  listing: 'must be a listing id',
  transaction: 'must be a transaction id',
  cursor: 'must be one that the server gave',
};

/** The door of one world. */
export class IdDoor {
  readonly #seal: WorldSeal;
  readonly #sealing: Translate;

  constructor(worldKey: string) {
    const seal = (this.#seal = new WorldSeal(worldKey));
    this.#sealing = (kind, id) => seal.seal(kind, id);
  }

  /** For the state of a room: the id as its client may see it. */
  get seal(): WorldSeal['seal'] {
    return (kind, id) => this.#seal.seal(kind, id);
  }

  /** The command as the server understands it, or the refusal `bad-request` for an id that is none. */
  opened(command: ClientCommand): ClientCommand | Refusal {
    const walk = REQUESTS.get(command.type);
    if (walk === undefined) return command;
    let fault: string | undefined;
    const request = walk(command.request, (kind, text, place) => {
      const id = this.#seal.open(kind, text);
      if (id === undefined) fault ??= `${place}: ${EXPECTED[kind]}`;
      return id ?? text;
    });
    if (fault !== undefined) return refusal('bad-request', { fault });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It differs from what it was made of in the texts of ids only.
    return { ...command, request } as ClientCommand;
  }

  /** The reply to a command of that type as its client may see it. */
  shown(type: ClientCommand['type'], reply: Reply): Reply {
    const walk = ANSWERS.get(type);
    return walk === undefined || reply.kind === 'refusal' ? reply : { ...reply, value: walk(reply.value, this.#sealing) };
  }

  /** What a message from the server says, as clients may see it. */
  shownMessage({ type, payload }: ServerMessage): unknown {
    return MESSAGES.get(type)?.(payload, this.#sealing) ?? payload;
  }
}

function walks<Type extends string>(
  types: readonly Type[],
  schemaOf: (type: Type) => Parameters<typeof idWalkOf>[0],
): ReadonlyMap<Type, IdWalk> {
  return new Map(
    types.flatMap((type) => {
      const walk = idWalkOf(schemaOf(type));
      return walk === undefined ? [] : [[type, walk] as const];
    }),
  );
}
