/**
 * A listing in the answer to a search: what the protocol says that a listing is, of which only the id and whose it is are values yet. The
 * rest is bytes that the index has made; the edge puts the three together into one map (`server/edge/shown-listings.ts`).
 */

/** A listing whose fields are made already. */
export class ShownListing {
  readonly id: string;
  readonly mine: boolean;
  /** The other fields, as a map in MessagePack. */
  readonly body: Uint8Array;

  constructor(id: string, mine: boolean, body: Uint8Array) {
    this.id = id;
    this.mine = mine;
    this.body = body;
  }

  /** The same listing under another id. */
  withId(id: string): ShownListing {
    return new ShownListing(id, this.mine, this.body);
  }
}
