/** A test that reads the source: what the house asks for and the linter cannot see. The rules are in `server/tidy/`. */
import { describe, expect, it } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { EXPORT_RULES } from './tidy/export-rules.ts';
import { importFaults, LAYERS, resolveImport } from './tidy/layers.ts';
import { REFERENCE_RULES } from './tidy/reference-rules.ts';
import { repositoryOf, type Fault, type Repository, type Texts } from './tidy/repository.ts';
import { readSource, type SourceFile } from './tidy/source-file.ts';
import { SOURCE_RULES } from './tidy/source-rules.ts';

const ROOT = new URL('..', import.meta.url);
const RULES = [...SOURCE_RULES, ...EXPORT_RULES, ...REFERENCE_RULES];

const repository = readRepository();
const { sources } = repository;

describe('the source', () => {
  it.each(RULES)('keeps the rule: $name', ({ find, exceptions = {} }) => {
    const faults = find(repository).filter((fault) => exceptions[exceptionOf(fault)] === undefined);
    expect(faults.map(asLine)).toEqual([]);
  });

  it.each(RULES.filter(({ exceptions }) => exceptions))('has no exception that is none from: $name', ({ find, exceptions = {} }) => {
    const needed = new Set(find(repository).map(exceptionOf));
    expect(Object.keys(exceptions).filter((exception) => !needed.has(exception))).toEqual([]);
  });

  it('imports in one direction only', () => {
    expect(sources.flatMap(importFaults).map(asLine)).toEqual([]);
  });

  it('has no cycle of imports', () => {
    expect(firstCycle(new Map(sources.map((source) => [source.path, targetsOf(source)])))).toEqual([]);
  });

  it('is locked to versions, not to the registry of one machine', () => {
    const lock = readFileSync(new URL('package-lock.json', ROOT), 'utf8');
    expect(lock.match(/"resolved": "(?!file:)[^"]*"/g) ?? []).toEqual([]);
  });
});

describe('the tidy rules', () => {
  it.each(RULES)('can fail: $name', ({ find, bad }) => {
    const example = exampleOf(bad);
    const faulty = new Set(find(example).map(({ path }) => path));
    expect(faulty).not.toEqual(new Set());
    expect(Object.keys(example.texts)).toEqual(expect.arrayContaining([...faulty]));
  });

  it.each(RULES)('can pass: $name', ({ find, good }) => {
    expect(find(exampleOf(good)).map(asLine)).toEqual([]);
  });

  it('name only layers above themselves in the table, so that layers have no cycle', () => {
    const names = Object.keys(LAYERS);
    for (const [position, [, { uses }]] of Object.entries(LAYERS).entries()) {
      if (uses === 'everything') continue;
      for (const used of uses) expect(names.slice(0, position)).toContain(used);
    }
  });

  it.each([
    ['shared/units.ts', "import type { Turn } from '#server/shard/turn.ts';", 'shared may not use server/shard'],
    ['shared/units.ts', "import { readFileSync } from 'node:fs';", 'shared runs in a browser too'],
    ['client/wait.ts', "import { once } from 'node:events';", 'client runs in a browser too'],
    ['server/shard/turn.ts', "import { marketFeatures } from '#server/market/market.ts';", 'server/shard may not use server/market'],
    [
      'server/shard/turn.ts',
      "const { marketFeatures } = await import('#server/market/market.ts');",
      'server/shard may not use server/market',
    ],
    ['server/shard/turn.ts', "new Worker(new URL('../journal/writer.ts', import.meta.url));", 'leaves its folder'],
    ['server/shard/turn.ts', "import express from 'express';", 'may not use the package express'],
    ['server/shard/turn.ts', "import own from '#package.json' with { type: 'json' };", 'may not use the package #package.json'],
    ['server/shard/turn.ts', "import { z } from '#server/shard/query.ts';", 'same folder'],
    ['server/shard/turn.ts', "export * from '../cell/cell.ts';", 'leaves its folder'],
    ['server/shard/turn.ts', "import { bench } from './testing/bench.ts';", 'is for tests only'],
    ['server/edge/edge.ts', "import { item } from '#server/market/goods/stash.ts';", 'is inside of a feature'],
    ['server/strange/turn.ts', '', 'belongs to no layer'],
  ])('catch in %s: %s', (path, text, problem) => {
    expect(importFaults(readSource(path, text)).map((fault) => fault.problem)).toEqual([expect.stringContaining(problem)]);
  });

  it.each([
    [
      'server/shard/turn.ts',
      "import { gold } from '#shared/units.ts';\nimport { query } from './query.ts';\nimport assert from 'node:assert';",
    ],
    ['server/shard/turn.test.ts', "import { marketFeatures } from '#server/market/market.ts';\nimport fc from 'fast-check';"],
    ['server/shard/turn.ts', "// import { marketFeatures } from '#server/market/market.ts';\nconst text = \"from 'express'\";"],
    ['server/edge/edge.ts', "import { marketFeatures } from '#server/market/market.ts';"],
    ['server/main.ts', "import { startWorld } from '#server/node.ts';\nconst page = new URL('http://localhost');"],
  ])('leave alone in %s: %s', (path, text) => {
    expect(importFaults(readSource(path, text))).toEqual([]);
  });

  it('find a cycle of files, and none where there is none', () => {
    const graph = { a: ['b'], b: ['c', 'd'], c: [], d: ['b'] };
    expect(firstCycle(new Map(Object.entries(graph)))).toEqual(['b', 'd', 'b']);
    expect(firstCycle(new Map(Object.entries({ ...graph, d: ['c'] })))).toEqual([]);
  });
});

describe('the source reader', () => {
  it('tells what a file takes from where', () => {
    const text = `import one, { two as three, type Four } from './a.ts';
import * as all from './b.ts';
export { five as six } from './c.ts';
export * from './d.ts';
import './e.ts';
type Seven = import('./f.ts').Seven;
await import('./g.ts');
new Worker(new URL('./h.ts', import.meta.url));
const text = "import './i.ts'"; // import './j.ts';
new URL('./k.json', import.meta.url);
`;
    expect(readSource('example.ts', text).imports.map(({ line, specifier, names }) => [line, specifier, names])).toEqual([
      [1, './a.ts', ['default', 'two', 'Four']],
      [2, './b.ts', ['*']],
      [5, './e.ts', []],
      [3, './c.ts', ['five']],
      [4, './d.ts', ['*']],
      [6, './f.ts', ['*']],
      [7, './g.ts', ['*']],
      [8, './h.ts', ['*']],
    ]);
  });

  it('tells what a file exports, and what of it is its own', () => {
    const text =
      "export const a = 1, b = 2;\nexport abstract class C {}\nexport type D = 1;\nfunction e() {}\nexport { e };\nexport { f } from './f.ts';\n";
    expect(readSource('example.ts', text).exports.map(({ line, name, kind, isDeclared }) => [line, name, kind, isDeclared])).toEqual([
      [1, 'a', 'value', true],
      [1, 'b', 'value', true],
      [2, 'C', 'class', true],
      [3, 'D', 'type', true],
      [5, 'e', 'value', false],
      [6, 'f', 'value', false],
    ]);
  });

  it('knows the lines of a comment', () => {
    const { comments } = readSource('example.ts', "const a = 1;\n/** one\n * two */\nconst b = '/*'; // three\n");
    expect(comments.map(({ line, lastLine, text }) => [line, lastLine, text])).toEqual([
      [2, 3, '/** one\n * two */'],
      [4, 4, '// three'],
    ]);
  });

  it('throws on what is no source', () => {
    expect(() => readSource('example.ts', 'const')).toThrow('example.ts: ');
  });
});

/** Every file that belongs to the repository; of those that are neither source, Markdown nor JSON, the name alone. */
function readRepository(): Repository {
  const texts: Record<string, string> = {};
  const read = (folder: string): void => {
    for (const entry of readdirSync(new URL(folder, ROOT), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = folder + entry.name;
      if (entry.isFile()) texts[path] = /\.(?:ts|md|json)$/.test(path) ? readFileSync(new URL(path, ROOT), 'utf8') : '';
      else if (entry.isDirectory() && !['node_modules', 'data', 'dist', '.git'].includes(path)) read(`${path}/`);
    }
  };
  read('');
  return repositoryOf(texts);
}

/** The repository of a rule's example. */
function exampleOf(example: string | Texts): Repository {
  return repositoryOf(typeof example === 'string' ? { 'server/shard/example.ts': example } : example);
}

/** What an exception for a fault is written as. */
function exceptionOf({ path, problem }: Fault): string {
  return `${path} ${problem.split(' ', 1)[0] ?? ''}`;
}

function asLine({ path, line, problem }: Fault): string {
  return `${path}:${line}: ${problem}`;
}

function targetsOf({ path, imports }: SourceFile): readonly string[] {
  return imports.flatMap(({ specifier }) => resolveImport(path, specifier) ?? []);
}

/** The files of the first cycle found, its first file again at the end; empty if there is none. */
function firstCycle(targetsByFile: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): readonly string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    done.add(file);
    for (const target of targetsByFile.get(file) ?? []) {
      const cycle = visit(target, [...path, file]);
      if (cycle.length > 0) return cycle;
    }
    return [];
  };
  for (const file of targetsByFile.keys()) {
    const cycle = visit(file, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
