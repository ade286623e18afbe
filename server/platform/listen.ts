/** Where a server listens. */
import { once } from 'node:events';
import type { Server } from 'node:http';

/** Has a server listen, and tells where. Rejects if the port cannot be had. */
export async function listen(server: Server, host: string, port: number): Promise<{ readonly port: number; readonly url: string }> {
  await once(server.listen(port, host), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return { port: address.port, url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}` };
}
