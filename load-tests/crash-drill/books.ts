/**
 * What every player must have, by the answers that were given and nothing else: the dumb twin of the whole server.
 *
 * The answers are only counted, so it does not matter in which order they were heard. What was not answered yet is not in the books:
 * they hold once every command has its answer.
 */
import type { DrillCommand, Said } from './asked.ts';

/** A listing, as its owner's room or a search shows it. */
export interface ShownListing {
  readonly itemId: string;
  readonly price: number;
}

/** What a player really has, by its room. */
export interface Holdings {
  readonly gold: number;
  readonly held: number;
  /** The gold of the completed tab. */
  readonly unclaimed: number;
  readonly stash: readonly string[];
  readonly listingById: ReadonlyMap<string, ShownListing>;
  /** The items of the completed tab. */
  readonly completed: readonly string[];
}

interface Posting {
  readonly seller: string;
  readonly itemId: string;
  readonly price: number;
  readonly fee: number;
  /** How it ended, if it did. */
  end: 'sold' | 'cancelled' | undefined;
}

interface Account {
  readonly startGold: number;
  readonly startItems: ReadonlySet<string>;
  paid: number;
  received: number;
  claimedGold: number;
  /** How often each item came into the completed tab, less how often it was claimed. */
  readonly completedByItem: Map<string, number>;
  /** How often each item was bought, less how often it was sold. */
  readonly gainedByItem: Map<string, number>;
}

export class Books {
  readonly #accountByPlayer = new Map<string, Account>();
  readonly #postingById = new Map<string, Posting>();
  /** Ends of listings whose posting was not answered yet: they are settled with it. */
  readonly #earlyEndById = new Map<string, (posting: Posting) => void>();
  readonly #contradictions: string[] = [];
  #burned = 0;

  /** Whether the player is known. */
  has(player: string): boolean {
    return this.#accountByPlayer.has(player);
  }

