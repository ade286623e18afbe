/** A connection to the room of a guest by bare means: what the SDK does, without what it forbids. */
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import WebSocket from 'ws';
import { z } from 'zod';
import { sessionAnswerSchema } from '#shared/protocol.ts';

/** Who comes from where. */
export interface Visitor {
  readonly url: URL;
  /** The own address, one of this machine's. */
  readonly address: string;
  readonly guest: string;
}

const agent = new Agent({ keepAlive: true });
const seatSchema = z.looseObject({ roomId: z.string(), sessionId: z.string(), processId: z.string() });

/** Opens a session and connects to its seat; nothing is sent yet. Rejects if the server does not let the guest in. */
export async function takeSeat({ url, address, guest }: Visitor): Promise<WebSocket> {
  const body = await post(new URL('/session', url), address, { guest, region: 'europe', mode: 'softcore' });
  const { processId, roomId, sessionId } = seatSchema.parse(sessionAnswerSchema.parse(body).seat);
  const target = `ws://${url.host}/${processId}/${roomId}?sessionId=${sessionId}`;
  const socket = new WebSocket(target, { localAddress: address, perMessageDeflate: false });
  // Later faults come as a close, too.
  socket.on('error', () => undefined);
  await once(socket, 'open');
  return socket;
}

/** What a POST of JSON is answered, as JSON. */
function post(url: URL, localAddress: string, body: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, localAddress, headers: { 'content-type': 'application/json' } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.once('end', () => {
        try {
          resolve(JSON.parse(Buffer.concat(chunks).toString()));
        } catch (error) {
          reject(error);
        }
      });
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}
