/**
 * Renewal of tokens: `POST /session/renew` answers a token with one whose time starts now. A client
 * that plays for hours asks for it now and then, and so can come back whenever its connection is
 * lost. No seat is taken and no shard is touched: it costs two signatures.
 *
 * How long tokens may follow each other is not in the hand of the client: each says when the studio
 * last vouched for the player, and `Tokens.verify` refuses it when that is too long ago.
 */
import type { z } from 'zod';
import type { renewalAnswerSchema, renewalRequestSchema } from '#shared/protocol.ts';
import type { Refusal } from '#shared/refusals.ts';
import type { EdgeServices } from './services.ts';
import { identify } from './sessions.ts';

/** The next token after this one, or a refusal if it is none, of nobody welcome, or over. */
export async function renewToken(
  services: EdgeServices,
  { token }: z.output<typeof renewalRequestSchema>,
): Promise<z.output<typeof renewalAnswerSchema> | Refusal> {
  const identity = await identify(services, { token });
  if ('kind' in identity) return identity;
  return { token: await services.tokens.resume(identity, services.platform.readings.wall()) };
}
