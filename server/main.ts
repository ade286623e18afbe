/**
 * The entry: configuration, one node, its edge, and the end of the process.
 *
 * A fault of the disk, an error that nobody caught, and a second Ctrl-C end the process at once:
 * nothing is lost by it that was acknowledged, and the next start recovers. That nobody reads what
 * it prints is no reason to end.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import packageJson from '#package.json' with { type: 'json' };
import { limits } from '#shared/limits.ts';
import { nodeName } from '#shared/units.ts';
import { ConfigError, loadConfig, type Config } from './config.ts';
import { startAdminServer, type AdminServer } from '#server/api/admin-server.ts';
import { apiRoutes } from '#server/api/api.ts';
import { startEdge, type Edge } from './edge/edge.ts';
import { TrustedProxies } from '#server/http/client-address.ts';
import { IdDoor } from './edge/id-door.ts';
import { settleWorldKey } from '#server/journal/disk/world-key.ts';
import { openFilePersister } from '#server/journal/persister/open-file-persister.ts';
import { DataDirectoryError } from '#server/journal/persister/persister.ts';
import { IndexChild } from '#server/listing-index/child.ts';
import { RemoteListingIndex } from '#server/listing-index/remote.ts';
import { nodeMachine } from './platform/node-machine.ts';
import { NodeStartError, openNode, type GavelNode } from '#server/node.ts';

/** The name of the world and of its one node, until there are several. */
const WORLD = 'gavel';
const NODE = nodeName('node-1');

/** npm passes a Ctrl-C on which the terminal has given to us as well: what comes so soon after the first signal is no second one. */
const ECHO_MS = 300;

const machine = nodeMachine();

const newSecret = (): string => randomBytes(32).toString('base64url');

function readConfig(): Config {
  const config = loadConfig({
    args: process.argv.slice(2),
    env: process.env,
    readText: (path) => {
      try {
        return readFileSync(path, 'utf8');
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
        throw error;
      }
    },
    newSecret,
  });
  if (!('print' in config)) return config;
  process.stdout.write(config.print);
  process.exit(0);
}

/** Throws `ConfigError` if nobody could listen there. */
async function assertPortFree({ host, port }: Pick<Config, 'host' | 'port'>): Promise<void> {
  const probe = createServer();
  try {
    await once(probe.listen(port, host), 'listening');
  } catch (error) {
    const reason =
      error instanceof Error && 'code' in error && error.code === 'EADDRINUSE' ? 'another program listens there' : String(error);
    throw new ConfigError(`The server cannot listen on ${host}, port ${port}: ${reason}.`, { cause: error });
  }
  probe.close();
  await once(probe, 'close');
}

/** Ends the process with one sentence and no delay. */
function die(sentence: string): never {
  process.stderr.write(`gavel: ${sentence}\n`);
  process.exit(1);
}

/** As `die`, when a thread may hang in the disk: to exit in order would wait for it. */
function kill(sentence: string): void {
  process.stderr.write(`gavel: ${sentence}\n`);
  process.kill(process.pid, 'SIGKILL');
}

/** The way to the listing index, and the process that it runs in if that is a child of this one. */
interface IndexAccess {
  readonly service: RemoteListingIndex;
  readonly child: IndexChild | undefined;
}

function openIndex({ index: { url, key }, catalogue: { itemClasses } }: Config): IndexAccess {
  const child = url === undefined ? new IndexChild(key, machine) : undefined;
  const address = (): string | undefined => url ?? child?.address;
  return { child, service: new RemoteListingIndex({ address, key, node: NODE, itemClasses, machine }) };
}

function openOwnNode(config: Config, index: RemoteListingIndex): Promise<GavelNode> {
  const { profile, isClockRight, rules, catalogue, regions, dataDirectory } = config;
  return openNode({
    machine,
    isClockTrusted: profile === 'dev' || isClockRight,
    rules,
    catalogue,
    build: packageJson.version,
    regions,
    world: WORLD,
    node: NODE,
    index,
    openPersister: (definition) => openFilePersister({ machine, definition, directory: dataDirectory }),
    memoryBudgetBytes: limits.memoryBudgetBytes,
    onFault: (fault) =>
      die(
        `a fault of the data directory, or of the program, ends the process, so that nothing is claimed that is not durable: ${fault.message}`,
      ),
  });
}

