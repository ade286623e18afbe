/**
 * Entities: typed rows of a shard, after Axiom's items. One definition gives the TypeScript type of the row, the
 * check of every value, the column of the SQLite table and the place in the journal's record.
 *
 * An attribute of type `timestamp` may be an alarm: the row wakes its shard when that time has come, and no second
 * row has to be kept in step with it.
 */
import type { Gold, Instant, RowId } from '#shared/units.ts';
import { ConstraintError } from './constraint-error.ts';
import { compileRowFunctions, type RowFunctions } from './entity-compiler.ts';
import { Json } from './json.ts';
import type { AnyRow, AttributeType, EntitySchema } from './row.ts';

/** An attribute of which the table keeps an index: several rows per value, or at most one. */
export type IndexKind = 'plain' | 'unique';

/** One attribute; `Value` is the type that it gives to the row, `Omissible` tells whether `insert` may leave it out. */
export interface Attribute<Value, Omissible extends boolean = boolean> {
  readonly type: AttributeType;
  readonly nullable: boolean;
  /** Whether it has a default, or may be null. */
  readonly isOmissible: Omissible;
  /** What a row gets that is inserted without it. */
  readonly initial: Value | undefined;
  readonly index: IndexKind | undefined;
  readonly alarm: string | undefined;
  /** In words, for a `ConstraintError`: `must be a whole number from 1 to 10`. */
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
  /** What is inside a JSON value of which only the text was taken: asked of the rows of edited images, and of no others. */
  readonly holds: ((inside: unknown) => boolean) | undefined;
}

/** The attributes of one entity, by name. */
export type Attributes = Readonly<Record<string, Attribute<unknown>>>;
type ValueOf<A> = A extends Attribute<infer Value> ? Value : never;

/** The columns of a row, without its id. */
export type Values<A extends Attributes> = { readonly [Name in keyof A]: ValueOf<A[Name]> };
type OmissibleName<A extends Attributes> = { [Name in keyof A]: A[Name] extends Attribute<unknown, true> ? Name : never }[keyof A];
/** What a new row is made from: attributes with a default may be left out, and so may nullable ones, which are then null. */
export type NewValues<A extends Attributes> = Omit<Values<A>, OmissibleName<A>> & Partial<Pick<Values<A>, OmissibleName<A>>>;
/** An immutable row. `id` is unique in its shard over all entities and is never given twice. */
export type RowOf<A extends Attributes> = Values<A> & { readonly id: RowId };

/** An entity type at its present version. Made by `defineEntity`. */
export interface Entity<A extends Attributes = Attributes> {
  readonly name: string;
  readonly version: number;
  /** A small number of its own in this process, for tables in arrays. */
  readonly ordinal: number;
  readonly attributes: A;
  readonly schema: EntitySchema;
  /** The attributes of which the table keeps an index. */
  readonly indexes: readonly { readonly attribute: string; readonly kind: IndexKind; readonly read: ReadAttribute }[];
  /** The attributes that wake the shard. */
  readonly alarms: readonly { readonly alarm: string; readonly read: ReadAttribute }[];
  /** What is done to its rows on every turn. */
  readonly rowFunctions: RowFunctions;
  /** Which rows others make the shard keep, as `EntityDefinition` says. */
  readonly isMadeByOthers: boolean | ((row: AnyRow) => boolean);
  /** A row of these values, with what is left out filled in. Nothing is checked. */
  newRow(values: NewValues<A>, id: RowId): RowOf<A>;
}

/** Reads one attribute of a row; null where there is no row. */
export type ReadAttribute = (row: AnyRow | undefined) => unknown;

/** The row type of an entity: `type Wallet = Row<typeof wallet>`. */
export type Row<E extends Entity> = E extends Entity<infer A> ? RowOf<A> : never;

const NAME_PATTERN = /^[a-z][a-zA-Z0-9]{0,62}$/;

let entitiesDefined = 0;

/** What an entity type is defined by. */
export interface EntityDefinition<A extends Attributes> {
  readonly version: number;
  readonly attributes: A;
  /**
   * Which rows others make a player's shard keep: those of its trade partners, of the service and of the shard's own housekeeping. They take
   * memory as all do, and never count towards what refuses the player's commands: each kind has a bound of its own. Default: none.
   */
  readonly isMadeByOthers?: boolean | ((row: RowOf<A>) => boolean);
}

/**
 * Defines an entity type. Throws `Error` if a name is not `[a-z][a-zA-Z0-9]*` or `id` is among the attributes, `ConstraintError` if an
 * attribute does not allow its own default.
 */
