/**
 * The layers of Gavel and what each may use: the one place where the direction of imports is written down.
 *
 * A layer is a folder, or one of the files that stand above all folders. It may use exactly the layers and packages that
 * its row names; tests, and what they share in folders called `testing`, may use anything. Node's own modules are ruled by the lint configuration instead.
 */
import { lineAt, type SourceText } from './source-text.ts';

interface LayerRule {
  readonly uses: readonly string[] | 'everything';
  readonly packages: readonly string[] | 'everything';
}

/** Each layer, from the bottom up. A row may only name rows above it, so the table itself can have no cycle. */
export const LAYERS: Readonly<Record<string, LayerRule>> = {
  shared: { uses: [], packages: ['zod', '@colyseus/schema'] },
  'server/tidy': { uses: [], packages: [] },
  'server/platform': { uses: ['shared'], packages: [] },
  'server/config': { uses: ['shared', 'server/platform'], packages: ['zod'] },
  'server/shard': { uses: ['shared', 'server/platform'], packages: [] },
  'server/journal': { uses: ['shared', 'server/platform', 'server/shard'], packages: ['better-sqlite3'] },
  'server/trade': { uses: ['shared', 'server/platform', 'server/shard'], packages: ['zod'] },
  'server/routing': { uses: ['shared', 'server/platform', 'server/shard'], packages: [] },
  'server/cell': { uses: ['shared', 'server/platform', 'server/shard', 'server/journal', 'server/routing'], packages: [] },
  'server/market': { uses: ['shared', 'server/platform', 'server/shard', 'server/trade'], packages: [] },
  'server/listing-index': { uses: ['shared', 'server/platform'], packages: [] },
  'server/http': { uses: ['shared', 'server/platform'], packages: ['hono', '@hono/node-server', 'zod'] },
  'server/edge': {
    uses: [
      'shared',
      'server/platform',
      'server/shard',
      'server/cell',
      'server/market',
      'server/routing',
      'server/listing-index',
      'server/http',
    ],
    packages: ['@colyseus/core', '@colyseus/schema', '@colyseus/ws-transport', 'jose', 'zod'],
  },
  'server/node': { uses: 'everything', packages: 'everything' },
  'server/main': { uses: ['shared', 'server/platform', 'server/config', 'server/node', 'server/edge', 'server/journal'], packages: [] },
  'server/sim': { uses: 'everything', packages: [] },
  'client-sim': { uses: ['shared'], packages: ['@colyseus/sdk', '@colyseus/schema', 'zod'] },
  'load-tests': { uses: 'everything', packages: 'everything' },
  docs: { uses: ['shared', 'server/config', 'server/http'], packages: ['zod', 'prettier'] },
};

/** What is wrong at one place of one file, as a sentence. */
export interface Fault {
  readonly path: string;
  readonly line: number;
  readonly problem: string;
}

interface Import {
  readonly line: number;
  readonly specifier: string;
}

/** The layer of a file, by its path from the root of the repository; `undefined` for a path that the table does not know. */
export function layerOf(path: string): string | undefined {
  const [top = '', second = ''] = path.split('/');
  const layer = top === 'server' ? `server/${second.replace(/(\.test)?\.ts$/, '')}` : top;
  return Object.hasOwn(LAYERS, layer) ? layer : undefined;
}

/** Every import of a file that its layer does not allow, or that is written the wrong way. */
export function importFaults(source: SourceText): readonly Fault[] {
  const { path } = source;
  const layer = layerOf(path);
  if (layer === undefined) return [{ path, line: 1, problem: 'this file belongs to no layer of server/tidy/layers.ts' }];
  return importsOf(source).flatMap(({ line, specifier }) => {
    const problem = importProblem(path, layer, specifier);
    return problem === undefined ? [] : [{ path, line, problem }];
  });
}

/** The path of the file that an import means, from the root of the repository; `undefined` for a package. */
export function resolveImport(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1).replace(/^client\//, 'client-sim/');
  if (!specifier.startsWith('.')) return undefined;
  const parts = path.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

const IMPORT = /\bfrom\s*(')|\bimport\s*\(?\s*(')|\bnew URL\(\s*(')/g;

/** Everything that a file imports: statically, dynamically, and as the file of a worker (`new URL('./x.ts', ...)`). */
export function importsOf(source: SourceText): readonly Import[] {
  return [...source.code.matchAll(IMPORT)].flatMap((match) => {
    const start = match.index + match[0].length;
    const specifier = source.text.slice(start, source.code.indexOf("'", start));
    const isOtherFile = match[3] !== undefined && !specifier.endsWith('.ts');
    return isOtherFile ? [] : [{ line: lineAt(source.text, match.index), specifier }];
  });
}

/** Tests, and what they share in folders called `testing`. */
function isTestFile(path: string): boolean {
  return path.endsWith('.test.ts') || path.includes('/testing/');
}

function importProblem(path: string, layer: string, specifier: string): string | undefined {
  const isTest = isTestFile(path);
  const rule = LAYERS[layer];
  const target = resolveImport(path, specifier);
  if (target !== undefined && isTestFile(target) && !isTest && layer !== 'load-tests') return `'${specifier}' is for tests only`;
  if (target === undefined) return isTest || rule === undefined ? undefined : packageProblem(layer, rule, specifier);

  const targetLayer = layerOf(target);
  const isAcross = targetLayer !== layer;
  if (isAcross && specifier.startsWith('../')) return `'${specifier}' leaves its folder: write it with #shared, #server or #client`;
  if (!isAcross && specifier.startsWith('#')) return `'${specifier}' is in the same folder: write it as a relative path`;
  if (isTest || !isAcross || rule === undefined || rule.uses === 'everything') return undefined;
  if (targetLayer !== undefined && rule.uses.includes(targetLayer)) return undefined;
  return `${layer} may not use ${targetLayer ?? target} (see the table in server/tidy/layers.ts)`;
}

function packageProblem(layer: string, rule: LayerRule, specifier: string): string | undefined {
  if (specifier.startsWith('node:')) return layer === 'shared' ? `shared runs in a browser too: no ${specifier}` : undefined;
  const [first = '', second = ''] = specifier.split('/');
  const name = specifier.startsWith('@') ? `${first}/${second}` : first;
  if (rule.packages === 'everything' || rule.packages.includes(name)) return undefined;
  return `${layer} may not use the package ${name} (see the table in server/tidy/layers.ts)`;
}
