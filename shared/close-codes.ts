/**
 * The codes with which the edge closes a connection, so that a client knows why and whether to come
 * back. What is said about each is its row in docs/reference/close-codes.md.
 */

/** Codes of the range that applications may use; 4000 to 4010 are Colyseus' own. */
export const CLOSE_CODES = {
  /**
   * What came is no request of the protocol: rubbish, text, a message that wants no answer. Do not
   * come back with the same.
   */
  badMessage: 4400,
  /** The flood went on after its refusals. Come back slower. */
  tooManyMessages: 4429,
  /** The client does not read what it is sent. Come back when it does. */
  slowReader: 4408,
  /**
   * The server lost its place in the player's own changes: come back at once for the whole state.
   */
  stateLost: 4500,
} as const;