export function defineEntity<const A extends Attributes>(name: string, definition: EntityDefinition<A>): Entity<A> {
  if (!NAME_PATTERN.test(name)) throw new Error(`entity name ${JSON.stringify(name)} is not a plain word`);
  const attributes = Object.entries<Attribute<unknown>>(definition.attributes);
  for (const [attribute, { type, expected, initial, accepts }] of attributes) {
    if (!NAME_PATTERN.test(attribute) || attribute === 'id' || attribute in Object.prototype)
      throw new Error(`attribute name ${JSON.stringify(attribute)} of ${name} is not allowed`);
    if (initial !== undefined && initial !== null && !accepts(initial)) throw new ConstraintError(name, attribute, type, expected, initial);
  }
  const rowFunctions = compileRowFunctions(name, attributes);
  const readerOf = (attribute: string): ReadAttribute => rowFunctions.readers[attribute] ?? (() => null);
  return {
    name,
    version: definition.version,
    ordinal: entitiesDefined++,
    attributes: definition.attributes,
    schema: {
      name,
      version: definition.version,
      table: `${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_v${definition.version}`,
      columns: attributes.map(([attribute, { type, nullable }]) => ({ name: attribute, type, nullable })),
    },
    indexes: attributes.flatMap(([attribute, { index }]) =>
      index === undefined ? [] : [{ attribute, kind: index, read: readerOf(attribute) }],
    ),
    alarms: attributes.flatMap(([attribute, { alarm }]) => (alarm === undefined ? [] : [{ alarm, read: readerOf(attribute) }])),
    rowFunctions,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A table asks about rows of its own entity only.
    isMadeByOthers: (definition.isMadeByOthers ?? false) as Entity['isMadeByOthers'],
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Compiled from these very attributes.
    newRow: (values, id) => rowFunctions.newRow(values, id) as RowOf<A>,
  };
}

/** Of every attribute. */
interface Options {
  readonly indexed?: IndexKind;
}

function attribute<Value>(
  type: AttributeType,
  expected: string,
  accepts: (value: unknown) => boolean,
  options: Options & { readonly alarm?: string; readonly holds?: (inside: unknown) => boolean },
): Attribute<Value, false> {
  const { indexed, alarm, holds } = options;
  return { type, nullable: false, isOmissible: false, initial: undefined, index: indexed, alarm, expected, accepts, holds };
}

/** The attribute, or null; it is null if it is left out. */
export function nullable<Value>(of: Attribute<Value>): Attribute<Value | null, true> {
  return { ...of, nullable: true, isOmissible: true, initial: of.initial ?? null };
}

/** The attribute; it has that value if it is left out. */
export function withDefault<Value>(of: Attribute<Value>, initial: NoInfer<Value>): Attribute<Value, true> {
  return { ...of, isOmissible: true, initial };
}

/** A whole number within the safe integers, or within `min` and `max`, both included. */
export function integer<Value extends number = number>(
  options: Options & { readonly min?: number; readonly max?: number } = {},
): Attribute<Value, false> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = options;
  return attribute('integer', `a whole number from ${min} to ${max}`, (value) => isWhole(value, min, max), options);
}

/** A string without NUL or lone surrogates (neither would survive the disk), of at most `maxLength` UTF-16 units (default 256). */
export function text<Value extends string = string>(options: Options & { readonly maxLength?: number } = {}): Attribute<Value, false> {
  const { maxLength = 256 } = options;
  const expected = `a well-formed string without NUL of at most ${maxLength} characters`;
  return attribute('text', expected, (value) => isText(value, maxLength), options);
}

/** An amount of gold: whole coins, 0 to 2^53 - 1. */
export function goldAmount(options: Options = {}): Attribute<Gold, false> {
  return attribute('gold', 'whole gold from 0 to 2^53 - 1', (value) => isWhole(value, 0, Number.MAX_SAFE_INTEGER), options);
}

/** True or false. */
export function boolean(options: Options = {}): Attribute<boolean, false> {
  return attribute('boolean', 'true or false', (value) => typeof value === 'boolean', options);
}

/** An instant in epoch milliseconds. With `alarm`, the shard is woken for the row at that time. */
export function timestamp(options: Options & { readonly alarm?: string } = {}): Attribute<Instant, false> {
  return attribute('timestamp', 'whole milliseconds since 1970', (value) => isWhole(value, 0, Number.MAX_SAFE_INTEGER), options);
}

/** Raw bytes, at most `maxLength` of them (default 1,024). */
export function bytes(options: Options & { readonly maxLength?: number } = {}): Attribute<Uint8Array, false> {
  const { maxLength = 1024 } = options;
  return attribute('bytes', `at most ${maxLength} bytes`, (value) => value instanceof Uint8Array && value.length <= maxLength, options);
}

/** The id of another row of the same shard. */
export function reference(options: Options = {}): Attribute<RowId, false> {
  return attribute('reference', 'the id of a row', (value) => isWhole(value, 1, Number.MAX_SAFE_INTEGER), options);
}

/** One of a closed list of words. */
export function oneOf<const Value extends string>(values: readonly Value[], options: Options = {}): Attribute<Value, false> {
  const allowed = new Set<unknown>(values);
  return attribute('enum', `one of ${values.join(', ')}`, (value) => allowed.has(value), options);
}

/**
 * An immutable JSON value. Its type is the caller's word: the value was parsed at the edge or came from the shard's own journal. `holds`
 * tells it from other values where it came from neither: in an edited image.
 */
export function json<Value extends object>(
  options: Options & { readonly holds?: (inside: unknown) => boolean } = {},
): Attribute<Json<Value>, false> {
  return attribute('json', 'a Json of an object or array', (value) => value instanceof Json, options);
}

function isText(value: unknown, maxLength: number): boolean {
  return typeof value === 'string' && value.length <= maxLength && !value.includes('\0') && value.isWellFormed();
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max;
}
