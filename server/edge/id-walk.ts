/**
 * Where the ids are in what a schema describes: a walk over values of it, made once per schema, by
 * the marks of `sealedSchemas`. So whoever adds a field with an id to an answer has nothing to think
 * of.
 */
import type { z } from 'zod';
import { sealedSchemas, type IdKind } from '#shared/schemas.ts';
import { ShownListing } from '#server/listing-index/shown-listing.ts';

/** What becomes of an id; `place` is the name of the field that it is in. */
export type Translate = (kind: IdKind, id: string, place: string) => string;

/** The value with its ids translated, in objects and lists of its own where it has some; the rest is shared. */
export type IdWalk = (value: unknown, translate: Translate) => unknown;

type Step = (value: unknown, translate: Translate, place: string) => unknown;

/**
 * The walk over values of a schema, or `undefined` if no id is in any. Throws `Error` for a schema
 * with ids in a shape that the walk does not know.
 */
export function idWalkOf(schema: z.core.$ZodType): IdWalk | undefined {
  const step = stepOf(schema);
  return step === undefined ? undefined : (value, translate) => step(value, translate, 'value');
}

function stepOf(schema: z.core.$ZodType): Step | undefined {
  const mark = sealedSchemas.get(schema);
  if (mark !== undefined) return (value, translate, place) => (typeof value === 'string' ? translate(mark.kind, value, place) : value);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Every schema that zod makes is one of these.
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'object':
      return stepOfObject(def.shape);
    case 'array':
      return stepOfList(def.element);
    case 'record':
      return stepOfMap(def.valueType);
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
    case 'catch':
      return stepOf(def.innerType);
    case 'pipe':
      return stepOf(def.in);
    case 'union':
      return none(def.options);
    case 'intersection':
      return none([def.left, def.right]);
    case 'tuple':
      return none(def.items);
    case 'lazy':
    case 'map':
    case 'set':
    case 'promise':
    case 'function':
      throw new Error(`where ids are in a schema of the type ${def.type} is not known`);
    default:
      return undefined;
  }
}

function stepOfObject(shape: z.core.$ZodShape): Step | undefined {
  const steps = Object.entries(shape).flatMap(([name, schema]) => {
    const step = stepOf(schema);
    return step === undefined ? [] : [{ name, step }];
  });
  if (steps.length === 0) return undefined;
  return (value, translate) => {
    if (!isObject(value)) return value;
    const copy = { ...value };
    for (const { name, step } of steps) if (name in copy) copy[name] = step(copy[name], translate, name);
    // A listing of a search keeps its class, which says how it is packed.
    return value instanceof ShownListing ? value.withId(String(copy['id'])) : copy;
  };
}

function stepOfList(element: z.core.$ZodType): Step | undefined {
  const step = stepOf(element);
  if (step === undefined) return undefined;
  return (value, translate, place) => (Array.isArray(value) ? value.map((each) => step(each, translate, place)) : value);
}

function stepOfMap(valueType: z.core.$ZodType): Step | undefined {
  const step = stepOf(valueType);
  if (step === undefined) return undefined;
  return (value, translate) =>
    isObject(value) ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, step(each, translate, name)])) : value;
}

/** Parts that a walk would have to choose between: it is enough that there are no ids in them. */
function none(parts: readonly z.core.$ZodType[]): undefined {
  if (parts.some((part) => stepOf(part) !== undefined))
    throw new Error('an id is in one of several schemas: the walk cannot tell which holds');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
