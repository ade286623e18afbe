/** Values of JSON, for the checkers. */

/** A value as an object whose fields may be looked at. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
