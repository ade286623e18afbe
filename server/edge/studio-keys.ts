/**
 * The studio's public keys: a JSON Web Key Set from a file, or behind a URL that is asked now and then.
 *
 * 1. Keys that were had once go on to hold while the URL does not answer.
 * 2. However many tokens name keys that nobody has, the URL is asked once per `limits.jwksCooldownMs`, and
 *    not again for `RETRY_MS` after it failed.
 */
import { createLocalJWKSet, createRemoteJWKSet, errors, type CompactVerifyGetKey, type JSONWebKeySet } from 'jose';
import { limits } from '#shared/limits.ts';
import type { Platform } from '#server/platform/platform.ts';

/** A key as jose finds it. */
type FoundKey = Awaited<ReturnType<CompactVerifyGetKey>>;

/** Finds keys for a token. Rejects with `KeysAwayError` if they are not known for now, else as jose does. */
export type StudioKeys = (...of: Parameters<CompactVerifyGetKey>) => Promise<readonly FoundKey[]>;

/** Where the keys come from. */
export type StudioKeySource = { readonly kind: 'keys'; readonly jwks: JSONWebKeySet } | { readonly kind: 'url'; readonly url: URL };

/** That the keys are not known for now: nothing is known of the token either. */
export class KeysAwayError extends Error {
  override readonly name = 'KeysAwayError';
}

const RETRY_MS = 2_000;

/** What the server sees of the machine for it. */
type Surroundings = Pick<Platform, 'readings' | 'report'>;

/** The keys of a source. Those behind a URL are asked for at once, so that the first player does not wait. */
export function studioKeys(platform: Surroundings, source: StudioKeySource): StudioKeys {
  if (source.kind === 'keys') return manyOf(createLocalJWKSet(source.jwks));
  const remote = new RemoteKeys(platform, source.url);
  void remote.refresh().catch(() => undefined);
  return (...of) => remote.keysFor(...of);
}

class RemoteKeys {
  readonly #platform: Surroundings;
  readonly #url: URL;
  readonly #remote: ReturnType<typeof createRemoteJWKSet>;
  readonly #find: StudioKeys;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #isAway = false;

  constructor(platform: Surroundings, url: URL) {
    this.#platform = platform;
    this.#url = url;
    // When it is asked again is decided here.
    this.#remote = createRemoteJWKSet(url, {
      timeoutDuration: limits.jwksWaitMs,
      cacheMaxAge: Number.POSITIVE_INFINITY,
      cooldownDuration: Number.POSITIVE_INFINITY,
    });
    this.#find = manyOf(this.#remote);
  }

  async keysFor(...of: Parameters<StudioKeys>): ReturnType<StudioKeys> {
    if (this.#remote.jwks() === undefined) await this.refresh();
    else if (this.#sinceAskedMs > limits.jwksMaxAgeMs) void this.refresh().catch(() => undefined);
    try {
      return await this.#find(...of);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      // The studio may have begun to sign with a new key.
      await this.refresh();
      return this.#find(...of);
    }
  }

  /** Asks for the keys anew, if it is time to. Rejects if they are away. */
  refresh(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  get #sinceAskedMs(): number {
    return this.#platform.readings.monotonicMs() - this.#askedAtMs;
  }

  async #ask(): Promise<void> {
    const isTooSoon = this.#sinceAskedMs < (this.#isAway ? RETRY_MS : limits.jwksCooldownMs);
    if (isTooSoon && !this.#isAway) return;
    if (isTooSoon) throw new KeysAwayError('they were away a moment ago');
    this.#askedAtMs = this.#platform.readings.monotonicMs();
    try {
      await this.#remote.reload();
      this.#isAway = false;
    } catch (error) {
      const consequence = this.#remote.jwks() === undefined ? 'nobody can come in with a token of them' : 'those that are known still hold';
      if (!this.#isAway) {
        const message = `the studio's keys at ${this.#url.origin}${this.#url.pathname} cannot be had: ${consequence}`;
        this.#platform.report({ level: 'warning', message, error });
      }
      this.#isAway = true;
      throw new KeysAwayError('they cannot be had', { cause: error });
    }
  }
}

/** The key that a token names; all that it may mean, if it names none. */
function manyOf(find: CompactVerifyGetKey): StudioKeys {
  return async (...of) => {
    try {
      return [await find(...of)];
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      return Array.fromAsync(error);
    }
  };
}
