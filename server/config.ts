/**
 * Configuration: flags over the environment (`GAVEL_*`) over `gavel.config.json`, checked before anything is started. Pure: whoever
 * calls gives the arguments, the environment and a way to read files.
 *
 * Secrets come from the environment alone, where no list of processes and no file in the repository shows them. In development they
 * are made up at each start; in production there is no start without them.
 */
import { z } from 'zod';
import { isRegionName } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import type { Catalogue } from '#shared/catalog/catalogue.ts';
import { CatalogueError, parseCatalogue } from '#shared/catalog/parse-catalogue.ts';
import { isRulesProfile, parseRules, RULES_PROFILES, RulesError, type Rules } from '#shared/rules.ts';
import { faultOf } from '#shared/schemas.ts';

/** A configuration that cannot be used. The message is one sentence for whoever typed it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

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
  /** Whether the operator says that the clock of the machine is right, however far it is from the last time that the node knows. */
  readonly isClockRight: boolean;
  readonly secrets: Secrets;
}

/** What nobody else may know. */
export interface Secrets {
  /** Keys of session tokens: the first signs, all verify. */
  readonly jwtKeys: readonly string[];
  /** What game servers show. */
  readonly serviceKey: string;
  /** Whether they were made up for this run. */
  readonly isMadeUp: boolean;
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

/** What a start asks for. */
export type Started = { readonly kind: 'help'; readonly text: string } | { readonly kind: 'config'; readonly config: Config };

/** One setting, in all three places: `--port`, `GAVEL_PORT`, `port` in the file. */
interface Setting {
  readonly name: string;
  /** What stands for its value in the help; nothing for a switch, which is `true` where it is named without a value. */
  readonly value: string;
  readonly fallback: string;
  readonly summary: string;
}

/** Every setting, in the order of the help. */
export const SETTINGS = [
  { name: 'data', value: 'DIR', fallback: './data', summary: 'Where everything durable is kept.' },
  { name: 'host', value: 'ADDRESS', fallback: '127.0.0.1', summary: 'The address to listen on.' },
  { name: 'port', value: 'N', fallback: '2567', summary: 'The port to listen on; 0 for any that is free.' },
  { name: 'profile', value: 'dev|production', fallback: 'dev', summary: 'Whether guests are let in and secrets are made up.' },
  { name: 'rules', value: 'dev|diablo3|FILE', fallback: 'dev', summary: 'The rules of the market: a built-in profile, or a JSON file.' },
  { name: 'catalog', value: 'FILE', fallback: '', summary: 'The item catalogue, a JSON file; built in unless given.' },
  { name: 'regions', value: 'A,B,...', fallback: 'americas,europe,asia', summary: 'The regions of the world.' },
  { name: 'origins', value: 'URL,...', fallback: '', summary: 'Origins of web pages that may use the server, besides its own.' },
  {
    name: 'session-rate',
    value: 'N',
    fallback: '',
    summary: 'Sessions per second that one address may open; 1,000 in development, 20 in production unless given.',
  },
  {
    name: 'clock-is-right',
    value: '',
    fallback: 'false',
    summary: 'Starts although the clock is far from the last time that the data know; see docs/operations.md.',
  },
] as const satisfies readonly Setting[];

/** The environment's secrets. */
export const SECRETS = [
  { variable: 'GAVEL_JWT_SECRET', summary: 'Signs session tokens; two keys, `new,old`, while one replaces the other.' },
  { variable: 'GAVEL_SERVICE_KEY', summary: 'What game servers show to grant and charge.' },
] as const;

type SettingName = (typeof SETTINGS)[number]['name'];
type Values = Readonly<Record<SettingName, string>>;

const CONFIG_FILE = 'gavel.config.json';
/** HS256 wants a key as long as its hash. */
const SECRET_LENGTH_MIN = 32;
const SESSION_RATE = { dev: 1_000, production: 20 } as const;

/** The configuration, or the help that was asked for. Throws `ConfigError`. */
export function loadConfig(source: ConfigSource): Started {
  const flags = parseFlags(source.args);
  if (flags === 'help') return { kind: 'help', text: helpText() };
  const values = merge(flags, fromEnvironment(source.env), fromFile(source));
  const profile = parseProfile(values.profile);
  const config: Config = {
    profile,
    dataDirectory: nonEmpty('data', values.data),
    host: nonEmpty('host', values.host),
    port: parseInteger('port', values.port, 0, 65_535),
    regions: parseRegions(values.regions),
    rules: loadRules(source, values.rules),
    catalogue: values.catalog === '' ? BUILT_IN_CATALOGUE : loadCatalogue(source, values.catalog),
    origins: parseOrigins(values.origins),
    sessionRate: parseSessionRate(values['session-rate'], profile),
    isClockRight: parseSwitch('clock-is-right', values['clock-is-right']),
    secrets: loadSecrets(source, profile),
  };
  return { kind: 'config', config };
}

/** What `--help` prints. */
export function helpText(): string {
  const flags = SETTINGS.map(({ name, value }) => `--${name} ${value}`.trimEnd());
  const width = Math.max(...flags.map((flag) => flag.length)) + 2;
  const lines = SETTINGS.map(({ value, fallback, summary }, index) => {
    const standard = value === '' || fallback === '' ? '' : ` (default ${fallback})`;
    return `  ${(flags[index] ?? '').padEnd(width)}${summary}${standard}`;
  });
  return [
    'Gavel: an auction house that keeps every player in a small store of its own.',
    '',
    'npm start -- [settings]',
    '',
    ...lines,
    `  ${'--help'.padEnd(width)}Prints this.`,
    '',
    `Each setting may also stand in the environment (GAVEL_PORT) or in ${CONFIG_FILE} ("port"); flags come first, then the environment.`,
    'Secrets, from the environment alone, made up in development:',
    '',
    ...SECRETS.map(({ variable, summary }) => `  ${variable.padEnd(width)}${summary}`),
    '',
  ].join('\n');
}

function isSettingName(text: string): text is SettingName {
  return SETTINGS.some(({ name }) => name === text);
}

function parseFlags(args: readonly string[]): Partial<Values> | 'help' {
  const values: Partial<Record<SettingName, string>> = {};
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? '';
    if (arg === '--help' || arg === '-h') return 'help';
    const [, name = '', attached] = /^--([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
    if (!isSettingName(name)) throw new ConfigError(`There is no option ${quote(arg)}; --help lists them all.`);
    if (values[name] !== undefined) throw new ConfigError(`--${name} is given twice.`);
    const value = attached ?? (isSwitch(name) ? 'true' : args[++index]);
    if (value === undefined || (attached === undefined && value.startsWith('--'))) throw new ConfigError(`--${name} wants a value.`);
    values[name] = value;
  }
  return values;
}

function isSwitch(name: SettingName): boolean {
  return SETTINGS.find((setting) => setting.name === name)?.value === '';
}

function fromEnvironment(env: ConfigSource['env']): Partial<Values> {
  const values: Partial<Record<SettingName, string>> = {};
  const known = new Set<string>([...SETTINGS.map(({ name }) => variableOf(name)), ...SECRETS.map(({ variable }) => variable)]);
  for (const variable of Object.keys(env)) {
    const isOurs = variable.startsWith('GAVEL_') && !FOREIGN_VARIABLES.has(variable);
    if (isOurs && !known.has(variable)) throw new ConfigError(`There is no setting ${quote(variable)}, which is in the environment.`);
  }
  for (const { name } of SETTINGS) {
    const value = env[variableOf(name)];
    if (value !== undefined) values[name] = value;
  }
  return values;
}

/** Variables with our prefix that are read by tools beside the server. */
const FOREIGN_VARIABLES: ReadonlySet<string> = new Set(['GAVEL_TEST_SUMMARY']);

function variableOf(name: SettingName): string {
  return `GAVEL_${name.replaceAll('-', '_').toUpperCase()}`;
}

const fileSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]));

