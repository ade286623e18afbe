/**
 * The settings, as one table: each by its name, with how its text becomes its value and what is said
 * about it. Flags, environment, file, `--help` and docs/reference/configuration.md are made from it.
 */
import { z } from 'zod';
import { isRegionName } from '#shared/address.ts';

/**
 * What is said about a setting: `value` stands for its value in the help, and is empty for a
 * switch, which may stand alone.
 */
interface SettingText {
  readonly value: string;
  readonly fallback: string;
  readonly help: string;
}

const settingTexts = z.registry<SettingText>();

/**
 * One setting: what is said about it, and how its text becomes its value. A message that ends in `;
 * not` is completed with what was given.
 */
function setting<Schema extends z.core.$ZodType<unknown, string>>(value: string, fallback: string, help: string, schema: Schema) {
  const read = z.string().prefault(fallback).pipe(schema);
  settingTexts.add(read, { value, fallback, help });
  return read;
}

const nonEmpty = z.string().refine((text) => text !== '' && !text.includes('\0'), 'must not be empty');

const integerBetween = (min: number, max: number) =>
  z
    .string()
    .refine(
      (text) => /^[0-9]{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max,
      `must be a whole number from ${min} to ${max}; not`,
    )
    .transform(Number);

const listOf = (isElement: (text: string) => boolean, message: string) =>
  z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.string().refine(isElement, message)));

/** Empty text stands for nothing. */
const absentIfEmpty = z.string().transform((text) => (text === '' ? undefined : text));

const profile = z.enum(['dev', 'production'], 'must be dev or production; not');
const regions = listOf(isRegionName, 'must name regions, in lower-case letters, digits and dashes; not').refine(
  (names) => new Set(names).size === names.length,
  'names a region twice',
);
const origins = listOf(
  (text) => URL.canParse(text) && new URL(text).origin === text,
  'must name origins such as https://play.example.org; not',
);
const indexUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && ['ws:', 'wss:'].includes(new URL(text).protocol) && !text.includes('#'),
    'must be an address such as ws://10.0.0.7:2569; not',
  );
const network = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]);
const networks = listOf((text) => network.safeParse(text).success, 'must name addresses or networks such as 10.0.0.0/8; not');
const yesOrNo = z.enum(['true', 'false'], 'must be true or false, or stand alone; not').transform((text) => text === 'true');

/**
 * Every setting by its name, in the order of the help: `--port`, `GAVEL_PORT`, `port` in the file.
 */
export const settingsSchema = z.object({
  data: setting('DIR', './data', 'Where everything durable is kept: on a local file system, not on a network.', nonEmpty),
  host: setting('ADDRESS', '127.0.0.1', 'The address to listen on.', nonEmpty),
  port: setting('N', '2567', 'The port to listen on; 0 for any that is free.', integerBetween(0, 65_535)),
  profile: setting('dev|production', 'dev', 'Whether guests are let in and secrets are made up (dev), or neither (production).', profile),
  rules: setting(
    'dev|diablo3|FILE',
    '',
    'The rules of the market: a built-in profile, or a JSON file; dev in development, diablo3 in production unless given.',
    absentIfEmpty,
  ),
  catalog: setting('FILE', '', 'The item catalogue, a JSON file; built in unless given.', absentIfEmpty),
  regions: setting('A,B,...', 'americas,europe,asia', 'The regions of the world.', regions),
  origins: setting('URL,...', '', 'Origins of web pages that may use the server, besides its own.', absentIfEmpty.pipe(origins.optional())),
  'admin-port': setting(
    'N',
    '',
    'A port of its own for `/api`, which is then served there only; 0 for any that is free. Unless given, it is served with all else.',
    absentIfEmpty.pipe(integerBetween(0, 65_535).optional()),
  ),
  'admin-host': setting('ADDRESS', '127.0.0.1', 'The address to listen on for that port.', nonEmpty),
  jwks: setting(
    'FILE|URL',
    '',
    'Public keys of the studio, for session tokens by RS256 and ES256: a JSON Web Key Set, as a file or where it is served (https).',
    absentIfEmpty,
  ),
  'session-rate': setting(
    'N',
    '',
    'Sessions per second that one address may open; 1,000 in development, 20 in production unless given.',
    absentIfEmpty.pipe(integerBetween(1, 1_000_000).optional()),
  ),
  index: setting(
    'URL',
    '',
    'A listing index that runs by itself (npm run index); the server starts one of its own unless given.',
    absentIfEmpty.pipe(indexUrl.optional()),
  ),
  'address-rate': setting(
    'N',
    '',
    'Tokens per second that the players of one address may spend; 10,000 in development, 500 in production unless given.',
    absentIfEmpty.pipe(integerBetween(1, 1_000_000).optional()),
  ),
  'trusted-proxies': setting(
    'CIDR,...',
    '',
    'Addresses or networks of proxies before the server, whose X-Forwarded-For or Forwarded is believed.',
    absentIfEmpty.pipe(networks.optional()),
  ),
  'clock-is-right': setting(
    '',
    'false',
    'Starts although the clock is far from the last time that the data know; see docs/operations.md.',
    yesOrNo,
  ),
});

/** The variable of a setting in the environment. */
export function variableOf(name: string): string {
  return `GAVEL_${name.replaceAll('-', '_').toUpperCase()}`;
}

/** Every setting, in the order of the help; `fallback` is empty where there is none. */
export const SETTINGS = Object.entries(settingsSchema.shape).flatMap(([name, schema]) => {
  const text = settingTexts.get(schema);
  if (text === undefined) return [];
  return [{ ...text, name, flag: `--${name} ${text.value}`.trimEnd(), variable: variableOf(name) }];
});
