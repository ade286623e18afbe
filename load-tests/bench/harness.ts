/**
 * What the benchmarks share: a real node on real files in a directory of its own, players in it, and figures.
 *
 * The node is called in this process, without sockets: what is measured is the engine, not the edge.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { rollItem } from '#shared/catalog/loot.ts';
import type { Item } from '#shared/item.ts';
import { createPrng } from '#shared/prng.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { gold, itemId, nodeName, operationId, type NodeName, type ShardId } from '#shared/units.ts';
import { IndexChild } from '#server/listing-index/child.ts';
import { RemoteListingIndex } from '#server/listing-index/remote.ts';
import { openFilePersister } from '#server/journal/persister/open-file-persister.ts';
import type { PersisterPace } from '#server/journal/persister/open-persister.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import type { Command, Reply } from '#server/shard/message.ts';
import { openNode, type GavelNode } from '#server/node.ts';

/** Makes a directory for a benchmark and removes it in the end, whatever happens. */
export async function inTemporaryDirectory<T>(run: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'gavel-bench-'));
  try {
    return await run(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** How to let go of the listing index of each node that is open. */
const releases = new Map<GavelNode, () => Promise<void>>();

/** Opens a node on that directory, as `npm start` does: its listing index is a process of its own. A fault ends the process. */
export async function openBenchNode(
  directory: string,
  memoryBudgetBytes = 4 * 2 ** 30,
  pace?: PersisterPace,
  names = { world: 'bench', node: 'bench' },
): Promise<GavelNode> {
  const machine = nodeMachine();
  const name = nodeName(names.node);
  const index = openIndexProcess(name);
  const node = await openNode({
    machine,
    isClockTrusted: true,
    rules: RULES_PROFILES.dev,
    catalogue: BUILT_IN_CATALOGUE,
    regions: ['europe'],
    world: names.world,
    node: name,
    index: index.service,
    openPersister: (definition) => openFilePersister({ machine, definition, directory, ...(pace === undefined ? {} : { pace }) }),
    memoryBudgetBytes,
    onFault: (fault) => {
      process.stderr.write(`${fault.stack ?? fault.message}\n`);
      process.exit(1);
    },
  });
  releases.set(node, () => index.stop());
  return node;
}

/** A listing index in a process of its own. */
export interface IndexProcess {
  readonly service: RemoteListingIndex;
  readonly pid: () => number | undefined;
  readonly stop: () => Promise<void>;
}

/** Starts a listing index for that node, as a server does. */
export function openIndexProcess(node: NodeName): IndexProcess {
  const machine = nodeMachine();
  const key = randomUUID();
  const child = new IndexChild(key, machine);
  const { itemClasses } = BUILT_IN_CATALOGUE;
  const service = new RemoteListingIndex({ address: () => child.address, key, node, itemClasses, machine });
  const stop = (): Promise<void> => {
    service.close();
    return child.stop();
  };
  return { service, pid: () => child.pid, stop };
}

/** How long a node of a benchmark may take to close; its files stay. */
const CLOSE_MS = 60_000;

/** Closes a node, and its listing index. */
export async function closeBenchNode(node: GavelNode): Promise<void> {
  await node.close(CLOSE_MS);
  await releases.get(node)?.();
}

/** Addresses by the player's number: each is made once, as a session would. */
const shards: ShardId[] = [];

/** The shard of the benchmark's player of that number. */
export function playerShard(number: number): ShardId {
  return (shards[number] ??= shardId(`p${number}`, 'europe', 'softcore'));
}

const TEMPLATES = 500;
const prng = createPrng('bench items');
const templates: readonly Item[] = Array.from({ length: TEMPLATES }, (_, number) =>
  rollItem(BUILT_IN_CATALOGUE, prng, { id: itemId(`template-${number}`), level: prng.integer(1, 70) }),
);

/** A rolled item with an id of its own. */
function benchItem(id: string): Item {
  const template = templates[Math.floor(prng.next() * TEMPLATES)];
  if (template === undefined) throw new Error('there are no templates');
  return { ...template, id: itemId(id) };
}

/** Opens players with gold and so many items each, many at once. */
export async function openPlayers(node: GavelNode, count: number, itemsEach: number): Promise<void> {
  const CHUNK = 1_000;
  for (let start = 0; start < count; start += CHUNK) {
    const numbers = Array.from({ length: Math.min(CHUNK, count - start) }, (_, offset) => start + offset);
    await Promise.all(
      numbers.map(async (number) => {
        const items = Array.from({ length: itemsEach }, (_, index) => benchItem(itemOf(number, index)));
        const body = { name: `p${number}`, start: { gold: gold(1_000_000_000), items, commodities: [] } };
        const message: Command = { kind: 'open', issuer: 'service', body };
        expectAnswer(await node.world.accept({ to: playerShard(number), message, creates: true }));
      }),
    );
  }
}

/** The id of a player's item of the beginning. */
export function itemOf(player: number, index: number): string {
  return `i${player}-${index}`;
}

/** Each process has operations of its own: one that comes after another must not repeat its. */
const run = `${process.pid}-${Date.now().toString(36)}`;
let operations = 0;

/** Sends a player's command with an operation id of its own. */
export function clientCommand(node: GavelNode, player: number, kind: string, body: unknown): Promise<Reply> {
  const message: Command = { kind, issuer: 'client', op: operationId(`${run}-${operations++}`), body };
  return node.world.accept({ to: playerShard(player), message });
}

/** The value of an answer; throws if it is a refusal. */
export function expectAnswer(reply: Reply): unknown {
  if (reply.kind === 'answer') return reply.value;
  throw new Error(`refused: ${reply.name} ${JSON.stringify(reply.details ?? {})}`);
}

/** A field of an answer; throws if there is none of that name and kind. */
export function fieldOf<Value>(answered: unknown, name: string, isOfKind: (value: unknown) => value is Value): Value {
  const value: unknown = typeof answered === 'object' && answered !== null ? Reflect.get(answered, name) : undefined;
  if (!isOfKind(value)) throw new Error(`the answer has no such ${name}`);
  return value;
}

/** Whether it is a text. */
export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** Whether it is a list of texts. */
export function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

/** The value below which that share of the sorted list lies. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Three significant digits: what a figure of a noisy machine is worth. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
