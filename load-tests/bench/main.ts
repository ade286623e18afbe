/**
 * `npm run bench -- NAME [--json] [--option N ...]`: runs one benchmark and prints its figures; with `--json`, the last line is one JSON
 * object. Options are the numbers of the benchmark's defaults, such as `--seconds 10`. A benchmark never passes or fails.
 */
import { parseArgs } from 'node:util';
import { ACTIVATION_BENCH_DEFAULTS, benchActivation } from './activation.ts';
import { benchConnections, CONNECTIONS_BENCH_DEFAULTS } from './connections.ts';
import { benchRecovery, RECOVERY_BENCH_DEFAULTS } from './recovery.ts';
import { benchSearch, SEARCH_BENCH_DEFAULTS } from './search.ts';
import { benchSiege, SIEGE_BENCH_DEFAULTS } from './siege.ts';
import { benchTrade, TRADE_BENCH_DEFAULTS } from './trade.ts';

/** Reads its options, and gives what runs with them. */
type Benchmark = (args: readonly string[]) => () => object | Promise<object>;

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  /** Durable trades between random shards of one node. */
  trade: benchmark(TRADE_BENCH_DEFAULTS, benchTrade),
  /** Loading shards from disk. */
  activation: benchmark(ACTIVATION_BENCH_DEFAULTS, benchActivation),
  /** From kill -9 to serving. */
  recovery: benchmark(RECOVERY_BENCH_DEFAULTS, benchRecovery),
  /** The listing index, full. */
  search: benchmark(SEARCH_BENCH_DEFAULTS, benchSearch),
  /** Idle players at the edge. */
  connections: benchmark(CONNECTIONS_BENCH_DEFAULTS, benchConnections),
  /** Calm players while others attack. */
  siege: benchmark(SIEGE_BENCH_DEFAULTS, benchSiege),
};

try {
  const [name = '', ...args] = process.argv.slice(2);
  const chosen = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
  if (chosen === undefined) throw new TypeError(`name one of: ${Object.keys(BENCHMARKS).join(', ')}`);
  const run = chosen(args.filter((arg) => arg !== '--json'));
  process.stderr.write(`bench ${name}\n`);
  const result = await run();
  if (args.includes('--json')) process.stdout.write(`${JSON.stringify(result)}\n`);
  else for (const [key, value] of Object.entries(result)) process.stdout.write(`${key.padEnd(24)}${JSON.stringify(value)}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof TypeError ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exitCode = 1;
}

/** Options are named after the defaults: `--at-once` for `atOnce`. */
function benchmark<Options extends Readonly<Record<string, number>>>(
  defaults: Options,
  run: (options: Options) => object | Promise<object>,
): Benchmark {
  const names = Object.keys(defaults);
  const flagOf = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const options = Object.fromEntries(names.map((name) => [flagOf(name), { type: 'string' as const }]));
  return (args) => {
    const { values } = parseArgs({ args: [...args], options });
    const numbers = names.flatMap((name) => (values[flagOf(name)] === undefined ? [] : [[name, Number(values[flagOf(name)])] as const]));
    const wrong = numbers.find(([, number]) => !Number.isFinite(number));
    if (wrong !== undefined) throw new TypeError(`--${flagOf(wrong[0])} must be a number`);
    return () => run({ ...defaults, ...Object.fromEntries(numbers) });
  };
}
