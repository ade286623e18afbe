/**
 * One attack of `bench siege`, in a process of its own and of the lowest priority, from addresses of its own, for as long as it is let
 * live. It says `ready` when it is at full strength. What the server does with its connections is no fault of it.
 */
import { pack } from 'msgpackr';
import { connect } from 'node:net';
import { setPriority } from 'node:os';
import { requestFrame } from '../fuzz/frames.ts';
import { ask, RawClient, type Way } from './raw-client.ts';

const [attack = '', url = '', countText = '', target = ''] = process.argv.slice(2);
const count = Number(countText);

/** The tree of the largest allowed kind: each node with a name that matches nothing, so that every row is looked at. */
const dear = (): object => {
  const leaf = (text: string): object => ({ name: text, stats: [{ stat: 'might', min: 1 }] });
  const branch = (text: string): object => ({ any: Array.from({ length: 7 }, (_, index) => leaf(`${text}${index}`)) });
  return { criteria: { any: ['a', 'b', 'c'].map(branch), none: ['d', 'e', 'f'].map(leaf) }, limit: 100 };
};
const cheap = { criteria: {}, limit: 100 };

const from = (last: number): Way => ({ url, localAddress: `127.0.2.${last}` });
const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** Comes in as soon as it is let, or not at all. */
async function join(way: Way, guest: string): Promise<RawClient | undefined> {
  try {
    return await RawClient.join(way, guest);
  } catch {
    return undefined;
  }
}

async function joinAll(guests: readonly (readonly [Way, string])[]): Promise<readonly RawClient[]> {
  const joined = await Promise.all(guests.map(([way, guest]) => join(way, guest)));
  return joined.filter((client) => client !== undefined);
}

/** Asks without end, so many times at once; where it is thrown out, it comes back. */
async function keepAsking(
  way: Way,
  guest: string,
  atOnce: number,
  call: (client: RawClient) => Promise<unknown>,
  everyMs: number,
): Promise<never> {
  for (;;) {
    const client = await join(way, guest);
    if (client === undefined) await pause(200);
    else await Promise.all(Array.from({ length: atOnce }, () => askOn(client, call, everyMs)));
  }
}

async function askOn(client: RawClient, call: (client: RawClient) => Promise<unknown>, everyMs: number): Promise<void> {
  while (client.socket.readyState === client.socket.OPEN) {
    const startedAt = performance.now();
    await call(client);
    await pause(Math.max(0, everyMs - (performance.now() - startedAt)));
  }
}

const numbers = (length: number): readonly number[] => Array.from({ length }, (_, index) => index);

/** How long an attack without a moment of full strength takes to unfold. */
const UNFOLD_MS = 500;

const ATTACKS: Readonly<Record<string, () => Promise<unknown>>> = {
  /** One socket with the dearest search there is, sixty at once. */
  dear: () => {
    void keepAsking(from(1), 'dear', 60, (client) => client.call('search', dear()), 0);
    return pause(UNFOLD_MS);
  },
  /** One player with as many sockets as it gets, each at the limit of one. */
  crowd: async () => {
    const clients = await joinAll(numbers(63).map(() => [from(2), 'crowd'] as const));
    for (const client of clients) for (const _ of numbers(20)) void askOn(client, () => client.call('search', cheap), 1_000);
  },
  /** What is no session, as fast as it goes, on a connection each. */
  junk: () => {
    const junk = async (): Promise<never> => {
      for (;;) await ask(from(3), 'POST', '/session', '{"token":"junk","region":"europe"}').catch(() => pause(10));
    };
    for (const _ of numbers(32)) void junk();
    return pause(UNFOLD_MS);
  },
  /** Guests who come and do nothing. */
  guests: () => {
    let next = 0;
    const come = async (): Promise<void> => {
      for (let number = next++; number < count; number = next++) {
        while ((await join(from(10 + (number % 25)), `idle-${number}`)) === undefined) await pause(100);
      }
    };
    for (const _ of numbers(16)) void come();
    return pause(UNFOLD_MS);
  },
  /** Offers below the price, to one seller. */
  offers: async () => {
    const clients = await joinAll(numbers(45).map((number) => [from(4), `${'x'.repeat(50)}${number}`] as const));
    let ops = 0;
    const offer = (client: RawClient): Promise<unknown> =>
      client.call('buyout', { op: `offer-${process.pid}-${ops++}`, listingId: target, price: 1 });
    for (const client of clients) void askOn(client, offer, 50);
  },
  /** Connections that never come to the end of their request. */
  slowloris: () => {
    const hold = (): void => {
      const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', localAddress: '127.0.2.5' });
      socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n');
      const timer = setInterval(() => socket.write('x-slow: 1\r\n'), 500);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        clearInterval(timer);
        setTimeout(hold, 100);
      });
    };
    for (const _ of numbers(500)) hold();
    return pause(UNFOLD_MS);
  },
  /** Players who ask and never read. */
  reader: async () => {
    const clients = await joinAll(numbers(64).map((number) => [from(6), `reader-${number % 16}`] as const));
    for (const { socket } of clients) {
      socket.pause();
      let id = 0;
      setInterval(() => socket.readyState === socket.OPEN && socket.send(requestFrame(id++, 'search', pack(cheap))), 50);
    }
  },
};

setPriority(19);
await ATTACKS[attack]?.();
process.stdout.write('ready\n');
