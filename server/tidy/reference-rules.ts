/** Rules about what is referred to: ids, decisions, rules of a file, links, packages and layers are where they are said to be. */
import type { Exceptions } from './export-rules.ts';
import { LAYERS } from './layers.ts';
import type { Fault, Repository, Texts, TidyRule } from './repository.ts';
import { lineAt } from './source-file.ts';

/** Rules about references, with the links that may lead nowhere. */
export const referenceRules = (links: Exceptions): readonly TidyRule[] => [
  {
    name: 'an id that is cited is defined',
    bad: {
      'docs/internals/trades.md': '| T1 | A hold is a row. |\n',
      'server/trade/trade.test.ts': "it('keeps T2', () => {});\n",
      'server/trade/holder.ts': '/** Holds, as T3 says. */\n',
    },
    good: {
      'docs/internals/trades.md': '| T1 | A hold is a row. |\n',
      'server/trade/trade.test.ts': "it('keeps T1', () => {});\n",
      'server/cell/column.ts': '/** Columns. Invariants: C1 slots are filled. C2 none is lost. */\n// C2 holds here.\n',
    },
    find: undefinedIds,
  },
  {
    name: 'a decision or a rule of a file that is cited exists',
    bad: { 'server/trade/holder.ts': '/** Holds (decision 999). Rule 3 of `holder.ts`. */\n' },
    good: {
      'docs/decisions/001-a-decision.md': '',
      'server/trade/holder.ts': '/**\n * Holds (decision 001).\n *\n * 3. Rule 3 of `holder.ts` is this one.\n */\n',
    },
    find: missingRules,
  },
  {
    name: 'nothing refers to what is not in the repository',
    bad: { 'docs/a.md': 'As the design says (§2.6), and the issue asks.\n' },
    good: { 'docs/a.md': 'The issue of this: an issue of the SDK; the design of trades.\n' },
    find: foreignReferences,
  },
  {
    name: 'links in documents lead somewhere',
    bad: { 'docs/a.md': '# A\n\n[b](b.md)\n[c](#nowhere)\n' },
    good: { 'docs/a.md': "# A `b`'s (c)\n\n[a](../docs/a.md#a-bs-c)\n[d](../docs/)\n[e](https://example.org/)\n" },
    find: (repository) => deadLinks(repository, links),
  },
  {
    name: 'the README names every dependency, and no other',
    bad: { 'package.json': '{"dependencies": {"zod": "1"}}', 'README.md': '## Dependencies\n\n| `jose` | tokens |\n' },
    good: { 'package.json': '{"dependencies": {"zod": "1"}}', 'README.md': '## Dependencies\n\n| `zod` | checks |\n' },
    find: ({ texts }) => dependencyFaults(texts),
  },
  {
    name: 'what the lint configuration exempts are files that exist, by their paths',
    bad: { '.oxlintrc.json': '{"files": ["server/gone.ts"]}\n{"files": ["server/**/*codec*.ts"]}\n' },
    good: { '.oxlintrc.json': '{"files": [\n"server/main.ts", // why\n"**/*.test.ts", "server/edge/**/*.ts"]}', 'server/main.ts': '' },
    find: ({ texts }) => lintFaults(texts),
  },
  {
    name: 'every layer has its folder',
    bad: { 'server/tidy/layers.ts': '' },
    good: Object.fromEntries(Object.keys(LAYERS).map((layer) => [`${layer}/x.ts`, ''])),
    find: ({ texts }) =>
      Object.keys(LAYERS)
        .filter((layer) => !Object.keys(texts).some((path) => path === `${layer}.ts` || path.startsWith(`${layer}/`)))
        .map((layer) => ({ path: 'server/tidy/layers.ts', line: 1, problem: `the layer ${layer} has no folder` })),
  },
];

