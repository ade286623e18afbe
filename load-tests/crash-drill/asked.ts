/** The commands of the drill, and what may be said to them. */
import { ClosedError, NoAnswerError, RefusedError } from '#client/errors.ts';
import type { GameClient } from '#client/game-client.ts';
import type { RefusalName } from '#shared/refusals.ts';

/** A command that changes something. It keeps its `op` for its whole life. */
export type Asked = { readonly op: string } & (
  | { readonly kind: 'sell'; readonly itemId: string; readonly buyout: number }
  | { readonly kind: 'buyout'; readonly listingId: string; readonly price: number }
  | { readonly kind: 'cancel'; readonly listingId: string }
  | { readonly kind: 'claim'; readonly entryId?: number }
);

/** The final word to a command, with what the books need of it. */
export type Said =
  | { readonly kind: 'posted'; readonly listingId: string; readonly fee: number }
  | { readonly kind: 'bought'; readonly itemId: string; readonly paid: number }
  | { readonly kind: 'returned'; readonly itemId: string | undefined }
  | { readonly kind: 'claimed'; readonly entries: number; readonly gold: number; readonly items: readonly string[] }
  | { readonly kind: 'refused'; readonly name: RefusalName };

/** What was said, and all of it as text: to be compared with what is said to the same `op` later. */
export interface Answered {
  readonly said: Said;
  readonly text: string;
}

/** Refusals of a trade, after gold was held for it: they are the outcome of the operation, and stay it. */
const OUTCOMES: ReadonlySet<RefusalName> = new Set(['listing-gone', 'listing-not-started', 'price-changed', 'gold-overflow']);

/** Refusals after which the same command may be asked again. */
const NOT_FINAL: ReadonlySet<RefusalName> = new Set(['busy', 'unavailable', 'rate-limited', 'outcome-unknown']);

/** Whether the answer has to be the same for ever: only an operation with an effect is remembered. */
export function isRemembered({ kind }: Asked, said: Said): boolean {
  switch (said.kind) {
    case 'claimed':
      return said.entries > 0;
    case 'refused':
      return kind === 'buyout' && OUTCOMES.has(said.name);
    case 'posted':
    case 'bought':
    case 'returned':
      return true;
  }
}

/** Asks until the deadline (0: once). `undefined` if nothing final was said. Rejects only on a bug, or if the server breaks the protocol. */
export async function ask(client: GameClient, asked: Asked, deadlineMs: number): Promise<Answered | undefined> {
  try {
    return await send(client, asked, deadlineMs);
  } catch (error) {
    if (error instanceof NoAnswerError || error instanceof ClosedError) return undefined;
    if (!(error instanceof RefusedError)) throw error;
    const { name } = error.refusal;
    return NOT_FINAL.has(name) ? undefined : { said: { kind: 'refused', name }, text: `refused: ${name}` };
  }
}

async function send(client: GameClient, asked: Asked, deadlineMs: number): Promise<Answered> {
  const options = { op: asked.op, deadlineMs };
  switch (asked.kind) {
    case 'sell': {
      const answer = await client.sell({ itemId: asked.itemId, buyout: asked.buyout }, options);
      const fee = answer.fees.reduce((sum, line) => sum + line.gold, 0);
      return { said: { kind: 'posted', listingId: answer.listingId, fee }, text: JSON.stringify(answer) };
    }
    case 'buyout': {
      const answer = await client.buyout({ listingId: asked.listingId, price: asked.price }, options);
      return { said: { kind: 'bought', itemId: answer.itemId, paid: answer.paid }, text: JSON.stringify(answer) };
    }
    case 'cancel': {
      const answer = await client.cancel({ listingId: asked.listingId }, options);
      return { said: { kind: 'returned', itemId: answer.item?.id }, text: JSON.stringify(answer) };
    }
    case 'claim': {
      const { entryId } = asked;
      const answer = await client.claim(entryId === undefined ? { all: true } : { entryId }, options);
      const { claimed, gold, items } = answer;
      return { said: { kind: 'claimed', entries: claimed.length, gold, items }, text: JSON.stringify(answer) };
    }
  }
}
