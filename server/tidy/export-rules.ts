import { SHARED_NAMES, UNUSED_EXPORTS } from './exceptions.ts';
import { resolveImport } from './layers.ts';
import { isTestFile, type Fault, type Repository, type TidyRule } from './repository.ts';
import type { SourceFile } from './source-file.ts';

/**
 * Rules about what files export: it is documented, it is used, and a name has one meaning in the
 * whole repository.
 */
export const EXPORT_RULES: readonly TidyRule[] = [
  {
    name: 'exported declarations have a doc comment',
    bad: {
      'server/shard/limit.ts': '/** The head. */\n\nexport const LIMIT = 3;\n',
      'server/shard/two.ts': '/** The head. */\n\nexport class One {}\nexport class Two {}\n',
      'server/shard/no-head.ts': 'export class One {}\n',
    },
    good: {
      'server/shard/limit.ts':
        '/** How many. */\nexport const LIMIT = 3;\nexport type { Gold } from "#shared/units.ts";\nexport { a, b };\n',
      'server/shard/gate.ts': '/**\n * The gate.\n */\nimport "x";\n\nexport class Gate {}\n',
    },
    find: ({ sources }) => sources.flatMap(undocumentedExports),
  },
  {
    name: 'an exported name is declared in one file',
    exceptions: SHARED_NAMES,
    bad: {
      'server/cell/cell.ts': '/** A. */\nexport class Cell {}\n',
      'server/journal/tree.ts': '/** B. */\nexport interface Cell {}\n',
    },
    good: { 'server/cell/cell.ts': '/** A. */\nexport class Cell {}\n', 'server/cell/old.ts': "export { Cell } from './cell.ts';\n" },
    find: sharedNames,
  },
  {
    name: 'an export is used',
    exceptions: UNUSED_EXPORTS,
    bad: {
      'server/cell/cell.ts':
        '/** A. */\nexport const SIZE = 1;\n/** B. */\nexport const tested = 1;\n/** C. */\nexport interface Nowhere {}\n',
      'server/cell/cell.test.ts': "import { tested } from './cell.ts';\n",
    },
    good: {
      'server/cell/cell.ts':
        '/** A. */\nexport const SIZE = 1;\n/** B. */\nexport interface Options {}\n/** C. */\nexport function make(options: Options) {}\n',
      'server/cell/host.ts': "import { SIZE } from './cell.ts';\nexport const inner = SIZE;\nmake(inner);\n",
      'server/cell/host.test.ts': "import { make } from './cell.ts';\nimport { inner } from './host.ts';\n",
      'server/cell/main.ts': "import * as cell from './cell.ts';\n",
      'server/cell/index.ts': "export { outside } from './outside.ts';\n",
      'package.json': '{"exports": {"./cell": "./server/cell/index.ts"}}',
    },
    find: unusedExports,
  },
];

/** A class that is the only one of a file with a head is what the head describes. */
function undocumentedExports({ path, comments, exports }: SourceFile): readonly Fault[] {
  if (!/^(?:shared|server)\//.test(path) || path.endsWith('.test.ts')) return [];
  const docs = comments.filter(({ text }) => text.startsWith('/**'));
  const documentedLines = new Set(docs.map(({ lastLine }) => lastLine + 1));
  const documentedNames = new Set(exports.filter(({ line }) => documentedLines.has(line)).map(({ name }) => name));
  const [head] = docs;
  const hasHead = head?.line === 1 && !exports.some(({ line }) => line === head.lastLine + 1);
  const isOfHead = hasHead && exports.filter(({ kind }) => kind === 'class').length === 1;
  return exports
    .filter(({ name, isDeclared, kind }) => isDeclared && !documentedNames.has(name) && !(isOfHead && kind === 'class'))
    .map(({ name, line }) => ({ path, line, problem: `${name} is exported without a doc comment` }));
}

function sharedNames({ sources }: Repository): readonly Fault[] {
  const declared = sources.flatMap(({ path, exports }) => {
    const own = isTestFile(path) ? [] : exports.filter(({ isDeclared }) => isDeclared);
    // Overloads, and a type beside a value, are one name.
    return [...new Map(own.map(({ name, line }) => [name, line]))].map(([name, line]) => ({ path, name, line }));
  });
  return [...Map.groupBy(declared, ({ name }) => name).values()].flatMap((group) =>
    group.slice(1).map(({ path, name, line }) => {
      const others = group.map((each) => each.path).filter((each) => each !== path);
      return { path, line, problem: `${name} is exported by ${others.join(', ')}, too: one name, one meaning` };
    }),
  );
}

/**
 * A value is used if another file imports it; if only tests do, its own file must use it as well,
 * so that it is no code for tests alone. A type may also be a part of what its own file exports.
 */
function unusedExports({ sources, texts }: Repository): readonly Fault[] {
  const entries = entriesOf(texts['package.json'] ?? '{}');
  const byProgram = importedNames(sources.filter(({ path }) => !isTestFile(path)));
  const byTests = importedNames(sources.filter(({ path }) => isTestFile(path)));
  return sources.flatMap((source) => {
    if (isTestFile(source.path) || source.path.startsWith(OWN_FOLDER) || entries.includes(`./${source.path}`)) return [];
    return source.exports.flatMap(({ name, line, kind }) => {
      const key = `${source.path} ${name}`;
      const isUsedHere = source.text.split(new RegExp(`(?<![\\w$.'])${name.replaceAll('$', '\\$')}(?![\\w$'])`)).length > 2;
      const isUsed = byProgram.has(key) || byProgram.has(`${source.path} *`) || (isUsedHere && (kind === 'type' || byTests.has(key)));
      if (isUsed) return [];
      const problem = byTests.has(key) ? `${name} is used by tests alone` : `${name} is exported and imported nowhere`;
      return [{ path: source.path, line, problem }];
    });
  });
}

/** What the package is entered by: its exports are for others. */
function entriesOf(description: string): readonly string[] {
  const [, exported = ''] = /"exports": \{([^}]*)\}/.exec(description) ?? [];
  return [...exported.matchAll(/: "([^"]*)"/g)].map(([, path = '']) => path);
}

/** The rules of this folder serve a test, and nothing else. */
const OWN_FOLDER = 'server/tidy/';

/** `path name` for every name that these files import, `path *` where everything is. */
function importedNames(sources: readonly SourceFile[]): ReadonlySet<string> {
  const keys = sources.flatMap(({ path, imports }) =>
    imports.flatMap(({ specifier, names }) => names.map((name) => `${resolveImport(path, specifier) ?? specifier} ${name}`)),
  );
  return new Set(keys);
}
