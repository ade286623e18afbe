/** Frames that are not as they must be, from either side: each ends its connection, is reported, and does nothing. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { Packr } from 'msgpackr';
import { WebSocket, WebSocketServer } from 'ws';
import { until } from '#client/wait.ts';
import { NO_POSITION, nodeName, position } from '#shared/units.ts';
import { challengeMessage, indexProofMessage, nodeProofMessage, readNodeProof, WIRE_VERSION } from './handshake.ts';
import { ADA, cellOfShard, listed, QUERY } from './testing/feed-bench.ts';
import { itemClasses, KEY, RemoteBench } from './testing/remote-bench.ts';
import { decodeAnswer, encodeQuestion, encodeAnswer, INDEX_CLOSE_CODES, type IndexQuestion } from './wire.ts';

const packr = new Packr({ useRecords: false });
const pack = (value: unknown): Buffer => packr.pack(value);
const NODE = nodeName('one');
const NONCE = new Uint8Array(32).fill(7);
const CELL = cellOfShard(ADA);

let bench = new RemoteBench();
afterEach(async () => {
  await bench.close();
  bench = new RemoteBench();
});

/** A stranger's hand on a socket: what came, and how it ended. */
class RawSocket {
  readonly #socket: WebSocket;
  readonly #frames: Buffer[] = [];
  readonly closed: Promise<number>;

  constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.on('message', (frame: Buffer) => void this.#frames.push(frame));
    this.closed = once(this.#socket, 'close').then(([code]) => Number(code));
  }

  async next(): Promise<Buffer> {
    await until(() => this.#frames.length > 0);
    return this.#frames.shift() ?? Buffer.alloc(0);
  }

  send(frame: Uint8Array | string): void {
    this.#socket.send(frame);
  }

  /** With the handshake done. */
  static async proved(url: string): Promise<RawSocket> {
    const socket = new RawSocket(url);
    socket.send(nodeProofMessage(KEY, { index: (await socket.next()).subarray(1), node: NONCE }));
    await socket.next();
    return socket;
  }

  /** And with a cell open. */
  static async feeding(url: string): Promise<RawSocket> {
    const socket = await RawSocket.proved(url);
    const batch = { kind: 'open', incarnation: 'life', cells: [CELL] } as const;
    socket.send(encodeQuestion(1, { kind: 'hello', node: NODE, life: 'first', itemClasses }));
    socket.send(encodeQuestion(2, { kind: 'apply', batch }));
    await socket.next();
    await socket.next();
    return socket;
  }
}

const rows = (cell = CELL): IndexQuestion => ({
  kind: 'apply',
  batch: { kind: 'rows', incarnation: 'life', cells: [{ cell, changes: [{ kind: 'put', row: listed(1, 1) }] }] },
});
const good = encodeQuestion(3, rows());
const cell = ['europe.softcore', CELL.cell, 1];
const row = [1, ADA, 1, 'i1', 'b', 'sword', 'Sword', 2, 1, null, null, 5, null, 0, 1_000];
const frame = (...body: readonly unknown[]): Uint8Array => pack([WIRE_VERSION, 3, ...body]);
const put = (...changes: readonly unknown[]): Uint8Array => frame('apply', 'rows', 'life', [[cell, changes]]);
const changed = (place: number, value: unknown): Uint8Array => put(row.with(place, value as string));
const query = ['europe.softcore', {}, { by: 'buyout' }, 1, null, 0, null, 0];
const search = (place: number, value: unknown): Uint8Array => frame('search', ...query.with(place, value as string));

/** A good search: a field that comes again counts once. */
function fatSearch(times: number): Uint8Array {
  const field = Buffer.concat([pack('name'), pack('a')]);
  const head = Buffer.from([0x9b, WIRE_VERSION, 3, ...pack('search'), ...pack(query[0]), 0xde, times >>> 8, times & 0xff]);
  return Buffer.concat([head, ...Array.from({ length: times }, () => field), ...query.slice(2).map(pack)]);
}

const { badFrame, version, unknown, silent, otherClasses } = INDEX_CLOSE_CODES;

describe('an index', () => {
  it.each<readonly [string, Uint8Array | string, number]>([
    ['text', 'hello', badFrame],
    ['nothing', new Uint8Array(), badFrame],
    ['a frame that is cut short', good.subarray(0, good.length - 1), badFrame],
    ['a frame that goes on', Uint8Array.of(...good, 1), badFrame],
    ['no list', pack({ kind: 'stats' }), badFrame],
    ['a frame of a newer version', pack([WIRE_VERSION + 1, 3, 'stats']), version],
    ['a frame that comes twice', encodeQuestion(2, rows()), badFrame],
    ['a frame after one that is missing', encodeQuestion(4, rows()), badFrame],
    ['a kind that is none', frame('remove-everything'), badFrame],
    ['a second hello', encodeQuestion(3, { kind: 'hello', node: nodeName('two'), life: 'first', itemClasses }), badFrame],
    ['more than a frame says', frame('stats', 1), badFrame],
    ['a code that stands for more than a value', Uint8Array.of(0x93, 1, 3, 0xd4, 0x72, 0x40, 0x90), badFrame],
    ['an array that claims to be enormous', Uint8Array.of(0xdd, 0x7f, 0xff, 0xff, 0xff), badFrame],
    ['lists in lists without end', new Uint8Array(200_000).fill(0x91), badFrame],
    ['a batch that ends before it begins', frame('apply', 'changes', 'life', [], 5, 4), badFrame],
    ['a position that is no number', frame('apply', 'changes', 'life', [], 0, Number.NaN), badFrame],
    ['a row of another market', frame('apply', 'rows', 'life', [[['asia.softcore', 1, 1], [row]]]), badFrame],
    ['a row of another cell', frame('apply', 'rows', 'life', [[cell.with(1, 63), [row]]]), badFrame],
    ['the removal of a row of another cell', frame('apply', 'rows', 'life', [[cell.with(1, 63), [[1, ADA, 1]]]]), badFrame],
    ['a cell that cannot be', frame('apply', 'open', 'life', [['europe.softcore', 64, 1]]), badFrame],
    ['a cell of no epoch', frame('apply', 'open', 'life', [['europe.softcore', 1, 0]]), badFrame],
    ['a good row and a bad one', put(row, row.with(1, 'ada')), badFrame],
    ['a price that is no number', changed(11, Number.NaN), badFrame],
    ['a price that is no whole number', changed(11, 0.5), badFrame],
    ['a price below nothing', changed(11, -1), badFrame],
    ['a version too large to count', changed(2, 2 ** 53), badFrame],
    ['a shard that is none', changed(1, '../etc@europe.softcore'), badFrame],
    ['a rarity that is none', changed(7, 9), badFrame],
    ['a level that no column can hold', changed(8, 2 ** 40), badFrame],
    ['an affix without a value', put([...row, 'might']), badFrame],
    ['an affix whose value is infinite', put([...row, 'might', Infinity]), badFrame],
    ['more affixes than an item has', put([...row, ...Array.from({ length: 13 }, () => ['might', 1]).flat()]), badFrame],
    ['good criteria in more bytes than a search has', fatSearch(30_000), badFrame],
    ['criteria that are none', search(1, { everything: true }), badFrame],
    ['a limit above all', search(3, 1_000), badFrame],
    ['a time that is no number', search(5, Number.NaN), badFrame],
    ['a market that is none', search(0, 'nowhere'), badFrame],
  ])('ends a connection for %s, says why, and takes nothing of it', async (_what, bytes, code) => {
    const { url } = await bench.server();
    const socket = await RawSocket.feeding(url);
    socket.send(bytes);
    expect(await socket.closed).toBe(code);
    expect(bench.machine.reported).toEqual([expect.stringContaining('a connection to the listing index was refused: ')]);
    const other = bench.node('two', () => url);
    await other.reachable();
    expect(await other.stats()).toMatchObject({ rows: 0, feeds: [{ node: NODE, position: 0, cells: 1 }] });
  });

  it('ends a connection for a frame larger than any', async () => {
    const socket = await RawSocket.feeding((await bench.server()).url);
    socket.send(new Uint8Array(5_000_000));
    expect(await socket.closed).toBe(1_009);
  });

  it('takes the frames that the bad ones were made from', async () => {
    const { url } = await bench.server();
    const socket = await RawSocket.feeding(url);
    socket.send(put(row));
    await socket.next();
    socket.send(fatSearch(1).with(2, 4));
    await socket.next();
    const other = bench.node('two', () => url);
    await other.reachable();
    expect(await other.stats()).toMatchObject({ rows: 1 });
  });

  it.each<readonly [string, (nonce: Uint8Array) => Uint8Array, number]>([
    ['another key', (index) => nodeProofMessage('another-key-of-the-same-length..', { index, node: NONCE }), unknown],
    ['the proof of another connection', () => nodeProofMessage(KEY, { index: NONCE, node: NONCE }), unknown],
    [
      'the proof that an index gives',
      (index) => Uint8Array.of(WIRE_VERSION, ...NONCE, ...indexProofMessage(KEY, { index, node: NONCE }).subarray(1)),
      unknown,
    ],
    ['a proof that is cut short', (index) => nodeProofMessage(KEY, { index, node: NONCE }).subarray(1), version],
    ['a question before any proof', () => encodeQuestion(1, { kind: 'stats' }), version],
    ['a newer version', (index) => nodeProofMessage(KEY, { index, node: NONCE }).with(0, WIRE_VERSION + 1), version],
    ['nothing', () => new Uint8Array(), unknown],
  ])('believes nobody with %s', async (_what, proof, code) => {
    const socket = new RawSocket((await bench.server()).url);
    socket.send(proof((await socket.next()).subarray(1)));
    expect(await socket.closed).toBe(code);
  });

  it('lets nobody stay who says nothing, or nothing but a proof', async () => {
    bench = new RemoteBench(30);
    const { url } = await bench.server();
    expect(await new RawSocket(url).closed).toBe(silent);
    expect(await (await RawSocket.proved(url)).closed).toBe(silent);
  });

  it('refuses another server that comes as a node that is connected, and lets it in when that is gone', async () => {
    const { url } = await bench.server();
    const first = bench.node('one', () => url);
    await first.reachable();
    await first.apply({ kind: 'open', node: NODE, incarnation: 'life', cells: [CELL] });
    const second = bench.node('one', () => url);
    await until(() => bench.machine.reported.some((message) => message.includes('another server is connected as the same node')));
    expect(await second.search(QUERY, AT_ONCE)).toEqual({ kind: 'unavailable' });
    expect(await first.stats()).toMatchObject({ feeds: [{ incarnation: 'life', cells: 1 }] });
    first.close();
    await second.reachable();
  });

  it('takes a later connection of the same life of a node for the earlier one', async () => {
    const { url } = await bench.server();
    const earlier = await RawSocket.feeding(url);
    const later = await RawSocket.feeding(url);
    expect(await earlier.closed).toBe(1_006);
    later.send(encodeQuestion(3, { kind: 'stats' }));
    expect(decodeAnswer(await later.next())?.body).toMatchObject({ stats: { feeds: [{ node: NODE }] } });
  });

  it('lets nodes in however many strangers say nothing, and sends none away for them', async () => {
    const { url } = await bench.server();
    const { port } = new URL(url);
    const come = async (): Promise<readonly Socket[]> => {
      const sockets = Array.from({ length: 100 }, () => connect(Number(port), '127.0.0.1').on('error', () => undefined));
      await Promise.all(sockets.map((socket) => once(socket, 'connect')));
      return sockets;
    };
    const strangers = [await come()];
    const node = bench.node('one', () => url);
    await node.reachable();
    strangers.push(await come());
    expect(await node.stats()).toMatchObject({ rows: 0 });
    for (const socket of strangers.flat()) socket.destroy();
  });

  it('does not tell of every stranger', async () => {
    const { url } = await bench.server();
    for (let number = 0; number < 50; number++) {
      const socket = new RawSocket(url);
      await socket.next();
      socket.send('hello');
      await socket.closed;
    }
    expect(bench.machine.reported).toHaveLength(20);
  });

  it('wants a hello first', async () => {
    const socket = await RawSocket.proved((await bench.server()).url);
    socket.send(encodeQuestion(1, { kind: 'stats' }));
    expect(await socket.closed).toBe(badFrame);
  });

  it('refuses a node with other item classes while one is connected, and begins anew with them when none is', async () => {
    const { url } = await bench.server();
    const first = bench.node('one', () => url);
    await first.reachable();
    await first.apply({ kind: 'open', node: NODE, incarnation: 'life', cells: [CELL] });
    const second = bench.node('two', () => url, { itemClasses: itemClasses.slice(1) });
    const refusal = expect.stringContaining('the listing index and this node do not fit: its catalogue has other item classes');
    await until(() => bench.machine.reported.some((message) => message.includes('do not fit')));
    expect(bench.machine.reported).toContainEqual(refusal);
    expect(otherClasses).toBe(4_409);
    first.close();
    await second.reachable();
    expect(await second.stats()).toMatchObject({ feeds: [] });
  });
});

/** Something that listens where an index should be. */
class FalseIndex {
  readonly #server: WebSocketServer;
  readonly closes: number[] = [];

  constructor(onNode: (socket: WebSocket) => void) {
    this.#server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    this.#server.on('connection', (socket) => {
      socket.on('close', (code) => void this.closes.push(code));
      onNode(socket);
    });
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `ws://127.0.0.1:${port}`;
  }

