/**
 * What is done to every row on every turn, as functions of their own for each entity: make, check, measure, encode, read an attribute.
 *
 * Read by name in one loop for all entities, each attribute would be a look-up in a table of shapes; in a function that only ever sees
 * rows of one entity it is a load. The functions are therefore written out per entity and compiled once, when it is defined. Names come
 * from `defineEntity`, which lets in plain words only.
 */
import { ConstraintError } from './constraint-error.ts';
import { Json } from './json.ts';

/** A row of whatever entity, as the engine handles it. */
export interface AnyRow {
  readonly id: number;
  readonly [column: string]: unknown;
}

/** What an attribute can hold. `reference` is the row id of another entity of the same shard. */
export type AttributeType = 'integer' | 'text' | 'gold' | 'boolean' | 'timestamp' | 'bytes' | 'reference' | 'enum' | 'json';

/** What has to be known of an attribute, as `entity.ts` describes it. */
interface CompiledAttribute {
  readonly type: AttributeType;
  readonly nullable: boolean;
  readonly isOmissible: boolean;
  readonly initial: unknown;
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

/** Where the values of a row go when it is encoded: whole numbers from 0, whole numbers, well-formed text, bytes. */
export interface ValueWriter {
  count(value: number): void;
  signed(value: number): void;
  text(value: string): void;
  bytes(value: Uint8Array): void;
}

/** The compiled functions of one entity. */
export interface RowFunctions {
  /** A row of these values, with what is left out filled in. Nothing is checked. */
  readonly newRow: (values: object, id: number) => AnyRow;
  /** A row from its values as kept, in the order of the columns. */
  readonly keptRow: (values: readonly unknown[], id: number) => AnyRow;
  /** Throws `ConstraintError` unless the attributes allow the values. */
  readonly check: (row: AnyRow) => void;
  /** What the row needs in an image, in bytes, about. */
  readonly sizeOf: (row: AnyRow) => number;
  /** Writes the values in the order of the columns. */
  readonly write: (row: AnyRow, out: ValueWriter) => void;
  /** Reads an attribute of a row, null where there is no row; by attribute. */
  readonly readers: Readonly<Record<string, (row: AnyRow | undefined) => unknown>>;
}

type NamedAttribute = readonly [string, CompiledAttribute];

/** Compiles the functions of an entity with these attributes. All of its rows get their attributes in one order, however they are made. */
export function compileRowFunctions(entity: string, attributes: readonly NamedAttribute[]): RowFunctions {
  const fail = (index: number, value: unknown): never => {
    const [name = '', attribute] = attributes[index] ?? [];
    const { type = '', expected = '', nullable = false } = attribute ?? {};
    throw new ConstraintError(entity, name, type, nullable ? `${expected}, or null` : expected, value);
  };
  const source = [
    ...attributes.map((_, index) => `const initial${index} = initials[${index}], accepts${index} = accepts[${index}];`),
    'return {',
    `newRow: (values, id) => ({ ${attributes.map(newValue).join('')} id }),`,
    `keptRow: (values, id) => ({ ${attributes.map(keptValue).join('')} id }),`,
    `check: (row) => { let value; ${attributes.map(checked).join(' ')} },`,
    `sizeOf: (row) => ${ROW_BYTES}${attributes.map(sized).join('')},`,
    `write: (row, out) => { ${attributes.map(written).join(' ')} },`,
    `readers: { ${attributes.map(([name]) => `${name}: (row) => row === undefined ? null : row.${name}`).join(', ')} },`,
    '};',
  ].join('\n');
  // oxlint-disable-next-line typescript/no-implied-eval, typescript/no-unsafe-type-assertion -- the text is made of checked names alone, and the head says why it is made
  const compile = new Function('initials', 'accepts', 'fail', 'written', `'use strict';\n${source}`) as (
    initials: readonly unknown[],
    accepts: readonly ((value: unknown) => boolean)[],
    fail: (index: number, value: unknown) => never,
    written: (text: string) => Json<object>,
  ) => RowFunctions;
  return compile(
    attributes.map(([, { initial }]) => initial),
    attributes.map(([, { accepts }]) => accepts),
    fail,
    (text) => Json.written(text),
  );
}

/** The id and the row's own overhead. */
const ROW_BYTES = 12;
const NUMBER_BYTES = 6;

function newValue([name, { isOmissible }]: NamedAttribute, index: number): string {
  return isOmissible ? `${name}: values.${name} === undefined ? initial${index} : values.${name}, ` : `${name}: values.${name}, `;
}

function keptValue([name, { type, nullable }]: NamedAttribute, index: number): string {
  const kept = `values[${index}]`;
  const value = KEPT[type]?.(kept) ?? kept;
  return nullable && value !== kept ? `${name}: ${kept} === null ? null : ${value}, ` : `${name}: ${value}, `;
}

/** How a value comes back that is not kept as it is. */
const KEPT: Partial<Record<AttributeType, (kept: string) => string>> = {
  boolean: (kept) => `${kept} !== 0`,
  json: (kept) => `written(${kept})`,
};

function checked([name, { nullable }]: NamedAttribute, index: number): string {
  const accepted = nullable ? `value === null || accepts${index}(value)` : `accepts${index}(value)`;
  return `value = row.${name}; if (!(${accepted})) fail(${index}, value);`;
}

function sized([name, { type, nullable }]: NamedAttribute): string {
  const value = `row.${name}`;
  const size = SIZED[type]?.(value) ?? String(NUMBER_BYTES);
  return nullable ? ` + (${value} === null ? ${NUMBER_BYTES} : ${size})` : ` + ${size}`;
}

const byLength = (value: string): string => `${value}.length + 1`;
/** What is larger than a number. */
const SIZED: Partial<Record<AttributeType, (value: string) => string>> = {
  text: byLength,
  enum: byLength,
  bytes: byLength,
  json: (value) => byLength(`${value}.text`),
};

function written([name, { type, nullable }]: NamedAttribute): string {
  const value = `row.${name}`;
  const write = WRITTEN[type](value);
  return nullable ? `if (${value} === null) out.count(0); else { out.count(1); ${write} }` : write;
}

const asNumber = (value: string): string => `out.signed(${value});`;
const asText = (value: string): string => `out.text(${value});`;
const WRITTEN: Readonly<Record<AttributeType, (value: string) => string>> = {
  integer: asNumber,
  gold: asNumber,
  timestamp: asNumber,
  reference: asNumber,
  boolean: (value) => `out.signed(${value} ? 1 : 0);`,
  text: asText,
  enum: asText,
  json: (value) => `out.text(${value}.text);`,
  bytes: (value) => `out.bytes(${value});`,
};
