/**
 * The rules of the house that the linter cannot express, as one table. Each row carries an example that it must catch
 * and one that it must leave alone, so that the test proves every rule able to fail.
 */
import { lineAt, type Comment, type SourceText } from './source-text.ts';
import type { Fault } from './layers.ts';

/** One rule about a source file, with its proof. `bad` and `good` are whole files, at `examplePath` or in a folder of the server. */
export interface SourceRule {
  readonly name: string;
  readonly examplePath?: string;
  readonly bad: string;
  readonly good: string;
  readonly find: (source: SourceText) => readonly Fault[];
}

/** Every rule, in no order of weight. */
export const SOURCE_RULES: readonly SourceRule[] = [
  {
    name: 'file names are in kebab-case',
    examplePath: 'server/shard/badName.ts',
    bad: '',
    good: '',
    find: ({ path }) => {
      const isKebab = path.split('/').every((part) => /^\.?[a-z0-9]+(?:[-.][a-z0-9]+)*$/.test(part));
      return isKebab ? [] : [{ path, line: 1, problem: 'file and folder names are in kebab-case' }];
    },
  },
  {
    name: 'no banners',
    bad: '// ---------- helpers ----------\n',
    good: '// A range such as 1-5, or a -- b.\n/** | a | b |\n * | --- | --- | */\n',
    find: (source) => commentFaults(source, isBanner, 'a banner: split the file instead'),
  },
  {
    name: 'a TODO has a reason',
    bad: '// TODO\n// TODO: later\n',
    good: '// TODO: the SDK answers late here until its issue 812 is fixed\n',
    find: (source) => commentFaults(source, hasBareTodo, 'a TODO without a reason'),
  },
  {
    name: 'no code that is commented out',
    bad: '// const total = sum(a, b);\n',
    good: '// Return the rest; the hold stays.\n// if the seller is gone, the outcome is unknown\n// const, let and var are words here.\n',
    find: (source) => commentFaults(source, isCommentedOutCode, 'code that is commented out: delete it'),
  },
  {
    name: 'a rule is only switched off with a reason',
    bad: '// oxlint-disable-next-line no-var\n',
    good: '// oxlint-disable-next-line no-var -- the old SDK looks for a global\n',
    find: (source) => commentFaults(source, isBareSuppression, 'a rule switched off without a reason (add `-- reason`)'),
  },
  {
    name: 'exported declarations have a doc comment',
    bad: 'export const LIMIT = 3;\n',
    good: '/** How many. */\nexport const LIMIT = 3;\nexport type { Gold } from "#shared/units.ts";\nexport { a, b };\n',
    find: undocumentedExports,
  },
  {
    name: 'a skipped test prints why, and no test runs alone',
    examplePath: 'server/shard/entity.test.ts',
    bad: "it.skip('opens old files', () => {});\n",
    good: "const onLinux = isLinux ? it : it.skip;\nonLinux('syncs directories (skipped: needs Linux)', () => {});\n",
    find: skippedTests,
  },
];

function commentFaults(source: SourceText, isBad: (line: string, comment: Comment) => boolean, problem: string): readonly Fault[] {
  return source.comments.flatMap((comment) =>
    comment.text
      .split('\n')
      .flatMap((text, index) => (isBad(text, comment) ? [{ path: source.path, line: comment.line + index, problem }] : [])),
  );
}

function isBanner(line: string): boolean {
  const text = line.trim().replace(/^\/\/|^\/?\*+\/?/, '');
  return /(?:^|[^|:-])([-=*#~_/+])\1{3,}/.test(text.replaceAll(/\|[\s|:-]*\|/g, ''));
}

function hasBareTodo(line: string): boolean {
  const todo = /\b(?:TODO|FIXME|XXX|HACK)\b(.*)/.exec(line);
  return todo !== null && !/^(?:\([^)]*\))?: *(?:\S+ +){3,}\S+/.test(todo[1] ?? '');
}

const CODE_LINES: readonly RegExp[] = [
  /^(?:const|let|var|import|export|return|throw|await)\b.*;$/,
  /^(?:if|for|while|switch) \(.*(?:\{|;)$/,
  /^(?:\} else|export|function|class|async function)\b.*\{$/,
  /^[\w.]+\(.*\);$/,
  /^[\w.]+ [-+*/]?= .*;$/,
];

function isCommentedOutCode(line: string, comment: Comment): boolean {
  if (comment.text.startsWith('/**')) return false;
  const text = line.replace(/^\s*(?:\/\/|\/?\*+)\s*/, '').trim();
  return CODE_LINES.some((pattern) => pattern.test(text));
}

function isBareSuppression(line: string): boolean {
  const mark = /(?:oxlint|eslint)-disable(?!.* -- \S+ \S+)|@ts-(?:ignore|nocheck|expect-error)(?!:? \S+ \S+)|prettier-ignore(?! \S+ \S+)/;
  return mark.test(line);
}

const EXPORTED =
  /^export (?:default )?(?:declare )?(?:abstract )?(?:async )?(?:const|let|function\*?|class|interface|type|enum) ?([A-Za-z0-9_$]+)/gm;

function undocumentedExports(source: SourceText): readonly Fault[] {
  const { path, code, comments } = source;
  const isPublic = (path.startsWith('shared/') || path.startsWith('server/')) && !path.endsWith('.test.ts');
  if (!isPublic) return [];
  const documentedLines = new Set(comments.filter(({ text }) => text.startsWith('/**')).map(({ lastLine }) => lastLine + 1));
  const documentedNames = new Set<string>();
  return [...code.matchAll(EXPORTED)].flatMap((match) => {
    const name = match[1] ?? '';
    const line = lineAt(code, match.index);
    if (documentedLines.has(line)) documentedNames.add(name);
    return documentedNames.has(name) ? [] : [{ path, line, problem: `${name} is exported without a doc comment` }];
  });
}

const SKIP = /\b(?:it|test|describe)\s*(?:\.\w+)*\.(skip|todo|failing|only)\b|\b(?:xit|xtest|xdescribe|fit|fdescribe)\s*\(/g;

function skippedTests(source: SourceText): readonly Fault[] {
  if (!source.path.endsWith('.test.ts')) return [];
  const printsReason = /\(skipped: \S+ \S+/.test(source.text);
  return [...source.code.matchAll(SKIP)].flatMap((match) => {
    const isAlone = match[1] === 'only' || match[0].startsWith('f');
    if (printsReason && !isAlone) return [];
    const problem = isAlone
      ? 'a test that keeps the others from running'
      : "a skipped test whose name does not say why: '... (skipped: reason)'";
    return [{ path: source.path, line: lineAt(source.code, match.index), problem }];
  });
}
