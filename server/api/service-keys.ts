/**
 * The door of game servers: who shows which key, and what that one may do. Nobody may do anything without
 * one.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { ServiceRight } from '#shared/protocol/service.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import type { ServiceKey } from '#server/config.ts';

/** Service keys, by what is shown of them. */
export class ServiceKeys {
  readonly #known: readonly { readonly key: ServiceKey; readonly digest: Uint8Array }[];

  constructor(keys: readonly ServiceKey[]) {
    this.#known = keys.map((key) => ({ key, digest: digestOf(key.key) }));
  }

  /** The key that an `Authorization` header shows, if it has the right; else a refusal that says what is missing. */
  demand(authorization: string | undefined, right: ServiceRight): ServiceKey | Refusal {
    const shown = /^Bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1];
    if (shown === undefined) return refusal('unauthorized', { reason: 'show a service key: Authorization: Bearer KEY' });
    const digest = digestOf(shown);
    // All of them are looked at, each in the same time, whatever is shown.
    const found = this.#known.filter((known) => timingSafeEqual(known.digest, digest))[0]?.key;
    if (found === undefined) return refusal('unauthorized', { reason: 'this service key is not known' });
    return found.rights.has(right) ? found : refusal('unauthorized', { reason: `the service key ${found.name} has no right to ${right}` });
  }
}

function digestOf(key: string): Uint8Array {
  return createHash('sha256').update(key).digest();
}
