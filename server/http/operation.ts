/**
 * An operation of the HTTP interface as data: what is asked, what is answered, what may be refused. The route that serves it
 * and its part of the OpenAPI document are both made from this value, so neither can say something that the other does not.
 */
import type { z } from 'zod';
import type { RefusalName } from '#shared/refusals.ts';

/** One operation. */
export interface Operation {
  readonly method: 'get' | 'post';
  /** As OpenAPI writes it: a part in braces is a parameter, described in `parameters`. */
  readonly path: string;
  readonly summary: string;
  readonly parameters?: Readonly<Record<string, z.ZodType<string>>>;
  /** The JSON body; an operation without one reads none. */
  readonly body?: z.ZodType;
  /** What each status that is no refusal is answered with. */
  readonly answers: Readonly<Record<number, z.ZodType>>;
  /** Beside `internal`, and `bad-request` where there is a body. */
  readonly refusals: readonly RefusalName[];
}
