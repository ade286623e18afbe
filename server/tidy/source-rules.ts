/**
 * The rules of the house that the linter cannot express, as one table. Each row carries an example that it must catch
 * and one that it must leave alone, so that the test proves every rule able to fail.
 */
import { Visitor } from 'oxc-parser';
import type { Fault, Repository, TidyRule } from './repository.ts';
import { lineAt, type Comment, type SourceFile } from './source-file.ts';

/** Rules about one file at a time. */
export const SOURCE_RULES: readonly TidyRule[] = [
  {
    name: 'file names are in kebab-case',
    bad: { 'server/shard/badName.ts': '' },
    good: { 'server/shard/good-name.test.ts': '' },
    find: each(({ path }) => {
      const isKebab = path.split('/').every((part) => /^\.?[a-z0-9]+(?:[-.][a-z0-9]+)*$/.test(part));
      return isKebab ? [] : [{ path, line: 1, problem: 'file and folder names are in kebab-case' }];
    }),
  },
  {
    name: 'no banners',
    bad: '// ---------- helpers ----------\n',
    good: '// A range such as 1-5, or a -- b.\n/** | a | b |\n * | --- | --- | */\n',
    find: each((source) => commentFaults(source, isBanner, 'a banner: split the file instead')),
  },
  {
    name: 'a TODO has a reason',
    bad: '// TODO\n// TODO: later\n',
    good: '// TODO: the SDK answers late here until its issue 812 is fixed\n',
    find: each((source) => commentFaults(source, hasBareTodo, 'a TODO without a reason')),
  },
  {
    name: 'no code that is commented out',
    bad: '// const total = sum(a, b);\n',
    good: '// Return the rest; the hold stays.\n// if the seller is gone, the outcome is unknown\n// const, let and var are words here.\n',
    find: each((source) => commentFaults(source, isCommentedOutCode, 'code that is commented out: delete it')),
  },
  {
    name: 'a rule is only switched off with a reason',
    bad: '// oxlint-disable-next-line no-var\n',
    good: '// oxlint-disable-next-line no-var -- the old SDK looks for a global\n',
    find: each((source) => commentFaults(source, isBareSuppression, 'a rule switched off without a reason (add `-- reason`)')),
  },
  {
    name: 'a doc comment says something itself',
    bad: '/** See the head of this file. */\nexport class Turn {}\n/** */\nconst a = 1;\n',
    good: '/** One turn. See the head of `turn.ts`. */\nexport class Turn {}\n',
    find: each((source) =>
      commentFaults(
        source,
        (line) => /see the head of this file|^\/\*\*[\s*]*\/$/i.test(line),
        'a pointer to the head: say it, or nothing',
      ),
    ),
  },
  {
    name: 'a skipped test prints why, and no test runs alone',
    bad: { 'server/shard/entity.test.ts': "it.skip('opens old files', () => {});\n" },
    good: {
      'server/shard/entity.test.ts':
        "const onLinux = isLinux ? it : it.skip;\nonLinux('syncs directories (skipped: needs Linux)', () => {});\nconst text = 'it.only(';\n",
    },
    find: each(skippedTests),
  },
  {
    name: 'no test keeps the others from running',
    bad: { 'server/shard/entity.test.ts': "describe.only('an entity', () => {});\n" },
    good: { 'server/shard/entity.test.ts': "describe('an entity', () => {});\n" },
    find: each(loneTests),
  },
];

/** A rule about each source by itself. */
function each(find: (source: SourceFile) => readonly Fault[]): TidyRule['find'] {
  return ({ sources }: Repository) => sources.flatMap(find);
}

function commentFaults(source: SourceFile, isBad: (line: string, comment: Comment) => boolean, problem: string): readonly Fault[] {
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

const TEST_WORDS: ReadonlySet<string> = new Set(['it', 'test', 'describe']);

/** Where a test is marked with one of these words: `it.skip`, `describe.each(...).only`, `xit`. */
function marks({ program, text }: SourceFile, words: readonly string[], prefix: string): readonly number[] {
  const lines: number[] = [];
  new Visitor({
    MemberExpression: ({ start, object, property }) => {
      const isTest = object.type === 'Identifier' && TEST_WORDS.has(object.name);
      if (isTest && property.type === 'Identifier' && words.includes(property.name)) lines.push(lineAt(text, start));
    },
    CallExpression: ({ start, callee }) => {
      const isMarked = callee.type === 'Identifier' && callee.name.startsWith(prefix) && TEST_WORDS.has(callee.name.slice(prefix.length));
      if (isMarked) lines.push(lineAt(text, start));
    },
  }).visit(program);
  return lines;
}

function skippedTests(source: SourceFile): readonly Fault[] {
  if (!source.path.endsWith('.test.ts') || /\(skipped: \S+ \S+/.test(source.text)) return [];
  const problem = "a skipped test whose name does not say why: '... (skipped: reason)'";
  return marks(source, ['skip', 'todo', 'failing'], 'x').map((line) => ({ path: source.path, line, problem }));
}

function loneTests(source: SourceFile): readonly Fault[] {
  if (!source.path.endsWith('.test.ts')) return [];
  return marks(source, ['only'], 'f').map((line) => ({ path: source.path, line, problem: 'a test that keeps the others from running' }));
}
