/**
 * `npm run sim`: many simulations, one seed after the other. The last line is one JSON object; the
 * exit code is 0 only without a violation, and with every deliberate fault caught.
 */
import { parseArgs } from 'node:util';
import { runSabotages } from './sabotages.ts';
import { simulate, type SimulationResult } from './simulation.ts';

const USAGE =
  'npm run sim -- [--seed FIRST] [--seeds COUNT] [--trades TOTAL] [--nodes COUNT] [--json] [--trace] [--sabotage [all | PART-OF-A-NAME]]';

const TRADES_PER_SEED = 100;

type Options = NonNullable<ReturnType<typeof readOptions>>;

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    console.error(USAGE);
    return 2;
  }
  const say = options.json ? (): void => undefined : (line: string): void => console.log(line);
  const summary = await runSeeds(options, say);
  const { sabotages, caught } = options.part === undefined ? {} : await runSabotages(options.part, say);
  console.log(JSON.stringify({ ...summary, sabotages, caught }));
  return summary.violations === 0 && sabotages === caught ? 0 : 1;
}

async function runSeeds({ seed: first, seeds, trades: total, nodes, trace }: Options, say: (line: string) => void) {
  const startedAt = performance.now();
  const summary = { seeds, trades: 0, crashes: 0, violations: 0, events: 0 };
  for (let index = 0; index < seeds; index++) {
    const share = Math.floor(((index + 1) * total) / seeds) - Math.floor((index * total) / seeds);
    const result = await simulate({ seed: first + index, trades: share, nodes, isTraceEndless: trace });
    const { seed, trades, crashes, events, violations, virtualMs } = result;
    summary.trades += trades;
    summary.crashes += crashes;
    summary.events += events;
    summary.violations += violations.length;
    if (violations.length > 0) console.log(inWords(result, share, nodes));
    else if (trace) console.log(result.lastEvents.join('\n'));
    else say(`seed ${seed}: ${trades} trades, ${crashes} crashes, ${events} events, ${virtualMs / 1_000} virtual seconds`);
  }
  return { ...summary, seconds: Math.round(performance.now() - startedAt) / 1_000 };
}

function inWords({ seed, violations, lastEvents }: SimulationResult, trades: number, nodes: number): string {
  const broken = violations.map(
    ({ checker, sentence, detail, atMs }) => `  at ${atMs} ms: ${checker}\n    promised: ${sentence}\n    found: ${detail}`,
  );
  return [
    `seed ${seed} broke a promise; again with: npm run sim -- --seed ${seed} --seeds 1 --trades ${trades} --nodes ${nodes}`,
    ...broken,
    '  the last events:',
    ...lastEvents.map((line) => `    ${line}`),
  ].join('\n');
}

function readOptions() {
  const read = readArguments();
  if (read === undefined) return undefined;
  const { values, positionals } = read;
  const { json, trace, sabotage } = values;
  // Whose faults is said by a word of its own: `--sabotage` alone means all of them.
  const [word = 'all', ...rest] = positionals;
  if (rest.length > 0 || (positionals.length > 0 && !sabotage)) return undefined;
  const part = sabotage ? (word === 'all' ? '' : word) : undefined;
  const [seed, seeds, nodes] = [Number(values.seed), Number(values.seeds), Number(values.nodes)];
  const trades = values.trades === undefined ? seeds * TRADES_PER_SEED : Number(values.trades);
  const isUsable = [seed, seeds, trades, nodes].every((value) => Number.isSafeInteger(value) && value >= 0) && seeds > 0 && nodes > 0;
  return isUsable ? { seed, seeds, trades, nodes, json, trace, part } : undefined;
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        seed: { type: 'string', default: '1' },
        seeds: { type: 'string', default: '20' },
        trades: { type: 'string' },
        nodes: { type: 'string', default: '2' },
        json: { type: 'boolean', default: false },
        sabotage: { type: 'boolean', default: false },
        trace: { type: 'boolean', default: false },
      },
    });
  } catch {
    return undefined; // An unknown option: the usage is shown.
  }
}
