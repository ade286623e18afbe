/**
 * What every player must have, by the answers that were given and nothing else: the dumb twin of the whole server, for demo and drill.
 *
 * Each answer moves gold and items between the places of players. The order in which answers are heard does not matter: what the end of
 * a listing does to its seller is reckoned when somebody asks for the faults, for its posting may be heard of later. What was not
 * answered yet is not in the books: they hold once every command has its answer.
 */
import type { ChangingCommandType, CommandAnswer, CommandInput } from '#shared/protocol.ts';
import type { PlayerState } from '#shared/state.ts';

/** How much there is of each thing, such as `gold in the wallet` or `axe in the stash`. The first word is the asset. */
export type Holdings = ReadonlyMap<string, number>;

type Counts = Map<string, number>;

interface Posting {
  readonly seller: string;
  readonly itemId: string;
  readonly price: number;
  readonly fee: number;
}

/** The end of a listing, as the one who asked for it was told. */
interface End {
  readonly listingId: string;
  readonly by: string;
  readonly how: 'sold' | 'cancelled';
  readonly itemId: string;
  readonly paid: number;
}

/** What the answer of each command does to the books. */
type Entries = {
  readonly [Type in ChangingCommandType]: (player: string, body: CommandInput<Type>, answer: CommandAnswer<Type>) => void;
};

export class Books {
  readonly #startByPlayer = new Map<string, Holdings>();
  readonly #countsByPlayer = new Map<string, Counts>();
  readonly #postingById = new Map<string, Posting>();
  readonly #ends: End[] = [];
  /** What game servers have brought into the world, less what they took out. */
  readonly #brought: Counts = new Map();
  readonly #contradictions: string[] = [];
  readonly #entries: Entries = {
    sell: (player, { itemId, buyout = 0 }, { listingId, fees }) => {
      if (this.#postingById.has(listingId)) this.#contradictions.push(`the listing ${listingId} was posted twice`);
      const fee = fees.reduce((sum, line) => sum + line.gold, 0);
      this.#postingById.set(listingId, { seller: player, itemId, price: buyout, fee });
      this.#add(player, `${itemId} in the stash`, -1);
      this.#add(player, listingText({ id: listingId, item: { id: itemId }, buyout }), 1);
    },
    buyout: (player, { listingId }, { itemId, paid }) => {
      this.#ends.push({ listingId, by: player, how: 'sold', itemId, paid });
      this.#add(player, 'gold in the wallet', 0 - paid);
      this.#add(player, `${itemId} to claim`, 1);
    },
    cancel: (player, { listingId }, { item }) => {
      const itemId = item?.id ?? 'nothing';
      this.#ends.push({ listingId, by: player, how: 'cancelled', itemId, paid: 0 });
      this.#add(player, `${itemId} to claim`, 1);
    },
    claim: (player, _body, { gold, items }) => {
      this.#add(player, 'gold in the wallet', gold);
      this.#add(player, 'gold to claim', 0 - gold);
      for (const item of items) {
        this.#add(player, `${item} to claim`, -1);
        this.#add(player, `${item} in the stash`, 1);
      }
    },
  };

