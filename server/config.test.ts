import { describe, expect, it } from '@jest/globals';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import type { Catalogue } from '#shared/catalog/catalogue.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { ConfigError, loadConfig, type Config, type ConfigSource } from './config.ts';
import { SETTINGS } from './config/settings.ts';

const SECRET = 'first-secret-of-36-characters-abcdef';
const OTHER = 'other-secret-of-36-characters-ghijkl';
const SERVICE = 'service-key-of-36-characters-mnopqrs';
const WORLD = 'key-of-the-world-of-36-characters-tuv';
const ALL = new Set(['grant', 'charge', 'read']);

const MADE_UP = ['made-up-for-the-session-tokens-abcdef', 'made-up-for-the-game-servers-ghijklm', 'made-up-for-the-listing-index-nopqrst'];

const load = ({ files = {}, ...source }: Partial<ConfigSource> & { files?: Readonly<Record<string, string>> } = {}): Config => {
  let made = 0;
  const config = loadConfig({
    args: [],
    env: {},
    readText: (path) => files[path],
    newSecret: () => MADE_UP[made++ % MADE_UP.length] ?? '',
    ...source,
  });
  if ('print' in config) throw new Error('something was to be printed');
  return config;
};

const printed = (args: readonly string[], files: Readonly<Record<string, string>> = {}): string => {
  const printout = loadConfig({ args, env: {}, readText: (path) => files[path], newSecret: () => SECRET });
  if (!('print' in printout)) throw new Error('nothing was printed');
  return printout.print;
};

