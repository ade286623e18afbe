/** The client against real edges that go away and come back. */
import { afterEach, describe, expect, it } from '@jest/globals';

import { startEdge, type Edge } from '#server/edge/edge.ts';
import type { EdgeOptions } from '#server/edge/services.ts';
import { closeAll, onClose, startTestEdge } from '#server/edge/testing/test-edge.ts';
import { ClosedError, NoAnswerError, RefusedError } from './errors.ts';
import { GameClient } from './game-client.ts';
import { told } from './testing/told.ts';
import { until } from './wait.ts';

afterEach(closeAll);

const join = async (edge: Edge, guest = 'ada', deadlineMs = 10_000): Promise<GameClient> => {
  const client = await GameClient.connect({ url: edge.url, credentials: { guest }, region: 'europe', deadlineMs });
  onClose(() => client.close());
  return client;
};

/** The edge of the same node, again at the same port. */
const restart = async ({ edge, options }: { edge: Edge; options: EdgeOptions }, changes: Partial<EdgeOptions> = {}): Promise<Edge> => {
  const again = await startEdge({ ...options, port: edge.port, ...changes });
  onClose(() => again.close(2_000));
  return again;
};

const firstItem = ({ state }: GameClient): string => state.stash.keys().next().value ?? '';

describe('a game client', () => {
  it.each([
    ['with the same keys', {}],
    ['with other keys, by its first credentials', { jwtKeys: ['o'.repeat(32)] }],
  ])('comes back to a server that was restarted %s, and carries out what was asked meanwhile', async (_, changes) => {
    const started = await startTestEdge();
    const ada = await join(started.edge);
    const itemId = firstItem(ada);
    const lost = told(ada, 'lost');
    await started.edge.close(2_000);
    expect(await lost).toEqual([4001]);
    expect([ada.isConnected, ada.state.gold, ada.state.stash.has(itemId)]).toEqual([false, 100_000, true]);
    const sold = ada.sell({ itemId, buyout: 10 });
    const back = told(ada, 'back');
    await restart(started, changes);
    await back;
    const { listingId } = await sold;
    await until(() => ada.state.listings.has(listingId) && !ada.state.stash.has(itemId));
  });

  it('does a command once, however often it had to be sent', async () => {
    const started = await startTestEdge();
    const ada = await join(started.edge);
    const itemId = firstItem(ada);
    let sent = 0;
    const { world } = started.backend;
    // The first answer is lost on its way: the edge closes before it gets there.
    const accept: typeof world.accept = async (envelope) => {
      const reply = await world.accept(envelope);
      if (envelope.message.kind === 'sell' && sent++ === 0) await new Promise(() => undefined);
      return reply;
    };
    const forgetful = { ...started.backend, world: { accept } };
    await started.edge.close(2_000);
    const second = await restart(started, { backend: forgetful });
    const repeated = told(ada, 'repeated');
    const posted = ada.sell({ itemId, buyout: 10 });
    await until(() => sent === 1);
    await second.close(2_000);
    await restart(started, { backend: forgetful });
    await repeated;
    const { listingId } = await posted;
    expect(sent).toBe(2);
    await until(() => ada.state.listings.has(listingId));
    expect(ada.state.listings.size).toBe(1);
  });

  it('says that it does not know, with the op to ask again, when nobody answers in time', async () => {
    const started = await startTestEdge();
    const ada = await join(started.edge);
    const itemId = firstItem(ada);
    await started.edge.close(2_000);
    await until(() => !ada.isConnected);
    const failure: unknown = await ada.sell({ itemId, buyout: 10 }, { deadlineMs: 300 }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(NoAnswerError);
    expect(failure).toMatchObject({ op: expect.stringMatching(/^[0-9a-f]{32}$/), cause: expect.anything() });
    await ada.close();
  });

  it('stays away once it is closed', async () => {
    const started = await startTestEdge();
    const [ada, bob] = [await join(started.edge), await join(started.edge, 'bob')];
    await ada.close();
    await expect(ada.rules()).rejects.toBeInstanceOf(ClosedError);
    await started.edge.close(2_000);
    await until(() => !bob.isConnected);
    const asked = bob.rules();
    await bob.close();
    await expect(asked).rejects.toBeInstanceOf(ClosedError);
    const again = await restart(started);
    await expect(bob.rules()).rejects.toBeInstanceOf(ClosedError);
    expect(again.rooms).toBe(0);
  });

  it('says no with the refusal', async () => {
    const { edge } = await startTestEdge();
    const ada = await join(edge);
    const failure: unknown = await ada.sell({ itemId: 'none', buyout: 10 }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RefusedError);
    expect(failure).toMatchObject({
      message: 'There is no such item in your stash.',
      refusal: { code: 1201, name: 'no-such-item', retryable: false },
    });
    await expect(GameClient.connect({ url: edge.url, credentials: { token: 'x' }, region: 'europe' })).rejects.toMatchObject({
      refusal: { name: 'unauthorized' },
    });
  });

  it('waits out a limit of its own flood', async () => {
    const { edge } = await startTestEdge();
    const ada = await join(edge);
    const answers = await Promise.all(Array.from({ length: 70 }, () => ada.rules()));
    expect(answers).toHaveLength(70);
    await expect(Promise.all(Array.from({ length: 70 }, () => ada.rules({}, { deadlineMs: 0 })))).rejects.toMatchObject({
      refusal: { name: 'rate-limited' },
    });
  });
});
