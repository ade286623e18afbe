/**
 * A map of the state of a room: what is in it, and what has changed since clients were last told.
 *
 * 1. An entry keeps its index for as long as its key is there; indexes and numbers of structures are never used twice.
 * 2. Changes name entries that clients know: one that came and went between two patches is never mentioned.
 */
import type { StateMap } from '#shared/state.ts';
import { ADD, countStructures, DELETE, DELETE_AND_ADD, REPLACE, type Shape, type WireWriter } from './wire.ts';

interface Entry<Value> {
  readonly index: number;
  /** The number of its structure, if it is one. */
  readonly refId: number;
  readonly value: Value;
}

/** Only while there are any: most maps of most rooms have none. */
interface Changes {
  readonly removed: number[];
  readonly put: Map<string, 'added' | 'replaced'>;
}

export class LiveMap<Value> implements StateMap<Value> {
  readonly #refId: number;
  readonly #shape: Shape;
  /** Gives the first of so many numbers for structures. */
  readonly #take: (count: number) => number;
  readonly #entries = new Map<string, Entry<Value>>();
  #nextIndex = 0;
  #changes: Changes | undefined;

  constructor(refId: number, shape: Shape, take: (count: number) => number) {
    this.#refId = refId;
    this.#shape = shape;
    this.#take = take;
  }

  get hasChanges(): boolean {
    return this.#changes !== undefined;
  }

  set(key: string, value: Value): void {
    const known = this.#entries.get(key);
    if (known !== undefined && known.value === value) return;
    const { put } = this.#changed();
    if (put.get(key) === undefined) put.set(key, known === undefined ? 'added' : 'replaced');
    this.#entries.set(key, { index: known?.index ?? this.#nextIndex++, refId: this.#take(countStructures(this.#shape, value)), value });
  }

  delete(key: string): void {
    const known = this.#entries.get(key);
    if (known === undefined) return;
    const { put, removed } = this.#changed();
    this.#entries.delete(key);
    if (put.get(key) !== 'added') removed.push(known.index);
    put.delete(key);
  }

  clear(): void {
    for (const key of this.#entries.keys()) this.delete(key);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  keys(): Iterable<string> {
    return this.#entries.keys();
  }

  values(): Iterable<Value> {
    return this.#entries.values().map(({ value }) => value);
  }

  entries(): Iterable<readonly [string, Value]> {
    return this.#entries.entries().map(([key, { value }]) => [key, value] as const);
  }

  /** Writes all of it, for a client that knows nothing. */
  writeAll(writer: WireWriter): void {
    if (this.#entries.size === 0) return;
    writer.switchTo(this.#refId);
    for (const [key, entry] of this.#entries) this.#write(writer, ADD, key, entry);
    for (const { value, refId } of this.#entries.values()) writer.structure(this.#shape, value, refId);
  }

  /** Writes what has changed. */
  writeChanges(writer: WireWriter): void {
    if (this.#changes === undefined) return;
    const { removed, put } = this.#changes;
    writer.switchTo(this.#refId);
    for (const index of removed) {
      writer.byte(DELETE);
      writer.number(index);
    }
    const changed = put.entries().flatMap(([key, how]) => {
      const entry = this.#entries.get(key);
      return entry === undefined ? [] : [{ key, how, entry }];
    });
    const written = [...changed];
    const replace = this.#shape.kind === 'value' ? REPLACE : DELETE_AND_ADD;
    for (const { key, how, entry } of written) this.#write(writer, how === 'added' ? ADD : replace, key, entry);
    for (const { entry } of written) writer.structure(this.#shape, entry.value, entry.refId);
  }

  /** Clients know everything now. */
  forgetChanges(): void {
    this.#changes = undefined;
  }

  #write(writer: WireWriter, operation: number, key: string, { index, value, refId }: Entry<Value>): void {
    writer.byte(operation);
    writer.number(index);
    if (operation !== REPLACE) writer.string(key);
    writer.value(this.#shape, value, refId);
  }

  #changed(): Changes {
    return (this.#changes ??= { removed: [], put: new Map() });
  }
}
