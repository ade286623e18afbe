/** The API of game servers over real sockets, before a node in memory. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { shardId } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import { operationId } from '#shared/units.ts';
import type { ServiceRight } from '#shared/protocol/service.ts';
import { IdDoor } from '#server/edge/id-door.ts';
import { closeAll, onClose, WORLD_KEY } from '#server/edge/testing/test-edge.ts';
import { startMemoryNode } from '#server/edge/testing/memory-node.ts';
import type { Command } from '#server/shard/message.ts';
import { startAdminServer } from './admin-server.ts';
import { apiRoutes } from './api.ts';

afterEach(closeAll);

const keyOf = (name: string, ...rights: ServiceRight[]) => ({ name, rights: new Set(rights), key: `key-of-${name}-0123456789-abcdefghij` });
const KEYS = [keyOf('all', 'grant', 'charge', 'read'), keyOf('loot', 'grant'), keyOf('shop', 'charge'), keyOf('viewer', 'read')];
const [ALL, LOOT, SHOP, VIEWER] = KEYS.map(({ key }) => key);

const SWORD = { baseId: 'sword-4', itemClass: 'sword', name: 'A Sword', rarity: 'common', level: 60, affixes: [] };
const TO = { player: 'ada', region: 'europe', mode: 'softcore', reason: 'a test' };

async function startApi() {
  const node = startMemoryNode();
  onClose(() => Promise.resolve(node.stop()));
  const { backend, platform } = node;
  const server = await startAdminServer(
    platform,
    { host: '127.0.0.1', port: 0 },
    apiRoutes({ backend, platform, keys: KEYS, ids: new IdDoor(WORLD_KEY) }),
  );
  onClose(() => server.close(1_000));
  const ask = async (method: string, path: string, key: string | undefined, body?: unknown) => {
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as never };
  };
  return {
    ...node,
    grant: (body: unknown, key = ALL) => ask('POST', '/api/grants', key, body),
    charge: (body: unknown, key = ALL) => ask('POST', '/api/charges', key, body),
    show: (player: string, key = ALL, query = 'region=europe&mode=softcore') => ask('GET', `/api/players/${player}?${query}`, key),
    ask,
  };
}

describe('the API', () => {
  it('gives, takes and shows', async () => {
    const { grant, charge, show } = await startApi();
    const given = await grant({ ...TO, op: 'g1', gold: 500, items: [SWORD], commodities: [{ commodity: 'star-iron', quantity: 3 }] });
    expect(given).toEqual({ status: 200, body: { by: 'all', gold: 500, stash: [expect.any(String)], completed: [] } });
    const [id] = (given.body as { stash: string[] }).stash;
    expect(await charge({ ...TO, op: 'c1', gold: 120 })).toEqual({ status: 200, body: { by: 'all', gold: 380 } });
    expect(await show('ada')).toEqual({
      status: 200,
      body: expect.objectContaining({
        player: 'ada',
        shard: 'ada@europe.softcore',
        gold: 380,
        held: 0,
        frozen: false,
        stash: { [String(id)]: { id, ...SWORD } },
        commodities: { 'star-iron': 3 },
        listings: {},
        completed: {},
      }),
    });
  });

  it('shows listings by the ids that players see', async () => {
    const { backend, grant, show } = await startApi();
    expect(await grant({ ...TO, op: 'g', items: [SWORD] })).toMatchObject({ status: 200 });
    const { stash } = (await show('ada')).body as Record<'stash', object>;
    const sale: Command = { kind: 'sell', issuer: 'client', op: operationId('s'), body: { itemId: Object.keys(stash)[0], buyout: 500 } };
    expect(await backend.world.accept({ to: shardId('ada', 'europe', 'softcore'), message: sale })).toMatchObject({ kind: 'answer' });
    const { listings } = (await show('ada')).body as Record<'listings', Record<string, { readonly id: string }>>;
    expect(Object.entries(listings).map(([key, { id }]) => [key === id, id])).toEqual([
      [true, expect.stringMatching(/^[A-Za-z0-9_-]{104}$/)],
    ]);
  });

  it('shows all that waits to be claimed, more than a room shows', async () => {
    const { backend, grant, show } = await startApi();
    const fill = (op: number) => grant({ ...TO, op: `g${op}`, items: Array.from({ length: limits.serviceItemsMax }, () => SWORD) });
    for (let op = 0; op < 5; op++) expect(await fill(op)).toMatchObject({ status: 200 });
    const { body } = await show('ada');
    const { stash, completed } = body as Record<'stash' | 'completed', object>;
    const [stashed, waiting] = [Object.keys(stash).length, Object.keys(completed).length];
    expect([stashed, stashed + waiting]).toEqual([backend.rules.stashSlots, 5 * limits.serviceItemsMax]);
    expect(waiting).toBeGreaterThan(backend.rules.completedShown);
  });

  it('maps ids of other stores as a session does, and refuses one that is mapped already', async () => {
    const { grant, show } = await startApi();
    expect(await grant({ ...TO, player: 'steam:123', op: 'g1', gold: 1 })).toMatchObject({ status: 200 });
    expect(await show('steam%3A123')).toMatchObject({
      body: { player: 'steam:123', shard: '__steam_3A123@europe.softcore', name: 'steam:123' },
    });
    const fault = "player: is how steam:123 is written here: give the studio's own id";
    expect(await grant({ ...TO, player: '__steam_3A123', op: 'g2', gold: 1 })).toMatchObject({ status: 400, body: { details: { fault } } });
    expect(await show('__steam_3A123')).toMatchObject({ status: 400 });
  });

  it('answers each element of a list by itself, in its place, and does each once', async () => {
    const { grant, show } = await startApi();
    const list = [
      { ...TO, op: 'a', gold: 10 },
      { ...TO, op: 'b', gold: -1 },
      { ...TO, op: 'a', gold: 10 },
      { ...TO, op: 'a', gold: 11 },
      'nonsense',
      { ...TO, op: 'no name', gold: 1 },
      { ...TO, op: 'c', gold: 5, region: 'nowhere' },
      { ...TO, op: 'd' },
      { ...TO, op: 'e', gold: 5, items: [SWORD], unknown: 1 },
      { ...TO, op: 'f', gold: 5 },
    ];
    const first = await grant(list);
    const refused = (name: string, fault?: unknown) =>
      expect.objectContaining({ name, ...(fault === undefined ? {} : { details: { fault } }) });
    expect(first).toEqual({
      status: 200,
      body: [
        { op: 'a', answer: { by: 'all', gold: 10, stash: [], completed: [] } },
        { op: 'b', refusal: refused('bad-request', expect.stringContaining('gold: ')) },
        { op: 'a', answer: { by: 'all', gold: 10, stash: [], completed: [] } },
        { op: 'a', refusal: refused('op-reused') },
        { refusal: refused('bad-request', expect.stringContaining('value: ')) },
        { refusal: refused('bad-request', 'op: must be 1 to 64 of A-Z a-z 0-9 _ -') },
        { op: 'c', refusal: refused('bad-request', 'region: must be one of europe, asia') },
        { op: 'd', refusal: refused('bad-request', 'value: must have gold, items or commodities') },
        { op: 'e', refusal: refused('bad-request', 'unknown field "unknown"') },
        { op: 'f', answer: { by: 'all', gold: 15, stash: [], completed: [] } },
      ],
    });
    expect(await grant(list)).toEqual(first);
    expect(await show('ada')).toMatchObject({ body: { gold: 15 } });
  });

  it('takes a thousand at once, in order, and no more', async () => {
    const { grant, charge, show } = await startApi();
    const grants = Array.from({ length: limits.serviceRequestsMax }, (_, index) => ({ ...TO, op: `g${index}`, gold: 1, items: [SWORD] }));
    const { body } = await grant(grants.map((each, index) => ({ ...each, player: `p${index % 100}` })));
    expect((body as { answer: { gold: number } }[]).map(({ answer }) => answer.gold)).toEqual(
      grants.map((_, index) => Math.floor(index / 100) + 1),
    );
    expect(await grant([...grants, grants[0]])).toMatchObject({ status: 400 });
    expect(await charge([])).toEqual({ status: 200, body: [] });
    expect(await show('ada')).toMatchObject({ status: 404 });
    expect(await grant(`[${' '.repeat(limits.serviceBodyBytesMax)}]`)).toMatchObject({ status: 413 });
  });

  it('makes nobody by reading or taking', async () => {
    const { charge, show, grant, backend } = await startApi();
    expect(await show('nobody')).toMatchObject({ status: 404, body: { name: 'no-such-player' } });
    expect(await charge({ ...TO, player: 'nobody', op: 'c', gold: 1 })).toMatchObject({ status: 404, body: { name: 'no-such-player' } });
    expect(await show('nobody')).toMatchObject({ status: 404 });
    await grant({ ...TO, op: 'g', gold: 1 });
    const lines = await backend.history(shardId('ada', 'europe', 'softcore'), Number.MAX_SAFE_INTEGER, 10);
    expect(await show('ada')).toMatchObject({ status: 200 });
    expect(await backend.history(shardId('ada', 'europe', 'softcore'), Number.MAX_SAFE_INTEGER, 10)).toEqual(lines);
  });

  it('reads a query that says what it must, and nothing else', async () => {
    const { grant, show } = await startApi();
    await grant({ ...TO, op: 'g', gold: 1 });
    for (const query of [
      'region=europe',
      'mode=softcore',
      'region=europe&mode=easy',
      'region=europe&mode=softcore&more=1',
      'region=Europe&mode=softcore',
    ])
      expect(await show('ada', ALL, query)).toMatchObject({ status: 400 });
    expect(await show('ada', ALL, 'region=nowhere&mode=softcore')).toMatchObject({ status: 400 });
  });

  it.each([
    ['nobody', undefined, [401, 401, 401]],
    ['a stranger', 'x'.repeat(40), [401, 401, 401]],
    ['who gives', LOOT, [200, 401, 401]],
    ['who takes', SHOP, [401, 404, 401]],
    ['who reads', VIEWER, [401, 401, 404]],
  ])('lets %s do what its key allows', async (_who, key, statuses) => {
    const { ask } = await startApi();
    const body = { ...TO, op: 'x', gold: 1 };
    expect((await ask('POST', '/api/grants', key, body)).status).toBe(statuses[0]);
    expect((await ask('POST', '/api/charges', key, { ...body, player: 'none' })).status).toBe(statuses[1]);
    expect((await ask('GET', '/api/players/none?region=europe&mode=softcore', key)).status).toBe(statuses[2]);
  });

  it('reads no body of somebody without the right', async () => {
    const { ask } = await startApi();
    expect(await ask('POST', '/api/grants', VIEWER, 'not JSON')).toMatchObject({
      status: 401,
      body: { details: { reason: 'the service key viewer has no right to grant' } },
    });
  });

  it('tells the log of each change: what, by which key, for whom and why, and never the key', async () => {
    const { reported, grant, charge } = await startApi();
    await grant({ ...TO, op: 'g1', gold: 7, items: [SWORD], commodities: [{ commodity: 'star-iron', quantity: 2 }] }, LOOT);
    await charge({ ...TO, op: 'c1', gold: 8 }, SHOP);
    const about = { reason: 'a test' };
    expect(reported).toEqual([
      {
        level: 'info',
        message: 'grant for ada@europe.softcore: done',
        details: { op: 'g1', by: 'loot', gold: 7, items: 1, commodities: '2 star-iron', ...about },
      },
      {
        level: 'info',
        message: 'charge for ada@europe.softcore: not-enough-gold',
        details: { op: 'c1', by: 'shop', gold: 8, items: 0, commodities: '', ...about },
      },
    ]);
  });

  it('names in the answer the key that did it, also to another key that asks again', async () => {
    const { grant } = await startApi();
    const body = { ...TO, op: 'g1', gold: 7 };
    expect(await grant(body, LOOT)).toMatchObject({ body: { by: 'loot' } });
    expect(await grant(body, ALL)).toMatchObject({ body: { by: 'loot' } });
  });
});
