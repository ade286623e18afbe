/** A test that reads the source: what the house asks for and the linter cannot see. The rules are in `server/tidy/`. */
import { describe, expect, it } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { importFaults, importsOf, LAYERS, resolveImport, type Fault } from './tidy/layers.ts';
import { SOURCE_RULES } from './tidy/source-rules.ts';
import { readSource, type SourceText } from './tidy/source-text.ts';

const ROOT = new URL('..', import.meta.url);
const FOLDERS = ['shared', 'server', 'client-sim', 'load-tests', 'docs'];

const sources = readSources();

describe('the source', () => {
  it.each(SOURCE_RULES)('keeps the rule: $name', ({ find }) => {
    expect(sources.flatMap(find).map(asLine)).toEqual([]);
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
  it.each(SOURCE_RULES)('can fail: $name', ({ find, examplePath, bad }) => {
    expect(find(readSource(examplePath ?? 'server/shard/example.ts', bad))).not.toEqual([]);
  });

  it.each(SOURCE_RULES)('can pass: $name', ({ name, find, examplePath, good }) => {
    const path = name.startsWith('file names') ? 'server/shard/good-name.test.ts' : (examplePath ?? 'server/shard/example.ts');
    expect(find(readSource(path, good))).toEqual([]);
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
    ['server/shard/turn.ts', "import { marketFeatures } from '#server/market/market.ts';", 'server/shard may not use server/market'],
    [
      'server/shard/turn.ts',
      "const { marketFeatures } = await import('#server/market/market.ts');",
      'server/shard may not use server/market',
    ],
    ['server/shard/turn.ts', "new Worker(new URL('../journal/writer.ts', import.meta.url));", 'leaves its folder'],
    ['server/shard/turn.ts', "import express from 'express';", 'may not use the package express'],
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
  it.each([
    ['a string', "a('x // no'); // yes", "a(' '); "],
    ['a block comment', 'a /* b\nc */ d', 'a \n d'],
    ['a template with code in it', '`x ${a + `y ${b}` + {c: 1}.c} // z`; d', '` {a + ` {b}` + {c: 1}.c} `; d'],
    ['a regular expression', 'x = /[\'"/*]+/g; y = a / b / c;', 'x = / g; y = a / b / c;'],
    ['an escaped quote', "a('it\\'s // here')", "a(' ')"],
  ])('tells code from %s', (_, text, expected) => {
    const { code } = readSource('example.ts', text);
    expect(code).toHaveLength(text.length);
    expect(code.replaceAll(/ +/g, ' ')).toBe(expected);
  });

  it('knows the lines of a comment', () => {
    const { comments } = readSource('example.ts', "const a = 1;\n/** one\n * two */\nconst b = '/*'; // three\n");
    expect(comments.map(({ line, lastLine, kind }) => [line, lastLine, kind])).toEqual([
      [2, 3, 'block'],
      [4, 4, 'line'],
    ]);
  });
});

function readSources(): readonly SourceText[] {
  return FOLDERS.flatMap((folder) => {
    const names = readdirSync(ROOT, { withFileTypes: true }).some((entry) => entry.name === folder)
      ? readdirSync(new URL(`${folder}/`, ROOT), { recursive: true, encoding: 'utf8' })
      : [];
    const paths = names.filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name.replaceAll('\\', '/')}`);
    return paths.sort().map((path) => readSource(path, readFileSync(new URL(path, ROOT), 'utf8')));
  });
}

function asLine({ path, line, problem }: Fault): string {
  return `${path}:${line}: ${problem}`;
}

function targetsOf(source: SourceText): readonly string[] {
  return importsOf(source).flatMap(({ specifier }) => resolveImport(source.path, specifier) ?? []);
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
