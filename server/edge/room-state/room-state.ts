/**
 * The state of one room, as plain data, and what clients are sent of it. `fields` is what views write to; the rest is Colyseus'
 * side: the whole state for who joins, and patches for who is there.
 */
import { ClientState, Protocol, type Client } from '@colyseus/core';
import { Encoder, Reflection } from '@colyseus/schema';
import { PlayerState, type PlainState } from '#shared/state.ts';
import { LiveMap } from './live-map.ts';
import { ADD, fieldsOfState, REPLACE, WireWriter } from './wire.ts';

const FIELDS = fieldsOfState(PlayerState);
const MAPS = FIELDS.filter(({ isMap }) => isMap);
const VALUES = FIELDS.flatMap(({ name, isMap, shape }, index) => (isMap ? [] : [{ name, shape, index }]));
/** A full stash, ten listings and fifty completed entries; it grows where that is not enough. */
const writer = new WireWriter(64 * 1_024);
/** Room for the description of all classes; the edge makes the library's buffers small, which it does not use otherwise. */
const HANDSHAKE_BYTES_MAX = 16 * 1_024;
/** What the state is made of, for clients that have no classes for it. The same for all rooms. */
let handshake: Uint8Array | undefined;

/** The state of one room. */
export class RoomState {
  /** Colyseus asks it of a state. */
  static readonly [Symbol.metadata] = {};

  /** What views write to. */
  readonly fields: PlainState;
  readonly #maps: readonly LiveMap<unknown>[];
  /** The values that clients know. */
  #told: readonly unknown[];
  /** The state itself is number 0, its maps follow. */
  #nextRefId = 1 + MAPS.length;

  /** Empty, with these values. */
  constructor(values: { readonly [Name in keyof PlainState as PlainState[Name] extends object ? never : Name]: PlainState[Name] }) {
    const take = (count: number): number => {
      const first = this.#nextRefId;
      this.#nextRefId += count;
      return first;
    };
    this.#maps = MAPS.map(({ shape }, index) => new LiveMap<unknown>(1 + index, shape, take));
    const maps = Object.fromEntries(MAPS.map(({ name }, index) => [name, this.#maps[index]]));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- TypeScript cannot relate the loop over the schema to the type that is made from it.
    this.fields = { ...values, ...maps } as unknown as PlainState;
    this.#told = this.#values();
  }

  /** All of it, behind the byte that says so. Good until the next call for any room. */
  whole(): Uint8Array {
    return writer.written(() => {
      writer.byte(Protocol.ROOM_STATE);
      const values = this.#values();
      VALUES.forEach(({ shape, index }, place) => {
        writer.byte(ADD | index);
        writer.value(shape, values[place], 0);
      });
      let refId = 1;
      FIELDS.forEach(({ isMap }, index) => {
        if (!isMap) return;
        writer.byte(ADD | index);
        writer.number(refId++);
      });
      for (const map of this.#maps) map.writeAll(writer);
    });
  }

  /** What has changed since the last patch, which is told by it; `undefined` if nothing has. As `whole`. */
  patch(): Uint8Array | undefined {
    const values = this.#values();
    const changed = VALUES.flatMap((field, place) => (values[place] === this.#told[place] ? [] : [{ ...field, value: values[place] }]));
    if (changed.length === 0 && !this.#maps.some(({ hasChanges }) => hasChanges)) return undefined;
    const bytes = writer.written(() => {
      writer.byte(Protocol.ROOM_STATE_PATCH);
      for (const { shape, index, value } of changed) {
        writer.byte(REPLACE | index);
        writer.value(shape, value, 0);
      }
      for (const map of this.#maps) map.writeChanges(writer);
    });
    this.forgetChanges();
    return bytes;
  }

  /** Nobody needs to be told what has changed until now. */
  forgetChanges(): void {
    this.#told = this.#values();
    for (const map of this.#maps) map.forgetChanges();
  }

  /** As JSON: what a client has, in the end. */
  toJSON(): object {
    return Object.fromEntries(
      FIELDS.map(({ name }) => {
        const value: unknown = Reflect.get(this.fields, name);
        return [name, value instanceof LiveMap ? Object.fromEntries(value.entries()) : value];
      }),
    );
  }

  #values(): readonly unknown[] {
    return VALUES.map(({ name }): unknown => Reflect.get(this.fields, name));
  }
}

/** Colyseus' side of it: what it asks of the serializer of a room. */
export class RoomSerializer {
  readonly id = 'schema';
  readonly #state: RoomState;

  constructor(state: RoomState) {
    this.#state = state;
  }

  reset(): void {
    this.#state.forgetChanges();
  }

  getFullState(): Uint8Array {
    return this.#state.whole();
  }

  applyPatches(clients: readonly Client[]): boolean {
    const bytes = this.#state.patch();
    if (bytes === undefined) return false;
    // The guard of each socket makes a copy.
    for (const client of clients) if (client.state === ClientState.JOINED) client.raw(bytes);
    return true;
  }

  handshake(): Uint8Array {
    return (handshake ??= newHandshake());
  }
}

function newHandshake(): Uint8Array {
  const { BUFFER_SIZE } = Encoder;
  Encoder.BUFFER_SIZE = HANDSHAKE_BYTES_MAX;
  try {
    return Reflection.encode(new Encoder(new PlayerState()));
  } finally {
    Encoder.BUFFER_SIZE = BUFFER_SIZE;
  }
}