function fromFile({ readText }: ConfigSource): Partial<Values> {
  const content = readJson(readText, CONFIG_FILE);
  if (content === undefined) return {};
  const parsed = fileSchema.safeParse(content.value);
  if (!parsed.success) throw new ConfigError(`${CONFIG_FILE}: ${faultOf(parsed.error)}.`);
  const values: Partial<Record<SettingName, string>> = {};
  for (const [key, value] of Object.entries(parsed.data)) {
    if (!isSettingName(key)) throw new ConfigError(`${CONFIG_FILE}: there is no setting ${quote(key)}.`);
    values[key] = Array.isArray(value) ? value.join(',') : String(value);
  }
  return values;
}

function merge(...sources: readonly Partial<Values>[]): Values {
  const valueOf = (name: SettingName): string =>
    sources.find((source) => source[name] !== undefined)?.[name] ?? SETTINGS.find((setting) => setting.name === name)?.fallback ?? '';
  return {
    data: valueOf('data'),
    host: valueOf('host'),
    port: valueOf('port'),
    profile: valueOf('profile'),
    rules: valueOf('rules'),
    catalog: valueOf('catalog'),
    regions: valueOf('regions'),
    origins: valueOf('origins'),
    'session-rate': valueOf('session-rate'),
    'clock-is-right': valueOf('clock-is-right'),
  };
}

