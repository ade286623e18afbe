/**
 * `npm run bench -- NAME [--json] [--option N ...]`: runs one benchmark and prints its figures; with `--json`, the last line is one JSON
 * object. Options are the numbers of the benchmark's defaults, such as `--seconds 10`. A benchmark never passes or fails.
 */
import { ACTIVATION_BENCH_DEFAULTS, benchActivation } from './activation.ts';
import { benchRecovery, RECOVERY_BENCH_DEFAULTS } from './recovery.ts';
import { benchSearch, SEARCH_BENCH_DEFAULTS } from './search.ts';
import { benchTrade, TRADE_BENCH_DEFAULTS } from './trade.ts';

interface Benchmark {
  readonly summary: string;
  readonly run: (options: ReadonlyMap<string, number>) => Promise<object>;
}

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  trade: {
    summary: 'durable trades between random shards of one node',
    run: (options) => benchTrade(merged(TRADE_BENCH_DEFAULTS, options)),
  },
  activation: { summary: 'loading shards from disk', run: (options) => benchActivation(merged(ACTIVATION_BENCH_DEFAULTS, options)) },
  recovery: { summary: 'from kill -9 to serving', run: (options) => benchRecovery(merged(RECOVERY_BENCH_DEFAULTS, options)) },
  search: {
    summary: 'the listing index, full',
    run: (options) => Promise.resolve(benchSearch({ ...SEARCH_BENCH_DEFAULTS, ...Object.fromEntries(options) })),
  },
};

class UnknownOption extends Error {}

await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  const [name = '', ...rest] = args;
  const benchmark = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
  if (benchmark === undefined) return fail(`name one of: ${Object.keys(BENCHMARKS).join(', ')}`);
  const options = parseOptions(rest.filter((arg) => arg !== '--json'));
  if (options === undefined) return fail('options are pairs such as --seconds 10');
  process.stderr.write(`bench ${name}: ${benchmark.summary}\n`);
  let result: object;
  try {
    result = await benchmark.run(options);
  } catch (error) {
    return fail(error instanceof UnknownOption ? error.message : String(error instanceof Error ? error.stack : error));
  }
  if (rest.includes('--json')) process.stdout.write(`${JSON.stringify(result)}\n`);
  else for (const [key, value] of Object.entries(result)) process.stdout.write(`${key.padEnd(24)}${JSON.stringify(value)}\n`);
}

function parseOptions(args: readonly string[]): ReadonlyMap<string, number> | undefined {
  const options = new Map<string, number>();
  for (let index = 0; index < args.length; index += 2) {
    const flag = args[index] ?? '';
    const value = Number(args[index + 1] ?? Number.NaN);
    if (!flag.startsWith('--') || !Number.isFinite(value)) return undefined;
    options.set(
      flag.slice(2).replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    );
  }
  return options;
}

function merged<T extends object>(defaults: T, options: ReadonlyMap<string, number>): T {
  for (const name of options.keys()) if (!Object.hasOwn(defaults, name)) throw new UnknownOption(`this benchmark has no option ${name}`);
  return { ...defaults, ...Object.fromEntries(options) };
}

function fail(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
  process.exitCode = 1;
}
