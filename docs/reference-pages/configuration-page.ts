/** The page about settings. */
import { CONFIG_FILE, SECRETS, SETTINGS } from '#server/config.ts';
import { code, table } from './markdown.ts';

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
    'Secrets come from the environment alone, where no list of processes and no file shows them. In development they are made up at each start; `production` does not start without them. Each key has 32 characters or more.',
    table(
      ['Environment', 'What it is'],
      SECRETS.map(({ variable, help }) => [code(variable), help]),
    ),
  ].join('\n\n');
}
