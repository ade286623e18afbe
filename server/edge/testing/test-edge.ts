/** An edge before a node in memory, for one test. */
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { TrustedProxies } from '#server/http/client-address.ts';
import type { Rules } from '#shared/rules.ts';
import type { Platform } from '#server/platform/platform.ts';
import { IdDoor } from '../id-door.ts';
import { startEdge, type Edge } from '../edge.ts';
import type { EdgeOptions } from '../services.ts';
import { startMemoryNode, type MemoryNode } from './memory-node.ts';

/** The key that the tests sign with. */
export const JWT_KEY = 'k'.repeat(32);

/** The key that seals ids in the tests. */
export const WORLD_KEY = 'w'.repeat(32);

const closers: (() => Promise<unknown>)[] = [];

/** Has something closed at the end of the test, before what was started before it. */
export function onClose(close: () => Promise<unknown>): void {
  closers.push(close);
}

/** Ends everything that the test started. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).toReversed()) await close();
}

/** An edge with its node, and what it was started with. */
export interface TestEdge extends MemoryNode {
  readonly edge: Edge;
  readonly options: EdgeOptions;
}

/** Starts an edge with a node of its own; what is not named is as in development. The edge may see another platform than its node. */
export async function startTestEdge(
  changes: Partial<EdgeOptions> = {},
  rules?: Rules,
  seenBy: (platform: Platform) => Platform = (platform) => platform,
): Promise<TestEdge> {
  const node = startMemoryNode(['europe', 'asia'], rules);
  onClose(() => Promise.resolve(node.stop()));
  const options: EdgeOptions = {
    backend: node.backend,
    platform: seenBy(node.platform),
    catalogue: BUILT_IN_CATALOGUE,
    host: '127.0.0.1',
    port: 0,
    guests: true,
    jwtKeys: [JWT_KEY],
    ids: new IdDoor(WORLD_KEY),
    origins: { loopback: true, named: [] },
    sessionRate: { perSecond: 1_000, burst: 1_000 },
    addressRate: { perSecond: 10_000, burst: 10_000 },
    proxies: new TrustedProxies([]),
    isReady: () => true,
    ...changes,
  };
  const edge = await startEdge(options);
  onClose(() => edge.close(2_000));
  return { ...node, edge, options };
}
