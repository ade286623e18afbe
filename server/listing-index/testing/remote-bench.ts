/** An index behind its transport: a server, nodes that reach it, and somebody between the two who tampers with frames. */
import { once } from 'node:events';
import { WebSocket, WebSocketServer } from 'ws';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { type NodeName, nodeName } from '#shared/units.ts';
import type { Machine } from '#server/platform/platform.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import { RemoteListingIndex } from '../remote.ts';
import { startIndexServer, type IndexServer } from '../server.ts';
import type { ListingIndexService } from '../service.ts';

/** What both ends of a bench have. */
export const KEY = 'the-key-of-the-tests-of-the-index';
/** The item classes of the nodes of a bench. */
export const { itemClasses } = BUILT_IN_CATALOGUE;

/** A machine that keeps what is reported; its timers ring so many times as early. */
export function noisyMachine(haste = 1): Machine & { readonly reported: string[] } {
  const reported: string[] = [];
  const { timers, ...machine } = nodeMachine(({ message }) => void reported.push(message));
  return { ...machine, timers: { ...timers, after: (ms, run) => timers.after(ms / haste, run) }, reported };
}

/** What to send in the place of a frame of one side, which has sent so many before on its connection. */
export type Tamper = (frame: Buffer, from: 'node' | 'index', before: number) => readonly Uint8Array[];

/** Stands between nodes and an index, frame by frame. */
export class Interceptor {
  readonly #server: WebSocketServer;
  /** Where the index is; nowhere for a while, if there is none. */
  target: string | undefined;
  tamper: Tamper = (frame) => [frame];

  private constructor(server: WebSocketServer, target: string) {
    this.#server = server;
    this.target = target;
    server.on('connection', (node) => this.#join(node));
  }

  static async open(target: string): Promise<Interceptor> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    await once(server, 'listening');
    return new Interceptor(server, target);
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('it listens on no port');
    return `ws://127.0.0.1:${address.port}`;
  }

  /** Cuts all connections, as a network does: without a word. */
  cut(): void {
    for (const node of this.#server.clients) node.terminate();
  }

  /** Nothing passes any more, and nobody is told: the other machine lost its power. */
  freeze(): void {
    for (const node of this.#server.clients) node.pause();
    this.target = undefined;
  }

  /** The machine is there again, without the connections of before. */
  thaw(target: string): void {
    this.cut();
    this.target = target;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #join(node: WebSocket): void {
    node.on('error', () => undefined);
    if (this.target === undefined) return node.terminate();
    const index = new WebSocket(this.target, { perMessageDeflate: false });
    index.on('error', () => undefined);
    const early: Buffer[] = [];
    const forward = (from: 'node' | 'index', source: WebSocket, sink: WebSocket): void => {
      let before = 0;
      source.on('message', (frame: Buffer) => {
        for (const sent of this.tamper(frame, from, before++)) {
          if (sink.readyState === WebSocket.CONNECTING) early.push(frame);
          else sink.send(sent);
        }
      });
      source.on('close', (code, reason) =>
        code >= 1_000 && code !== 1_005 && code !== 1_006 ? sink.close(code, reason) : sink.terminate(),
      );
    };
    forward('node', node, index);
    forward('index', index, node);
    index.on('open', () => {
      for (const frame of early) index.send(frame);
    });
  }
}

/** Everything that a test has opened; `close` ends it. */
export class RemoteBench {
  readonly machine: ReturnType<typeof noisyMachine>;
  readonly #opened: (() => void | Promise<void>)[] = [];

  constructor(haste = 1) {
    this.machine = noisyMachine(haste);
  }

  async server(port = 0, key = KEY): Promise<IndexServer> {
    const server = await startIndexServer({ host: '127.0.0.1', port, key, machine: this.machine });
    this.#opened.push(() => server.close());
    return server;
  }

  async interceptor(target: string): Promise<Interceptor> {
    const interceptor = await Interceptor.open(target);
    this.#opened.push(() => interceptor.close());
    return interceptor;
  }

  /** The index as a node has it; `url` is asked at each attempt to connect. */
  node(
    name: string,
    url: () => string | undefined,
    options: Partial<ConstructorParameters<typeof RemoteListingIndex>[0]> = {},
  ): RemoteListingIndex {
    const { machine } = this;
    const index = new RemoteListingIndex({ address: url, key: KEY, node: nodeName(name), itemClasses, machine, ...options });
    this.#opened.push(() => index.close());
    return index;
  }

  /** One service for all nodes of a server, each over a connection of its own. */
  forAll(url: string): ListingIndexService {
    const byName = new Map<NodeName, RemoteListingIndex>();
    const of = (name: NodeName): RemoteListingIndex => byName.getOrInsertComputed(name, () => this.node(name, () => url));
    const reached = async (name: NodeName): Promise<RemoteListingIndex> => {
      await of(name).reachable();
      return of(name);
    };
    return {
      reachable: () => Promise.resolve(),
      lost: () => Promise.withResolvers<void>().promise,
      apply: async (batch) => (await reached(batch.node)).apply(batch),
      search: async (query, options) => (await reached(options.atLeast.node)).search(query, options),
      stats: async () => (await reached(nodeName('node-1'))).stats(),
    };
  }

  async close(): Promise<void> {
    for (const close of this.#opened.splice(0).toReversed()) await close();
  }
}
