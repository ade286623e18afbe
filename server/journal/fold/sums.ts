/** Sums by market, place and asset class, exact beyond 2^53. The keys are those of `totalKey`. */
import { PLACES } from '#server/shard/change-set.ts';

/** The part of a sum that has left the safe integers goes into a BigInt; the rest stays a number, which is far cheaper. */
class Sum {
  #carried = 0n;
  #rest = 0;

  add(amount: number): void {
    const rest = this.#rest + amount;
    if (Number.isSafeInteger(rest)) this.#rest = rest;
    else {
      this.#carried += BigInt(this.#rest) + BigInt(amount);
      this.#rest = 0;
    }
  }

  get amount(): bigint {
    return this.#carried + BigInt(this.#rest);
  }
}

/** The sums of one market. */
export class MarketSums {
  readonly #sumsByPlace: readonly Map<string, Sum>[] = PLACES.map(() => new Map<string, Sum>());

  /** Adds to one sum; a place is its number in `PLACES`. */
  add(placeNumber: number, assetClass: string, amount: number): void {
    const sums = this.#sumsByPlace[placeNumber];
    if (sums === undefined) throw new Error(`there is no place number ${placeNumber}`);
    let sum = sums.get(assetClass);
    if (sum === undefined) {
      sum = new Sum();
      sums.set(assetClass, sum);
    }
    sum.add(amount);
  }

  /** All sums: place, asset class, amount. */
  *entries(): Generator<readonly [place: string, assetClass: string, amount: bigint]> {
    for (const [number, place] of PLACES.entries()) {
      for (const [assetClass, { amount }] of this.#sumsByPlace[number] ?? []) yield [place, assetClass, amount];
    }
  }
}

/** The sums of every market. */
export class Sums {
  readonly #sumsByMarket = new Map<string, MarketSums>();

  /** The sums of a market. */
  market(market: string): MarketSums {
    let sums = this.#sumsByMarket.get(market);
    if (sums === undefined) {
      sums = new MarketSums();
      this.#sumsByMarket.set(market, sums);
    }
    return sums;
  }

  /** All sums that are not zero. */
  byKey(): ReadonlyMap<string, bigint> {
    const amountByKey = new Map<string, bigint>();
    for (const [market, sums] of this.#sumsByMarket) {
      for (const [place, assetClass, amount] of sums.entries())
        if (amount !== 0n) amountByKey.set(`${market} ${place} ${assetClass}`, amount);
    }
    return amountByKey;
  }
}