function openOwnEdge(config: Config, node: GavelNode, ids: IdDoor, routes: ReturnType<typeof apiRoutes>): Promise<Edge> {
  const { catalogue, host, port, profile, secrets, jwks, origins, sessionRate, addressRate, trustedProxies } = config;
  return startEdge({
    backend: node,
    platform: node.platform,
    catalogue,
    host,
    port,
    guests: profile === 'dev',
    jwtKeys: secrets.jwtKeys,
    ids,
    ...(jwks === undefined ? {} : { studioKeys: jwks }),
    routes,
    origins: { loopback: profile === 'dev', named: origins },
    sessionRate,
    addressRate,
    proxies: new TrustedProxies(trustedProxies),
    isReady: () => !node.persister.isFull,
  });
}

/** The server as the world sees it: players in front, game servers with them or on a port of their own. */
interface Doors {
  readonly edge: Edge;
  readonly admin: AdminServer | undefined;
}

async function openDoors(config: Config, node: GavelNode): Promise<Doors> {
  const { admin: place, dataDirectory, secrets } = config;
  const ids = new IdDoor(settleWorldKey(dataDirectory, secrets.worldKey, newSecret));
  const routes = apiRoutes({ backend: node, platform: node.platform, keys: secrets.serviceKeys, ids });
  const admin = place && (await startAdminServer(node.platform, place, routes));
  return { admin, edge: await openOwnEdge(config, node, ids, admin === undefined ? routes : []) };
}

function announce(config: Config, node: GavelNode, { edge, admin }: Doors, index: IndexAccess): void {
  const { profile, regions, rules, dataDirectory, secrets } = config;
  const { position, pendingRecords, durationMs, remarks } = node.persister.recovered;
  const lines = [
    `Gavel serves at ${edge.url} (regions ${regions.join(', ')}; softcore and hardcore; rules ${rules.profile}).`,
    `Clients: POST ${edge.url}/session, then the Colyseus SDK; see docs/clients.md.`,
    `Game servers: ${(admin ?? edge).url}/api; see docs/integration.md.`,
    `Data in ${dataDirectory}: ${position} turns, ${pendingRecords} of them recovered from the journal in ${durationMs} ms.`,
    `Listing index: ${config.index.url ?? `process ${index.child?.pid ?? 'unknown'}, a child of this one`}.`,
    ...remarks,
    ...(profile === 'dev' ? ['Development only: anybody may come as a guest.'] : []),
    ...(secrets.madeUpServiceKey === undefined ? [] : [`Service key, made up for this run: ${secrets.madeUpServiceKey}`]),
    'Ctrl-C stops it.',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Lets nobody in any more, lets out what was done, and ends. */
async function stop(node: GavelNode, { edge, admin }: Doors, index: IndexAccess): Promise<never> {
  process.stdout.write('Stopping ...\n');
  setTimeout(() => kill('it took too long to stop; the next start recovers.'), limits.drainMaxMs).unref();
  await Promise.all([edge.close(limits.drainMaxMs / 4), admin?.close(limits.drainMaxMs / 4)]);
  // Nobody searches any more.
  index.service.close();
  await Promise.all([node.close(limits.drainMaxMs / 2), index.child?.stop()]);
  // With the disk too slow, or the journal locked by another program, the last turns have not come
  // to it: nobody was told of them.
  if (node.persister.durable < node.persister.appended)
    die('it stopped before its last turns were on disk; nothing that was answered is lost.');
  process.stdout.write('Stopped; everything is on disk.\n');
  process.exit(0);
}

async function start(): Promise<void> {
  const config = readConfig();
  // Before anything is made: nobody wants a data directory of a server that could not start.
  await assertPortFree(config);
  if (config.admin !== undefined) await assertPortFree(config.admin);
  const index = openIndex(config);
  const node = await openOwnNode(config, index.service);
  const doors = await openDoors(config, node);
  let stoppingSince: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stoppingSince !== undefined) {
        if (performance.now() - stoppingSince > ECHO_MS) process.exit(1);
        return;
      }
      stoppingSince = performance.now();
      stop(node, doors, index).catch((error: unknown) => kill(`it could not stop in order; the next start recovers: ${String(error)}`));
    });
  }
  announce(config, node, doors, index);
}

function isPlain(error: unknown): error is Error {
  return (
    error instanceof ConfigError ||
    error instanceof DataDirectoryError ||
    error instanceof NodeStartError ||
    (error instanceof Error && 'code' in error)
  );
}

// A log collector that goes away, or a closed terminal: each later write to it fails as an event,
// which would end the process (EPIPE).
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => die(error instanceof Error ? (error.stack ?? error.message) : String(error)));
}
try {
  await start();
} catch (error) {
  die(isPlain(error) ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error));
}
