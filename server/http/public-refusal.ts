/**
 * Refusals as clients receive them: the protocol's shape, without the tag that the server tells
 * them by.
 */
import type { Refusal } from '#shared/refusals.ts';

/** `refusalSchema` of the protocol, as a type. */
export type PublicRefusal = Omit<Refusal, 'kind'>;

/** The refusal in the protocol's shape. */
export function publicRefusal({ code, name, message, retryable, details }: Refusal): PublicRefusal {
  return { code, name, message, retryable, ...(details === undefined ? {} : { details }) };
}

/** The status of an HTTP answer that refuses: codes that are those of HTTP stand for themselves. */
export function httpStatusOf({ code }: PublicRefusal): number {
  return code < 600 ? code : 409;
}
