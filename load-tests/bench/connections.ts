/**
 * `bench connections`: what a player costs who is connected and does nothing, beside the shard, and what it costs to let one in.
 *
 * The node and its edge are in this process, with real files; the guests are in another one. All shards are in memory before the first
 * guest comes, so that what is measured is the edge alone. `bytesPerPlayer`: V8's heap and the buffers outside of it, after a collection.
 * `residentBytesPerPlayer`: what the process has grown by, with all that is never given back. `sessionMs`: processor time of all threads
 * for `POST /session`, the WebSocket and the first state. Not measured: what the kernel keeps for sockets.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { startEdge, type Edge } from '#server/edge/edge.ts';
import { IdDoor } from '#server/edge/id-door.ts';
import { startGoodsFor } from '#server/edge/sessions.ts';
import { TrustedProxies } from '#server/http/client-address.ts';
import type { Command } from '#server/shard/message.ts';
import type { GavelNode } from '#server/node.ts';
import { CLOSE_MS, expectAnswer, inTemporaryDirectory, openBenchNode, rounded } from './harness.ts';

/** The full size. */
export const CONNECTIONS_BENCH_DEFAULTS = { players: 2_500, atOnce: 16 };

/** More than any limit of sessions: they are not what is measured. */
const NO_LIMIT = { perSecond: 1_000_000, burst: 1_000_000 };

/** Runs the benchmark. */
export function benchConnections(options: typeof CONNECTIONS_BENCH_DEFAULTS): Promise<object> {
  return inTemporaryDirectory(async (directory) => {
    const node = await openBenchNode(directory);
    const edge = await startBenchEdge(node);
    try {
      return await measure(options, node, edge);
    } finally {
      await edge.close(1_000);
      await node.close(CLOSE_MS);
    }
  });
}

function startBenchEdge(node: GavelNode): Promise<Edge> {
  return startEdge({
    backend: node,
    platform: node.platform,
    catalogue: BUILT_IN_CATALOGUE,
    host: '127.0.0.1',
    port: 0,
    guests: true,
    jwtKeys: ['k'.repeat(32)],
    ids: new IdDoor('w'.repeat(32)),
    origins: { loopback: true, named: [] },
    sessionRate: NO_LIMIT,
    addressRate: NO_LIMIT,
    proxies: new TrustedProxies([]),
    isReady: () => true,
  });
}

async function measure({ players, atOnce }: typeof CONNECTIONS_BENCH_DEFAULTS, node: GavelNode, edge: Edge): Promise<object> {
  for (let number = 0; number < players; number++) await openGuest(node, number);
  const collect = collector();
  collect();
  const before = process.memoryUsage();
  const spent = process.cpuUsage();
  const main = process.threadCpuUsage();
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('connections-child.ts', import.meta.url)), edge.url, String(players), String(atOnce)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    const connected = Number(String((await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]))[0]));
    const { user, system } = process.cpuUsage(spent);
    const thread = process.threadCpuUsage(main);
    if (connected !== players) throw new Error(`${connected} of ${players} guests came in`);
    collect();
    const after = process.memoryUsage();
    const perPlayer = (bytes: (usage: NodeJS.MemoryUsage) => number): number => Math.round((bytes(after) - bytes(before)) / players);
    return {
      bytesPerPlayer: perPlayer(({ heapUsed, external }) => heapUsed + external),
      sessionMs: rounded((user + system) / 1_000 / players),
      sessionThreadMs: rounded((thread.user + thread.system) / 1_000 / players),
      residentBytesPerPlayer: perPlayer(({ rss }) => rss),
      buffersPerPlayer: perPlayer(({ arrayBuffers }) => arrayBuffers),
      players,
      rooms: edge.rooms,
    };
  } finally {
    child.kill('SIGKILL');
  }
}

async function openGuest(node: GavelNode, number: number): Promise<void> {
  const shard = shardId(`guest-idle-${number}`, 'europe', 'softcore');
  const start = startGoodsFor(BUILT_IN_CATALOGUE, RULES_PROFILES.dev, shard, () => node.platform.random.id());
  const message: Command = { kind: 'open', issuer: 'service', body: { name: `idle-${number}`, start } };
  expectAnswer(await node.world.accept({ to: shard, message, creates: true }));
}

/** V8's collector, as a function. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') throw new Error('this Node gives no collector');
  return () => void Reflect.apply(collect, undefined, []);
}
