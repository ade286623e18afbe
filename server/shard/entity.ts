/**
 * Entities: typed rows of a shard, after Axiom's items. One definition gives the TypeScript type of the row, the
 * check of every value, the column of the SQLite table and the place in the journal's record.
 *
 * An attribute of type `timestamp` may be an alarm: the row wakes its shard when that time has come, and no second
 * row has to be kept in step with it.
 */
import type { Gold, Instant } from '#shared/units.ts';

/** What an attribute can hold. `reference` is the row id of another entity of the same shard. */
export type AttributeType = 'integer' | 'text' | 'gold' | 'boolean' | 'timestamp' | 'bytes' | 'reference' | 'enum' | 'json';

/** An attribute of which the table keeps an index: several rows per value, or at most one. */
export type IndexKind = 'plain' | 'unique';

/** What the persister has to know of one attribute: plain data, the same in every thread. */
export interface Column {
  readonly name: string;
  readonly type: AttributeType;
  readonly nullable: boolean;
}

/** What the persister has to know of one entity version: plain data, the same in every thread. */
export interface EntitySchema {
  readonly name: string;
  readonly version: number;
  /** The table of this entity version in a shard image, such as `wallet_v1`. */
  readonly table: string;
  readonly columns: readonly Column[];
}

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
export type RowOf<A extends Attributes> = Values<A> & { readonly id: number };

/** A row of whatever entity, as the engine handles it. */
export interface AnyRow {
  readonly id: number;
  readonly [column: string]: unknown;
}

/** An entity type at its present version. Made by `defineEntity`. */
export interface Entity<A extends Attributes = Attributes> {
  readonly name: string;
  readonly version: number;
  /** A small number of its own in this process, for tables in arrays. */
  readonly ordinal: number;
  readonly attributes: A;
  /** The attributes as a list, in the order of the columns. */
  readonly attributeList: readonly (readonly [string, Attribute<unknown>])[];
  /** The values of a row in the order of the columns. */
  readonly valuesOf: (row: AnyRow) => readonly unknown[];
  /** A row of these values, with what is left out filled in. Nothing is checked. */
  newRow(values: NewValues<A>, id: number): RowOf<A>;
  readonly schema: EntitySchema;
}

/** The row type of an entity: `type Wallet = Row<typeof wallet>`. */
export type Row<E extends Entity> = E extends Entity<infer A> ? RowOf<A> : never;

/** A value that its attribute does not allow. The message names entity, attribute, what was expected and what came. */
export class ConstraintError extends Error {
  override readonly name = 'ConstraintError';

  constructor(entity: string, attribute: string, type: string, expected: string, given: unknown) {
    super(`[${entity}.${attribute} = ${type}()] must be ${expected}; not ${describe(given)}`);
  }
}

const NAME_PATTERN = /^[a-z][a-zA-Z0-9]{0,62}$/;

let entitiesDefined = 0;

/**
 * Defines an entity type. Throws `Error` if a name is not `[a-z][a-zA-Z0-9]*` or `id` is among the attributes, `ConstraintError` if an
 * attribute does not allow its own default.
 */
export function defineEntity<const A extends Attributes>(
  name: string,
  definition: { readonly version: number; readonly attributes: A },
): Entity<A> {
  if (!NAME_PATTERN.test(name)) throw new Error(`entity name ${JSON.stringify(name)} is not a plain word`);
  const columns = Object.entries(definition.attributes).map(([column, attribute]) => {
    if (!NAME_PATTERN.test(column) || column === 'id')
      throw new Error(`attribute name ${JSON.stringify(column)} of ${name} is not allowed`);
    return { name: column, type: attribute.type, nullable: attribute.nullable };
  });
  for (const [column, { type, expected, initial, accepts }] of Object.entries<Attribute<unknown>>(definition.attributes)) {
    if (initial !== undefined && initial !== null && !accepts(initial)) throw new ConstraintError(name, column, type, expected, initial);
  }
  const table = `${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_v${definition.version}`;
  return {
    name,
    version: definition.version,
    ordinal: entitiesDefined++,
    attributes: definition.attributes,
    attributeList: Object.entries(definition.attributes),
    valuesOf: compileValues(columns),
    newRow: compileNewRow(definition.attributes),
    schema: { name, version: definition.version, table, columns },
  };
}

