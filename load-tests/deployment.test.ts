/** The files of `deploy/`: what they name exists, and nginx is really run with its file. */
import { afterAll, describe, expect, it } from '@jest/globals';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import packageJson from '#package.json' with { type: 'json' };
import { GameClient } from '#client/game-client.ts';
import { until } from '#client/wait.ts';
import { limits } from '#shared/limits.ts';
import { SECRETS } from '#server/config.ts';
import { SETTINGS } from '#server/config/settings.ts';
import { ServerChild } from './server-child.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const text = (name: string): string => readFileSync(join(ROOT, 'deploy', name), 'utf8');
const NAMES = ['nginx.conf', 'gavel.service', 'Containerfile'];

/** Where the program is, if it is anywhere. */
const programOf = (name: string): string | undefined =>
  ['/usr/sbin', '/usr/bin', '/usr/local/bin'].map((folder) => join(folder, name)).find((path) => existsSync(path));
const NGINX = programOf('nginx');
const OPENSSL = programOf('openssl');
const ANALYZE = programOf('systemd-analyze');

const directory = mkdtempSync(join(tmpdir(), 'gavel-deploy-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('the files for a deployment', () => {
  const [, , ...flags] = packageJson.scripts.start.split(' ');

  it('name only settings and variables that exist', () => {
    const settings = new Set<string>(SETTINGS.map(({ name }) => name));
    const variables = new Set([...SETTINGS, ...SECRETS].map(({ variable }) => variable));
    const own = flags.map((flag) => /^--([a-z-]+)/.exec(flag)?.[1] ?? '');
    const ofOthers = [...own, 'env-file', 'stop-timeout', 'omit', 'interval', 'timeout', 'now'];
    for (const name of [...NAMES, '../docs/deployment.md']) {
      const named = [...text(name).matchAll(/(?<![\w-])--([a-z][a-z-]+)/g)].map(([, flag = '']) => flag);
      expect(named.filter((flag) => !settings.has(flag) && !ofOthers.includes(flag))).toEqual([]);
      for (const [variable] of text(name).matchAll(/GAVEL_[A-Z_]+/g)) expect(variables).toContain(variable);
    }
  });

  it('start the server as npm does', () => {
    expect(text('gavel.service')).toContain(`node_modules/.bin/node ${flags.join(' ')} --profile`);
    expect(text('Containerfile')).toContain(`["node", ${flags.map((flag) => JSON.stringify(flag)).join(', ')}, "--data"`);
  });

  it('give it the time to stop that it may take, and copy what it needs', () => {
    expect(Number(/TimeoutStopSec=(\d+)/.exec(text('gavel.service'))?.[1]) * 1_000).toBeGreaterThan(limits.drainMaxMs);
    expect(Number(/--stop-timeout (\d+)/.exec(text('Containerfile'))?.[1]) * 1_000).toBeGreaterThan(limits.drainMaxMs);
    for (const [, paths = ''] of text('Containerfile').matchAll(/^COPY (.*) \S+$/gm))
      for (const path of paths.split(' ')) expect(existsSync(join(ROOT, path))).toBe(true);
  });

  (ANALYZE === undefined ? it.skip : it)('are a unit that systemd understands (skipped: needs systemd-analyze)', () => {
    const unit = join(directory, 'gavel.service');
    writeFileSync(unit, text('gavel.service').replaceAll('/opt/gavel', ROOT.replace(/\/$/, '')));
    const { status, stdout, stderr } = spawnSync(ANALYZE ?? '', ['verify', '--man=no', unit], { encoding: 'utf8' });
    expect([status, `${stdout}${stderr}`.split('\n').filter((line) => line.includes('gavel.service'))]).toEqual([0, []]);
  });
});

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

