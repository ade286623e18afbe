/**
 * What the answers of commands say of rows and ledger lines, by the name of the command: written
 * down a second time, by hand.
 */
import type { ChangingCommandType } from '#shared/protocol.ts';
import { rowId } from '#shared/units.ts';
import { completed } from '#server/market/completed/completed.ts';
import type { Command, Reply } from '#server/shard/message.ts';
import type { ShardModel } from './model.ts';
import { recordOf } from './json-values.ts';
import { tradeEffectOf } from './trade-effect.ts';

/** What an answer is held against. */
export interface Evidence {
  /** The shard that has answered. */
  readonly shard: ShardModel | undefined;
  /** Whether the id is of a listing that is, or was, in a durable row. */
  readonly wasListed: (listingId: string) => boolean;
}

/** What is wrong with an answer; `undefined` if it is true. */
type AnswerPromise = (answer: Readonly<Record<string, unknown>>, evidence: Evidence) => string | undefined;

const PROMISES: { readonly [Type in ChangingCommandType | 'grant']?: AnswerPromise } = {
  sell: ({ listingId }, { wasListed }) => (wasListed(String(listingId)) ? undefined : `the listing ${String(listingId)} is nowhere`),
  buyout: ({ itemId, paid }, { shard }) => {
    const isBought = shard?.ledger.some((line) => {
      const sumAt = (where: string): number => line.postings.reduce((sum, { place, amount }) => (place === where ? sum + amount : sum), 0);
      const isOfItem = line.postings.some(({ asset }) => asset === `item:${String(itemId)}`);
      return tradeEffectOf(line) === 'purchase' && -sumAt('hold') - sumAt('wallet') === paid && isOfItem;
    });
    return isBought === true ? undefined : `no ledger line buys ${String(itemId)} for ${String(paid)}`;
  },
  grant: ({ stash, completed: waiting }, { shard }) => {
    const ids: readonly unknown[] = [stash, waiting].flat();
    const given = new Set(shard?.ledger.flatMap(({ cause, postings }) => (cause === 'granted' ? postings.map(({ asset }) => asset) : [])));
    const missing = ids.find((id) => !given.has(`item:${String(id)}`));
    return missing === undefined ? undefined : `no ledger line gives ${JSON.stringify(missing)}`;
  },
  claim: ({ claimed }, { shard }) => {
    const ids: readonly unknown[] = Array.isArray(claimed) ? claimed : [];
    const left = ids.find((id) => shard?.rowsByEntity.get(completed.name)?.has(rowId(Number(id))));
    return left === undefined ? undefined : `the entry ${JSON.stringify(left)} is still there`;
  },
};

/**
 * What is wrong with what a command was answered; `undefined` if it is true, or says nothing of
 * rows.
 */
export function brokenPromise({ kind }: Command, answer: unknown, evidence: Evidence): string | undefined {
  const promise = new Map(Object.entries(PROMISES)).get(kind);
  return promise?.(recordOf(answer), evidence);
}

/** Whether a command was answered that there was nothing to do. */
export function isWithoutEffect({ kind }: Command, reply: Reply): boolean {
  if (kind !== 'claim' || reply.kind !== 'answer') return false;
  const { claimed } = recordOf(reply.value);
  return Array.isArray(claimed) && claimed.length === 0;
}