/** Throws `ConstraintError` unless the entity's attributes allow the values, which are in the order of the columns. */
export function check({ name, attributeList }: Entity, values: readonly unknown[]): void {
  for (let index = 0; index < attributeList.length; index++) {
    const entry = attributeList[index];
    const value = values[index];
    if (entry === undefined || (value === null ? entry[1].nullable : entry[1].accepts(value))) continue;
    const [column, { type, expected, nullable }] = entry;
    throw new ConstraintError(name, column, type, nullable ? `${expected}, or null` : expected, value);
  }
}

/**
 * Each row is checked and encoded by walking its columns. Read by name in one loop for all entities, every access would be a look-up;
 * in a function of its own for each entity it is a load.
 */
function compileValues(columns: readonly Column[]): (row: AnyRow) => readonly unknown[] {
  // oxlint-disable-next-line typescript/no-implied-eval, typescript/no-unsafe-type-assertion -- Column names are plain words: `defineEntity` checks them.
  return new Function('row', `return [${columns.map(({ name }) => `row.${name}`).join(', ')}];`) as (row: AnyRow) => readonly unknown[];
}

/** Likewise for rows that are made: all of one entity get their attributes in one order, and so stay quick to read. */
function compileNewRow<A extends Attributes>(attributes: A): (values: NewValues<A>, id: number) => RowOf<A> {
  const entries = Object.entries<Attribute<unknown>>(attributes);
  const values = entries.map(([name, { isOmissible }], index) =>
    isOmissible ? `${name}: values.${name} === undefined ? initials[${index}] : values.${name}` : `${name}: values.${name}`,
  );
  const initials = entries.map(([, { initial }]) => initial);
  // oxlint-disable-next-line typescript/no-implied-eval, typescript/no-unsafe-type-assertion -- Attribute names are plain words: `defineEntity` checks them.
  const make = new Function('values', 'id', 'initials', `return { ${[...values, 'id'].join(', ')} };`) as (
    values: NewValues<A>,
    id: number,
    initials: readonly unknown[],
  ) => RowOf<A>;
  return (given, id) => make(given, id, initials);
}

interface Options<Nullable extends boolean, Default> {
  readonly nullable?: Nullable;
  /** What a row gets that is inserted without this attribute. A nullable one needs none to be left out: it is null. */
  readonly default?: Default;
  readonly indexed?: IndexKind;
}
type Nulled<Value, Nullable extends boolean> = Nullable extends true ? Value | null : Value;
type Made<Value, Nullable extends boolean, Default> = Attribute<Nulled<Value, Nullable>, [Default] extends [undefined] ? Nullable : true>;

function attribute<Value, Nullable extends boolean, Default>(
  type: AttributeType,
  options: Options<Nullable, Default> & { readonly alarm?: string },
  expected: string,
  accepts: (value: unknown) => boolean,
): Made<Value, NoInfer<Nullable>, NoInfer<Default>> {
  const nullable = options.nullable === true;
  const initial = options.default ?? (nullable ? null : undefined);
  return {
    type,
    nullable,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- TypeScript cannot relate the options to the type that is made of them.
    isOmissible: (initial !== undefined) as Made<Value, Nullable, Default>['isOmissible'],
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Likewise: the default came with the options.
    initial: initial as Nulled<Value, Nullable> | undefined,
    index: options.indexed,
    alarm: options.alarm,
    expected,
    accepts,
  };
}

/** A whole number within the safe integers, or within `min` and `max`, both included. */
export function integer<Value extends number = number, Nullable extends boolean = false, Default extends Value | undefined = undefined>(
  options: Options<Nullable, Default> & { readonly min?: number; readonly max?: number } = {},
): Made<Value, NoInfer<Nullable>, NoInfer<Default>> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = options;
  return attribute<Value, Nullable, Default>('integer', options, `a whole number from ${min} to ${max}`, (value) =>
    isWhole(value, min, max),
  );
}

/** A string without NUL or lone surrogates (neither would survive the disk), of at most `maxLength` UTF-16 units (default 256). */
export function text<Value extends string = string, Nullable extends boolean = false, Default extends Value | undefined = undefined>(
  options: Options<Nullable, Default> & { readonly maxLength?: number } = {},
): Made<Value, NoInfer<Nullable>, NoInfer<Default>> {
  const { maxLength = 256 } = options;
  const expected = `a well-formed string without NUL of at most ${maxLength} characters`;
  return attribute<Value, Nullable, Default>('text', options, expected, (value) => isText(value, maxLength));
}

