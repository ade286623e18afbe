/** The studio's public keys, as a JSON Web Key Set (RFC 7517). */
import { z } from 'zod';
import { faultOf } from '#shared/schemas.ts';

const text = z.string().min(1);

const keySchema = z
  .discriminatedUnion('kty', [
    z.looseObject({ kty: z.literal('RSA'), n: text, e: text }),
    z.looseObject({ kty: z.literal('EC'), crv: text, x: text, y: text }),
  ])
  .refine((key) => key['d'] === undefined, 'is a private key: whoever reads it can sign');

/** Public keys: RSA for RS256, P-256 for ES256. */
const jwksSchema = z.looseObject({ keys: z.array(keySchema).min(1) });

/** A set of public keys. */
export type Jwks = z.output<typeof jwksSchema>;

/** Where the public keys are: here, or behind a URL that is asked now and then. */
export type JwksSource = { readonly kind: 'keys'; readonly jwks: Jwks } | { readonly kind: 'url'; readonly url: URL };

/** A set of keys that cannot be used; the message is one clause. */
export class JwksError extends Error {
  override readonly name = 'JwksError';
}

/** The keys that a file's content (already read as JSON) holds; throws `JwksError` if it is no set of public keys. */
export function parseJwks(content: unknown): Jwks {
  const parsed = jwksSchema.safeParse(content);
  if (!parsed.success) throw new JwksError(faultOf(parsed.error));
  return parsed.data;
}