  /** All gold at the start. */
  get startGold(): number {
    return sumsOf(this.#startByPlayer.values()).get('gold') ?? 0;
  }

  /** Fees that were burned so far. */
  get fees(): number {
    return this.#ends.reduce((sum, { how, listingId }) => sum + (how === 'sold' ? (this.#postingById.get(listingId)?.fee ?? 0) : 0), 0);
  }

  /** Whether the player is known. */
  has(player: string): boolean {
    return this.#startByPlayer.has(player);
  }

  /** A player begins, with what its room shows. */
  open(player: string, holdings: Holdings): void {
    this.#startByPlayer.set(player, holdings);
    this.#countsByPlayer.set(player, new Map(holdings));
  }

  /** A command was answered. Called once for each. */
  note<Type extends ChangingCommandType>(player: string, type: Type, body: CommandInput<Type>, answer: CommandAnswer<Type>): void {
    this.#entries[type](player, body, answer);
  }

  /** A game server was told what it gave to a player, or, by negative amounts, took. */
  noteService(player: string, moved: Holdings): void {
    for (const [thing, amount] of moved) {
      this.#add(player, thing, amount);
      count(this.#brought, assetOf(thing), amount);
    }
  }

  /** Everything that is not as it must be, each in one sentence; none if all is right. */
  faults(holdingsByPlayer: ReadonlyMap<string, Holdings>): readonly string[] {
    const countsByPlayer = new Map(Array.from(this.#countsByPlayer, ([player, counts]) => [player, new Map(counts)]));
    const faults = [...this.#contradictions, ...this.#settle(countsByPlayer)];
    for (const [player, should] of countsByPlayer) {
      const has = holdingsByPlayer.get(player);
      if (has === undefined) faults.push(`${player} is gone`);
      else faults.push(...differences(has, should, (thing, is, told) => `${player} has ${is} ${thing}, and ${told} by what it was told`));
    }
    const start = sumsOf(this.#startByPlayer.values());
    count(start, 'gold', -this.fees);
    for (const [asset, amount] of this.#brought) count(start, asset, amount);
    const all = sumsOf(holdingsByPlayer.values());
    const inWords = (asset: string, is: number, should: number): string =>
      `all together have ${is} ${asset}, and ${should} by the start and the fees`;
    return [...faults, ...differences(all, start, inWords)];
  }

  /** Books the ends of listings at their sellers, and returns what was told wrongly of them. */
  #settle(countsByPlayer: ReadonlyMap<string, Counts>): readonly string[] {
    const endById = new Map<string, End>();
    return this.#ends.flatMap((end) => {
      const { listingId, by, how, itemId, paid } = end;
      const posting = this.#postingById.get(listingId);
      if (posting === undefined) return [`the listing ${listingId} ended, and nobody was told that it was posted`];
      const before = endById.get(listingId);
      if (before !== undefined) return [`the listing ${listingId} was ${before.how}, and then ${how}`];
      endById.set(listingId, end);
      const { seller, price, fee } = posting;
      const counts = countsByPlayer.get(seller) ?? new Map<string, number>();
      count(counts, listingText({ id: listingId, item: { id: posting.itemId }, buyout: price }), -1);
      if (how === 'sold') count(counts, 'gold to claim', paid - fee);
      return [
        ...(itemId === posting.itemId ? [] : [`${by} was told of ${itemId} for ${listingId} instead of ${posting.itemId}`]),
        ...(how === 'cancelled' || paid === price ? [] : [`${by} paid ${paid} for ${listingId}, which cost ${price}`]),
      ];
    });
  }

  #add(player: string, thing: string, more: number): void {
    const counts = this.#countsByPlayer.get(player);
    if (counts === undefined) throw new Error(`nobody is called ${player}`);
    count(counts, thing, more);
  }
}

/** What a player really has, by its room. */
export function holdingsOf({ gold, held, stash, listings, completed }: PlayerState): Holdings {
  const counts: Counts = new Map([
    ['gold in the wallet', gold],
    ['gold held', held],
  ]);
  for (const id of stash.keys()) count(counts, `${id} in the stash`, 1);
  for (const listing of listings.values()) count(counts, listingText(listing), 1);
  for (const entry of completed.values()) {
    count(counts, 'gold to claim', entry.gold ?? 0);
    if (entry.item !== undefined) count(counts, `${entry.item.id} to claim`, 1);
  }
  return counts;
}

/** A listing in words, as its owner's room or a search shows it. */
export function listingText(listing: {
  readonly id: string;
  readonly item?: { readonly id: string } | undefined;
  readonly buyout?: number | undefined;
}): string {
  return `${listing.item?.id ?? 'nothing'} listed as ${listing.id} for ${listing.buyout ?? 0}`;
}

/** How often each thing is there. */
export function countsOf(things: readonly string[]): Holdings {
  const counts: Counts = new Map();
  for (const thing of things) count(counts, thing, 1);
  return counts;
}

/** A sentence for each thing of which there is more or less than there should be. */
export function differences(
  is: Holdings,
  should: Holdings,
  inWords: (thing: string, is: number, should: number) => string,
): readonly string[] {
  const things = new Set([...is.keys(), ...should.keys()]);
  return [...things].flatMap((thing) => {
    const [has, must] = [is.get(thing) ?? 0, should.get(thing) ?? 0];
    return has === must ? [] : [inWords(thing, has, must)];
  });
}

/** How much there is of each asset, wherever it is. */
function sumsOf(all: Iterable<Holdings>): Counts {
  const sums: Counts = new Map();
  for (const holdings of all) for (const [thing, amount] of holdings) count(sums, assetOf(thing), amount);
  return sums;
}

function assetOf(thing: string): string {
  return thing.slice(0, thing.indexOf(' '));
}

function count(counts: Counts, thing: string, more: number): void {
  counts.set(thing, (counts.get(thing) ?? 0) + more);
}
