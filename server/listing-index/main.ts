/**
 * The listing index as a process of its own: started by a node, or by hand with `npm run index`.
 *
 * With a parent, which then has a channel to it, it ends when that channel closes, and leaves signals of the terminal to
 * the parent. By itself it ends on SIGTERM and SIGINT. It keeps nothing: there is nothing to be saved.
 */
import { parseArgs } from 'node:util';
import { limits } from '#shared/limits.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import { SAY_MS } from './liveness.ts';
import { startIndexServer, type IndexServerOptions } from './server.ts';

const HELP = `npm run index -- [--host ADDRESS] [--port N]

Runs the listing index by itself, for nodes that are started with --index ws://ADDRESS:N.

  --host ADDRESS  The address to listen on (default 127.0.0.1).
  --port N        The port to listen on (default 2569); 0 for any that is free.

GAVEL_INDEX_KEY in the environment is the key that nodes and index share, of at least ${limits.secretLengthMin} characters.
`;

function die(sentence: string): never {
  process.stderr.write(`gavel index: ${sentence}\n`);
  process.exit(1);
}

function readOptions(): Omit<IndexServerOptions, 'machine'> {
  const key = process.env['GAVEL_INDEX_KEY'] ?? '';
  const options = { host: { type: 'string' }, port: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;
  const { host = '127.0.0.1', port = '2569', help = false } = parseArgs({ options }).values;
  if (help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) > 65_535) die('--port must be a whole number from 0 to 65535.');
  if (key.length < limits.secretLengthMin) {
    die(`GAVEL_INDEX_KEY must be in the environment, with at least ${limits.secretLengthMin} characters.`);
  }
  return { host, port: Number(port), key };
}

// A log collector that goes away is no reason to end.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

const isChild = process.send !== undefined;
if (isChild) process.on('disconnect', () => process.exit(0));
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!isChild) process.exit(0);
  });
}
try {
  const machine = nodeMachine();
  const { url } = await startIndexServer({ ...readOptions(), machine });
  // A parent that is gone already hears nothing; the channel then closes. One that stands still is told no more until it has heard.
  const say = (): void => void process.send?.({ url }, () => void machine.timers.after(SAY_MS, say));
  say();
  process.stdout.write(`The listing index listens at ${url}.\n`);
} catch (error) {
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    die(`another program listens at that port; --port N names another one (${error.message}).`);
  }
  die(error instanceof Error ? error.message : String(error));
}