  close(): void {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
  }

  /** One that has the key, and answers each question but the hello with the frames that are made for its number. */
  static withKey(framesOf: (number: number) => readonly (Uint8Array | string)[]): FalseIndex {
    return new FalseIndex((socket) => {
      let count = 0;
      socket.on('message', (bytes: Buffer) => {
        count++;
        if (count === 1) {
          const node = readNodeProof(KEY, NONCE, bytes);
          if (node !== undefined) socket.send(indexProofMessage(KEY, { index: NONCE, node }));
        } else if (count === 2) socket.send(encodeAnswer(1, { kind: 'welcome' }));
        else for (const answer of framesOf(count - 1)) socket.send(answer);
      });
      socket.send(challengeMessage(NONCE));
    });
  }
}

const AT_ONCE = { atLeast: { node: NODE, position: NO_POSITION } };
const answerFrame = (number: number, ...body: readonly unknown[]): Uint8Array => pack([WIRE_VERSION, number, ...body]);
const fed = (number: number): Uint8Array =>
  encodeAnswer(number, { kind: 'fed', answer: { kind: 'applied', to: position(9), outdated: [] } });

describe('a node', () => {
  it.each<readonly [string, (number: number) => readonly (Uint8Array | string)[], number]>([
    ['text', () => ['found'], badFrame],
    ['an answer that is cut short', (number) => [fed(number).subarray(1)], badFrame],
    ['an answer to what it has not asked', (number) => [fed(number + 1)], badFrame],
    ['an answer of another kind', (number) => [fed(number)], badFrame],
    ['a count that is no number', (number) => [answerFrame(number, 'searched', 'found', [], Number.NaN, null, 1, false)], badFrame],
    [
      'a row of nobody',
      (number) => [answerFrame(number, 'searched', 'found', ['1.ada', new Uint8Array([0x80])], 1, null, 1, false)],
      badFrame,
    ],
    [
      'a row that is no map',
      (number) => [answerFrame(number, 'searched', 'found', [`1.${ADA}`, new Uint8Array([1])], 1, null, 1, false)],
      badFrame,
    ],
    ['a cost below nothing', (number) => [answerFrame(number, 'searched', 'too-broad', -1, 5)], badFrame],
    ['a kind that is none', (number) => [answerFrame(number, 'searched', 'lost')], badFrame],
  ])('believes no index that sends %s: it is unavailable', async (_what, framesOf, code) => {
    const index = FalseIndex.withKey(framesOf);
    const node = bench.node('one', () => index.url);
    await node.reachable();
    expect(await node.search(QUERY, AT_ONCE)).toEqual({ kind: 'unavailable' });
    await until(() => index.closes.includes(code));
    expect(bench.machine.reported).toContainEqual(expect.stringContaining('the listing index is away: it '));
    index.close();
  });

  it('takes an answer once', async () => {
    const found = { kind: 'found', rows: [], total: 0, cost: 1, isBehind: false } as const;
    const index = FalseIndex.withKey((number) =>
      Array.from({ length: 2 }, () => encodeAnswer(number, { kind: 'searched', answer: found })),
    );
    const node = bench.node('one', () => index.url);
    await node.reachable();
    expect(await node.search(QUERY, AT_ONCE)).toEqual(found);
    await until(() => index.closes.includes(badFrame));
    index.close();
  });

  it.each<readonly [string, (socket: WebSocket) => void, number]>([
    ['no nonce', (socket) => socket.send(Uint8Array.of(WIRE_VERSION)), badFrame],
    ['a newer version', (socket) => socket.send(challengeMessage(NONCE).with(0, WIRE_VERSION + 1)), version],
    [
      'no proof of its key',
      (socket) => {
        socket.send(challengeMessage(NONCE));
        socket.once('message', () => socket.send(Uint8Array.of(WIRE_VERSION, ...NONCE)));
      },
      unknown,
    ],
    [
      'the own proof of the node',
      (socket) => {
        socket.send(challengeMessage(NONCE));
        socket.once('message', (bytes: Buffer) => socket.send(Uint8Array.of(WIRE_VERSION, ...bytes.subarray(33))));
      },
      unknown,
    ],
  ])('believes no index with %s', async (_what, onNode, code) => {
    const index = new FalseIndex(onNode);
    const node = bench.node('one', () => index.url);
    await until(() => index.closes.includes(code));
    await expect(node.stats()).rejects.toThrow('the listing index is away');
    index.close();
  });

  it('does not send what its index would refuse: a row out of shape costs itself alone', async () => {
    const { url } = await bench.server();
    const node = bench.node('one', () => url);
    await node.reachable();
    const batch = { node: NODE, incarnation: 'life' } as const;
    await node.apply({ ...batch, kind: 'open', cells: [CELL] });
    const bad = { ...listed(2, 2), item: { ...listed(2, 2).item, level: Number.NaN } };
    const changes = [listed(1, 1), bad].map((each) => ({ kind: 'put' as const, row: each }));
    expect(await node.apply({ ...batch, kind: 'rows', cells: [{ cell: CELL, changes }] })).toMatchObject({ kind: 'applied' });
    expect(await node.stats()).toMatchObject({ rows: 1 });
  });
});
