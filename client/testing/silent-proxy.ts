/**
 * A TCP proxy that can lose its connections as networks do: silently, so that both ends believe in
 * them, or by cutting them.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class SilentProxy {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  /** Connections that it has ever taken. */
  taken = 0;

  private constructor(targetPort: number) {
    this.#server = createServer((near) => {
      this.taken++;
      const far = connect(targetPort, '127.0.0.1');
      const pair = [near, far] as const;
      this.#pairs.add(pair);
      near.pipe(far);
      far.pipe(near);
      for (const socket of pair) {
        socket.on('error', () => undefined);
        socket.on('close', () => {
          if (!this.#pairs.delete(pair)) return;
          near.destroy();
          far.destroy();
        });
      }
    });
  }

  /** A proxy before a port of this machine. */
  static async start(targetPort: number): Promise<SilentProxy> {
    const proxy = new SilentProxy(targetPort);
    await once(proxy.#server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  /** From now on the present connections carry nothing, and nobody is told. New ones work. */
  silence(): void {
    for (const [near, far] of this.#pairs) {
      near.unpipe(far).resume();
      far.unpipe(near).resume();
    }
  }

  /** Cuts the present connections. */
  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }

  /** Cuts everything, and takes nobody any more. */
  async close(): Promise<void> {
    this.#server.close();
    this.cut();
    await Promise.resolve();
  }
}
