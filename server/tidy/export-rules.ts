/** Rules about what files export: it is documented, it is used, and a name has one meaning in the whole repository. */
import { isTestFile, type Fault, type Repository, type TidyRule } from './repository.ts';
import { resolveImport } from './layers.ts';
import type { Export, SourceFile } from './source-file.ts';

/** Exceptions, each as `path name` with its reason; one that starts with `open:` is to be mended, and not to be copied. */
export type Exceptions = Readonly<Record<string, string>>;

/** The rules, with their exceptions. */
export function exportRules(shared: Exceptions, unused: Exceptions): readonly TidyRule[] {
  return [
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
      bad: {
        'server/cell/cell.ts': '/** A. */\nexport class Cell {}\n',
        'server/journal/tree.ts': '/** B. */\nexport interface Cell {}\n',
      },
      good: { 'server/cell/cell.ts': '/** A. */\nexport class Cell {}\n', 'server/cell/old.ts': "export { Cell } from './cell.ts';\n" },
      find: (repository) => sharedNames(repository, shared),
    },
    {
      name: 'an export is used',
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
      },
      find: (repository) => unusedExports(repository, unused),
    },
  ];
}

/** A class that is the only one of a file with a head is what the head describes. */
function undocumentedExports({ path, comments, exports }: SourceFile): readonly Fault[] {
  const isPublic = (path.startsWith('shared/') || path.startsWith('server/')) && !path.endsWith('.test.ts');
  if (!isPublic) return [];
  const docs = comments.filter(({ text }) => text.startsWith('/**'));
  const documentedLines = new Set(docs.map(({ lastLine }) => lastLine + 1));
  const documentedNames = new Set(exports.filter(({ line }) => documentedLines.has(line)).map(({ name }) => name));
  const hasHead = docs[0]?.line === 1 && !exports.some(({ line }) => line === (docs[0]?.lastLine ?? 0) + 1);
  const isOnlyClass = exports.filter(({ kind }) => kind === 'class').length === 1;
  return exports
    .filter(({ name, isDeclared, kind }) => isDeclared && !documentedNames.has(name) && !(kind === 'class' && hasHead && isOnlyClass))
    .map(({ name, line }) => ({ path, line, problem: `${name} is exported without a doc comment` }));
}

function sharedNames({ sources }: Repository, exceptions: Exceptions): readonly Fault[] {
  const filesByName = new Map<string, Map<string, Export>>();
  for (const { path, exports } of sources) {
    if (isTestFile(path)) continue;
    for (const each of exports) {
      if (!each.isDeclared) continue;
      const files = filesByName.get(each.name) ?? new Map<string, Export>();
      filesByName.set(each.name, files.set(path, each));
    }
  }
  return [...filesByName].flatMap(([name, files]) => {
    const [, ...others] = [...files].filter(([path]) => exceptions[`${path} ${name}`] === undefined);
    return others.map(([path, { line }]) => ({
      path,
      line,
      problem: `${name} is exported by ${[...files.keys()].filter((each) => each !== path).join(', ')}, too: one name, one meaning`,
    }));
  });
}

/**
 * A value is used if another file imports it; if only tests do, its own file must use it as well, so that it is no code for tests
 * alone. A type may also be a part of what its own file exports.
 */
function unusedExports(repository: Repository, exceptions: Exceptions): readonly Fault[] {
  const { sources } = repository;
  const byProgram = importedNames(sources.filter(({ path }) => !isTestFile(path)));
  const byTests = importedNames(sources.filter(({ path }) => isTestFile(path)));
  return sources.flatMap((source) => {
    if (isTestFile(source.path) || source.path.startsWith(OWN_FOLDER)) return [];
    return source.exports.flatMap(({ name, line, kind }) => {
      const key = `${source.path} ${name}`;
      const isUsedHere = source.text.split(new RegExp(`(?<![\\w$.'])${name.replaceAll('$', '\\$')}(?![\\w$'])`)).length > 2;
      const isUsed = byProgram.has(key) || byProgram.has(`${source.path} *`) || (isUsedHere && (kind === 'type' || byTests.has(key)));
      if (isUsed || exceptions[key] !== undefined) return [];
      const problem = byTests.has(key) ? `${name} is used by tests alone` : `${name} is exported and imported nowhere`;
      return [{ path: source.path, line, problem }];
    });
  });
}

/** The rules of this folder serve a test, and nothing else. */
const OWN_FOLDER = 'server/tidy/';

/** `path name` for every name that these files import, `path *` where everything is. */
function importedNames(sources: readonly SourceFile[]): ReadonlySet<string> {
  const keys = sources.flatMap(({ path, imports }) =>
    imports.flatMap(({ specifier, names }) => {
      const target = resolveImport(path, specifier);
      return target === undefined ? [] : (names === 'everything' ? ['*'] : names).map((name) => `${target} ${name}`);
    }),
  );
  return new Set(keys);
}
