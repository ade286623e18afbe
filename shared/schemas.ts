/**
 * The small zod schemas that everything at the edge is made of, and how a failure becomes one
 * sentence.
 *
 * zod runs once, where data enters (a request, a file). What it lets through is branded and safe:
 * strings are bounded and without NUL, numbers are safe integers, unknown fields are refused.
 */
import { z } from 'zod';
import { isRegionName, MODES } from './address.ts';
import { limits } from './limits.ts';
import { durationMs, gold, GOLD_MAX, instant, itemId, operationId, playerId, quantity, QUANTITY_MAX, rowId } from './units.ts';

/** A value that nobody who holds it may change, at any depth; brands stay. */
export type DeepReadonly<Value> = Value extends string | number | boolean | bigint | null | undefined
  ? Value
  : Value extends readonly (infer Element)[]
    ? readonly DeepReadonly<Element>[]
    : Value extends object
      ? { readonly [Key in keyof Value]: DeepReadonly<Value[Key]> }
      : Value;

/** The type of what a schema lets through. */
export type Parsed<Schema extends z.ZodType> = DeepReadonly<z.output<Schema>>;

const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const NO_NUL = /^[^\0]*$/;

/** Adding zero turns -0, which is an integer too, into 0. */
const plain = (value: number): number => value + 0;

/** A whole number between two bounds, both included. */
export const integerSchema = (min: number, max: number) => z.int().min(min).max(max).transform(plain);

/** Text of 1 to `max` UTF-16 units, well-formed and without NUL. */
export const textSchema = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(NO_NUL, 'must not contain NUL')
    .refine((text) => text.isWellFormed(), 'must be well-formed Unicode');

/** Whole coins, 0 to 2^53 - 1. */
export const goldSchema = z.int().min(0).max(GOLD_MAX).transform(plain).transform(gold);

/** A signed whole number of coins: a change, not an amount. */
export const goldChangeSchema = z.int().transform(plain);

/** Pieces of a commodity, 1 to 4,294,967,295. */
export const quantitySchema = z.int().min(1).max(QUANTITY_MAX).transform(quantity);

/** Milliseconds since the epoch. */
export const instantSchema = z.int().min(0).transform(plain).transform(instant);

/** A span of milliseconds. */
export const durationSchema = z.int().min(0).transform(plain).transform(durationMs);

/** The id that a client gives to one operation. */
export const operationIdSchema = z.string().regex(NAME, 'must be 1 to 64 of A-Z a-z 0-9 _ -').transform(operationId);

/** A player id. */
export const playerIdSchema = z.string().regex(NAME, 'must be 1 to 64 of A-Z a-z 0-9 _ -').transform(playerId);

/** An item id. */
export const itemIdSchema = z.string().regex(NAME, 'must be 1 to 64 of A-Z a-z 0-9 _ -').transform(itemId);

/**
 * What the server sends sealed, so that it names no player. Inside of the server it is readable: who takes it in from a client opens it, and
 * who sends it out seals it, wherever a schema says that it is there.
 */
export type IdKind = 'listing' | 'transaction' | 'cursor';

/** The schemas of texts that clients see sealed. */
export const sealedSchemas = z.registry<{ readonly kind: IdKind }>();

const sealed = <Schema extends z.ZodType<string>>(kind: IdKind, schema: Schema): Schema => {
  sealedSchemas.add(schema, { kind });
  return schema;
};

/** A listing id: opaque to clients. */
export const listingIdSchema = sealed('listing', textSchema(limits.sealedIdLengthMax));

/** A row of the player's own shard, such as an entry of the completed tab. */
export const rowIdSchema = integerSchema(1, Number.MAX_SAFE_INTEGER).transform(rowId);

/** A word of the catalogue: lower-case letters, digits and dashes. */
export const catalogWordSchema = z
  .string()
  .max(limits.catalogWordLengthMax)
  .regex(/^[a-z][a-z0-9-]*$/, 'must be lower-case letters, digits and dashes');

/** The name of a region. */
export const regionSchema = z.string().refine(isRegionName, 'must be the name of a region');

/** Softcore or hardcore. */
export const modeSchema = z.enum(MODES);

/** Opaque text that the server made. */
export const cursorSchema = sealed('cursor', textSchema(limits.cursorLengthMax));

/** A transaction: opaque to clients, the same text to both sides of a trade. */
export const transactionTextSchema = sealed('transaction', textSchema(limits.sealedIdLengthMax));

/**
 * One line of what a sale costs; `rate` in basis points of the price, where the line is a share.
 */
export const feeLineSchema = z.strictObject({ name: textSchema(40), rate: integerSchema(0, 10_000).exactOptional(), gold: goldSchema });

/** One line of what a sale costs the seller. */
export type FeeLine = Parsed<typeof feeLineSchema>;

/** The longest sentence about a failure: an attacker's own words come back cut. */
const SENTENCE_LENGTH_MAX = 300;

/**
 * What is wrong with a value, in one clause without a full stop: where, then what. Only the first
 * fault is told, and unknown fields first of all, since they are mostly a misspelt name of what is
 * then missing.
 */
export function faultOf(error: z.ZodError): string {
  const issue = error.issues.find((each) => each.code === 'unrecognized_keys') ?? error.issues[0];
  if (issue === undefined) return 'is malformed';
  const place = issue.path.map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${String(key)}`)).join('');
  const sentence =
    issue.code === 'unrecognized_keys' ? unknownKeys(issue.keys, place) : `${place === '' ? 'value' : place}: ${wordsOf(issue)}`;
  return sentence.length <= SENTENCE_LENGTH_MAX ? sentence : `${sentence.slice(0, SENTENCE_LENGTH_MAX)}...`;
}

/** Zod's own words, but for the two faults that are made most: a field that is not there, and a broken number. */
function wordsOf({ code, message }: z.core.$ZodIssue): string {
  if (code === 'invalid_type' && message.endsWith('received undefined')) return 'is missing';
  return code === 'invalid_type' && message.includes('expected int,') ? 'must be a whole number' : message;
}

function unknownKeys(keys: readonly string[], place: string): string {
  const names = keys.slice(0, 5).map((key) => JSON.stringify(key));
  return `unknown field ${names.join(', ')}${place === '' ? '' : ` in ${place}`}`;
}
