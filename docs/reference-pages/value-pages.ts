/** The pages that show tables of values: settings, refusals, rules and limits. */
import { limits } from '#shared/limits.ts';
import { REFUSAL_NAMES, refusal } from '#shared/refusals.ts';
import { RULES_PROFILES, rulesSchema } from '#shared/rules.ts';
import { CONFIG_FILE, SECRETS } from '#server/config.ts';
import { SETTINGS } from '#server/config/settings.ts';
import { fieldComment, readDocComments } from './doc-comments.ts';
import { code, table, withUnit } from './markdown.ts';
import { fieldTextAt } from './schema-text.ts';

/** Every setting and secret, as Markdown. */
export function configurationPage(): string {
  return [
    '# Configuration',
    `A setting is taken from the command line, else from the environment, else from ${code(CONFIG_FILE)} in the directory where the server is started (an object by the name of each setting; lists may be written as lists). A setting that does not exist is refused, wherever it stands.`,
    table(
      ['Flag', 'Environment', 'Default', 'What it is'],
      SETTINGS.map(({ flag, variable, value, fallback, help }) => [
        code(flag),
        code(variable),
        value === '' ? 'off' : fallback === '' ? 'none' : code(fallback),
        help,
      ]),
    ),
    'Secrets come from the environment alone, where no list of processes and no file shows them. In development they are made up at each start; `production` does not start without one of each kind. Each key has 32 characters or more, varied, and no two are equal; blanks around commas mean nothing.',
    table(
      ['Environment', 'What it is'],
      SECRETS.map(({ variable, help }) => [code(variable), help]),
    ),
  ].join('\n\n');
}

/** Every refusal, by code, as Markdown. */
export function refusalsPage(): string {
  const refusals = REFUSAL_NAMES.map((name) => refusal(name)).toSorted((a, b) => a.code - b.code);
  return [
    '# Refusals',
    'A refusal is an answer, not an error: the command changed nothing. It has the form `{code, name, message, retryable, details?}`. Codes and names never change their meaning. Where a refusal is retryable, the same command with the same `op` may succeed later.',
    table(
      ['Code', 'Name', 'What the player reads', 'Retryable'],
      refusals.map((each) => [String(each.code), code(each.name), each.message, each.retryable ? 'yes' : 'no']),
    ),
  ].join('\n\n');
}

/** Every rule, with its value in the built-in profiles, as Markdown. */
export function rulesPage(): string {
  const comments = readDocComments('shared/rules.ts');
  const { dev, diablo3 } = RULES_PROFILES;
  const values = new Map(leavesOf(dev));
  return [
    '# Rules',
    'Every number of the market that a game designer sets. `--rules dev`, `--rules diablo3` or `--rules FILE`: a JSON file that says what differs from the profile named in its field `extends` (`diablo3` unless given). Each part of the path of a rule is an object in the file: `{"extends": "dev", "gold": {"priceMin": 5}}`. Unknown fields and numbers that contradict each other are refused; a start then ends with one sentence that names the field.',
    '`npm start -s -- --print-rules` prints the rules in force, and `--print-rules diablo3` those of a profile, as a file that `--rules` takes. Times are in milliseconds there, shares in hundredths of a percent, prices in whole coins.',
    table(
      ['Rule', 'Meaning', 'Form in a file', '`dev`', '`diablo3`'],
      leavesOf(diablo3).map(([path, value]) => [
        code(path),
        fieldComment(comments, path),
        fieldTextAt(rulesSchema, path),
        valueText(path, values.get(path)),
        valueText(path, value),
      ]),
    ),
  ].join('\n\n');
}

/** Every bound of the machine, as Markdown. */
export function limitsPage(): string {
  const comments = readDocComments('shared/limits.ts');
  return [
    '# Limits',
    'Bounds of the machine, the same in every world. What a game designer sets is in the [rules](rules.md).',
    table(
      ['Limit', 'Value', 'Reason'],
      Object.entries(limits).map(([name, value]) => [code(name), withUnit(name, value), fieldComment(comments, name)]),
    ),
  ].join('\n\n');
}

/** The single values of an object of objects, by their paths; an empty object is a value. */
function leavesOf(value: object, path: readonly string[] = []): readonly (readonly [path: string, value: unknown])[] {
  return Object.entries(value).flatMap(([name, each]: [string, unknown]) => {
    const own = [...path, name];
    const isBranch = typeof each === 'object' && each !== null && Object.keys(each).length > 0;
    return isBranch ? leavesOf(each, own) : [[own.join('.'), each] as const];
  });
}

function valueText(path: string, value: unknown): string {
  if (typeof value === 'number') return withUnit(path, value);
  return typeof value === 'string' ? code(value) : 'none';
}
