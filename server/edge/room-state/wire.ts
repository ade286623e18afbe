/**
 * The wire format of `@colyseus/schema` for what the state of a room is made of, written from plain data.
 *
 * The library keeps an object with a change tree for each item, each list of affixes and each affix: 66 KB for a guest's twenty
 * items, and half of a session's processor time. But what stands in a map of the state is never changed, only replaced, so that no change of
 * it has to be found: it can be written whenever it is needed. Its decoder, in every client, is the judge of this file:
 * `room-state.test.ts` has it read what is written here beside what the library itself writes.
 *
 * Every structure has a number, by which the stream names it (`refId`): those of an object and of all that is in it
 * follow each other, in the order of its fields.
 */
import { encode, Metadata } from '@colyseus/schema';
import { z } from 'zod';

/** How a value is written: as itself, or as a structure with a number of its own. */
export type Shape =
  | { readonly kind: 'value'; readonly type: ValueType }
  | { readonly kind: 'object'; readonly fields: readonly Field[] }
  | { readonly kind: 'list'; readonly of: Shape };

type NumberType = 'number' | 'int32' | 'uint16' | 'uint32' | 'float64';
type ValueType = 'string' | 'boolean' | NumberType;

interface Field {
  readonly name: string;
  readonly shape: Shape;
}

/** A field of the state itself: a value, or a map of so many. */
export interface StateField {
  readonly name: string;
  readonly isMap: boolean;
  readonly shape: Shape;
}

/** Operations, as `OPERATION` of the library. `SWITCH` says which structure the next ones are of. */
export const [ADD, REPLACE, DELETE, DELETE_AND_ADD] = [128, 0, 64, 192] as const;
const SWITCH = 255;

const valueType = z.enum(['string', 'boolean', 'number', 'int32', 'uint16', 'uint32', 'float64'] satisfies readonly ValueType[]);
const collection = z.union([z.strictObject({ map: z.unknown() }), z.strictObject({ array: z.unknown() })]);

/** The fields of the class of a state, by their index. Throws if it uses what is not written here. */
export function fieldsOfState(schemaClass: object): readonly StateField[] {
  return fieldsOf(schemaClass).map(([name, type]) => {
    const map = z.strictObject({ map: z.unknown() }).safeParse(type).data;
    return { name, isMap: map !== undefined, shape: shapeOf(map === undefined ? type : map.map) };
  });
}

function fieldsOf(schemaClass: object): readonly (readonly [string, unknown])[] {
  return Object.entries(z.record(z.string(), z.unknown()).parse(Metadata.getFields(schemaClass)));
}

function shapeOf(type: unknown): Shape {
  const value = valueType.safeParse(type);
  if (value.success) return { kind: 'value', type: value.data };
  if (typeof type === 'function')
    return { kind: 'object', fields: fieldsOf(type).map(([name, inner]) => ({ name, shape: shapeOf(inner) })) };
  const { array } = z.strictObject({ array: z.unknown() }).parse(collection.parse(type));
  return { kind: 'list', of: shapeOf(array) };
}

/** How many numbers a value takes. */
export function countStructures(shape: Shape, value: unknown): number {
  if (shape.kind === 'value') return 0;
  let count = 1;
  for (const [inner, part] of partsOf(shape, value)) count += countStructures(inner, part);
  return count;
}

/** The parts of a structure that are there, with their indexes. */
function partsOf(shape: Exclude<Shape, { readonly kind: 'value' }>, value: unknown): readonly (readonly [Shape, unknown, number])[] {
  if (shape.kind === 'list') return Array.isArray(value) ? value.map((part: unknown, index) => [shape.of, part, index] as const) : [];
  return shape.fields.flatMap(({ name, shape: inner }, index) => {
    const part: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
    return part === undefined || part === null ? [] : [[inner, part, index] as const];
  });
}

/** Bytes that grow as they are written. One is enough for all rooms: whoever sends them makes a copy. */
export class WireWriter {
  #bytes: Uint8Array;
  readonly #at = { offset: 0 };

  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
  }

  /** What `write` writes, good until the next call. */
  written(write: () => void): Uint8Array {
    this.#at.offset = 0;
    write();
    return this.#bytes.subarray(0, this.#at.offset);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at.offset++] = value;
  }

  /** Of variable length unless a type is named. */
  number(value: number, type: NumberType = 'number'): void {
    this.#reserve(9);
    encode[type](this.#bytes, value, this.#at);
  }

  string(value: string): void {
    // At most three bytes for each UTF-16 unit, and the length before them.
    this.#reserve(value.length * 3 + 5);
    encode.string(this.#bytes, value, this.#at);
  }

  /** A value, or the number of a structure, which is written by `structure` later. */
  value(shape: Shape, value: unknown, refId: number): void {
    if (shape.kind !== 'value') this.number(refId);
    else if (shape.type === 'string') this.string(String(value));
    else if (shape.type === 'boolean') this.byte(value === true ? 1 : 0);
    else this.number(Number(value), shape.type);
  }

  /** A structure and all that is in it, from that number on. */
  structure(shape: Shape, value: unknown, refId: number): void {
    if (shape.kind === 'value') return;
    const parts = partsOf(shape, value);
    if (parts.length === 0) return;
    this.switchTo(refId);
    let next = refId + 1;
    for (const [inner, part, index] of parts) {
      if (shape.kind === 'object') this.byte(ADD | index);
      else {
        this.byte(ADD);
        this.number(index);
      }
      this.value(inner, part, next);
      next += countStructures(inner, part);
    }
    next = refId + 1;
    for (const [inner, part] of parts) {
      this.structure(inner, part, next);
      next += countStructures(inner, part);
    }
  }

  /** What follows is about the structure of that number. */
  switchTo(refId: number): void {
    this.byte(SWITCH);
    this.number(refId);
  }

  #reserve(count: number): void {
    const needed = this.#at.offset + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