/** The file as it stands, with the ports, the certificate and the name of this test. */
function nginxFile(ports: { readonly plain: number; readonly tls: number; readonly gavel: string }, certificate: string): string {
  const site = text('nginx.conf')
    .replaceAll(/^ *listen \[::\].*\n/gm, '')
    .replace('listen 80;', `listen 127.0.0.1:${ports.plain};`)
    .replace('listen 443 ssl;', `listen 127.0.0.1:${ports.tls} ssl;`)
    .replaceAll('127.0.0.1:2567', ports.gavel)
    .replaceAll('market.example.org', 'localhost')
    .replace('/etc/ssl/gavel/fullchain.pem', certificate)
    .replace('/etc/ssl/gavel/privkey.pem', `${certificate}.key`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${directory}/${name};`)
    .join('\n');
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  return `${user}\ndaemon off;\npid ${directory}/nginx.pid;\nevents {}\nhttp {\naccess_log off;\n${temporary}\n${site}\n}\n`;
}

const canRun = NGINX !== undefined && OPENSSL !== undefined;
if (!canRun) process.stderr.write('load-tests/deployment.test.ts: nginx or openssl is missing, so nginx is not run\n');

describe('nginx before a server', () => {
  (canRun ? it : it.skip)(
    'lets a player in, and trade, over TLS (skipped: needs nginx and openssl)',
    async () => {
      const certificate = join(directory, 'certificate.pem');
      const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${certificate}.key`];
      execFileSync(OPENSSL ?? '', ['req', '-x509', '-days', '2', ...key, ...subject, '-out', certificate], { stdio: 'ignore' });
      setDefaultCACertificates([...getCACertificates('default'), readFileSync(certificate, 'utf8')]);
      const data = join(directory, 'data');
      mkdirSync(data);
      const server = new ServerChild(data, { args: ['--trusted-proxies', '127.0.0.1', '--session-rate', '1'] });
      let nginx: ChildProcess | undefined;
      try {
        const { host: gavel } = new URL(await server.serving(20_000));
        const ports = { plain: await freePort(), tls: await freePort(), gavel };
        writeFileSync(join(directory, 'nginx.conf'), nginxFile(ports, certificate));
        nginx = spawn(NGINX ?? '', ['-p', directory, '-e', 'error.log', '-c', 'nginx.conf'], { stdio: 'ignore' });
        const url = `https://localhost:${ports.tls}`;
        await until(() =>
          fetch(`${url}/livez`).then(
            ({ ok }) => ok,
            () => false,
          ),
        );
        await trade(url);
        await eachAddressHasItsOwnRate(url);
        expect((await fetch(`${url}/api/players/guest-ada?region=europe&mode=softcore`)).status).toBe(404);
        const plain = await fetch(`http://127.0.0.1:${ports.plain}/livez`, { redirect: 'manual' });
        expect([plain.status, plain.headers.get('location')]).toEqual([308, 'https://127.0.0.1/livez']);
        const tooLarge = await fetch(`${url}/session`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: 'x'.repeat(9_000),
        });
        expect(tooLarge.status).toBe(413);
      } finally {
        const ended = nginx === undefined ? undefined : once(nginx, 'exit');
        nginx?.kill('SIGTERM');
        await ended;
        await server.stop(10_000);
      }
    },
    60_000,
  );
});

/** Twenty sessions at once are too many for one address, and another one has its own. */
async function eachAddressHasItsOwnRate(url: string): Promise<void> {
  const statuses = await Promise.all(Array.from({ length: 20 }, (_, index) => statusOfSession(url, '127.0.0.5', `caller-${index}`)));
  expect(new Set(statuses)).toEqual(new Set([200, 429]));
  expect(await statusOfSession(url, '127.0.0.6', 'another')).toBe(200);
}

function statusOfSession(url: string, localAddress: string, guest: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': '10.0.0.1' };
    const sent = request(new URL('/session', url), { method: 'POST', localAddress, family: 4, headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    sent.once('error', reject);
    sent.end(JSON.stringify({ guest, region: 'asia' }));
  });
}

/** A sale between two players through whatever stands before the server. */
async function trade(url: string): Promise<void> {
  const [ada, bob] = await Promise.all(
    ['ada', 'bob'].map((guest) => GameClient.connect({ url, credentials: { guest }, region: 'europe' })),
  );
  if (ada === undefined || bob === undefined) throw new Error('nobody came');
  const [item] = ada.state.stash.values();
  const { listingId } = await ada.sell({ itemId: item?.id ?? '', buyout: 1_500 });
  expect(await bob.buyout({ listingId, price: 1_500 })).toEqual({ itemId: item?.id, paid: 1_500 });
  await Promise.all([ada.close(), bob.close()]);
}
