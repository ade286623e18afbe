/**
 * Nobody learns who sells or buys: all bytes that the server sends to a player, over real sockets,
 * while several play what the features say that players do, are searched for the names of the
 * others. Ids that are no client's are refused.
 */
import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { listingId, parseListingId, shardId } from '#shared/address.ts';
import { createPrng } from '#shared/prng.ts';
import { COMMAND_TYPES, isChangingCommand, SERVER_MESSAGE_TYPES, type CommandType } from '#shared/protocol.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { durationMs, operationId, rowId } from '#shared/units.ts';
import { openSession, type Session } from '#client/session.ts';
import { until } from '#client/wait.ts';
import { closeAll, onClose, startTestEdge, WORLD_KEY, type TestEdge } from './testing/test-edge.ts';
import { WorldSeal } from './world-seal.ts';

afterEach(closeAll);

const seal = new WorldSeal(WORLD_KEY);
const ids = {
  parse: (id: string) => parseListingId(seal.open('listing', id) ?? ''),
  idOf: (...of: Parameters<typeof listingId>) => seal.seal('listing', listingId(...of)),
};

/** All that a player was sent, and what came of its commands. */
interface Listener {
  readonly guest: string;
  readonly session: Session;
  readonly heard: () => string;
  readonly answered: Map<CommandType, unknown[]>;
  readonly refused: unknown[];
  readonly messages: Set<string>;
}

