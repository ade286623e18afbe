/**
 * Tokens: who a client says it is, signed by somebody that the server trusts.
 *
 * The studio signs the first token (`aud: "gavel"`, or a list that has it): by HS256 with a secret that
 * it shares with the server, or by RS256 or ES256 with a key of its own whose public half the server
 * knows. The server signs short-lived ones to resume with, which have an audience of their own and end at
 * the latest `limits.sessionResumedMs` after the studio signed.
 *
 * 1. The algorithm that a token names chooses among keys of that algorithm, and nothing else: a public key
 *    is never taken for a secret.
 * 2. Two secrets may hold at once, so that one can be replaced: the first signs, all verify.
 * 3. Why a token was refused is for the log, at a bounded rate and never with the token, not for whoever
 *    has shown it.
 */
import { compactVerify, decodeProtectedHeader, errors, SignJWT, type CompactJWSHeaderParameters } from 'jose';
import { z } from 'zod';
import { limits } from '#shared/limits.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import { faultOf, instantSchema, playerIdSchema, textSchema } from '#shared/schemas.ts';
import { studioIdOf, studioPlayerSchema } from '#shared/studio-id.ts';
import { instant, type Instant, type PlayerId } from '#shared/units.ts';
import { TokenBucket, type Rate } from '#server/platform/token-bucket.ts';
import type { Platform } from '#server/platform/platform.ts';
import { KeysAwayError, studioKeys, type StudioKeys, type StudioKeySource } from './studio-keys.ts';

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
const SECRET_ALGORITHM = 'HS256';
const PUBLIC_ALGORITHMS: readonly string[] = ['RS256', 'ES256'];
/** Refused tokens that are told of: a log is no target for floods. */
const LOG_RATE: Rate = { perSecond: 0.2, burst: 20 };
/** Of what a token says of itself, so much is told. */
const TOLD_MAX = 40;

const times = { exp: z.number(), nbf: z.number().optional() };

const studioClaimsSchema = z.looseObject({
  ...times,
  aud: z.union([z.literal(STUDIO), z.array(z.string()).refine((list) => list.includes(STUDIO) && !list.includes(RESUME))], {
    error: `must be "${STUDIO}", or a list that has it`,
  }),
  sub: studioPlayerSchema,
  name: textSchema(limits.displayNameLengthMax).optional(),
});

const resumeClaimsSchema = z.looseObject({
  ...times,
  aud: z.literal(RESUME),
  sub: playerIdSchema,
  name: z.string(),
  guest: z.boolean(),
  since: instantSchema,
});

/** Why a token is not believed, in one clause. */
class TokenFault extends Error {
  override readonly name = 'TokenFault';
}

/** A payload, and whether the server itself may have signed it. */
interface Verified {
  readonly claims: unknown;
  readonly isOwn: boolean;
}

/** Signs and verifies tokens with the keys given, the newest first. */
export class Tokens {
  readonly #platform: Pick<Platform, 'readings' | 'report'>;
  readonly #secrets: readonly Uint8Array[];
  readonly #studioKeys: StudioKeys | undefined;
  readonly #log: TokenBucket;

  /** Throws `RangeError` without a secret. */
  constructor(platform: Pick<Platform, 'readings' | 'report'>, secrets: readonly string[], source?: StudioKeySource) {
    if (secrets.length === 0) throw new RangeError('there must be a key to sign tokens with');
    this.#platform = platform;
    this.#secrets = secrets.map((key) => new TextEncoder().encode(key));
    this.#studioKeys = source && studioKeys(platform, source);
    this.#log = new TokenBucket(LOG_RATE, platform.readings.monotonicMs());
  }

  /** A token to resume with, good for `limits.sessionTokenMs`. */
  async resume({ player, name, isGuest, since }: Identity, now: Instant): Promise<string> {
    const [key] = this.#secrets;
    if (key === undefined) throw new RangeError('there must be a key to sign tokens with');
    return new SignJWT({ name, guest: isGuest, since })
      .setProtectedHeader({ alg: SECRET_ALGORITHM, typ: 'JWT' })
      .setAudience(RESUME)
      .setSubject(player)
      .setIssuedAt(Math.floor(now / 1_000))
      .setExpirationTime(Math.floor((now + limits.sessionTokenMs) / 1_000))
      .sign(key);
  }

