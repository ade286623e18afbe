/**
 * The layers of Gavel and what each may use: the one place where the direction of imports is
 * written down.
 *
 * A layer is a folder, or one of the files that stand above all folders. It may use exactly the
 * layers and packages that its row names; tests, and what they share in folders called `testing`,
 * may use anything. Node's own modules are ruled by the lint configuration instead.
 */
import { isTestFile, type Fault } from './repository.ts';
import type { SourceFile } from './source-file.ts';

interface LayerRule {
  readonly uses: readonly string[] | 'everything';
  readonly packages: readonly string[] | 'everything';
}

/** Layers that have nothing of Node's own. */
const IN_BROWSERS: ReadonlySet<string> = new Set(['shared', 'client']);

/** What every part of the server may use. */
const BASE = ['shared', 'server/platform'];

/**
 * Each layer, from the bottom up. A row may only name rows above it, so the table itself can have
 * no cycle.
 */
export const LAYERS: Readonly<Record<string, LayerRule>> = {
  shared: { uses: [], packages: ['zod', '@colyseus/schema'] },
  'server/tidy': { uses: [], packages: ['oxc-parser'] },
  'server/platform': { uses: ['shared'], packages: [] },
  'server/config': { uses: [...BASE], packages: ['zod'] },
  'server/shard': { uses: [...BASE], packages: [] },
  'server/journal': { uses: [...BASE, 'server/shard'], packages: ['better-sqlite3'] },
  'server/trade': { uses: [...BASE, 'server/shard'], packages: ['zod'] },
  'server/routing': { uses: [...BASE, 'server/shard'], packages: [] },
  'server/cell': { uses: [...BASE, 'server/shard', 'server/journal', 'server/routing'], packages: [] },
  'server/listing-index': { uses: [...BASE], packages: ['ws', 'msgpackr', 'zod'] },
  'server/market': { uses: [...BASE, 'server/shard', 'server/trade', 'server/listing-index'], packages: [] },
  'server/http': { uses: [...BASE], packages: ['hono', '@hono/node-server', 'zod'] },
  'server/edge': {
    uses: [...BASE, 'server/shard', 'server/cell', 'server/market', 'server/routing', 'server/listing-index', 'server/http'],
    packages: ['@colyseus/core', '@colyseus/schema', '@colyseus/ws-transport', 'jose', 'msgpackr', 'zod'],
  },
  'server/api': { uses: [...BASE, 'server/shard', 'server/config', 'server/routing', 'server/http', 'server/edge'], packages: ['zod'] },
  'server/node': { uses: 'everything', packages: 'everything' },
  'server/main': {
    uses: [...BASE, 'server/config', 'server/node', 'server/http', 'server/edge', 'server/api', 'server/journal', 'server/listing-index'],
    packages: ['#package.json'],
  },
  'server/sim': { uses: 'everything', packages: [] },
  client: { uses: ['shared'], packages: ['@colyseus/sdk', 'eventemitter3', 'zod'] },
  build: { uses: [], packages: ['esbuild', '#package.json'] },
  'load-tests': { uses: 'everything', packages: 'everything' },
  docs: { uses: ['shared', 'server/tidy', 'server/config', 'server/http'], packages: ['zod', 'prettier', 'oxc-parser'] },
};

/**
 * The layer of a file, by its path from the root of the repository; `undefined` for a path that the
 * table does not know.
 */
function layerOf(path: string): string | undefined {
  const [top = '', second = ''] = path.split('/');
  const layer = top === 'server' ? `server/${second.replace(/(\.test)?\.ts$/, '')}` : top;
  return Object.hasOwn(LAYERS, layer) ? layer : undefined;
}

/** Every import of a file that its layer does not allow, or that is written the wrong way. */
export function importFaults(source: SourceFile): readonly Fault[] {
  const { path } = source;
  const layer = layerOf(path);
  if (layer === undefined) return [{ path, line: 1, problem: 'this file belongs to no layer of server/tidy/layers.ts' }];
  return source.imports.flatMap(({ line, specifier }) => {
    const problem = importProblem(path, layer, specifier);
    return problem === undefined ? [] : [{ path, line, problem }];
  });
}

/**
 * The path of the source that an import means, from the root of the repository; `undefined` for a
 * package, this one's own description included.
 */
export function resolveImport(path: string, specifier: string): string | undefined {
  if (/^#.*\.ts$/.test(specifier)) return specifier.slice(1);
  return specifier.startsWith('.') ? new URL(specifier, `file:///${path}`).pathname.slice(1) : undefined;
}

/**
 * A file in the folder of a feature: only the market itself, and what may use everything, imports
 * it.
 */
const FEATURE = /^server\/market\/[^/]+\//;

/** Within a layer imports are relative; across layers they are written from the top. */
function importProblem(path: string, layer: string, specifier: string): string | undefined {
  const isTest = isTestFile(path);
  const target = resolveImport(path, specifier);
  if (target === undefined) return isTest ? undefined : packageProblem(layer, specifier);
  const targetLayer = layerOf(target);
  const isAcross = targetLayer !== layer;
  if (isTestFile(target) && !isTest && layer !== 'load-tests') return `'${specifier}' is for tests only`;
  if (isAcross && specifier.startsWith('../')) return `'${specifier}' leaves its folder: write it with #shared, #server or #client`;
  if (!isAcross && specifier.startsWith('#')) return `'${specifier}' is in the same folder: write it as a relative path`;
  const uses = LAYERS[layer]?.uses ?? [];
  if (isTest || !isAcross || uses === 'everything') return undefined;
  if (FEATURE.test(target)) return `'${target}' is inside of a feature: what others need, server/market/market.ts and feature.ts say`;
  if (targetLayer !== undefined && uses.includes(targetLayer)) return undefined;
  return `${layer} may not use ${targetLayer ?? target} (see the table in server/tidy/layers.ts)`;
}

function packageProblem(layer: string, specifier: string): string | undefined {
  if (specifier.startsWith('node:')) return IN_BROWSERS.has(layer) ? `${layer} runs in a browser too: no ${specifier}` : undefined;
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? '';
  const packages = LAYERS[layer]?.packages ?? [];
  if (packages === 'everything' || packages.includes(name)) return undefined;
  return `${layer} may not use the package ${name} (see the table in server/tidy/layers.ts)`;
}
