import { describe, expect, it } from '@jest/globals';
import { RULES_PROFILES } from '#shared/rules.ts';
import { ConfigError, helpText, loadConfig, SETTINGS, type Config, type ConfigSource } from './config.ts';

const SECRET = 'a'.repeat(32);

const load = ({ files = {}, ...source }: Partial<ConfigSource> & { files?: Readonly<Record<string, string>> } = {}): Config => {
  const config = loadConfig({
    args: [],
    env: {},
    readText: (path) => files[path],
    newSecret: () => 'made-up-made-up-made-up-made-up-made-up',
    ...source,
  });
  if (config === 'help') throw new Error('help was asked for');
  return config;
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
      secrets: {
        jwtKeys: ['made-up-made-up-made-up-made-up-made-up'],
        serviceKey: 'made-up-made-up-made-up-made-up-made-up',
        isMadeUp: true,
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
    expect(faultOf({ env: { GAVEL_CLOCK_IS_RIGHT: 'yes' } })).toContain('--clock-is-right must be true or false');
  });

  it('takes an empty value for none where there need not be one', () => {
    const env = { GAVEL_ORIGINS: '', GAVEL_CATALOG: '', GAVEL_SESSION_RATE: '' };
    expect(load({ env })).toMatchObject({ origins: [], sessionRate: { perSecond: 1_000 } });
  });

  it('reads rules from a file', () => {
    expect(load({ args: ['--rules', 'r.json'], files: { 'r.json': '{"extends": "dev", "stashSlots": 20}' } }).rules.stashSlots).toBe(20);
  });

  it('prints help that names every setting', () => {
    expect(loadConfig({ args: ['--help'], env: {}, readText: () => undefined, newSecret: () => SECRET })).toBe('help');
    for (const { name } of SETTINGS) expect(helpText()).toContain(`--${name} `);
  });

  it('takes both keys while one replaces the other', () => {
    const env = { GAVEL_JWT_SECRET: `${SECRET},${'b'.repeat(40)}`, GAVEL_SERVICE_KEY: 'c'.repeat(32) };
    expect(load({ args: ['--profile', 'production'], env }).secrets).toEqual({
      jwtKeys: [SECRET, 'b'.repeat(40)],
      serviceKey: 'c'.repeat(32),
      isMadeUp: false,
    });
  });

  it.each([
    [{ args: ['--prot', '1'] }, 'There is no option "--prot"; --help lists them all.'],
    [{ args: ['start'] }, 'There is no option "start"; --help lists them all.'],
    [{ args: ['-p'] }, 'There is no option "-p"; --help lists them all.'],
    [{ args: ['--'] }, 'There is no option "--"; --help lists them all.'],
    [{ args: ['--constructor', 'x'] }, 'There is no option "--constructor"; --help lists them all.'],
    [{ args: ['--clock-is-right', 'yes'] }, 'There is no option "yes"; --help lists them all.'],
    [{ args: ['--session-rate', '0'] }, '--session-rate must be a whole number from 1 to 1000000; not "0".'],
    [{ args: ['--regions', ''] }, '--regions must name regions, in lower-case letters, digits and dashes; not "".'],
    [{ args: ['--port'] }, '--port wants a value.'],
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
    [{ env: { GAVEL_PORT: 'x' } }, '--port must be a whole number from 0 to 65535; not "x".'],
    [{ files: { 'gavel.config.json': '{"prot": 1}' } }, 'gavel.config.json: there is no setting "prot".'],
    [{ files: { 'gavel.config.json': '[1]' } }, expect.stringMatching(/^gavel\.config\.json: .*\.$/)],
    [{ files: { 'gavel.config.json': '{"port": {}}' } }, expect.stringMatching(/^gavel\.config\.json: port: .*\.$/)],
    [{ args: ['--profile', 'production'] }, 'In production, GAVEL_JWT_SECRET must be in the environment.'],
    [
      { args: ['--profile', 'production'], env: { GAVEL_JWT_SECRET: SECRET } },
      'In production, GAVEL_SERVICE_KEY must be in the environment.',
    ],
    [{ env: { GAVEL_JWT_SECRET: 'short' } }, 'A key in GAVEL_JWT_SECRET must have at least 32 characters.'],
    [{ env: { GAVEL_JWT_SECRET: `${SECRET},${SECRET},${SECRET}` } }, 'GAVEL_JWT_SECRET must be one key, or two with a comma between them.'],
    [{ env: { GAVEL_SERVICE_KEY: 'short' } }, 'GAVEL_SERVICE_KEY must have at least 32 characters.'],
  ])('refuses %j in one sentence', (source, sentence) => {
    expect(faultOf(source)).toEqual(sentence);
  });
});