function nonEmpty(name: SettingName, value: string): string {
  if (value === '' || value.includes('\0')) throw new ConfigError(`--${name} must not be empty.`);
  return value;
}

function parseInteger(name: SettingName, text: string, min: number, max: number): number {
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined;
  if (value === undefined || value < min || value > max) {
    throw new ConfigError(`--${name} must be a whole number from ${min} to ${max}; not ${quote(text)}.`);
  }
  return value;
}

function parseSwitch(name: SettingName, text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new ConfigError(`--${name} must be true or false, or stand alone; not ${quote(text)}.`);
}

function parseProfile(text: string): Profile {
  if (text === 'dev' || text === 'production') return text;
  throw new ConfigError(`--profile must be dev or production; not ${quote(text)}.`);
}

function parseRegions(text: string): readonly string[] {
  const regions = text.split(',');
  for (const region of regions) {
    if (!isRegionName(region))
      throw new ConfigError(`--regions must name regions, in lower-case letters, digits and dashes; not ${quote(region)}.`);
  }
  if (new Set(regions).size < regions.length) throw new ConfigError('--regions names a region twice.');
  return regions;
}

function parseOrigins(text: string): readonly string[] {
  const origins = text === '' ? [] : text.split(',');
  for (const origin of origins) {
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    if (url === undefined || url.origin !== origin) {
      throw new ConfigError(`--origins must name origins such as https://play.example.org; not ${quote(origin)}.`);
    }
  }
  return origins;
}

function parseSessionRate(text: string, profile: Profile): Config['sessionRate'] {
  const perSecond = text === '' ? SESSION_RATE[profile] : parseInteger('session-rate', text, 1, 1_000_000);
  return { perSecond, burst: perSecond * 5 };
}

function loadRules({ readText }: ConfigSource, text: string): Rules {
  if (isRulesProfile(text)) return RULES_PROFILES[text];
  try {
    const rules = parseRules(fileContent(readText, 'rules', text));
    if (rules.marketScope === 'region') return rules;
    throw new RulesError('marketScope must be region: nobody can search a market of the whole world yet');
  } catch (error) {
    if (error instanceof RulesError) throw new ConfigError(`The rules in ${quote(text)} cannot be used: ${error.message}.`);
    throw error;
  }
}

function loadCatalogue({ readText }: ConfigSource, path: string): Catalogue {
  try {
    return parseCatalogue(fileContent(readText, 'catalog', path));
  } catch (error) {
    if (error instanceof CatalogueError) throw new ConfigError(`The catalogue in ${quote(path)} cannot be used: ${error.message}.`);
    throw error;
  }
}

function fileContent(readText: ConfigSource['readText'], name: SettingName, path: string): unknown {
  const content = readJson(readText, path);
  if (content === undefined) throw new ConfigError(`--${name} names the file ${quote(path)}, which does not exist.`);
  return content.value;
}

function readJson(readText: ConfigSource['readText'], path: string): { readonly value: unknown } | undefined {
  let text: string | undefined;
  try {
    text = readText(path);
  } catch (error) {
    throw new ConfigError(`The file ${quote(path)} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
  if (text === undefined) return undefined;
  try {
    return { value: JSON.parse(text) };
  } catch {
    throw new ConfigError(`The file ${quote(path)} is not JSON.`);
  }
}

function loadSecrets({ env, newSecret }: ConfigSource, profile: Profile): Secrets {
  const jwt = env['GAVEL_JWT_SECRET'];
  const service = env['GAVEL_SERVICE_KEY'];
  if (profile === 'production') {
    const missing = jwt === undefined ? 'GAVEL_JWT_SECRET' : service === undefined ? 'GAVEL_SERVICE_KEY' : undefined;
    if (missing !== undefined) throw new ConfigError(`In production, ${missing} must be in the environment.`);
  }
  const jwtKeys = jwt === undefined ? [newSecret()] : jwt.split(',');
  if (jwtKeys.length > 2) throw new ConfigError('GAVEL_JWT_SECRET must be one key, or two with a comma between them.');
  if (jwtKeys.some((key) => key.length < SECRET_LENGTH_MIN)) {
    throw new ConfigError(`A key in GAVEL_JWT_SECRET must have at least ${SECRET_LENGTH_MIN} characters.`);
  }
  if (service !== undefined && service.length < SECRET_LENGTH_MIN) {
    throw new ConfigError(`GAVEL_SERVICE_KEY must have at least ${SECRET_LENGTH_MIN} characters.`);
  }
  return { jwtKeys, serviceKey: service ?? newSecret(), isMadeUp: jwt === undefined || service === undefined };
}

/** What somebody typed, short and on one line. */
function quote(text: string): string {
  return JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 80)}...`);
}