/** An amount of gold: whole coins, 0 to 2^53 - 1. */
export function gold<Nullable extends boolean = false, Default extends Gold | undefined = undefined>(
  options: Options<Nullable, Default> = {},
): Made<Gold, NoInfer<Nullable>, NoInfer<Default>> {
  return attribute<Gold, Nullable, Default>('gold', options, 'whole gold from 0 to 2^53 - 1', (value) =>
    isWhole(value, 0, Number.MAX_SAFE_INTEGER),
  );
}

/** True or false. */
export function boolean<Nullable extends boolean = false, Default extends boolean | undefined = undefined>(
  options: Options<Nullable, Default> = {},
): Made<boolean, NoInfer<Nullable>, NoInfer<Default>> {
  return attribute<boolean, Nullable, Default>('boolean', options, 'true or false', (value) => typeof value === 'boolean');
}

/** An instant in epoch milliseconds. With `alarm`, the shard is woken for the row at that time. */
export function timestamp<Nullable extends boolean = false, Default extends Instant | undefined = undefined>(
  options: Options<Nullable, Default> & { readonly alarm?: string } = {},
): Made<Instant, NoInfer<Nullable>, NoInfer<Default>> {
  return attribute<Instant, Nullable, Default>('timestamp', options, 'whole milliseconds since 1970', (value) =>
    isWhole(value, 0, Number.MAX_SAFE_INTEGER),
  );
}

/** Raw bytes, at most `maxLength` of them (default 1,024). */
export function bytes<Nullable extends boolean = false, Default extends Uint8Array | undefined = undefined>(
  options: Options<Nullable, Default> & { readonly maxLength?: number } = {},
): Made<Uint8Array, NoInfer<Nullable>, NoInfer<Default>> {
  const { maxLength = 1024 } = options;
  return attribute<Uint8Array, Nullable, Default>(
    'bytes',
    options,
    `at most ${maxLength} bytes`,
    (value) => value instanceof Uint8Array && value.length <= maxLength,
  );
}

/** The id of another row of the same shard. */
export function reference<Nullable extends boolean = false, Default extends number | undefined = undefined>(
  options: Options<Nullable, Default> = {},
): Made<number, NoInfer<Nullable>, NoInfer<Default>> {
  return attribute<number, Nullable, Default>('reference', options, 'the id of a row', (value) =>
    isWhole(value, 1, Number.MAX_SAFE_INTEGER),
  );
}

/** One of a closed list of words. */
export function oneOf<const Value extends string, Nullable extends boolean = false, Default extends Value | undefined = undefined>(
  values: readonly Value[],
  options: Options<Nullable, Default> = {},
): Made<Value, NoInfer<Nullable>, NoInfer<Default>> {
  const allowed = new Set<unknown>(values);
  return attribute<Value, Nullable, Default>('enum', options, `one of ${values.join(', ')}`, (value) => allowed.has(value));
}

/**
 * An immutable JSON value. The type is the caller's word: the value was parsed at the edge or came from the shard's own
 * journal; only its being an object or array is checked here.
 */
export function json<Value extends object, Nullable extends boolean = false, Default extends Value | undefined = undefined>(
  options: Options<Nullable, Default> = {},
): Made<Value, NoInfer<Nullable>, NoInfer<Default>> {
  return attribute<Value, Nullable, Default>(
    'json',
    options,
    'a JSON object or array',
    (value) => typeof value === 'object' && value !== null,
  );
}

function isText(value: unknown, maxLength: number): boolean {
  return typeof value === 'string' && value.length <= maxLength && !value.includes('\0') && value.isWellFormed();
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max;
}

function describe(value: unknown): string {
  if (typeof value === 'string') return describeText(value);
  if (typeof value === 'number') return `number ${value}`;
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? 'array' : typeof value;
}

function describeText(value: string): string {
  if (value.includes('\0')) return 'string with NUL';
  return value.isWellFormed() ? `string of ${value.length} characters` : 'string with a lone surrogate';
}
