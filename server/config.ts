/**
 * Configuration: flags over the environment (`GAVEL_*`) over `gavel.config.json`, checked before
 * anything is started. What there is to set is one table (`config/settings.ts`). Pure: the caller gives
 * the arguments, the environment and a way to read files.
 *
 * Secrets come from the environment alone, where no list of processes and no file in the repository
 * shows them. In development they are made up at each start (the key of the world once, for its data);
 * in production there is no start without them.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import type { Catalogue } from '#shared/catalog/catalogue.ts';
import { CatalogueError, parseCatalogue } from '#shared/catalog/parse-catalogue.ts';
import { limits } from '#shared/limits.ts';
import { isRulesProfile, parseRules, RULES_PROFILES, RulesError, type Rules, type RulesProfile } from '#shared/rules.ts';
import { faultOf } from '#shared/schemas.ts';
import { ConfigError } from './config/config-error.ts';
import { parseJwks, JwksError, type JwksSource } from './config/jwks.ts';
import { loadIndexKey, loadSecrets, SECRETS, type Secrets } from './config/secrets.ts';
import { SETTINGS, settingsSchema, variableOf } from './config/settings.ts';

export { ConfigError } from './config/config-error.ts';
export { SECRETS, type ServiceKey } from './config/secrets.ts';

/** What the deployment is for. */
export type Profile = 'dev' | 'production';

/** A configuration that holds together. */
export interface Config {
  readonly profile: Profile;
  /** Where everything durable is. */
  readonly dataDirectory: string;
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  readonly regions: readonly string[];
  readonly rules: Rules;
  readonly catalogue: Catalogue;
  /** Origins of web pages that may use the server, besides its own. */
  readonly origins: readonly string[];
  /** Sessions per second that one address may open, and at once. */
  readonly sessionRate: { readonly perSecond: number; readonly burst: number };
  /** Tokens per second that the players of one address may spend, and at once. */
  readonly addressRate: { readonly perSecond: number; readonly burst: number };
  /** Addresses and networks of proxies that are believed about the addresses of clients. */
  readonly trustedProxies: readonly string[];
  /**
   * Whether the operator says that the clock of the machine is right, however far it is from the
   * last time that the node knows.
   */
  readonly isClockRight: boolean;
  /** Where a listing index runs by itself, such as `ws://10.0.0.7:2569`, without which the server starts one; and what the two share. */
  readonly index: { readonly url: string | undefined; readonly key: string };
  readonly secrets: Secrets;
  /** Where game servers come in, if not with all others. */
  readonly admin: { readonly host: string; readonly port: number } | undefined;
  /** The studio's public keys, if it has some. */
  readonly jwks: JwksSource | undefined;
}

/** Where a configuration comes from. */
export interface ConfigSource {
  /** The arguments after the program's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file, or `undefined` if there is none; throws if it cannot be read. */
  readonly readText: (path: string) => string | undefined;
  /** A secret that nobody can guess, of at least 32 characters. */
  readonly newSecret: () => string;
}

/** The file of settings, in the directory where the server is started. */
export const CONFIG_FILE = 'gavel.config.json';
const SESSION_RATE = { dev: 1_000, production: 20 } as const;
const ADDRESS_BURST = limits.addressTokensBurst / limits.addressTokensPerSecond;
const ADDRESS_RATE = { dev: 10_000, production: limits.addressTokensPerSecond } as const;
const RULES = { dev: 'dev', production: 'diablo3' } as const;

/** What is printed in place of a start. */
export interface Printout {
  readonly print: string;
}

