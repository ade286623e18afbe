/** Pages of the ledger. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { shardId } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import { ledgerLineSchema, type LedgerLine } from '#shared/protocol/history.ts';
import { refusal } from '#shared/refusals.ts';
import { transactionId } from '#server/trade/transaction.ts';
import { gold, instant } from '#shared/units.ts';
import { historyPage, linesOf, type ReadHistory } from './history.ts';
import type { LedgerEntry, Posting } from '#server/shard/ledger.ts';

describe("a player's ledger", () => {
  const entry = (seq: number, postings: readonly Posting[]): LedgerEntry => ({
    seq,
    at: instant(seq),
    cause: 'sale',
    tx: null,
    balance: gold(99),
    postings,
  });

  it('names gold, items and commodities at the own places, in the shape of the protocol', () => {
    const lines = linesOf({
      ...entry(1, [
        { place: 'minted', asset: 'gold', amount: -5 },
        { place: 'wallet', asset: 'gold', amount: 5 },
        { place: 'stash', asset: 'item:abc', amount: -1 },
        { place: 'listed', asset: 'commodity:scrap-iron', amount: 7 },
        { place: 'clearing', asset: 'gold', amount: 3 },
      ]),
      tx: transactionId({ holder: shardId('ada', 'europe', 'softcore'), generation: 1, seq: 1 }),
    });
    expect(lines).toMatchObject([
      { account: 'wallet', gold: 5 },
      { account: 'stash', item: 'abc', quantity: -1 },
      { account: 'listed', commodity: 'scrap-iron', quantity: 7 },
    ]);
    for (const line of lines) expect(ledgerLineSchema.parse(line)).toEqual(line);
  });

  it('tells on a line of gold the balance of the account that it is about, on other lines none', () => {
    const lines = linesOf(
      entry(1, [
        { place: 'wallet', asset: 'gold', amount: -5 },
        { place: 'hold', asset: 'gold', amount: 5, balance: gold(7) },
        { place: 'completed', asset: 'gold', amount: 1_275, balance: gold(1_275) },
        { place: 'stash', asset: 'item:abc', amount: -1 },
        { place: 'stash', asset: 'commodity:scrap-iron', amount: 3 },
      ]),
    );
    expect(lines.map(({ account, balance }) => [account, balance])).toEqual([
      ['wallet', 99],
      ['hold', 7],
      ['completed', 1_275],
      ['stash', undefined],
      ['stash', undefined],
    ]);
    for (const line of lines) expect(ledgerLineSchema.parse(line)).toEqual(line);
  });

  it('tells of a line from before balances were kept that of the wallet alone, and never a wrong one', () => {
    const lines = linesOf(
      entry(1, [
        { place: 'completed', asset: 'gold', amount: -850 },
        { place: 'wallet', asset: 'gold', amount: 850 },
      ]),
    );
    expect(lines).toEqual([
      { seq: 1, at: 1, cause: 'sale', account: 'completed', gold: -850 },
      { seq: 1, at: 1, cause: 'sale', account: 'wallet', gold: 850, balance: 99 },
    ]);
  });

  it('comes in pages that leave out nothing and repeat nothing', async () => {
    const shard = shardId('ada', 'europe', 'softcore');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 70 }), { maxLength: 200 }), async (sizes) => {
        const entries = sizes.map((size, index) =>
          entry(
            index + 1,
            Array.from({ length: size }, () => ({ place: 'wallet' as const, asset: 'gold' as const, amount: 1 })),
          ),
        );
        const read: ReadHistory = async (_shard, before, limit) =>
          entries
            .filter(({ seq }) => seq < before)
            .slice(-limit)
            .toReversed();
        const lines: LedgerLine[] = [];
        let cursor: string | undefined;
        do {
          const page = await historyPage(read, shard, cursor);
          if ('kind' in page) throw new Error('the cursor was refused');
          expect(page.lines.length).toBeLessThanOrEqual(Math.max(limits.historyPageMax, 70));
          lines.push(...page.lines);
          cursor = page.cursor;
        } while (cursor !== undefined);
        expect(lines.map(({ seq }) => seq)).toEqual(entries.toReversed().flatMap(({ seq, postings }) => postings.map(() => seq)));
      }),
      { numRuns: 60 },
    );
  });

  it.each(['0', '-1', '01', '1.5', '9'.repeat(17), 'x', ' 1'])('refuses the cursor %j', async (cursor) => {
    expect(await historyPage(async () => [], shardId('ada', 'europe', 'softcore'), cursor)).toMatchObject({ name: 'bad-request' });
  });

  it('is refused as the reading was', async () => {
    const busy = refusal('busy');
    expect(await historyPage(async () => busy, shardId('ada', 'europe', 'softcore'), undefined)).toBe(busy);
  });
});
