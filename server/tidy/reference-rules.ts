import { LAYERS } from './layers.ts';
import { faultsIn, type Fault, type Passage, type Repository, type TidyRule } from './repository.ts';
import { lineAt } from './source-file.ts';

/**
 * Rules about what is referred to: ids, decisions, rules of a file, links, packages and layers are
 * where they are said to be.
 */
export const REFERENCE_RULES: readonly TidyRule[] = [
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
    find: (repository) =>
      faultsIn(
        proseOf(repository),
        /§|\(design\b|\bas the issue\b|\bthe issue (?:allows|asks|says|wants)\b/gi,
        ([words]) => `"${words}" refers to what is not here`,
      ),
  },
  {
    name: 'links in documents lead somewhere',
    bad: { 'docs/a.md': '# A\n\n[b](b.md)\n[c](#nowhere)\n' },
    good: { 'docs/a.md': "# A `b`'s (c)\n\n[a](../docs/a.md#a-bs-c)\n[d](../docs/)\n[e](https://example.org/)\n" },
    find: deadLinks,
  },
  {
    name: 'the README names every dependency, and no other',
    bad: { 'package.json': '{"dependencies": {"zod": "1"}}', 'README.md': '## Dependencies\n\n| `jose` | tokens |\n' },
    good: { 'package.json': '{"dependencies": {"zod": "1"}}', 'README.md': '## Dependencies\n\n| `zod` | checks |\n' },
    find: dependencyFaults,
  },
  {
    name: 'what the lint configuration exempts are files that exist, by their paths',
    bad: { '.oxlintrc.json': '{"files": ["server/gone.ts"]}\n{"files": ["server/**/*codec*.ts"]}\n' },
    good: { '.oxlintrc.json': '{"files": [\n"server/main.ts", // why\n"**/*.test.ts", "server/edge/**/*.ts"]}', 'server/main.ts': '' },
    find: lintFaults,
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

/** Where prose stands: documents, comments, and the names of tests. */
function proseOf(repository: Repository): readonly Passage[] {
  return [
    ...documentsOf(repository),
    ...repository.sources.flatMap(({ path, text, comments }) => {
      const names = path.endsWith('.test.ts') ? [...text.matchAll(/\b(?:it|describe)(?:\.\w+)?\(\s*(['"`])(.*?)\1/g)] : [];
      return [...comments, ...names.map(({ index, 2: name = '' }) => ({ line: lineAt(text, index), text: name }))].map((each) => ({
        ...each,
        path,
      }));
    }),
  ];
}

function documentsOf({ texts }: Repository): readonly Passage[] {
  return Object.entries(texts).flatMap(([path, text]) => (path.endsWith('.md') ? [{ path, line: 1, text }] : []));
}

/**
 * Ids are defined by a row or a heading of the internals, those of one file in its head. T, H and G
 * are of the whole repository.
 */
const ID = /(?<![\w.-])[CGHINSTU]\d{1,2}(?![\w.-]*\w)/g;

function undefinedIds(repository: Repository): readonly Fault[] {
  const internals = documentsOf(repository).filter(({ path }) => /^docs\/(?:internals\/.*|architecture)\.md$/.test(path));
  const definitions = [
    ...internals.flatMap(({ text }) => [...text.matchAll(/^(?:\||#+) *([A-Z]\d{1,2})\b/gm)]),
    ...repository.sources.flatMap(({ comments }) => [
      ...(comments[0]?.text ?? '').matchAll(/(?:\* |[.:]\s(?:\s*\* )?)([CINSU]\d{1,2})[.:]? /g),
    ]),
  ];
  const defined = new Set(definitions.map(([, id]) => id));
  return faultsIn(proseOf(repository), ID, ([id]) => (defined.has(id) ? undefined : `${id} is defined nowhere`));
}

function missingRules(repository: Repository): readonly Fault[] {
  const { texts, sources } = repository;
  const prose = proseOf(repository);
  const decisions = faultsIn(prose, /\bdecisions? (\d{3})\b/gi, ([, number = '']) => {
    const isThere = Object.keys(texts).some((path) => path.startsWith(`docs/decisions/${number}-`));
    return isThere ? undefined : `there is no decision ${number}`;
  });
  const rules = faultsIn(prose, /\brule (\d+) of `?([\w./-]+\.ts)/gi, ([, number = '', file = '']) => {
    const isThere = sources.some(
      ({ path, comments }) => `/${path}`.endsWith(`/${file}`) && comments[0]?.text.includes(`\n * ${number}. `) === true,
    );
    return isThere ? undefined : `${file} has no rule ${number}`;
  });
  return [...decisions, ...rules];
}

function deadLinks(repository: Repository): readonly Fault[] {
  const { texts } = repository;
  return faultsIn(documentsOf(repository), /\]\(([^)\s]+)\)/g, ([, link = ''], { path }) => {
    const [file = '', anchor] = link.split('#');
    if (/^[a-z]+:/.test(file)) return undefined;
    const target = file === '' ? path : new URL(file, `file:///${path}`).pathname.slice(1);
    const isThere = target.endsWith('/') ? Object.keys(texts).some((each) => each.startsWith(target)) : texts[target] !== undefined;
    const isWhole = isThere && (anchor === undefined || hasAnchor(texts[target] ?? '', anchor));
    return isWhole ? undefined : `${link} leads nowhere`;
  });
}

/** Whether a document has a heading of that anchor, as GitHub makes them. */
function hasAnchor(text: string, anchor: string): boolean {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading.toLowerCase().replaceAll(/[^\w\- ]/g, ''));
  return headings.some((heading) => heading.replaceAll(' ', '-') === anchor);
}

function dependencyFaults({ texts }: Repository): readonly Fault[] {
  const namesIn = (text: string, pattern: RegExp) => new Set([...text.matchAll(pattern)].map(([, name = '']) => name));
  const [, described = ''] = /^## Dependencies\n(.*?)(?=^## |$(?![^]))/ms.exec(texts['README.md'] ?? '') ?? [];
  const named = namesIn(described, /(?<=^\| (?:`[^|]*)?)`([^`]+)`/gm);
  const installed = namesIn(texts['package.json'] ?? '', /(?<="(?:dev)?dependencies": \{[^}]*)"([^"]+)":/gi);
  return [...installed.symmetricDifference(named)].map((name) => {
    const problem = installed.has(name) ? `${name} is not in the table of dependencies` : `${name} is no dependency`;
    return { path: 'README.md', line: 1, problem };
  });
}

/**
 * Globs may stand for whole folders, tests or kinds of files: one that goes by names would make the
 * linter choose the names of files.
 */
function lintFaults({ texts }: Repository): readonly Fault[] {
  const path = '.oxlintrc.json';
  return faultsIn([{ path, line: 1, text: texts[path] ?? '' }], /(?<="files": \[[^\]]*)"([^"]+)"/g, ([, file = '']) => {
    const isFine = texts[file] !== undefined || /^(?:[\w/-]+\/)?\*\*\/\*(?:\.test)?\.\w+$/.test(file);
    return isFine ? undefined : `${file} is no file, no folder and no kind of files`;
  });
}