/** The configuration, unless something was to be printed. Throws `ConfigError`. */
export function loadConfig(source: ConfigSource): Config | Printout {
  const { asked, args } = takePrintOption(source.args);
  const flags = fromFlags(args);
  if (flags === 'help') return { print: helpText() };
  const environment = fromEnvironment(source.env);
  const texts = { ...fromFile(source), ...environment, ...flags };
  const placeOf = (name: string): string => {
    if (flags[name] === undefined && environment[name] !== undefined) return variableOf(name);
    return flags[name] === undefined && texts[name] !== undefined ? `${quote(name)} in ${CONFIG_FILE}` : `--${name}`;
  };
  const parsed = settingsSchema.safeParse(texts);
  if (!parsed.success) throw new ConfigError(sentenceOf(parsed.error, texts, placeOf));
  const { data, host, port, profile, rules, catalog, regions, origins = [], jwks, ...rest } = parsed.data;
  const adminPort = rest['admin-port'];
  if (adminPort === port && port !== 0 && rest['admin-host'] === host) {
    throw new ConfigError(`${placeOf('admin-port')} must not be the port that players come to, which is ${port}.`);
  }
  const perSecond = rest['session-rate'] ?? SESSION_RATE[profile];
  const addressTokens = rest['address-rate'] ?? ADDRESS_RATE[profile];
  const catalogue =
    catalog === undefined ? BUILT_IN_CATALOGUE : fromJsonFile(source, placeOf('catalog'), 'catalogue', catalog, parseCatalogue);
  if (asked !== undefined)
    return {
      print: inJson(asked.what === 'catalog' ? catalogue : loadRules(source, placeOf('rules'), asked.profile ?? rules ?? RULES[profile])),
    };
  return {
    profile,
    dataDirectory: data,
    host,
    port,
    regions,
    rules: loadRules(source, placeOf('rules'), rules ?? RULES[profile]),
    catalogue,
    origins,
    sessionRate: { perSecond, burst: perSecond * 5 },
    addressRate: { perSecond: addressTokens, burst: addressTokens * ADDRESS_BURST },
    trustedProxies: rest['trusted-proxies'] ?? [],
    admin: adminPort === undefined ? undefined : { host: rest['admin-host'], port: adminPort },
    jwks: jwks === undefined ? undefined : loadJwks(source, placeOf('jwks'), jwks),
    isClockRight: rest['clock-is-right'],
    secrets: loadSecrets(source.env, profile === 'production', source.newSecret),
    index: { url: rest.index, key: loadIndexKey(source.env, rest.index !== undefined, source.newSecret) },
  };
}

/** What `--help` prints. */
function helpText(): string {
  const width = Math.max(...SETTINGS.map(({ flag }) => flag.length)) + 2;
  const lines = SETTINGS.map(({ flag, value, fallback, help }) => {
    const standard = value === '' || fallback === '' ? '' : ` (default ${fallback})`;
    return `  ${flag.padEnd(width)}${help}${standard}`;
  });
  return [
    'Gavel: an auction house that keeps every player in a small store of its own.',
    '',
    'npm start -- [settings]',
    '',
    ...lines,
    `  ${'--help'.padEnd(width)}Prints this.`,
    `  ${'--print-rules [PROFILE]'.padEnd(width)}Prints the rules in force, or those of a built-in profile, as a file for --rules.`,
    `  ${'--print-catalog'.padEnd(width)}Prints the catalogue in force, as a file for --catalog.`,
    '',
    `Each setting may also stand in the environment (GAVEL_PORT) or in ${CONFIG_FILE} ("port"); flags come first, then the environment.`,
    'Secrets, from the environment alone, made up in development:',
    '',
    ...SECRETS.map(({ variable, help }) => `  ${variable.padEnd(width)}${help}`),
    '',
  ].join('\n');
}

type Texts = Readonly<Record<string, string>>;

/** The first fault in one sentence, which says where it stands. In a list, what was given is the element that is wrong. */
function sentenceOf({ issues: [issue] }: z.ZodError, texts: Texts, placeOf: (name: string) => string): string {
  const [name = '', index] = issue?.path ?? [];
  const text = texts[String(name)] ?? '';
  const given = typeof index === 'number' ? (text.split(',')[index] ?? '') : text;
  const message = issue?.message ?? 'cannot be used';
  return `${placeOf(String(name))} ${message}${message.endsWith('; not') ? ` ${quote(given)}` : ''}.`;
}

/** What is to be printed, if anything, and the other arguments. */
function takePrintOption(args: readonly string[]): { readonly asked?: PrintOption; readonly args: readonly string[] } {
  const index = args.findIndex((arg) => /^--print-(?:rules|catalog)$/.test(arg));
  const next = args[index + 1] ?? '';
  if (index < 0) return { args };
  if (args[index] === '--print-catalog') return { asked: { what: 'catalog' }, args: args.toSpliced(index, 1) };
  if (isRulesProfile(next)) return { asked: { what: 'rules', profile: next }, args: args.toSpliced(index, 2) };
  return { asked: { what: 'rules' }, args: args.toSpliced(index, 1) };
}

type PrintOption = { readonly what: 'catalog' } | { readonly what: 'rules'; readonly profile?: RulesProfile };

