/** Sums by market, place and asset class, exact beyond 2^53. The keys are those of `totalKey`. */

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

/** See the head of this file. */
export class Sums {
  readonly #sums = new Map<string, Map<string, Map<string, Sum>>>();

  /** Adds to one sum. */
  add(market: string, place: string, assetClass: string, amount: number): void {
    const byPlace = getOrAdd(this.#sums, market, () => new Map<string, Map<string, Sum>>());
    const byAsset = getOrAdd(byPlace, place, () => new Map<string, Sum>());
    getOrAdd(byAsset, assetClass, () => new Sum()).add(amount);
  }

  /** All sums that are not zero. */
  byKey(): ReadonlyMap<string, bigint> {
    const amountByKey = new Map<string, bigint>();
    for (const [market, byPlace] of this.#sums) {
      for (const [place, byAsset] of byPlace) {
        for (const [asset, { amount }] of byAsset) if (amount !== 0n) amountByKey.set(`${market} ${place} ${asset}`, amount);
      }
    }
    return amountByKey;
  }
}

function getOrAdd<T>(map: Map<string, T>, key: string, make: () => T): T {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
