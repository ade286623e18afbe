/**
 * The rules of the house that the linter cannot express, as one table. Each row carries an example
 * that it must catch and one that it must leave alone, so that the test proves every rule able to
 * fail.
 */
import { Visitor } from 'oxc-parser';
import { faultsIn, type Fault, type TidyRule } from './repository.ts';
import { lineAt, type SourceFile } from './source-file.ts';

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
    find: commentLines(isBanner, 'a banner: split the file instead'),
  },
  {
    name: 'a TODO has a reason',
    bad: '// TODO\n// TODO: later\n',
    good: '// TODO: the SDK answers late here until its issue 812 is fixed\n',
    find: commentLines(hasBareTodo, 'a TODO without a reason'),
  },
  {
    name: 'no code that is commented out',
    bad: '// const total = sum(a, b);\n',
    good: '// Return the rest; the hold stays.\n// if the seller is gone, the outcome is unknown\n// const, let and var are words here.\n',
    find: commentLines(isCommentedOutCode, 'code that is commented out: delete it'),
  },
  {
    name: 'a rule is only switched off with a reason',
    bad: '// oxlint-disable-next-line no-var\n',
    good: '// oxlint-disable-next-line no-var -- the old SDK looks for a global\n',
    find: commentLines(isBareSuppression, 'a rule switched off without a reason (add `-- reason`)'),
  },
  {
    name: 'a doc comment says something itself',
    bad: '/** See the head of this file. */\nexport class Turn {}\n/** */\nconst a = 1;\n',
    good: '/** One turn. See the head of `turn.ts`. */\nexport class Turn {}\n',
    find: commentLines((line) => /see the head of this file|^\/\*\*[\s*]*\/$/i.test(line), 'a pointer to the head: say it, or nothing'),
  },
  {
    name: 'a skipped test prints why, and no test runs alone',
    bad: { 'server/shard/entity.test.ts': "it.skip('opens old files', () => {});\n" },
    good: {
      'server/shard/entity.test.ts':
        "const onLinux = isLinux ? it : it.skip;\nonLinux('syncs directories (skipped: needs Linux)', () => {});\nconst text = 'it.only(';\n",
    },
    find: each((source) =>
      /\(skipped: \S+ \S+/.test(source.text)
        ? []
        : markedTests(source, SKIPPED, "a skipped test whose name does not say why: '... (skipped: reason)'"),
    ),
  },
  {
    name: 'no test keeps the others from running',
    bad: { 'server/shard/entity.test.ts': "describe.only('an entity', () => {});\n" },
    good: { 'server/shard/entity.test.ts': "describe('an entity', () => {});\n" },
    find: each((source) => markedTests(source, ALONE, 'a test that keeps the others from running')),
  },
];

/** Finds faults in each source by itself. */
function each(find: (source: SourceFile) => readonly Fault[]): TidyRule['find'] {
  return ({ sources }) => sources.flatMap(find);
}

/** Finds lines of comments. */
function commentLines(isBad: (line: string, comment: string) => boolean, problem: string): TidyRule['find'] {
  return each(({ path, comments }) =>
    comments.flatMap((comment) =>
      faultsIn([{ ...comment, path }], /^.*$/gm, ([line]) => (isBad(line, comment.text) ? problem : undefined)),
    ),
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

function isCommentedOutCode(line: string, comment: string): boolean {
  if (comment.startsWith('/**')) return false;
  const text = line.replace(/^\s*(?:\/\/|\/?\*+)\s*/, '').trim();
  return CODE_LINES.some((pattern) => pattern.test(text));
}

function isBareSuppression(line: string): boolean {
  const mark = /(?:oxlint|eslint)-disable(?!.* -- \S+ \S+)|@ts-(?:ignore|nocheck|expect-error)(?!:? \S+ \S+)|prettier-ignore(?! \S+ \S+)/;
  return mark.test(line);
}

const SKIPPED = /^(?:it|test|describe)\.(?:skip|todo|failing)$|^x(?:it|test|describe)$/;
const ALONE = /^(?:it|test|describe)\.only$|^f(?:it|test|describe)$/;

/** The places of a test file where a test is marked, as in `it.skip` or `xit(...)`. */
function markedTests({ path, program, text }: SourceFile, mark: RegExp, problem: string): readonly Fault[] {
  if (!path.endsWith('.test.ts')) return [];
  const faults: Fault[] = [];
  const check = (start: number, words: string): void => {
    if (mark.test(words)) faults.push({ path, line: lineAt(text, start), problem });
  };
  new Visitor({
    MemberExpression: ({ start, end }) => check(start, text.slice(start, end)),
    CallExpression: ({ start, callee }) => check(start, callee.type === 'Identifier' ? callee.name : ''),
  }).visit(program);
  return faults;
}
