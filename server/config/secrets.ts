/**
 * Secrets: keys that the environment gives, or that are made up for one run of a development world.
 *
 * Each is long and varied enough not to be guessed, and no two are equal. Lists are written with
 * commas; blanks around them mean nothing.
 */
import { limits } from '#shared/limits.ts';
import { SERVICE_RIGHTS, type ServiceRight } from '#shared/protocol/service.ts';
import { ConfigError } from './config-error.ts';

/** What nobody else may know. */
export interface Secrets {
  /** Keys of session tokens: the first signs, all verify. */
  readonly jwtKeys: readonly string[];
  /** What game servers show. */
  readonly serviceKeys: readonly ServiceKey[];
  /** Seals the ids that clients see; `undefined` if the data directory is to have one made up. */
  readonly worldKey: string | undefined;
  /** The service key that was made up for this run, if none was given. */
  readonly madeUpServiceKey: string | undefined;
}

/** What one kind of game server shows, and what it may do. While a key is replaced, two have one name. */
export interface ServiceKey {
  readonly name: string;
  readonly rights: ReadonlySet<ServiceRight>;
  readonly key: string;
}

/** The environment's secrets. */
export const SECRETS = [
  { variable: 'GAVEL_JWT_SECRET', help: 'Signs session tokens; two keys, `new,old`, while one replaces the other.' },
  {
    variable: 'GAVEL_SERVICE_KEYS',
    help: 'What game servers show at `/api`: `NAME:RIGHT+RIGHT:KEY,...`, with the rights `grant`, `charge` and `read`; two of one name while one replaces the other.',
  },
  {
    variable: 'GAVEL_SERVICE_KEY',
    help: 'One more service key, with all rights, of the name `service`; enough where there is one game server.',
  },
  { variable: 'GAVEL_WORLD_KEY', help: 'Seals the ids that clients see: one for the life of a world. In development the data keep it.' },
] as const;

/** The name of `GAVEL_SERVICE_KEY`. */
const ALL_RIGHTS_NAME = 'service';
/** Fewer different characters than any key at random of that length has. */
const VARIETY_MIN = 8;
/** What `Authorization: Bearer` can carry (RFC 6750), but for what separates here. */
const KEY_PATTERN = /^[A-Za-z0-9._~+/-]+=*$/;

/** The secrets of the environment. Throws `ConfigError`. */
export function loadSecrets(env: Readonly<Record<string, string | undefined>>, mustBeGiven: boolean, newSecret: () => string): Secrets {
  const { GAVEL_JWT_SECRET: jwt, GAVEL_SERVICE_KEYS: named, GAVEL_SERVICE_KEY: single, GAVEL_WORLD_KEY: world } = env;
  if (mustBeGiven && jwt === undefined) throw new ConfigError('In production, GAVEL_JWT_SECRET must be in the environment.');
  if (mustBeGiven && named === undefined && single === undefined)
    throw new ConfigError('In production, GAVEL_SERVICE_KEYS or GAVEL_SERVICE_KEY must be in the environment.');
  if (mustBeGiven && world === undefined) throw new ConfigError('In production, GAVEL_WORLD_KEY must be in the environment.');
  const worldKey = world?.trim();
  if (worldKey !== undefined) demandSecret('GAVEL_WORLD_KEY', worldKey);
  const jwtKeys = listOf(jwt ?? newSecret());
  if (jwtKeys.length > 2) throw new ConfigError('GAVEL_JWT_SECRET must be one key, or two with a comma between them.');
  for (const key of jwtKeys) demandSecret('A key in GAVEL_JWT_SECRET', key);
  const madeUpServiceKey = named === undefined && single === undefined ? newSecret() : undefined;
  const serviceKeys: ServiceKey[] = named === undefined ? [] : listOf(named).map(parseServiceKey);
  const withAllRights = single?.trim() ?? madeUpServiceKey;
  if (withAllRights !== undefined) {
    demandServiceSecret('GAVEL_SERVICE_KEY', withAllRights);
    serviceKeys.push({ name: ALL_RIGHTS_NAME, rights: new Set(SERVICE_RIGHTS), key: withAllRights });
  }
  for (const [name, keys] of Map.groupBy(serviceKeys, (each) => each.name))
    if (keys.length > 2) throw new ConfigError(`The service keys have the name ${name} ${keys.length} times; two replace each other.`);
  const all = [...jwtKeys, ...serviceKeys.map(({ key }) => key), ...(worldKey === undefined ? [] : [worldKey])];
  if (new Set(all).size < all.length) throw new ConfigError('Two of the secrets are equal: each must be a key of its own.');
  return { jwtKeys, serviceKeys, worldKey, madeUpServiceKey };
}

/** `name:right+right:key`. What is wrong is told without the key. */
function parseServiceKey(text: string, index: number): ServiceKey {
  const which = `The service key ${index + 1} of GAVEL_SERVICE_KEYS`;
  const [name = '', rights = '', key, ...rest] = text.split(':').map((part) => part.trim());
  if (key === undefined || rest.length > 0) throw new ConfigError(`${which} must have the form NAME:RIGHT+RIGHT:KEY.`);
  if (!/^[a-z][a-z0-9-]*$/.test(name) || name.length > limits.serviceNameLengthMax)
    throw new ConfigError(`${which} must begin with a name of lower-case letters, digits and dashes.`);
  const given = rights.split('+').map((right) => right.trim());
  if (!given.every(isRight)) throw new ConfigError(`${which}, ${name}, must have some of the rights ${SERVICE_RIGHTS.join(', ')}.`);
  demandServiceSecret(`${which}, ${name},`, key);
  return { name, rights: new Set(given), key };
}

function isRight(text: string): text is ServiceRight {
  return SERVICE_RIGHTS.some((right) => right === text);
}

function listOf(text: string): readonly string[] {
  return text.split(',').map((each) => each.trim());
}

function demandServiceSecret(what: string, key: string): void {
  demandSecret(what, key);
  if (!KEY_PATTERN.test(key)) throw new ConfigError(`${what} must be of letters, digits and . _ ~ + / - with = at the end only.`);
}

/** A secret that nobody guesses: long, of many different characters, and not one short text again and again. */
function demandSecret(what: string, key: string): void {
  if (key.length < limits.secretLengthMin) throw new ConfigError(`${what} must have at least ${limits.secretLengthMin} characters.`);
  if (new Set(key).size < VARIETY_MIN || /^(.+)\1+$/.test(key))
    throw new ConfigError(`${what} is too simple: make one with \`openssl rand -base64 32\`.`);
}
