/** The demo as a user runs it, and the books that it believes. */
import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { StoryBooks, type StoryHoldings } from './books.ts';
import { Narrator } from './narrator.ts';

describe('the demo', () => {
  it('ends with exit code 0, in plain text where there is no terminal', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['load-tests/demo.ts'], { encoding: 'utf8', timeout: 60_000 });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('Nothing was lost, nothing was made.');
    expect(stdout).not.toContain('\u001B');
  }, 60_000);
});

describe('the books', () => {
  const open = (): { books: StoryBooks; holdings: Map<string, StoryHoldings> } => {
    const books = new StoryBooks();
    books.open('ada', { gold: 100, items: ['sword', 'shield'] });
    books.open('bob', { gold: 100, items: [] });
    books.sale({ seller: 'ada', buyer: 'bob', item: 'sword', paid: 20, fee: 3 });
    return {
      books,
      holdings: new Map<string, StoryHoldings>([
        ['ada', { gold: 117, held: 0, items: ['shield'] }],
        ['bob', { gold: 80, held: 0, items: ['sword'] }],
      ]),
    };
  };

  it('balance where all is right', () => {
    const { books, holdings } = open();
    expect([books.faults(holdings), books.fees, books.started]).toEqual([[], 3, 200]);
  });

  it.each([
    ['a coin too much', 'ada', { gold: 118, held: 0, items: ['shield'] }],
    ['a coin that is missing', 'bob', { gold: 79, held: 0, items: ['sword'] }],
    ['gold that is still held', 'bob', { gold: 60, held: 20, items: ['sword'] }],
    ['an item in two places', 'ada', { gold: 117, held: 0, items: ['shield', 'sword'] }],
    ['an item that is lost', 'bob', { gold: 80, held: 0, items: [] }],
  ])('show %s', (_, player, has) => {
    const { books, holdings } = open();
    expect(books.faults(new Map([...holdings, [player, has]]))).not.toEqual([]);
  });

  it('show a player who is gone, and take no sale of what the seller does not have', () => {
    const { books, holdings } = open();
    holdings.delete('bob');
    expect(books.faults(holdings)).toContain('bob is gone');
    expect(() => books.sale({ seller: 'ada', buyer: 'bob', item: 'sword', paid: 1, fee: 0 })).toThrow('sold twice');
  });
});

describe('the narrator', () => {
  it('writes what a failed step said, then throws on', async () => {
    let written = '';
    const narrator = new Narrator({ write: (text) => void (written += text), hasColours: false });
    const step = narrator.step('A step', async (say) => {
      say('so far');
      throw new Error('no');
    });
    await expect(step).rejects.toThrow('no');
    expect(written).toMatch(/ 1 ✗ A step +\d+ ms\n +│ so far\n/);
  });

  it('uses colours only on a stage that has them', () => {
    let written = '';
    new Narrator({ write: (text) => void (written += text), hasColours: true }).verdict(true, 'good');
    expect(written).toBe('\n\u001B[1;32mgood\u001B[0m\n\n');
  });
});
