/**
 * Assertions, which stay on in production: a program that has found itself wrong must not go on.
 */

/** Thrown when something holds that cannot hold: a bug of this program. */
export class AssertionFault extends Error {
  override readonly name = 'AssertionFault';
}

/**
 * Throws `AssertionFault` unless the condition holds. On a hot path the message is a constant,
 * elsewhere it may be a function, so that a text is made only for a fault.
 */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionFault(typeof message === 'string' ? message : message());
}