/** Joins through a proxy that keeps every byte of the server. */
async function listen({ edge }: TestEdge, guest: string): Promise<Listener> {
  const chunks: Buffer[] = [];
  const proxy = createServer((client) => {
    const server = connect(edge.port, '127.0.0.1');
    server.on('data', (bytes) => chunks.push(Buffer.from(bytes)));
    for (const socket of [client, server]) socket.on('error', () => undefined);
    client.pipe(server).pipe(client);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  onClose(async () => proxy.close());
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const session = await openSession({ url, region: 'europe', mode: 'softcore' }, { guest }, 5_000);
  onClose(() => session.room.leave());
  const messages = new Set<string>();
  for (const type of SERVER_MESSAGE_TYPES) session.room.onMessage(type, () => messages.add(type));
  return { guest, session, heard: () => Buffer.concat(chunks).toString('latin1'), answered: new Map(), refused: [], messages };
}

async function ask(player: Listener, type: CommandType, request: object, op: string = crypto.randomUUID()): Promise<unknown> {
  const payload = { ...request, ...(isChangingCommand(type) ? { op: operationId(op) } : {}) };
  try {
    const answer: unknown = await player.session.room.request(type, payload, { timeout: 5_000 });
    player.answered.set(type, [...(player.answered.get(type) ?? []), answer]);
    return answer;
  } catch (error) {
    if (!(error instanceof Error && 'reason' in error)) throw error;
    player.refused.push(error.reason);
    return error.reason;
  }
}

/** The text, and whatever in it is base64 of something. */
function readings(text: string): string {
  const words = text.match(/[A-Za-z0-9_-]{8,}/g) ?? [];
  const shifted = words.flatMap((word) => [0, 1, 2, 3].map((start) => Buffer.from(word.slice(start), 'base64url').toString('latin1')));
  return [text, ...shifted].join('\n');
}

/** Every page of a reading. */
async function pages(player: Listener, type: 'search' | 'history', request: object): Promise<void> {
  let cursor: unknown;
  do {
    const page = await ask(player, type, { ...request, ...(cursor === undefined ? {} : { cursor }) });
    cursor = typeof page === 'object' && page !== null && 'cursor' in page ? page.cursor : undefined;
  } while (cursor !== undefined);
}

describe('what players are sent', () => {
  it('names no other player, whatever the features let them do', async () => {
    const rules = { ...RULES_PROFILES.dev, durationMinMs: durationMs(1), startDelayMs: durationMs(0) };
    // Nobody is held back here: a second of the edge is a day.
    const started = await startTestEdge({}, rules, (platform) => ({
      ...platform,
      readings: { ...platform.readings, monotonicMs: () => platform.readings.monotonicMs() * 1_000 },
    }));
    const players = [await listen(started, 'quixote'), await listen(started, 'dulcinea'), await listen(started, 'rocinante')];
    const shardOf = ({ session }: Listener) => shardId(session.player, 'europe', 'softcore');
    const prng = createPrng('anonymous');
    const steps = started.backend.features.flatMap(({ steps: own = [] }) => own);
    for (let turn = 0; turn < 300; turn++) {
      const player = prng.pick(players);
      const seen = players.flatMap(({ session }) => [...session.room.state.listings.values()]);
      const { wish } = prng.pickWeighted(steps, ({ weight }) => weight);
      const others = players.filter((other) => other !== player).map(shardOf);
      const wished = wish({ shard: shardOf(player), state: player.session.room.state, listings: seen, others, rules, ids }, prng);
      if (wished === undefined) continue;
      const op = crypto.randomUUID();
      const first = await ask(player, wished.type, wished.body, op);
      // A repeat is told what the operation was answered, which is kept with readable ids.
      if (prng.chance(0.3) && typeof first === 'object' && first !== null && !('code' in first)) {
        const again = await ask(player, wished.type, wished.body, op);
        if (!('claimed' in first) || first.claimed instanceof Array === false) expect(again).toEqual(first);
      }
    }
    for (const player of players) {
      const posted = await ask(player, 'sell', {
        itemId: [...player.session.room.state.stash.keys()][0],
        buyout: 1_000,
        durationMs: 60_000,
      });
      expect(posted).toMatchObject({ listingId: expect.stringMatching(/^[A-Za-z0-9_-]{104}$/) });
      await until(() => player.session.room.state.listings.size > 0);
    }
    for (const player of players) {
      for (const by of ['buyout', 'level', 'endsAt', 'dps']) await pages(player, 'search', { criteria: {}, sort: { by }, limit: 1 });
      await pages(player, 'search', { criteria: { seller: 'me' }, limit: 1 });
      await pages(player, 'history', {});
      await ask(player, 'rules', {});
      for (const other of players) await ask(player, 'listing', { listingId: [...other.session.room.state.listings.keys()][0] });
      await ask(player, 'search', { criteria: { none: [] }, limit: 1 });
    }

    // It was no small talk: each command was answered, each kind of message heard, and some commands were refused.
    expect(COMMAND_TYPES.filter((type) => players.every(({ answered }) => !answered.has(type)))).toEqual([]);
    expect(SERVER_MESSAGE_TYPES.filter((type) => players.every(({ messages }) => !messages.has(type)))).toEqual([]);
    expect(players.some(({ refused }) => refused.length > 3)).toBe(true);
    for (const player of players) {
      const heard = readings(player.heard());
      expect(heard).toContain(player.guest);
      for (const { guest } of players)
        if (guest !== player.guest) expect([player.guest, heard.includes(guest)]).toEqual([player.guest, false]);
      const texts = JSON.stringify([player.session.room.state.toJSON(), ...player.answered.values(), player.refused]);
      expect(texts).not.toContain('@');
      // The player's own name is where its room says it, and in no id.
      expect(JSON.stringify([...player.answered.values()])).not.toContain(player.guest);
    }
    expect(started.reported).toEqual([]);
  }, 60_000);

  it('is the same for both sides of a trade, and after a restart with the same key', async () => {
    const started = await startTestEdge();
    const [ada, bob] = [await listen(started, 'ada'), await listen(started, 'bob')];
    const itemId = [...ada.session.room.state.stash.keys()][0];
    const posted = await ask(ada, 'sell', { itemId, buyout: 50 }, 'op-1');
    const listing = typeof posted === 'object' && posted !== null && 'listingId' in posted ? String(posted.listingId) : '';
    expect(seal.open('listing', listing)).toBe('1.guest-ada@europe.softcore'.replace('1.', `${ids.parse(listing)?.row ?? 0}.`));
    await ask(bob, 'buyout', { listingId: listing, price: 50 });
    await until(() => ada.session.room.state.completed.size === 1);
    const [sold, bought] = [ada, bob].map(({ session }) => [...session.room.state.completed.values()][0]?.tx);
    expect(sold).toMatch(/^[A-Za-z0-9_-]{104}$/);
    expect(sold).toBe(bought);
    expect(seal.open('transaction', sold ?? '')).toMatch(/guest-bob@europe\.softcore$/);
    expect(await ask(ada, 'sell', { itemId, buyout: 50 }, 'op-1')).toEqual(posted);
  });
});

describe('an id', () => {
  it('that the server did not seal for it is refused as one that is none, and nothing happens', async () => {
    const started = await startTestEdge();
    const [ada, bob] = [await listen(started, 'ada'), await listen(started, 'bob')];
    await ask(ada, 'sell', { itemId: [...ada.session.room.state.stash.keys()][0], buyout: 50 });
    const [own = ''] = ada.session.room.state.listings.keys();
    const readable = seal.open('listing', own) ?? '';
    const foreign = new WorldSeal('another world'.repeat(3)).seal('listing', readable);
    const ofNobody = ids.idOf(rowId(1), shardId('nobody', 'europe', 'softcore'));
    const bad = [
      readable,
      foreign,
      own.slice(0, -4),
      `${own}AAAA`,
      own.toLowerCase(),
      seal.seal('transaction', readable),
      seal.seal('cursor', readable),
      'x',
      '~',
    ];
    for (const listingId of bad) {
      for (const [type, body] of [
        ['listing', {}],
        ['buyout', { price: 50 }],
        ['cancel', {}],
      ] as const) {
        expect([type, await ask(type === 'cancel' ? ada : bob, type, { ...body, listingId })]).toMatchObject([
          type,
          { name: 'bad-request', details: { fault: 'listingId: must be a listing id' } },
        ]);
      }
    }
    // Bob has spent what a player may at once.
    const carol = await listen(started, 'carol');
    for (const cursor of [own, seal.seal('listing', '5'), 'WyJidXlvdXQiLGZhbHNlLDUwLCIxIl0', '5']) {
      for (const [type, body] of [
        ['search', { criteria: {}, limit: 1 }],
        ['history', {}],
      ] as const) {
        const refused = await ask(carol, type, { ...body, cursor });
        expect([type, refused]).toMatchObject([
          type,
          { name: 'bad-request', details: { fault: 'cursor: must be one that the server gave' } },
        ]);
      }
    }
    // Sealed, and of a listing that nobody has: that is another thing.
    expect(await ask(bob, 'listing', { listingId: ofNobody })).toMatchObject({ name: 'listing-gone' });
    expect([ada.session.room.state.listings.size, bob.session.room.state.gold]).toEqual([1, 100_000]);
    expect(started.reported).toEqual([]);
  });
});
