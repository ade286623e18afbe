/**
 * A client of the wire itself: `POST /session`, the WebSocket, frames. It decodes no state, so that a thousand of them fit into one
 * process, and it may come from any address of this machine, one thing that no SDK does.
 */
import { Protocol, ResponseStatus } from '@colyseus/core';
import { decode } from '@colyseus/schema';
import { pack, unpack } from 'msgpackr';
import { request } from 'node:http';
import WebSocket from 'ws';
import { z } from 'zod';
import { requestFrame } from '../fuzz/frames.ts';

/** Where a client goes, and the address of this machine that it comes from. */
export interface Way {
  readonly url: string;
  readonly localAddress: string;
}

/** An answer over HTTP. */
export interface HttpReply {
  readonly status: number;
  readonly body: unknown;
}

const sessionSchema = z.looseObject({ seat: z.looseObject({ roomId: z.string(), sessionId: z.string(), processId: z.string() }) });
const listingSchema = z.looseObject({ name: z.string() });

/** One request on a connection of its own. Rejects if there is no answer in time. */
export function ask({ url, localAddress }: Way, method: 'GET' | 'POST', path: string, body?: string): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const asked = request(new URL(path, url), { method, headers, localAddress, agent: false, timeout: ANSWER_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parsed(Buffer.concat(chunks).toString()) }));
      response.on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer in time')));
    asked.on('error', reject);
    asked.end(body);
  });
}

/** How long anything may take. */
const ANSWER_MS = 30_000;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** How a request ended: with a value, the name of a refusal, or not at all. */
export type Ended =
  | { readonly kind: 'answered'; readonly value: unknown }
  | { readonly kind: 'refused'; readonly name: string }
  | { readonly kind: 'closed' };

/** A guest in its room. */
export class RawClient {
  readonly socket: WebSocket;
  readonly #waiting = new Map<number, (ended: Ended) => void>();
  #requests = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => {
      if (data instanceof Buffer) this.#receive(data);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const end of this.#waiting.values()) end({ kind: 'closed' });
      this.#waiting.clear();
    });
  }

  /** Comes in as that guest; resolves when the room has let it in. Rejects if it is refused, with the name of the refusal. */
  static async join(way: Way, guest: string, region = 'europe'): Promise<RawClient> {
    const { status, body } = await ask(way, 'POST', '/session', JSON.stringify({ guest, region }));
    if (status !== 200) throw new Error(listingSchema.safeParse(body).data?.name ?? `status ${status}`);
    const { seat } = sessionSchema.parse(body);
    const url = `${way.url.replace('http', 'ws')}/${seat.processId}/${seat.roomId}?sessionId=${seat.sessionId}`;
    const socket = new WebSocket(url, { localAddress: way.localAddress, perMessageDeflate: false });
    const client = new RawClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.on('message', (data) => {
        if (data instanceof Buffer && data[0] === Protocol.JOIN_ROOM) resolve();
      });
      socket.once('close', (code) => reject(new Error(`closed with ${code}`)));
    });
    socket.send(Uint8Array.of(Protocol.JOIN_ROOM));
    return client;
  }

  /** Sends a command and waits for what comes of it. */
  call(type: string, payload: unknown): Promise<Ended> {
    if (this.socket.readyState !== WebSocket.OPEN) return Promise.resolve({ kind: 'closed' });
    const id = this.#requests++;
    this.socket.send(requestFrame(id, type, pack(payload)));
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  #receive(bytes: Buffer): void {
    if (bytes[0] !== Protocol.ROOM_RESPONSE) return;
    const at = { offset: 1 };
    const id = decode.number(bytes, at);
    const status = bytes[at.offset];
    const rest = bytes.subarray(at.offset + 1);
    const value: unknown = rest.length === 0 ? undefined : unpack(rest);
    const end = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (status === ResponseStatus.OK) end?.({ kind: 'answered', value });
    else end?.({ kind: 'refused', name: listingSchema.safeParse(value).data?.name ?? 'unknown' });
  }
}
