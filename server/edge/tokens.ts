/**
 * Tokens: who a client says it is, signed by somebody that the server trusts.
 *
 * The studio signs the first token (`aud: "gavel"`). The server signs short-lived ones to resume
 * with, which have an audience of their own and end at the latest `limits.sessionResumedMs` after
 * the studio signed. The algorithm is HS256, whatever a token's header claims. Two keys may hold at
 * once, so that a key can be replaced: the first signs, all verify.
 */
import { compactVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { limits } from '#shared/limits.ts';
import { instantSchema, playerIdSchema, textSchema } from '#shared/schemas.ts';
import { instant, type Instant, type PlayerId } from '#shared/units.ts';

/** Who is there: by the studio's word, or a guest of a development world. */
export interface Identity {
  readonly player: PlayerId;
  readonly name: string;
  readonly isGuest: boolean;
  /** When the studio, or the guest, last said so. */
  readonly since: Instant;
}

/** Audiences: a token for one purpose is worth nothing for another. */
const STUDIO = 'gavel';
const RESUME = 'gavel-resume';
const ALGORITHM = 'HS256';

const claimsSchema = z.looseObject({
  aud: z.union([z.literal(STUDIO), z.literal(RESUME)]),
  exp: z.number(),
  nbf: z.number().optional(),
  sub: playerIdSchema,
  name: textSchema(limits.displayNameLengthMax).optional(),
  guest: z.boolean().optional(),
  since: instantSchema.optional(),
});

/** Signs and verifies tokens with the keys given, the newest first. */
export class Tokens {
  readonly #keys: readonly Uint8Array[];

  /** Throws `RangeError` without a key. */
  constructor(keys: readonly string[]) {
    if (keys.length === 0) throw new RangeError('there must be a key to sign tokens with');
    this.#keys = keys.map((key) => new TextEncoder().encode(key));
  }

  /** A token to resume with, good for `limits.sessionTokenMs`. */
  async resume({ player, name, isGuest, since }: Identity, now: Instant): Promise<string> {
    const [key] = this.#keys;
    if (key === undefined) throw new RangeError('there must be a key to sign tokens with');
    return new SignJWT({ name, guest: isGuest, since })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
      .setAudience(RESUME)
      .setSubject(player)
      .setIssuedAt(Math.floor(now / 1_000))
      .setExpirationTime(Math.floor((now + limits.sessionTokenMs) / 1_000))
      .sign(key);
  }

  /** Who a token speaks for, or `undefined` if it is none, of another purpose, or over. */
  async verify(token: string, now: Instant): Promise<Identity | undefined> {
    const claims = claimsSchema.safeParse(await this.#payloadOf(token));
    if (!claims.success) return undefined;
    const { aud, exp, nbf, sub, name, guest, since } = claims.data;
    if (exp * 1_000 + limits.tokenLeewayMs <= now || (nbf !== undefined && nbf * 1_000 - limits.tokenLeewayMs > now)) return undefined;
    if (aud === STUDIO) return { player: sub, name: name ?? sub, isGuest: false, since: now };
    // Tokens of the server itself: it always names all of these.
    if (since === undefined || since + limits.sessionResumedMs <= now || since > now + limits.tokenLeewayMs) return undefined;
    return { player: sub, name: name ?? sub, isGuest: guest === true, since: instant(Math.min(since, now)) };
  }

  async #payloadOf(token: string): Promise<unknown> {
    for (const key of this.#keys) {
      try {
        const { payload } = await compactVerify(token, key, { algorithms: [ALGORITHM] });
        return JSON.parse(new TextDecoder().decode(payload));
      } catch {
        // Not by this key, or no token at all: the next key decides, and in the end nobody is
        // there.
      }
    }
    return undefined;
  }
}