/** The places of a repository where prose stands: documents, comments, and the strings of tests, which are their names. */
interface Prose {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

function proseOf({ texts, sources }: Repository): readonly Prose[] {
  const documents = Object.entries(texts).filter(([path]) => path.endsWith('.md'));
  return [
    ...documents.map(([path, text]) => ({ path, line: 1, text })),
    ...sources.flatMap(({ path, comments }) => comments.map(({ line, text }) => ({ path, line, text }))),
    ...sources.flatMap(({ path, text }) =>
      path.endsWith('.test.ts')
        ? [...text.matchAll(/\b(?:it|describe)(?:\.\w+)?\(\s*(['"`])(.*?)\1/g)].map((match) => ({
            path,
            line: lineAt(text, match.index),
            text: match[2] ?? '',
          }))
        : [],
    ),
  ];
}

/** Each match of a pattern in the prose that is a fault, with the place of the match. */
function proseFaults(repository: Repository, pattern: RegExp, problemOf: (match: RegExpExecArray) => string | undefined): readonly Fault[] {
  return proseOf(repository).flatMap(({ path, line, text }) =>
    [...text.matchAll(pattern)].flatMap((match) => {
      const problem = problemOf(match);
      return problem === undefined ? [] : [{ path, line: line + lineAt(text, match.index) - 1, problem }];
    }),
  );
}

/** Ids are defined by a row or a heading of the internals, those of one file in its head. T, H and G are of the whole repository. */
const ID = /(?<![\w.-])[CGHINSTU]\d{1,2}(?![\w.-]*\w)/g;

function undefinedIds(repository: Repository): readonly Fault[] {
  const defined = new Set<string>();
  for (const [path, text] of Object.entries(repository.texts)) {
    if (!/^docs\/(?:internals\/.*|architecture)\.md$/.test(path)) continue;
    for (const [, id = ''] of text.matchAll(/^(?:\||#+) *([A-Z]\d{1,2})\b/gm)) defined.add(id);
  }
  for (const { comments } of repository.sources) {
    for (const [, id = ''] of comments[0]?.text.matchAll(/(?:\* |[.:]\s(?:\s*\* )?)([CINSU]\d{1,2})[.:]? /g) ?? []) defined.add(id);
  }
  return proseFaults(repository, ID, ([id]) => (defined.has(id) ? undefined : `${id} is defined nowhere`));
}

function missingRules(repository: Repository): readonly Fault[] {
  const paths = Object.keys(repository.texts);
  const heads = new Map(repository.sources.map(({ path, comments }) => [path, comments[0]?.text ?? '']));
  const decisions = proseFaults(repository, /\bdecisions? (\d{3})\b/gi, ([, number = '']) =>
    paths.some((path) => path.startsWith(`docs/decisions/${number}-`)) ? undefined : `there is no decision ${number}`,
  );
  const rules = proseFaults(repository, /\brule (\d+) of `?([\w./-]+\.ts)/gi, ([, number = '', file = '']) => {
    const hasRule = paths.some((path) => `/${path}`.endsWith(`/${file}`) && heads.get(path)?.includes(`\n * ${number}. `) === true);
    return hasRule ? undefined : `${file} has no rule ${number}`;
  });
  return [...decisions, ...rules];
}

function foreignReferences(repository: Repository): readonly Fault[] {
  return proseFaults(
    repository,
    /§|\(design\b|\bas the issue\b|\bthe issue (?:allows|asks|says|wants)\b/gi,
    ([words]) => `"${words}" refers to what is not here`,
  );
}

function deadLinks({ texts }: Repository, exceptions: Exceptions): readonly Fault[] {
  const paths = Object.keys(texts);
  return Object.entries(texts).flatMap(([path, text]) => {
    if (!path.endsWith('.md')) return [];
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap((match) => {
      const [file = '', anchor] = (match[1] ?? '').split('#');
      if (/^[a-z]+:/.test(file)) return [];
      const target = file === '' ? path : new URL(file, `file:///${path}`).pathname.slice(1);
      const isThere = target.endsWith('/') ? paths.some((each) => each.startsWith(target)) : texts[target] !== undefined;
      const isWhole =
        exceptions[`${path} ${match[1] ?? ''}`] !== undefined ||
        (isThere && (anchor === undefined || anchorsOf(texts[target] ?? '').has(anchor)));
      return isWhole ? [] : [{ path, line: lineAt(text, match.index), problem: `${match[1] ?? ''} leads nowhere` }];
    });
  });
}

/** The anchors of a document's headings, as they are made on GitHub. */
function anchorsOf(text: string): ReadonlySet<string> {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function dependencyFaults(texts: Texts): readonly Fault[] {
  const [, described = ''] = /^## Dependencies\n(.*?)(?=^## |$(?![^]))/ms.exec(texts['README.md'] ?? '') ?? [];
  const rows = [...described.matchAll(/^\| (`.*?) \|/gm)].map(([, cell = '']) => cell);
  const named = new Set(rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)));
  const installed = new Set(
    [...(texts['package.json'] ?? '').matchAll(/"(?:dev)?dependencies": \{(.*?)\}/gis)].flatMap(([, list = '']) =>
      [...list.matchAll(/"([^"]+)":/g)].map(([, name = '']) => name),
    ),
  );
  const problems = [
    ...[...installed].filter((name) => !named.has(name)).map((name) => `${name} is not in the table of dependencies`),
    ...[...named].filter((name) => !installed.has(name)).map((name) => `${name} is no dependency`),
  ];
  return problems.map((problem) => ({ path: 'README.md', line: 1, problem }));
}

/** Globs may stand for whole folders, tests or kinds of files: one that goes by names would make the linter choose the names of files. */
function lintFaults(texts: Texts): readonly Fault[] {
  const path = '.oxlintrc.json';
  const text = texts[path] ?? '';
  return [...text.matchAll(/"files": \[(.*?)\]/gs)].flatMap((list) =>
    [...(list[1] ?? '').matchAll(/"([^"]+)"/g)].flatMap((match) => {
      const [, file = ''] = match;
      const isFine = texts[file] !== undefined || /^(?:[\w/-]+\/)?\*\*\/\*(?:\.test)?\.\w+$/.test(file);
      const line = lineAt(text, list.index + match.index);
      return isFine ? [] : [{ path, line, problem: `${file} is no file, no folder and no kind of files` }];
    }),
  );
}
