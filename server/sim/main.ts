/** `npm run sim`: many simulations, one seed after the other. The last line is one JSON object; the exit code is 0 only without a violation. */
import { parseArgs } from 'node:util';
import { runSabotages } from './sabotages.ts';
import { simulate, type SimulationResult } from './simulation.ts';

const USAGE =
  'npm run sim -- [--seed FIRST] [--seeds COUNT] [--trades TOTAL] [--nodes COUNT] [--json] [--trace] [--sabotage [all | PART-OF-A-NAME]]';

const TRADES_PER_SEED = 100;

interface Options {
  readonly seed: number;
  readonly seeds: number;
  readonly trades: number;
  readonly nodes: number;
  readonly isJson: boolean;
  /** A part of the names of the deliberate faults to run, if any are to be run. */
  readonly sabotage: string | undefined;
  readonly isTrace: boolean;
}

/** What all simulations came to; the last line of the output. */
interface Summary {
  readonly seeds: number;
  readonly trades: number;
  readonly crashes: number;
  readonly violations: number;
  readonly events?: number;
  readonly seconds?: number;
  readonly sabotages?: number;
  readonly caught?: number;
}

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    console.error(USAGE);
    return 2;
  }
  const say = options.isJson ? (): void => undefined : (line: string): void => console.log(line);
  const summary = await runSeeds(options, say);
  const sabotages = options.sabotage === undefined ? undefined : await runSabotages(options.sabotage, say);
  const whole: Summary = sabotages === undefined ? summary : { ...summary, ...sabotages };
  console.log(JSON.stringify(whole));
  const isCaught = sabotages === undefined || sabotages.caught === sabotages.sabotages;
  return whole.violations === 0 && isCaught ? 0 : 1;
}

async function runSeeds(options: Options, say: (line: string) => void): Promise<Summary> {
  const startedAt = performance.now();
  let [trades, crashes, violations, events] = [0, 0, 0, 0];
  for (let index = 0; index < options.seeds; index++) {
    const share = Math.floor(((index + 1) * options.trades) / options.seeds) - Math.floor((index * options.trades) / options.seeds);
    const result = await simulate({ seed: options.seed + index, trades: share, nodes: options.nodes, isTraceEndless: options.isTrace });
    trades += result.trades;
    crashes += result.crashes;
    events += result.events;
    violations += result.violations.length;
    if (result.violations.length > 0) console.log(inWords(result, share, options.nodes));
    else if (options.isTrace) console.log(result.lastEvents.join('\n'));
    else
      say(
        `seed ${result.seed}: ${result.trades} trades, ${result.crashes} crashes, ${result.events} events, ${result.virtualMs / 1_000} virtual seconds`,
      );
  }
  return { seeds: options.seeds, trades, crashes, violations, events, seconds: Math.round(performance.now() - startedAt) / 1_000 };
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

function readOptions(): Options | undefined {
  const read = readArguments();
  if (read === undefined) return undefined;
  const { values, positionals } = read;
  // Whose faults is said by a word of its own: `--sabotage` alone means all of them.
  const [part = 'all', ...rest] = positionals;
  if (rest.length > 0 || (positionals.length > 0 && !values.sabotage)) return undefined;
  const sabotage = values.sabotage ? (part === 'all' ? '' : part) : undefined;
  const [seed, seeds, nodes] = [Number(values.seed), Number(values.seeds), Number(values.nodes)];
  const trades = values.trades === undefined ? seeds * TRADES_PER_SEED : Number(values.trades);
  const isUsable = [seed, seeds, trades, nodes].every((value) => Number.isSafeInteger(value) && value >= 0) && seeds > 0 && nodes > 0;
  return isUsable ? { seed, seeds, trades, nodes, isJson: values.json, sabotage, isTrace: values.trace } : undefined;
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
