/**
 * Zod schemas as text for readers. A schema that has a name (it is exported as `nameSchema`) is
 * described once, under that name, and linked from wherever it is used.
 */
import { z } from 'zod';
import { isRefusalName, REFUSAL_NAMES } from '#shared/refusals.ts';
import { code, grouped } from './markdown.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** The named schemas of some modules, in the order of their declaration. */
export interface NamedSchemas {
  readonly byName: ReadonlyMap<string, z.ZodType>;
  readonly registry: z.core.$ZodRegistry<{ id: string }>;
}

/** One field of an object, as text. */
export interface FieldText {
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
}

/** Takes the exports named `somethingSchema` of modules as schemas with names. */
export function namedSchemas(...modules: readonly Readonly<Record<string, unknown>>[]): NamedSchemas {
  const byName = new Map<string, z.ZodType>();
  const registry = z.registry<{ id: string }>();
  for (const [exported, value] of modules.flatMap((module) => Object.entries(module))) {
    if (!(value instanceof z.ZodType) || !exported.endsWith('Schema') || registry.has(value)) continue;
    const name = typeNameOf(exported);
    byName.set(name, value);
    registry.add(value, { id: name });
  }
  return { byName, registry };
}

/** The name under which an exported schema is described: `operationIdSchema` is `OperationId`. */
export function typeNameOf(exported: string): string {
  return exported.charAt(0).toUpperCase() + exported.slice(1).replace(/Schema$/, '');
}

/** The fields of an object schema, or `undefined` if the schema is of another kind. */
export function fieldsOf(schema: z.ZodType, { registry }: NamedSchemas): readonly FieldText[] | undefined {
  const json = jsonSchemaOf(schema, registry);
  if (json.type !== 'object' || json.properties === undefined) return undefined;
  const own = Object.keys(json.properties);
  return Object.entries(json.properties).map(([name, property]) => ({
    name,
    type: typeText(property, { name: registry.get(schema)?.id, fields: own }),
    isRequired: json.required?.includes(name) === true,
  }));
}

/** A schema that is no object, as text. */
export function scalarText(schema: z.ZodType, { registry }: NamedSchemas): string {
  return typeText(jsonSchemaOf(schema, registry), NO_OWNER);
}

/** The field at a path of an object schema, such as `guest.gold`, as text. */
export function fieldTextAt(schema: z.ZodType, path: string): string {
  const { registry } = namedSchemas();
  const root: JsonSchema | boolean = jsonSchemaOf(schema, registry);
  const field = path
    .split('.')
    .reduce<JsonSchema | boolean>((at, name) => (typeof at === 'boolean' ? at : (at.properties?.[name] ?? false)), root);
  return field === false ? '' : typeText(field, NO_OWNER);
}

/** What a schema demands beyond its fields, in the words in which a failure is told. */
export function demandsOf(schema: z.ZodType): readonly string[] {
  return (schema._zod.def.checks ?? []).flatMap((check) => {
    if (check._zod.def.check !== 'custom') return [];
    const { error } = check._zod.def;
    const message: unknown = error === undefined ? undefined : Reflect.apply(error, undefined, [{}]);
    return typeof message === 'string' ? [message] : [];
  });
}

/**
 * The named object that a type stands in: an inline object of the same fields is a smaller node of
 * it.
 */
interface Owner {
  readonly name: string | undefined;
  readonly fields: readonly string[];
}

const NO_OWNER: Owner = { name: undefined, fields: [] };
const SAME_NODE_FIELDS_MIN = 5;

/**
 * The schema itself in full, everything named inside of it by reference; as a client writes it,
 * before branding.
 */
function jsonSchemaOf(schema: z.ZodType, registry: NamedSchemas['registry']): JsonSchema {
  const json = z.toJSONSchema(schema, { io: 'input', metadata: registry, unrepresentable: 'any' });
  const name = registry.get(schema)?.id;
  const own = name === undefined ? undefined : json.$defs?.[name];
  return own ?? json;
}

function typeText(schema: JsonSchema | boolean, owner: Owner): string {
  if (typeof schema === 'boolean') return 'anything';
  if (schema.$ref !== undefined) return link(schema.$ref.slice('#/$defs/'.length));
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined) return enumText(schema.enum.map(String));
  if (schema.anyOf !== undefined) return schema.anyOf.map((each) => typeText(each, owner)).join(' or ');
  if (schema.allOf?.[0] !== undefined) return typeText(schema.allOf[0], owner);
  switch (schema.type) {
    case 'integer':
      return `integer${rangeText(schema.minimum, schema.maximum)}`;
    case 'string':
      return stringText(schema);
    case 'array':
      return `list of ${anyText(Array.isArray(schema.items) ? undefined : schema.items, owner)}${rangeText(schema.minItems, schema.maxItems)}`;
    case 'object':
      return objectText(schema, owner);
    default:
      return typeof schema.type === 'string' ? schema.type : 'anything';
  }
}

function enumText(values: readonly string[]): string {
  const isTable = values.length === REFUSAL_NAMES.length && values.every((value) => isRefusalName(value));
  return isTable ? 'the name of a [refusal](refusals.md)' : values.map(code).join(', ');
}

function link(name: string): string {
  return `[${name}](#${name.toLowerCase()})`;
}

function rangeText(minimum: number = Number.MIN_SAFE_INTEGER, maximum: number = Number.MAX_SAFE_INTEGER, unit = ''): string {
  const hasMinimum = minimum !== Number.MIN_SAFE_INTEGER;
  if (maximum === Number.MAX_SAFE_INTEGER) return hasMinimum ? `, at least ${grouped(minimum)}${unit}` : '';
  return `, ${hasMinimum ? `${grouped(minimum)} to` : 'at most'} ${grouped(maximum)}${unit}`;
}

const WITHOUT_NUL = '^[^\\0]*$';

function stringText({ minLength, maxLength, pattern }: JsonSchema): string {
  const form = pattern === undefined ? '' : pattern === WITHOUT_NUL ? ', without NUL' : `, ${code(pattern)}`;
  return `text${rangeText(minLength, maxLength, ' characters')}${form}`;
}

function anyText(schema: JsonSchema | boolean | undefined, owner: Owner): string {
  return schema === undefined ? 'anything' : typeText(schema, owner);
}

function objectText(schema: JsonSchema, owner: Owner): string {
  const { properties, additionalProperties, required } = schema;
  if (properties === undefined) return `map of names to ${anyText(additionalProperties, owner)}`;
  const names = Object.keys(properties);
  const isSameNode = names.length >= SAME_NODE_FIELDS_MIN && names.every((name) => owner.fields.includes(name));
  if (isSameNode && owner.name !== undefined) return link(owner.name);
  const fields = Object.entries(properties).map(
    ([name, property]) => `${code(required?.includes(name) === true ? name : `${name}?`)}: ${typeText(property, NO_OWNER)}`,
  );
  return `{ ${fields.join('; ')} }`;
}