  /** A player begins, with what its room shows. */
  open(player: string, { gold, stash }: Pick<Holdings, 'gold' | 'stash'>): void {
    this.#accountByPlayer.set(player, {
      startGold: gold,
      startItems: new Set(stash),
      paid: 0,
      received: 0,
      claimedGold: 0,
      completedByItem: new Map(),
      gainedByItem: new Map(),
    });
  }

  /** A command was answered. Called once for each. */
  note(player: string, asked: DrillCommand, said: Said): void {
    switch (said.kind) {
      case 'posted':
        return this.#posted(player, asked, said);
      case 'bought':
        return this.#bought(player, asked, said);
      case 'returned':
        return this.#returned(player, asked, said);
      case 'claimed': {
        const account = this.#account(player);
        account.claimedGold += said.gold;
        for (const item of said.items) count(account.completedByItem, item, -1);
        return;
      }
      case 'refused':
    }
  }

  /** Everything that is not as it must be, each in one sentence; none if all is right. */
  faults(holdingsByPlayer: ReadonlyMap<string, Holdings>): readonly string[] {
    const unposted = [...this.#earlyEndById.keys()].map((id) => `the listing ${id} ended, and nobody was told that it was posted`);
    const faults = [...this.#contradictions, ...unposted];
    for (const [player, account] of this.#accountByPlayer) {
      const has = holdingsByPlayer.get(player);
      if (has === undefined) faults.push(`${player} is gone`);
      else faults.push(...this.#goldFaults(player, account, has), ...this.#itemFaults(player, account, has));
    }
    return [...faults, ...this.#sums([...holdingsByPlayer.values()])];
  }

  #posted(player: string, asked: DrillCommand, { listingId, fee }: Extract<Said, { kind: 'posted' }>): void {
    if (asked.type !== 'sell') return this.#contradict(`${player} asked for ${asked.type}, and was told of a listing`);
    if (this.#postingById.has(listingId)) return this.#contradict(`the listing ${listingId} was posted twice`);
    const { itemId, buyout = 0 } = asked.body;
    this.#postingById.set(listingId, { seller: player, itemId, price: buyout, fee, end: undefined });
    this.#settleEarly(listingId);
  }

  #bought(buyer: string, asked: DrillCommand, { itemId, paid }: Extract<Said, { kind: 'bought' }>): void {
    if (asked.type !== 'buyout') return this.#contradict(`${buyer} asked for ${asked.type}, and was told of a purchase`);
    const { listingId } = asked.body;
    this.#end(listingId, 'sold', (posting) => {
      const { seller, itemId: listed, price, fee } = posting;
      if (itemId !== listed) this.#contradict(`${buyer} bought ${listingId} and was told of ${itemId} instead of ${listed}`);
      if (paid !== price) this.#contradict(`${buyer} paid ${paid} for ${listingId}, which cost ${price}`);
      const [from, to] = [this.#account(seller), this.#account(buyer)];
      to.paid += paid;
      from.received += paid - fee;
      this.#burned += fee;
      count(from.gainedByItem, listed, -1);
      count(to.gainedByItem, listed, 1);
      count(to.completedByItem, listed, 1);
    });
  }

  #returned(seller: string, asked: DrillCommand, { itemId }: Extract<Said, { kind: 'returned' }>): void {
    if (asked.type !== 'cancel') return this.#contradict(`${seller} asked for ${asked.type}, and was told of a cancelled listing`);
    const { listingId } = asked.body;
    this.#end(listingId, 'cancelled', (posting) => {
      if (posting.itemId !== itemId) this.#contradict(`${seller} cancelled ${listingId} and got another item back`);
      count(this.#account(seller).completedByItem, posting.itemId, 1);
    });
  }

  #end(listingId: string, how: 'sold' | 'cancelled', settle: (posting: Posting) => void): void {
    const posting = this.#postingById.get(listingId);
    if (posting === undefined) {
      if (this.#earlyEndById.has(listingId)) this.#contradict(`the listing ${listingId} ended twice`);
      this.#earlyEndById.set(listingId, (late) => {
        late.end = how;
        settle(late);
      });
      return;
    }
    if (posting.end !== undefined) return this.#contradict(`the listing ${listingId} was ${posting.end}, and then ${how}`);
    posting.end = how;
    settle(posting);
  }

  #settleEarly(listingId: string): void {
    const posting = this.#postingById.get(listingId);
    const settle = this.#earlyEndById.get(listingId);
    if (posting === undefined || settle === undefined) return;
    this.#earlyEndById.delete(listingId);
    settle(posting);
  }

  #goldFaults(player: string, { startGold, paid, received, claimedGold }: Account, has: Holdings): readonly string[] {
    const faults: string[] = [];
    const [gold, unclaimed] = [startGold - paid + claimedGold, received - claimedGold];
    if (has.gold !== gold) faults.push(`${player} has ${has.gold} gold, and ${gold} by what it was told`);
    if (has.unclaimed !== unclaimed) faults.push(`${player} has ${has.unclaimed} gold to claim, and ${unclaimed} by what it was told`);
    if (has.held !== 0) faults.push(`${player} still has ${has.held} gold held`);
    return faults;
  }

  #itemFaults(player: string, account: Account, has: Holdings): readonly string[] {
    const listed = [...this.#postingById].filter(([, { seller, end }]) => seller === player && end === undefined);
    const owned = new Set([...account.startItems, ...account.gainedByItem.keys()].filter((item) => ownedCount(account, item) > 0));
    const completed = [...account.completedByItem].flatMap(([item, times]) => Array.from({ length: Math.max(0, times) }, () => item));
    const away = new Set([...completed, ...listed.map(([, { itemId }]) => itemId)]);
    const stash = [...owned].filter((item) => !away.has(item));
    const shown = [...has.listingById].map(([id, { itemId, price }]) => `${id} (${itemId} for ${price})`);
    const posted = listed.map(([id, { itemId, price }]) => `${id} (${itemId} for ${price})`);
    return [
      ...differences(`the stash of ${player}`, has.stash, stash),
      ...differences(`the completed tab of ${player}`, has.completed, completed),
      ...differences(`the listings of ${player}`, shown, posted),
    ];
  }

  /** What must hold for all together, whatever anybody was told. */
  #sums(holdings: readonly Holdings[]): readonly string[] {
    const accounts = [...this.#accountByPlayer.values()];
    const start = accounts.reduce((sum, { startGold }) => sum + startGold, 0);
    const gold = holdings.reduce((sum, has) => sum + has.gold + has.held + has.unclaimed, 0);
    const items = holdings.flatMap(({ stash, completed, listingById }) => [
      ...stash,
      ...completed,
      ...[...listingById.values()].map(({ itemId }) => itemId),
    ]);
    const startItems = accounts.flatMap(({ startItems: own }) => [...own]);
    const faults = gold + this.#burned === start ? [] : [`${gold} gold and ${this.#burned} of fees are not the ${start} of the start`];
    return [...faults, ...differences('all items together', items, startItems)];
  }

  #account(player: string): Account {
    const account = this.#accountByPlayer.get(player);
    if (account === undefined) throw new Error(`nobody is called ${player}`);
    return account;
  }

  #contradict(sentence: string): void {
    this.#contradictions.push(sentence);
  }
}

function ownedCount({ startItems, gainedByItem }: Account, item: string): number {
  return (startItems.has(item) ? 1 : 0) + (gainedByItem.get(item) ?? 0);
}

function count(map: Map<string, number>, key: string, more: number): void {
  map.set(key, (map.get(key) ?? 0) + more);
}

/** What one list has and the other has not, as lists in which a thing may be twice. */
function differences(what: string, is: readonly string[], should: readonly string[]): readonly string[] {
  const balance = new Map<string, number>();
  for (const thing of is) count(balance, thing, 1);
  for (const thing of should) count(balance, thing, -1);
  const tooMany = [...balance].filter(([, times]) => times > 0).map(([thing]) => thing);
  const missing = [...balance].filter(([, times]) => times < 0).map(([thing]) => thing);
  return [
    ...(tooMany.length === 0 ? [] : [`${what}: must not have ${shortList(tooMany)}`]),
    ...(missing.length === 0 ? [] : [`${what}: lacks ${shortList(missing)}`]),
  ];
}

function shortList(things: readonly string[]): string {
  return things.length <= 4 ? things.join(', ') : `${things.slice(0, 4).join(', ')} and ${things.length - 4} more`;
}
