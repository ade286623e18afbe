/** An upgrade to WebSocket by hand. */
import { request, type OutgoingHttpHeaders } from 'node:http';
import type { Edge } from '../edge.ts';

/** The status that an upgrade of that path is answered with. */
export function upgrade(edge: Edge, path: string, headers: OutgoingHttpHeaders = {}): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(`${edge.url}${path}`, {
      headers: {
        upgrade: 'websocket',
        connection: 'upgrade',
        'sec-websocket-version': '13',
        'sec-websocket-key': btoa('0'.repeat(16)),
        ...headers,
      },
    });
    asked.on('response', (response) => resolve(response.statusCode));
    asked.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode);
    });
    asked.on('error', reject);
    asked.end();
  });
}