function inJson(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function fromFlags(args: readonly string[]): Texts | 'help' {
  const options = SETTINGS.map(({ name, value }) => [name, { type: value === '' ? 'boolean' : 'string' }] as const);
  const { tokens } = parseArgs({
    args: [...args],
    options: { ...Object.fromEntries(options), help: { type: 'boolean', short: 'h' } },
    strict: false,
    tokens: true,
  });
  const values: Record<string, string> = {};
  for (const token of tokens) {
    const name = token.kind === 'option' ? token.name : '';
    if (token.kind === 'option' && name === 'help') return 'help';
    const known = SETTINGS.find((each) => each.name === name);
    if (token.kind !== 'option' || known === undefined)
      throw new ConfigError(`There is no option ${quote(args[token.index] ?? '')}; --help lists them all.`);
    const { inlineValue, value = known.value === '' ? 'true' : undefined } = token;
    if (values[name] !== undefined) throw new ConfigError(`--${name} is given twice.`);
    if (value === undefined || (inlineValue === false && value.startsWith('--'))) throw new ConfigError(`--${name} wants a value.`);
    values[name] = value;
  }
  return values;
}

/** Variables with our prefix that are read by tools beside the server. */
const FOREIGN_VARIABLES: readonly string[] = ['GAVEL_TEST_SUMMARY'];

function fromEnvironment(env: ConfigSource['env']): Texts {
  const known = new Set([...[...SETTINGS, ...SECRETS].map(({ variable }) => variable), ...FOREIGN_VARIABLES]);
  const unknown = Object.keys(env).find((variable) => variable.startsWith('GAVEL_') && !known.has(variable));
  if (unknown !== undefined) throw new ConfigError(`There is no setting ${quote(unknown)}, which is in the environment.`);
  return Object.fromEntries(SETTINGS.flatMap(({ name, variable }) => (env[variable] === undefined ? [] : [[name, env[variable]]])));
}

const fileSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]));

function fromFile({ readText }: ConfigSource): Texts {
  const content = readJson(readText, CONFIG_FILE);
  if (content === undefined) return {};
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) throw new ConfigError(`${CONFIG_FILE}: ${faultOf(parsed.error)}.`);
  const unknown = Object.keys(parsed.data).find((name) => !Object.hasOwn(settingsSchema.shape, name));
  if (unknown !== undefined) throw new ConfigError(`${CONFIG_FILE}: there is no setting ${quote(unknown)}.`);
  return Object.fromEntries(Object.entries(parsed.data).map(([name, value]) => [name, String(value)]));
}

function loadRules(source: ConfigSource, place: string, text: string): Rules {
  if (isRulesProfile(text)) return RULES_PROFILES[text];
  const rules = fromJsonFile(source, place, 'rules', text, parseRules);
  if (rules.marketScope === 'region') return rules;
  throw new ConfigError(
    `The rules in ${quote(text)} cannot be used: marketScope must be region: nobody can search a market of the whole world yet.`,
  );
}

function loadJwks(source: ConfigSource, place: string, text: string): JwksSource {
  if (!URL.canParse(text) || !/^https?:/i.test(text)) return { kind: 'keys', jwks: fromJsonFile(source, place, 'jwks', text, parseJwks) };
  const url = new URL(text);
  if (url.protocol === 'http:' && !/^(localhost|127\.[0-9.]+|\[::1\])$/.test(url.hostname))
    throw new ConfigError(`${place} must be https, or of this machine: whoever can change ${quote(text)} on its way can let anybody in.`);
  return { kind: 'url', url };
}

/** The `what` that the file of a setting stands for, which was named at that place. */
function fromJsonFile<Value>(
  { readText }: ConfigSource,
  place: string,
  what: string,
  path: string,
  parse: (content: unknown) => Value,
): Value {
  const content = readJson(readText, path);
  if (content === undefined) throw new ConfigError(`${place} names the file ${quote(path)}, which does not exist.`);
  try {
    return parse(content);
  } catch (error) {
    if (!(error instanceof RulesError || error instanceof CatalogueError || error instanceof JwksError)) throw error;
    throw new ConfigError(`The ${what} in ${quote(path)} cannot be used: ${error.message}.`);
  }
}

/** What a file of JSON holds; `undefined`, which JSON cannot say, if there is no such file. */
function readJson(readText: ConfigSource['readText'], path: string): unknown {
  let text: string | undefined;
  try {
    text = readText(path);
  } catch (error) {
    throw new ConfigError(`The file ${quote(path)} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
  try {
    // Editors of Windows begin a file with a byte order mark, which JSON does not know.
    return text === undefined ? undefined : JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    throw new ConfigError(`The file ${quote(path)} is not JSON.`);
  }
}

/** What somebody typed, short and on one line. */
function quote(text: string): string {
  return JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 80)}...`);
}
