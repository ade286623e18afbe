/**
 * Refusals as clients receive them: the protocol's shape, without the tag that the server tells
 * them by; and what HTTP says of them beside the body.
 */
import type { Refusal, RefusalName } from '#shared/refusals.ts';

/** `refusalSchema` of the protocol, as a type. */
export type PublicRefusal = Omit<Refusal, 'kind'>;

/** The refusal in the protocol's shape. */
export function publicRefusal({ code, name, message, retryable, details }: Refusal): PublicRefusal {
  return { code, name, message, retryable, ...(details === undefined ? {} : { details }) };
}

/** Refusals about what the path or the body names, which is not there. */
const NOT_THERE: ReadonlySet<RefusalName> = new Set(['no-such-player']);

/** The status of an HTTP answer that refuses: codes that are those of HTTP stand for themselves. */
export function httpStatusOf({ code, name }: PublicRefusal): number {
  if (NOT_THERE.has(name)) return 404;
  return code < 600 ? code : 409;
}

/** What every answer over HTTP says. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** The headers of a refusal. `Retry-After` counts whole seconds. */
export function answerHeaders({ details }: PublicRefusal): Readonly<Record<string, string>> {
  const waitMs = details?.['retryAfterMs'];
  return { ...SECURITY_HEADERS, ...(typeof waitMs === 'number' ? { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1_000))) } : {}) };
}
