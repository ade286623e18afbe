/** The commands of the drill, and what may be said to them. */
import { ClosedError, NoAnswerError, RefusedError } from '#client/errors.ts';
import type { GameClient } from '#client/game-client.ts';
import type { ChangingCommandType, CommandAnswer, CommandInput } from '#shared/protocol.ts';
import type { RefusalName } from '#shared/refusals.ts';

/** A command that changes something. It keeps its `op` for its whole life. */
export type DrillCommand = {
  readonly [Type in ChangingCommandType]: { readonly op: string; readonly type: Type; readonly body: CommandInput<Type> };
}[ChangingCommandType];

/** The final word to a command, with what the books need of it. */
export type Said =
  | { readonly kind: 'posted'; readonly listingId: string; readonly fee: number }
  | { readonly kind: 'bought'; readonly itemId: string; readonly paid: number }
  | { readonly kind: 'returned'; readonly itemId: string | undefined }
  | { readonly kind: 'claimed'; readonly entries: number; readonly gold: number; readonly items: readonly string[] }
  | { readonly kind: 'refused'; readonly name: RefusalName };

/** What the answer of each command means for the books. */
const MEANINGS: { readonly [Type in ChangingCommandType]: (answer: CommandAnswer<Type>) => Said } = {
  sell: ({ listingId, fees }) => ({ kind: 'posted', listingId, fee: fees.reduce((sum, line) => sum + line.gold, 0) }),
  buyout: ({ itemId, paid }) => ({ kind: 'bought', itemId, paid }),
  cancel: ({ item }) => ({ kind: 'returned', itemId: item?.id }),
  claim: ({ claimed, gold, items }) => ({ kind: 'claimed', entries: claimed.length, gold, items }),
};

/** What was said, and all of it as text: to be compared with what is said to the same `op` later. */
export interface FinalAnswer {
  readonly said: Said;
  readonly text: string;
}

/** Refusals of a trade, after gold was held for it: they are the outcome of the operation, and stay it. */
const OUTCOMES: ReadonlySet<RefusalName> = new Set(['listing-gone', 'listing-not-started', 'price-changed', 'gold-overflow']);

/** Refusals after which the same command may be asked again. */
const NOT_FINAL: ReadonlySet<RefusalName> = new Set(['busy', 'unavailable', 'rate-limited', 'outcome-unknown']);

/** Whether the answer has to be the same for ever: only an operation with an effect is remembered. */
export function isRemembered({ type }: DrillCommand, said: Said): boolean {
  switch (said.kind) {
    case 'claimed':
      return said.entries > 0;
    case 'refused':
      return type === 'buyout' && OUTCOMES.has(said.name);
    case 'posted':
    case 'bought':
    case 'returned':
      return true;
  }
}

/** Asks until the deadline (0: once). `undefined` if nothing final was said. Rejects only on a bug, or if the server breaks the protocol. */
export async function ask(client: GameClient, { op, type, body }: DrillCommand, deadlineMs: number): Promise<FinalAnswer | undefined> {
  try {
    return answeredOf(type, await client.call(type, body, { op, deadlineMs }));
  } catch (error) {
    if (error instanceof NoAnswerError || error instanceof ClosedError) return undefined;
    if (!(error instanceof RefusedError)) throw error;
    const { name } = error.refusal;
    return NOT_FINAL.has(name) ? undefined : { said: { kind: 'refused', name }, text: `refused: ${name}` };
  }
}

function answeredOf<Type extends ChangingCommandType>(type: Type, answer: CommandAnswer<Type>): FinalAnswer {
  return { said: MEANINGS[type](answer), text: JSON.stringify(answer) };
}
