/**
 * Renewal of tokens: `POST /session/renew` answers a token with one whose time starts now. A client
 * that plays for hours asks for it now and then, and so can come back whenever its connection is
 * lost. No seat is taken and no shard is touched: it costs two signatures.
 *
 * How long tokens may follow each other is not in the hand of the client: each says when the studio
 * last vouched for the player, and `Tokens.verify` refuses it when that is too long ago.
 */
import type { z } from 'zod';
import type { renewalAnswerSchema } from '#shared/protocol.ts';
import type { EdgeServices } from './services.ts';
import type { Identity } from './tokens.ts';

/** The next token of somebody whose last one was good. */
export async function renewToken({ tokens, platform }: EdgeServices, identity: Identity): Promise<z.output<typeof renewalAnswerSchema>> {
  return { token: await tokens.resume(identity, platform.readings.wall()) };
}
