/**
 * The room's state as the schemas of Colyseus have it at run time, with what the sources say about
 * each field: what the page about the state and the C# classes are made from.
 */
import { readdirSync } from 'node:fs';
import { z } from 'zod';
import { PlayerState } from '#shared/state.ts';
import { readDocComments } from './doc-comments.ts';

/** One class of the state. */
export interface StateClass {
  readonly name: string;
  /** In the order of their numbers, which are what is sent. */
  readonly fields: readonly ClassField[];
}

/** One field of a class. */
export interface ClassField {
  readonly index: number;
  readonly name: string;
  readonly type: StateType;
  readonly isOptional: boolean;
  /** What it means, with its unit. */
  readonly meaning: string;
}

/**
 * A value of a primitive type, another class, or a collection of either, each by Colyseus' own
 * name.
 */
export type StateType =
  | { readonly kind: 'primitive'; readonly name: string }
  | { readonly kind: 'class'; readonly name: string }
  | { readonly kind: 'array' | 'map'; readonly of: StateType };

/** Every class, the whole room first. */
export function stateClasses(): readonly StateClass[] {
  const comments = stateComments();
  const schemas: Named[] = [PlayerState];
  const refer = (schema: Named): void => {
    if (!schemas.includes(schema)) schemas.push(schema);
  };
  const classes: StateClass[] = [];
  // The list grows while it is walked: by the classes that the fields name.
  for (const schema of schemas) {
    const meaningOf = (field: string): string =>
      comments.get(`${schema.name}.${field}`) ?? comments.get(`.state.${field}`) ?? comments.get(`goodsState.${field}`) ?? '';
    const fields = fieldsSchema.parse(Object.values(metadataOf(schema))).map(({ index, name, type, optional }) => {
      return { index, name, type: typeOf(type, refer), isOptional: optional === true, meaning: meaningOf(name) };
    });
    classes.push({ name: schema.name, fields });
  }
  return classes;
}

/** A class, as far as it is needed. */
interface Named {
  readonly name: string;
}

const PARTS = 'shared/protocol/';

function stateComments(): ReadonlyMap<string, string> {
  const parts = readdirSync(new URL(`../../${PARTS}`, import.meta.url)).map((name) => `${PARTS}${name}`);
  return new Map(['shared/item-state.ts', ...parts].flatMap((path) => [...readDocComments(path)]));
}

const fieldsSchema = z.array(z.looseObject({ index: z.int(), name: z.string(), type: z.unknown(), optional: z.boolean().optional() }));

/** What Colyseus knows about a class: its fields by their numbers; all else in it has symbols. */
function metadataOf(schema: object): object {
  const metadata: unknown = Reflect.get(schema, Symbol.metadata);
  if (typeof metadata !== 'object' || metadata === null) throw new Error('a class of the state has no metadata');
  return metadata;
}

/** The type of a field; `refer` hears of the class that it names. */
function typeOf(type: unknown, refer: (schema: Named) => void): StateType {
  if (typeof type === 'string') return { kind: 'primitive', name: type };
  if (typeof type === 'function') {
    refer(type);
    return { kind: 'class', name: type.name };
  }
  for (const kind of ['array', 'map'] as const) {
    if (typeof type === 'object' && type !== null && kind in type) return { kind, of: typeOf(Reflect.get(type, kind), refer) };
  }
  throw new Error('the state has a type of field that the reference does not know');
}
