/**
 * Transaction ids: `seq.generation.player@region.mode`. The holder mints them from a counter that
 * never resets; a restored shard gets the next generation. Every message of a trade carries its id,
 * so that none can apply to another trade.
 */
import { parseShardId } from '#shared/address.ts';
import type { ShardId, TransactionId } from '#shared/units.ts';

/** The parts of a transaction's id. */
export interface Transaction {
  readonly holder: ShardId;
  readonly generation: number;
  readonly seq: number;
}

const PATTERN = /^([1-9][0-9]{0,15})\.([1-9][0-9]{0,8})\.(.+)$/;

/**
 * T6: whether the holder whose counter stands there has ever minted the transaction. A generation
 * below the present one was minted before a restore.
 */
export function wasMinted({ generation, seq }: Transaction, counter: Omit<Transaction, 'holder'>): boolean {
  return generation < counter.generation || (generation === counter.generation && seq <= counter.seq);
}

/** The text form. */
export function transactionId({ holder, generation, seq }: Transaction): TransactionId {
  return `${seq}.${generation}.${holder}` as TransactionId;
}

/** The holder's shard, as a transaction's id names it. Throws `Error` for a text that is none. */
export function holderOf(tx: TransactionId): ShardId {
  const start = tx.indexOf('.', tx.indexOf('.') + 1) + 1;
  if (start < 4) throw new Error(`${tx} is no transaction`);
  return tx.slice(start) as ShardId;
}

/** The parts of a text, or `undefined` if it is no transaction's id. */
export function parseTransaction(text: string): Transaction | undefined {
  const match = PATTERN.exec(text);
  const holder = match?.[3];
  if (match === null || holder === undefined || parseShardId(holder) === undefined) return undefined;
  return { seq: Number(match[1]), generation: Number(match[2]), holder: holder as ShardId };
}

/** Whether a text is a transaction's id. */
export function isTransactionId(text: string): text is TransactionId {
  return parseTransaction(text) !== undefined;
}