const faultOf = (source: Parameters<typeof load>[0]): string => {
  try {
    load(source);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('the configuration was accepted');
};

describe('the configuration', () => {
  it('is complete without a word', () => {
    const { catalogue, rules, ...rest } = load();
    expect(rest).toEqual({
      profile: 'dev',
      dataDirectory: './data',
      addressRate: { perSecond: 10_000, burst: 30_000 },
      trustedProxies: [],
      host: '127.0.0.1',
      port: 2567,
      regions: ['americas', 'europe', 'asia'],
      origins: [],
      sessionRate: { perSecond: 1_000, burst: 5_000 },
      isClockRight: false,
      index: { url: undefined, key: MADE_UP[2] },
      admin: undefined,
      jwks: undefined,
      secrets: {
        jwtKeys: [MADE_UP[0]],
        serviceKeys: [{ name: 'service', rights: ALL, key: MADE_UP[1] }],
        worldKey: undefined,
        madeUpServiceKey: MADE_UP[1],
      },
    });
    expect(rules).toBe(RULES_PROFILES.dev);
    expect(catalogue.itemClasses).toHaveLength(25);
  });

  it('takes flags before the environment before the file', () => {
    const files = { 'gavel.config.json': '{"port": 1, "host": "h1", "regions": ["north", "south"]}' };
    const { port, host, regions } = load({ args: ['--port', '3'], env: { GAVEL_PORT: '2', GAVEL_HOST: 'h2' }, files });
    expect([port, host, regions]).toEqual([3, 'h2', ['north', 'south']]);
  });

  it('takes a value after a space or an equals sign', () => {
    expect(load({ args: ['--port=0', '--data', '/tmp/x', '--session-rate=7'] })).toMatchObject({
      port: 0,
      dataDirectory: '/tmp/x',
      sessionRate: { perSecond: 7, burst: 35 },
    });
  });

  it('takes a switch without a value, and its value from elsewhere', () => {
    expect(load({ args: ['--clock-is-right', '--port', '3'] })).toMatchObject({ isClockRight: true, port: 3 });
    expect(load({ args: ['--clock-is-right=false'], env: { GAVEL_CLOCK_IS_RIGHT: 'true' } }).isClockRight).toBe(false);
    expect(load({ env: { GAVEL_CLOCK_IS_RIGHT: 'true' } }).isClockRight).toBe(true);
    expect(load({ files: { 'gavel.config.json': '{"clock-is-right": true}' } }).isClockRight).toBe(true);
    expect(faultOf({ env: { GAVEL_CLOCK_IS_RIGHT: 'yes' } })).toContain('GAVEL_CLOCK_IS_RIGHT must be true or false');
  });

  it('takes an empty value for none where there need not be one', () => {
    const env = { GAVEL_ORIGINS: '', GAVEL_CATALOG: '', GAVEL_SESSION_RATE: '' };
    expect(load({ env })).toMatchObject({ origins: [], sessionRate: { perSecond: 1_000 } });
  });

  it('takes the key of an index elsewhere from the environment, and makes one up for its own', () => {
    const env = { GAVEL_INDEX_KEY: SECRET };
    expect(load({ args: ['--index', 'ws://a:1'], env }).index).toEqual({ url: 'ws://a:1', key: SECRET });
    expect(load({ env }).index).toEqual({ url: undefined, key: MADE_UP[2] });
  });

  it('reads rules from a file', () => {
    expect(load({ args: ['--rules', 'r.json'], files: { 'r.json': '{"extends": "dev", "stashSlots": 20}' } }).rules.stashSlots).toBe(20);
  });

  it('reads files that begin with a byte order mark', () => {
    const files = { 'gavel.config.json': '\uFEFF{"rules": "r.json", "catalog": "c.json"}', 'r.json': '\uFEFF{"stashSlots": 20}' };
    const catalogue = `\uFEFF${JSON.stringify(BUILT_IN_CATALOGUE)}`;
    expect(load({ files: { ...files, 'c.json': catalogue } })).toMatchObject({ rules: { stashSlots: 20 }, catalogue: BUILT_IN_CATALOGUE });
  });

  it('prints help that names every setting', () => {
    for (const { name } of SETTINGS) expect(printed(['--help'])).toContain(`--${name} `);
  });

  it.each([
    [[], RULES_PROFILES.dev],
    [['diablo3'], RULES_PROFILES.diablo3],
    [['--rules', 'r.json', '--profile', 'production'], { ...RULES_PROFILES.dev, profile: 'custom', stashSlots: 20 }],
  ])('prints rules that are the same rules when they are given back: %j', (args, rules) => {
    const text = printed(['--print-rules', ...args], { 'r.json': '{"extends": "dev", "stashSlots": 20}' });
    expect(load({ args: ['--rules', 'printed.json'], files: { 'printed.json': text } }).rules).toEqual(rules);
  });

  it('prints a catalogue that is the same when it is given back', () => {
    const catalogue = JSON.parse(printed(['--print-catalog'])) as Catalogue;
    expect(catalogue).toEqual(load().catalogue);
    const other = { ...catalogue, name: 'Other' };
    const files = { 'other.json': JSON.stringify(other) };
    const text = printed(['--catalog', 'other.json', '--print-catalog'], files);
    expect(load({ args: ['--catalog', 'printed.json'], files: { 'printed.json': text } }).catalogue).toEqual(other);
  });

  it('takes both keys while one replaces the other, whatever blanks are around the comma', () => {
    const env = { GAVEL_JWT_SECRET: ` ${SECRET} , ${OTHER}`, GAVEL_SERVICE_KEY: ` ${SERVICE}`, GAVEL_WORLD_KEY: `${WORLD} ` };
    expect(load({ args: ['--profile', 'production'], env }).secrets).toEqual({
      jwtKeys: [SECRET, OTHER],
      serviceKeys: [{ name: 'service', rights: ALL, key: SERVICE }],
      worldKey: WORLD,
      madeUpServiceKey: undefined,
    });
  });

  it('takes service keys with names and rights, two of one name while one replaces the other', () => {
    const keys = ['one', 'two', 'six'].map((name) => `${name}-${SERVICE}`);
    const env = {
      GAVEL_JWT_SECRET: SECRET,
      GAVEL_WORLD_KEY: WORLD,
      GAVEL_SERVICE_KEYS: `loot:grant:${keys[0]}, loot:grant:${keys[1]}, shop : charge + read : ${keys[2]}`,
    };
    expect(load({ args: ['--profile', 'production'], env }).secrets.serviceKeys).toEqual([
      { name: 'loot', rights: new Set(['grant']), key: keys[0] },
      { name: 'loot', rights: new Set(['grant']), key: keys[1] },
      { name: 'shop', rights: new Set(['charge', 'read']), key: keys[2] },
    ]);
  });

  it('has the real rules in production, unless others are named', () => {
    const env = { GAVEL_JWT_SECRET: SECRET, GAVEL_SERVICE_KEY: SERVICE, GAVEL_WORLD_KEY: WORLD };
    expect(load({ args: ['--profile', 'production'], env }).rules).toBe(RULES_PROFILES.diablo3);
    expect(load({ args: ['--profile', 'production', '--rules', 'dev'], env }).rules).toBe(RULES_PROFILES.dev);
  });

  it('takes a port for game servers, on this machine unless said otherwise', () => {
    expect(load({ args: ['--admin-port', '0'] }).admin).toEqual({ host: '127.0.0.1', port: 0 });
    expect(load({ args: ['--admin-port', '9', '--admin-host', '10.0.0.1'] }).admin).toEqual({ host: '10.0.0.1', port: 9 });
    expect(load({ args: ['--admin-host', '10.0.0.1'] }).admin).toBeUndefined();
  });

  it('takes public keys from a file, or names where they are', () => {
    const jwks = { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid: 'a' }] };
    expect(load({ args: ['--jwks', 'k.json'], files: { 'k.json': JSON.stringify(jwks) } }).jwks).toEqual({ kind: 'keys', jwks });
    const url = 'https://id.example.org/keys';
    expect(load({ args: ['--jwks', url] }).jwks).toEqual({ kind: 'url', url: new URL(url) });
    expect(load({ args: ['--jwks', 'http://127.0.0.1:9/keys'] }).jwks).toMatchObject({ kind: 'url' });
  });

  it.each([
    [{ args: ['--prot', '1'] }, 'There is no option "--prot"; --help lists them all.'],
    [{ args: ['start'] }, 'There is no option "start"; --help lists them all.'],
    [{ args: ['--print-rules', 'diablo4'] }, 'There is no option "diablo4"; --help lists them all.'],
    [{ args: ['-p'] }, 'There is no option "-p"; --help lists them all.'],
    [{ args: ['--'] }, 'There is no option "--"; --help lists them all.'],
    [{ args: ['--constructor', 'x'] }, 'There is no option "--constructor"; --help lists them all.'],
    [{ args: ['--clock-is-right', 'yes'] }, 'There is no option "yes"; --help lists them all.'],
    [{ args: ['--session-rate', '0'] }, '--session-rate must be a whole number from 1 to 1000000; not "0".'],
    [{ args: ['--regions', ''] }, '--regions must name regions, in lower-case letters, digits and dashes; not "".'],
    [{ args: ['--port'] }, '--port wants a value.'],
    [{ args: ['--port', '9', '--admin-port', '9'] }, '--admin-port must not be the port that players come to, which is 9.'],
    [{ args: ['--index', 'http://a:1'] }, '--index must be an address such as ws://10.0.0.7:2569; not "http://a:1".'],
    [{ args: ['--index', 'ws://a:1#b'] }, '--index must be an address such as ws://10.0.0.7:2569; not "ws://a:1#b".'],
    [{ args: ['--index', 'ws://a:1'] }, 'With --index, GAVEL_INDEX_KEY must be in the environment.'],
    [{ args: ['--index', 'ws://a:1'], env: { GAVEL_INDEX_KEY: 'short' } }, 'GAVEL_INDEX_KEY must have at least 32 characters.'],
    [{ args: ['--port', '--host', 'x'] }, '--port wants a value.'],
    [{ args: ['--port', '1', '--port=2'] }, '--port is given twice.'],
    [{ args: ['--port', '65536'] }, '--port must be a whole number from 0 to 65535; not "65536".'],
    [{ args: ['--port', '1e3'] }, '--port must be a whole number from 0 to 65535; not "1e3".'],
    [{ args: ['--data='] }, '--data must not be empty.'],
    [{ args: ['--profile', 'prod'] }, '--profile must be dev or production; not "prod".'],
    [{ args: ['--regions', 'europe,Asia'] }, '--regions must name regions, in lower-case letters, digits and dashes; not "Asia".'],
    [{ args: ['--regions', 'europe,europe'] }, '--regions names a region twice.'],
    [
      { args: ['--origins', 'https://a.example/'] },
      '--origins must name origins such as https://play.example.org; not "https://a.example/".',
    ],
    [{ args: ['--rules', 'none.json'] }, '--rules names the file "none.json", which does not exist.'],
    [{ args: ['--rules', 'r'], files: { r: '{' } }, 'The file "r" is not JSON.'],
    [{ args: ['--rules', 'r'], files: { r: '{"stashSlot": 1}' } }, 'The rules in "r" cannot be used: unknown field "stashSlot".'],
    [
      { args: ['--rules', 'r'], files: { r: '{"marketScope": "world"}' } },
      'The rules in "r" cannot be used: marketScope must be region: nobody can search a market of the whole world yet.',
    ],
    [{ args: ['--catalog', 'c'], files: { c: '{}' } }, expect.stringMatching(/^The catalogue in "c" cannot be used: .*\.$/)],
    [{ env: { GAVEL_PROT: '1' } }, 'There is no setting "GAVEL_PROT", which is in the environment.'],
    [{ env: { GAVEL_PORT: 'x' } }, 'GAVEL_PORT must be a whole number from 0 to 65535; not "x".'],
    [{ args: ['--port', 'y'], env: { GAVEL_PORT: 'x' } }, '--port must be a whole number from 0 to 65535; not "y".'],
    [{ env: { GAVEL_RULES: 'none.json' } }, 'GAVEL_RULES names the file "none.json", which does not exist.'],
    [
      { files: { 'gavel.config.json': '{"port": 70000}' } },
      '"port" in gavel.config.json must be a whole number from 0 to 65535; not "70000".',
    ],
    [{ files: { 'gavel.config.json': '{"catalog": "c"}' } }, '"catalog" in gavel.config.json names the file "c", which does not exist.'],
    [
      { env: { GAVEL_PORT: '1', GAVEL_REGIONS: 'Asia' } },
      'GAVEL_REGIONS must name regions, in lower-case letters, digits and dashes; not "Asia".',
    ],
    [{ args: ['--rules', 'r'], files: { r: '{"durationMaxMs": 9007199254740991}' } }, expect.stringContaining('durationMaxMs: ')],
    [
      { args: ['--rules', 'r'], files: { r: '{"gold": {"byItemClass": {"axe": {"priceMin": 0}}}}' } },
      'The rules in "r" cannot be used: gold.byItemClass.axe.priceMin: must be above 0.',
    ],
    [{ files: { 'gavel.config.json': '{"prot": 1}' } }, 'gavel.config.json: there is no setting "prot".'],
    [{ files: { 'gavel.config.json': '[1]' } }, expect.stringMatching(/^gavel\.config\.json: .*\.$/)],
    [{ files: { 'gavel.config.json': '{"port": {}}' } }, expect.stringMatching(/^gavel\.config\.json: port: .*\.$/)],
    [{ args: ['--profile', 'production'] }, 'In production, GAVEL_JWT_SECRET must be in the environment.'],
    [
      { args: ['--profile', 'production'], env: { GAVEL_JWT_SECRET: SECRET } },
      'In production, GAVEL_SERVICE_KEYS or GAVEL_SERVICE_KEY must be in the environment.',
    ],
    [
      { args: ['--profile', 'production'], env: { GAVEL_JWT_SECRET: SECRET, GAVEL_SERVICE_KEY: SERVICE } },
      'In production, GAVEL_WORLD_KEY must be in the environment.',
    ],
    [{ env: { GAVEL_WORLD_KEY: 'short' } }, 'GAVEL_WORLD_KEY must have at least 32 characters.'],
    [{ env: { GAVEL_JWT_SECRET: SECRET, GAVEL_WORLD_KEY: SECRET } }, 'Two of the secrets are equal: each must be a key of its own.'],
    [{ args: ['--jwks', 'none.json'] }, '--jwks names the file "none.json", which does not exist.'],
    [{ args: ['--jwks', 'k'], files: { k: '{"keys": []}' } }, expect.stringMatching(/^The jwks in "k" cannot be used: keys: .*\.$/)],
    [
      { args: ['--jwks', 'k'], files: { k: '{"keys": [{"kty": "RSA", "n": "n", "e": "e", "d": "d"}]}' } },
      'The jwks in "k" cannot be used: keys[0]: is a private key: whoever reads it can sign.',
    ],
    [
      { args: ['--jwks', 'http://id.example.org/keys'] },
      '--jwks must be https, or of this machine: whoever can change "http://id.example.org/keys" on its way can let anybody in.',
    ],
    [{ env: { GAVEL_SERVICE_KEYS: SERVICE } }, 'The service key 1 of GAVEL_SERVICE_KEYS must have the form NAME:RIGHT+RIGHT:KEY.'],
    [
      { env: { GAVEL_SERVICE_KEYS: `Loot:grant:${SERVICE}` } },
      'The service key 1 of GAVEL_SERVICE_KEYS must begin with a name of lower-case letters, digits and dashes.',
    ],
    [
      { env: { GAVEL_SERVICE_KEYS: `loot:grant+steal:${SERVICE}` } },
      'The service key 1 of GAVEL_SERVICE_KEYS, loot, must have some of the rights grant, charge, read.',
    ],
    [
      { env: { GAVEL_SERVICE_KEYS: 'loot:grant:short' } },
      'The service key 1 of GAVEL_SERVICE_KEYS, loot, must have at least 32 characters.',
    ],
    [
      { env: { GAVEL_SERVICE_KEYS: `loot:grant:${SERVICE}é` } },
      'The service key 1 of GAVEL_SERVICE_KEYS, loot, must be of letters, digits and . _ ~ + / - with = at the end only.',
    ],
    [
      { env: { GAVEL_SERVICE_KEYS: ['1', '2', '3'].map((nth) => `loot:grant:${SERVICE}${nth}`).join(',') } },
      'The service keys have the name loot 3 times; two replace each other.',
    ],
    [{ env: { GAVEL_JWT_SECRET: `${SECRET}, ${SECRET}` } }, 'Two of the secrets are equal: each must be a key of its own.'],
    [{ env: { GAVEL_JWT_SECRET: SECRET, GAVEL_SERVICE_KEY: SECRET } }, 'Two of the secrets are equal: each must be a key of its own.'],
    [{ env: { GAVEL_JWT_SECRET: 'a'.repeat(40) } }, 'A key in GAVEL_JWT_SECRET is too simple: make one with `openssl rand -base64 32`.'],
    [{ env: { GAVEL_SERVICE_KEY: 'abcdefgh12'.repeat(4) } }, 'GAVEL_SERVICE_KEY is too simple: make one with `openssl rand -base64 32`.'],
    [{ env: { GAVEL_JWT_SECRET: 'short' } }, 'A key in GAVEL_JWT_SECRET must have at least 32 characters.'],
    [{ env: { GAVEL_JWT_SECRET: `${SECRET},${SECRET},${SECRET}` } }, 'GAVEL_JWT_SECRET must be one key, or two with a comma between them.'],
    [{ env: { GAVEL_SERVICE_KEY: 'short' } }, 'GAVEL_SERVICE_KEY must have at least 32 characters.'],
  ])('refuses %j in one sentence', (source, sentence) => {
    expect(faultOf(source)).toEqual(sentence);
  });
});