  /** Who a token speaks for; a refusal if it is none, of another purpose, or over, or if its key cannot be had for now. */
  async verify(token: string, now: Instant): Promise<Identity | Refusal> {
    try {
      const { claims, isOwn } = await this.#open(token);
      return isOwn && isForResuming(claims) ? resumedIdentity(claims, now) : studioIdentity(claims, now);
    } catch (error) {
      if (error instanceof KeysAwayError) return refusal('unavailable', { reason: 'the keys of the studio cannot be had' });
      if (!(error instanceof TokenFault)) throw error;
      if (this.#log.take(this.#platform.readings.monotonicMs()))
        this.#platform.report({ level: 'warning', message: `a session was refused: ${error.message}` });
      return refusal('unauthorized', { reason: 'the token is not valid, or over' });
    }
  }

  async #open(token: string): Promise<Verified> {
    const { alg } = headerOf(token);
    if (alg === SECRET_ALGORITHM) return { claims: await this.#openWithSecret(token), isOwn: true };
    if (!PUBLIC_ALGORITHMS.includes(alg)) throw new TokenFault(`the token is signed by ${told(alg)}, which is not accepted`);
    if (this.#studioKeys === undefined) throw new TokenFault(`the token is signed by ${alg}, and --jwks names no keys for it`);
    return { claims: await openWithKeyOf(this.#studioKeys, token, alg), isOwn: false };
  }

  async #openWithSecret(token: string): Promise<unknown> {
    for (const secret of this.#secrets) {
      try {
        const { payload } = await compactVerify(token, secret, { algorithms: [SECRET_ALGORITHM] });
        return parsed(payload);
      } catch (error) {
        // Not by this key: the next one decides.
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw faultFrom(error);
      }
    }
    throw new TokenFault('the signature of the token is of no key in GAVEL_JWT_SECRET');
  }
}

async function openWithKeyOf(keys: StudioKeys, token: string, alg: string): Promise<unknown> {
  try {
    const [header = '', payload = '', signature = ''] = token.split('.');
    const candidates = await keys(headerOf(token), { protected: header, payload, signature });
    for (const key of candidates) {
      try {
        return parsed((await compactVerify(token, key, { algorithms: [alg] })).payload);
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      }
    }
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) {
      const { kid } = headerOf(token);
      throw new TokenFault(`the token names the key ${told(kid ?? 'nothing')} for ${alg}, which the studio's keys do not have`);
    }
    throw error instanceof KeysAwayError ? error : faultFrom(error);
  }
  throw new TokenFault("the signature of the token is not of the studio's key");
}

function headerOf(token: string): CompactJWSHeaderParameters {
  try {
    const { alg = '', kid } = decodeProtectedHeader(token);
    return { alg, ...(typeof kid === 'string' ? { kid } : {}) };
  } catch {
    throw new TokenFault('what was shown is no JSON Web Token');
  }
}

function parsed(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    throw new TokenFault('the claims of the token are not JSON');
  }
}

function isForResuming(claims: unknown): boolean {
  return typeof claims === 'object' && claims !== null && 'aud' in claims && claims.aud === RESUME;
}

function studioIdentity(claims: unknown, now: Instant): Identity {
  const { sub, name, exp, nbf } = claimsBy(studioClaimsSchema, claims);
  demandTime(exp, nbf, now);
  return { player: sub, name: name ?? studioIdOf(sub), isGuest: false, since: now };
}

function resumedIdentity(claims: unknown, now: Instant): Identity {
  const { sub, name, exp, nbf, guest, since } = claimsBy(resumeClaimsSchema, claims);
  demandTime(exp, nbf, now);
  if (since + limits.sessionResumedMs <= now) throw new TokenFault('the session was resumed for too long: the studio must be asked again');
  if (since > now + limits.tokenLeewayMs) throw new TokenFault('the token says that its session begins later');
  return { player: sub, name, isGuest: guest, since: instant(Math.min(since, now)) };
}

function claimsBy<Schema extends z.ZodType>(schema: Schema, claims: unknown): z.output<Schema> {
  const read = schema.safeParse(claims);
  if (!read.success) throw new TokenFault(`the claims of the token cannot be used: ${faultOf(read.error)}`);
  return read.data;
}

function demandTime(exp: number, nbf: number | undefined, now: Instant): void {
  const seconds = (ms: number): string => `${Math.ceil(ms / 1_000)} s`;
  if (exp * 1_000 + limits.tokenLeewayMs <= now) throw new TokenFault(`the token ended ${seconds(now - exp * 1_000)} ago`);
  if (nbf !== undefined && nbf * 1_000 - limits.tokenLeewayMs > now)
    throw new TokenFault(`the token begins in ${seconds(nbf * 1_000 - now)}`);
}

/** What the library says is wrong with a token, which quotes nothing of it. */
function faultFrom(error: unknown): Error {
  if (error instanceof TokenFault) return error;
  return new TokenFault(`the token cannot be verified: ${error instanceof Error ? error.message : String(error)}`);
}

/** A word of a stranger, short and on one line. */
function told(word: string): string {
  return JSON.stringify(word.slice(0, TOLD_MAX));
}
