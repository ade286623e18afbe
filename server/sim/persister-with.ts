/** A persister with some of its members replaced. */
import type { Persister } from '#server/journal/persister/persister.ts';

/** What may be replaced. */
export interface PersisterChanges extends Partial<
  Pick<Persister, 'recovered' | 'append' | 'due' | 'history' | 'projection' | 'whenReady' | 'extendLease'>
> {
  /** In place of `durable`. */
  readonly durable?: () => number;
  /** In place of `isFull`. */
  readonly isFull?: () => boolean;
}

/** The real one, but for the changes. */
export function persisterWith(
  real: Persister,
  { recovered, durable, isFull, append, due, history, projection, whenReady, extendLease }: PersisterChanges,
): Persister {
  return {
    recovered: recovered ?? real.recovered,
    get appended() {
      return real.appended;
    },
    get durable() {
      return durable === undefined ? real.durable : durable();
    },
    get isFull() {
      return isFull === undefined ? real.isFull : isFull();
    },
    append: append ?? ((changes) => real.append(changes)),
    extendLease: extendLease ?? ((until) => real.extendLease(until)),
    onDurable: (listener) => real.onDurable(listener),
    onFault: (listener) => real.onFault(listener),
    whenReady: whenReady ?? (() => real.whenReady()),
    load: (shard) => real.load(shard),
    due: due ?? ((now, limit, after) => real.due(now, limit, after)),
    history: history ?? ((shard, before, limit) => real.history(shard, before, limit)),
    transaction: (tx, shards) => real.transaction(tx, shards),
    projection: projection ?? ((entity, scope) => real.projection(entity, scope)),
    totals: () => real.totals(),
    stats: () => real.stats(),
    close: (deadlineMs) => real.close(deadlineMs),
  };
}
