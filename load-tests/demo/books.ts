/**
 * The demo's own books: what every player must have in the end, by the answers that the players were given and nothing else. The
 * slow and obvious twin of the whole server.
 */

/** What a player really has, by its room. */
export interface StoryHoldings {
  readonly gold: number;
  readonly held: number;
  readonly items: readonly string[];
}

interface Account {
  gold: number;
  readonly items: Set<string>;
}

export class StoryBooks {
  readonly #accounts = new Map<string, Account>();
  #started = 0;
  #fees = 0;

  /** Fees that were burned so far. */
  get fees(): number {
    return this.#fees;
  }

  /** All gold at the start. */
  get started(): number {
    return this.#started;
  }

  /** A player begins. */
  open(player: string, { gold, items }: Pick<StoryHoldings, 'gold' | 'items'>): void {
    this.#accounts.set(player, { gold, items: new Set(items) });
    this.#started += gold;
  }

  /** A sale that its buyer was told of. */
  sale(sale: {
    readonly seller: string;
    readonly buyer: string;
    readonly item: string;
    readonly paid: number;
    readonly fee: number;
  }): void {
    const [seller, buyer] = [this.#account(sale.seller), this.#account(sale.buyer)];
    if (!seller.items.delete(sale.item)) throw new Error(`${sale.item} was sold twice, or by somebody who did not have it`);
    buyer.items.add(sale.item);
    buyer.gold -= sale.paid;
    seller.gold += sale.paid - sale.fee;
    this.#fees += sale.fee;
  }

  /** Everything that is not as it must be, each in one sentence; none if all is right. */
  faults(holdings: ReadonlyMap<string, StoryHoldings>): readonly string[] {
    const faults: string[] = [];
    for (const [player, account] of this.#accounts) {
      const has = holdings.get(player);
      if (has === undefined) {
        faults.push(`${player} is gone`);
        continue;
      }
      if (has.gold !== account.gold) faults.push(`${player} has ${has.gold} gold instead of ${account.gold}`);
      if (has.held !== 0) faults.push(`${player} still has ${has.held} gold held`);
      const [should, does] = [[...account.items].sort().join(), [...has.items].sort().join()];
      if (should !== does) faults.push(`${player} has other items than it was told`);
    }
    const all = [...holdings.values()];
    const gold = all.reduce((sum, has) => sum + has.gold + has.held, 0);
    if (gold + this.#fees !== this.#started)
      faults.push(`${gold} gold and ${this.#fees} of fees are not the ${this.#started} of the start`);
    const items = all.flatMap((has) => has.items);
    if (new Set(items).size !== items.length) faults.push('an item is in two places');
    return faults;
  }

  #account(player: string): Account {
    const account = this.#accounts.get(player);
    if (account === undefined) throw new Error(`nobody is called ${player}`);
    return account;
  }
}
